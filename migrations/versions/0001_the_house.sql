-- Accounts, clients, contacts, interactions, health, and what every change writes beside itself.
-- Every account's table has (account_id, id) as its key, so that it can be spread by account_id.
set local lock_timeout = '3s';

create extension if not exists pg_trgm;
create extension if not exists unaccent;
create extension if not exists btree_gin;

-- Lower case without accents, ß as ss: what text is searched and sorted by. The two-argument form of
-- unaccent names its dictionary and so depends on no setting, which is what 'immutable' promises.
create function fold(value text) returns text
    language sql immutable strict parallel safe
    return lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, nfkc)));

-- What text is searched in: each text folded, a space before every word. Words that punctuation joins
-- (contact@acme.com, Jean-Luc) stand there a second time, one by one.
create function searchable(value text) returns text
    language sql immutable strict parallel safe
    return ' ' || fold(value)
        || case
            when fold(value) ~ '[^[:alnum:] ]'
            then ' ' || regexp_replace(fold(value), '[^[:alnum:]]+', ' ', 'g')
            else ''
        end;

-- The pattern that finds a word in such a text, taken literally; one or two letters match the start of a word.
create function search_pattern(word text) returns text
    language sql immutable strict parallel safe
    return '%' || case when fold(word) ~ '^[[:alnum:]]{1,2}$' then ' ' else '' end
        || replace(replace(replace(fold(word), '\', '\\'), '%', '\%'), '_', '\_') || '%';

-- Who may sign in as which account: the only tables that are looked up without knowing the account.
create table logins (
    email_key text not null,
    account_id uuid not null,
    constraint logins_pkey primary key (email_key)
);

create table platform_identities (
    issuer text not null,
    subject text not null,
    account_id uuid not null,
    constraint platform_identities_pkey primary key (issuer, subject)
);

create table accounts (
    account_id uuid not null,
    email text,
    name text,
    password_hash text,
    status text not null default 'ACTIVE',
    time_zone text not null default 'UTC',
    base_currency text not null default 'USD',
    locale text not null default 'en',
    week_start text not null default 'MONDAY',
    monetary_scale numeric[] not null default array[1000, 5000, 10000, 25000, 50000],
    recalculating_since timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint accounts_pkey primary key (account_id),
    constraint accounts_status_known check (status in ('ACTIVE', 'DISABLED')),
    constraint accounts_week_start_known check (week_start in ('MONDAY', 'SATURDAY', 'SUNDAY')),
    constraint accounts_monetary_scale_size check (cardinality(monetary_scale) = 5)
);

-- How many clients an account has in each status: an exact total without counting.
create table account_counters (
    account_id uuid not null,
    lead bigint not null default 0,
    prospect bigint not null default 0,
    active bigint not null default 0,
    inactive bigint not null default 0,
    archived bigint not null default 0,
    constraint account_counters_pkey primary key (account_id),
    constraint account_counters_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
) with (fillfactor = 50);

create table sessions (
    account_id uuid not null,
    id uuid not null,
    refresh_hash bytea not null,
    created_at timestamptz not null,
    refreshed_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    ended_because text,
    constraint sessions_pkey primary key (account_id, id),
    constraint sessions_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
);
create index sessions_expires_at on sessions (expires_at);

create table password_resets (
    account_id uuid not null,
    id uuid not null,
    token_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint password_resets_pkey primary key (account_id, id),
    constraint password_resets_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
);

create table api_keys (
    account_id uuid not null,
    id uuid not null,
    name text not null,
    key_hash bytea not null,
    hint text not null,
    scopes text[] not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    constraint api_keys_pkey primary key (account_id, id),
    constraint api_keys_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
);
create index api_keys_key_hash on api_keys (key_hash);

create table exchange_rates (
    account_id uuid not null,
    currency text not null,
    rate_on date not null,
    rate numeric not null,
    constraint exchange_rates_pkey primary key (account_id, currency, rate_on),
    constraint exchange_rates_positive check (rate > 0),
    constraint exchange_rates_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
);

create table clients (
    account_id uuid not null,
    id uuid not null,
    client_type text not null,
    source text not null,
    status text not null,
    status_before_archive text,
    company_name text,
    first_name text,
    last_name text,
    display_name text not null,
    sort_name text not null,
    email text,
    email_key text,
    phone text,
    website text,
    industry text,
    company_size text,
    timezone text,
    notes text,
    tags text[] not null default '{}',
    address jsonb,
    platform_client_id text,
    total_revenue numeric not null default 0,
    unconverted jsonb not null default '[]',
    health_score smallint not null,
    last_interaction_at timestamptz,
    search_text text not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    constraint clients_pkey primary key (account_id, id),
    constraint clients_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint clients_status_known check (status in ('LEAD', 'PROSPECT', 'ACTIVE', 'INACTIVE', 'ARCHIVED')),
    constraint clients_type_known check (client_type in ('INDIVIDUAL', 'COMPANY')),
    constraint clients_health_score_range check (health_score between 0 and 100),
    constraint clients_archived_whole check ((status = 'ARCHIVED') = (status_before_archive is not null))
) with (fillfactor = 85);
create unique index clients_email_unique on clients (account_id, email_key);
create unique index clients_platform_unique on clients (account_id, platform_client_id);
-- One index per sort order. What lists are filtered by is included in each, so that a filter that few clients pass
-- is answered, and its matches are counted, without going to the table for the others.
create index clients_by_status on clients (account_id, status, created_at, id)
    include (client_type, source, health_score, total_revenue, last_interaction_at);
create index clients_by_created on clients (account_id, created_at, id)
    include (status, client_type, source, health_score, total_revenue, last_interaction_at);
create index clients_by_name on clients (account_id, sort_name, id)
    include (status, client_type, source, health_score, total_revenue, last_interaction_at);
create index clients_by_contact on clients (account_id, (coalesce(last_interaction_at, '-infinity')), id)
    include (status, client_type, source, health_score, total_revenue, last_interaction_at);
create index clients_by_revenue on clients (account_id, total_revenue, id)
    include (status, client_type, source, health_score, last_interaction_at);
create index clients_by_health on clients (account_id, health_score, id)
    include (status, client_type, source, total_revenue, last_interaction_at);
-- Few different keys, so it is stored in a few bytes a client: the exact total of wide filters is counted here.
create index clients_counting on clients (account_id, client_type, status, source, health_score);
create index clients_search on clients using gin (account_id, search_text gin_trgm_ops);
create index clients_tags on clients using gin (account_id, tags);

create table status_changes (
    account_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    from_status text not null,
    to_status text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    constraint status_changes_pkey primary key (account_id, id),
    constraint status_changes_client_fk foreign key (account_id, client_id) references clients (account_id, id)
);
create index status_changes_by_client on status_changes (account_id, client_id, changed_at, id);

create table contacts (
    account_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    first_name text not null,
    last_name text,
    email text,
    phone text,
    role text not null,
    job_title text,
    is_primary boolean not null,
    preferred_contact_method text,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint contacts_pkey primary key (account_id, id),
    constraint contacts_client_fk foreign key (account_id, client_id) references clients (account_id, id)
);
create unique index contacts_one_primary on contacts (account_id, client_id) where is_primary;
create index contacts_by_client on contacts (account_id, client_id, created_at, id);

create table opportunities (
    account_id uuid not null,
    id uuid not null,
    client_id uuid,
    title text not null,
    description text,
    source text not null,
    source_details text,
    estimated_value numeric not null,
    currency text not null,
    base_value numeric,
    expected_close_date date,
    actual_close_date date,
    stage text not null,
    status text not null,
    closed_from_stage text,
    lost_reason text,
    resume_on date,
    priority text not null,
    probability smallint not null,
    tags text[] not null default '{}',
    service_type text,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    closed_at timestamptz,
    constraint opportunities_pkey primary key (account_id, id),
    constraint opportunities_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint opportunities_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint opportunities_status_known check (status in ('OPEN', 'ON_HOLD', 'WON', 'LOST')),
    constraint opportunities_probability_range check (probability between 0 and 100)
);
create index opportunities_by_client on opportunities (account_id, client_id, created_at, id);

create table interactions (
    account_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    contact_id uuid,
    opportunity_id uuid,
    interaction_type text not null,
    subject text not null,
    notes text,
    sentiment text not null,
    sentiment_source text not null,
    is_outbound boolean not null,
    duration integer,
    outcome text,
    next_steps text,
    follow_up_date date,
    occurred_at timestamptz not null,
    metadata jsonb,
    payment_amount numeric,
    payment_currency text,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint interactions_pkey primary key (account_id, id),
    constraint interactions_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint interactions_contact_fk foreign key (account_id, contact_id)
        references contacts (account_id, id) on delete set null (contact_id),
    constraint interactions_opportunity_fk foreign key (account_id, opportunity_id)
        references opportunities (account_id, id) on delete set null (opportunity_id),
    constraint interactions_payment_whole check ((payment_amount is null) = (payment_currency is null))
);
create index interactions_by_client on interactions (account_id, client_id, occurred_at, id);
create index interactions_by_contact on interactions (account_id, contact_id) where contact_id is not null;
create index interactions_by_opportunity on interactions (account_id, opportunity_id) where opportunity_id is not null;
create index interactions_payments on interactions (account_id, client_id) where payment_amount is not null;
create index interactions_by_time on interactions (account_id, occurred_at);
-- Those logged ahead of time: the worker looks for the ones whose time has come.
create index interactions_ahead on interactions (occurred_at) where occurred_at > created_at;

create table reminders (
    account_id uuid not null,
    id uuid not null,
    client_id uuid,
    opportunity_id uuid,
    interaction_id uuid,
    title text not null,
    description text,
    reminder_type text not null,
    priority text not null,
    status text not null,
    due_date timestamptz not null,
    snoozed_until timestamptz,
    completed_at timestamptz,
    completion_notes text,
    notify_before integer,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint reminders_pkey primary key (account_id, id),
    constraint reminders_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint reminders_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint reminders_opportunity_fk foreign key (account_id, opportunity_id)
        references opportunities (account_id, id) on delete set null (opportunity_id),
    constraint reminders_interaction_fk foreign key (account_id, interaction_id)
        references interactions (account_id, id) on delete set null (interaction_id),
    constraint reminders_status_known check (status in ('PENDING', 'SNOOZED', 'COMPLETED', 'CANCELLED'))
);
create index reminders_open_by_client on reminders (account_id, client_id, (coalesce(snoozed_until, due_date)), id)
    where status in ('PENDING', 'SNOOZED');

create table documents (
    account_id uuid not null,
    id uuid not null,
    client_id uuid not null,
    opportunity_id uuid,
    document_type text not null,
    file_name text not null,
    file_url text not null,
    file_size bigint,
    mime_type text,
    description text,
    tags text[] not null default '{}',
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint documents_pkey primary key (account_id, id),
    constraint documents_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint documents_opportunity_fk foreign key (account_id, opportunity_id)
        references opportunities (account_id, id) on delete set null (opportunity_id)
);
create index documents_by_client on documents (account_id, client_id, created_at, id);

create table health_history (
    account_id uuid not null,
    client_id uuid not null,
    day date not null,
    score smallint not null,
    -- The highest score of the day, the one it began with included: a fall is measured from it.
    highest smallint not null default 0,
    changed_at timestamptz not null,
    dropped boolean not null default false,
    constraint health_history_pkey primary key (account_id, client_id, day),
    constraint health_history_client_fk foreign key (account_id, client_id) references clients (account_id, id)
);

create table events (
    account_id uuid not null,
    id uuid not null,
    type text not null,
    occurred_at timestamptz not null,
    body text not null,
    constraint events_pkey primary key (account_id, id),
    constraint events_account_fk foreign key (account_id) references accounts (account_id) on delete cascade
);
create index events_by_type on events (account_id, type, id);
create index events_occurred_at on events (occurred_at);

create table idempotency_keys (
    account_id uuid not null,
    key text not null,
    fingerprint bytea not null,
    status smallint not null,
    etag text,
    location text,
    body bytea not null,
    created_at timestamptz not null,
    constraint idempotency_keys_pkey primary key (account_id, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);

create table worker_heartbeats (
    worker_id uuid not null,
    seen_at timestamptz not null,
    constraint worker_heartbeats_pkey primary key (worker_id)
);

-- Hits of the last minute or so: worth nothing after a crash, so not worth the write-ahead log.
create unlogged table rate_windows (
    key text not null,
    hits double precision[] not null,
    allowed boolean not null,
    constraint rate_windows_pkey primary key (key)
) with (fillfactor = 50);
