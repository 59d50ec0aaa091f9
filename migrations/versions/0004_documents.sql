-- Documents whose files are really there: what is expected and has arrived, and the indexes of every list.
-- No release before this one could write a document, so nothing here meets a big table.
-- squawk-ignore-file require-concurrent-index-creation, adding-field-with-default
set local lock_timeout = '3s';

alter table documents
    -- Where the store keeps the file; null for a link to somewhere else.
    add column storage_key text,
    add column search_text text not null
        generated always as (searchable(file_name || ' ' || coalesce(description, ''))) stored;

create unique index documents_storage_key_unique on documents (account_id, storage_key);
create index documents_by_created on documents (account_id, created_at, id);
create index documents_by_type on documents (account_id, document_type, created_at, id);
create index documents_by_opportunity on documents (account_id, opportunity_id, created_at, id)
    where opportunity_id is not null;
create index documents_search on documents using gin (account_id, search_text gin_trgm_ops);
create index documents_tags on documents using gin (account_id, tags);
-- The sweep asks of a file, whoever owns it, whether a document is recorded for it.
create index documents_files on documents (storage_key) where storage_key is not null;

-- An address that was handed out to send one file to. It is kept for a day, recorded or not.
create table uploads (
    account_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    opportunity_id uuid,
    document_type text not null,
    file_name text not null,
    file_url text not null,
    storage_key text not null,
    created_at timestamptz not null,
    arrived_at timestamptz,
    recorded_at timestamptz,
    constraint uploads_pkey primary key (account_id, id),
    constraint uploads_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint uploads_opportunity_fk foreign key (account_id, opportunity_id)
        references opportunities (account_id, id) on delete set null (opportunity_id)
);
create unique index uploads_storage_key_unique on uploads (account_id, storage_key);
create index uploads_by_opportunity on uploads (account_id, opportunity_id) where opportunity_id is not null;
create index uploads_created_at on uploads (created_at);
