-- The Market platform: an account's connection to it, what was taken over from it, and every run of the sync.
-- All tables are new: nothing here meets a big one.
set local lock_timeout = '3s';

-- The fields of a client that were set by hand: what comes from the Market never replaces them.
alter table clients add column set_by_hand text[] not null default '{}';

create table market_connections (
    account_id uuid not null,
    -- Null: the installation's own Market.
    base_url text,
    -- Encrypted with a key derived from the installation's secret.
    sealed_token text not null,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint market_connections_pkey primary key (account_id),
    constraint market_connections_account_fk foreign key (account_id)
        references accounts (account_id) on delete cascade
);

-- Money that reached the freelancer: what the client paid less the Market's fee. A payment that went back is deleted.
create table market_payments (
    account_id uuid not null,
    id text not null,
    client_id uuid not null,
    amount numeric not null,
    currency text not null,
    paid_at timestamptz not null,
    constraint market_payments_pkey primary key (account_id, id),
    constraint market_payments_client_fk foreign key (account_id, client_id) references clients (account_id, id)
);
create index market_payments_by_client on market_payments (account_id, client_id);

create table market_reviews (
    account_id uuid not null,
    id text not null,
    client_id uuid not null,
    rating smallint not null,
    reviewed_at timestamptz not null,
    constraint market_reviews_pkey primary key (account_id, id),
    constraint market_reviews_client_fk foreign key (account_id, client_id) references clients (account_id, id),
    constraint market_reviews_rating_range check (rating between 1 and 5)
);
create index market_reviews_by_client on market_reviews (account_id, client_id, reviewed_at);

-- Completed contracts whose interaction was logged: once, also if it is deleted afterwards.
create table market_contracts (
    account_id uuid not null,
    id text not null,
    client_id uuid not null,
    constraint market_contracts_pkey primary key (account_id, id),
    constraint market_contracts_client_fk foreign key (account_id, client_id) references clients (account_id, id)
);
create index market_contracts_by_client on market_contracts (account_id, client_id);

create table market_runs (
    account_id uuid not null,
    id uuid not null,
    state text not null,
    cause text not null,
    phase text,
    -- How often a worker has taken it up; a write of an earlier one changes nothing.
    attempt integer not null default 0,
    -- Of the request that waits for it.
    idempotency_key text,
    -- From when on each list was asked for (an empty object: from the beginning), and from when the next run may ask.
    asked_since jsonb not null default '{}',
    ask_next_since jsonb not null default '{}',
    fetched integer not null default 0,
    planned integer not null default 0,
    done integer not null default 0,
    created integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    kept integer not null default 0,
    failed integer not null default 0,
    failure text,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    constraint market_runs_pkey primary key (account_id, id),
    constraint market_runs_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint market_runs_state_known check (state in ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED')),
    constraint market_runs_finished_whole check ((state in ('COMPLETED', 'FAILED')) = (finished_at is not null))
) with (fillfactor = 50); -- the progress is written beside the row
-- One at a time.
create unique index market_runs_one_at_a_time on market_runs (account_id) where state in ('QUEUED', 'RUNNING');
create index market_runs_by_created on market_runs (account_id, created_at, id);
-- What is older than the list is kept, and what nobody works on, of all accounts.
create index market_runs_to_forget on market_runs (created_at);
create index market_runs_under_way on market_runs (created_at) where state in ('QUEUED', 'RUNNING');

-- What a run has to do, did, left or could not do, item by item.
create table market_run_entries (
    account_id uuid not null,
    run_id uuid not null,
    kind text not null,
    item_id text not null,
    -- Else the item came without one, and item_id is a number.
    has_id boolean not null default true,
    state text not null,
    client_id uuid,
    name text,
    changes jsonb not null default '[]',
    kept jsonb not null default '[]',
    payments integer not null default 0,
    reviews integer not null default 0,
    contracts integer not null default 0,
    code text,
    message text,
    constraint market_run_entries_pkey primary key (account_id, run_id, kind, item_id),
    constraint market_run_entries_run_fk foreign key (account_id, run_id)
        references market_runs (account_id, id) on delete cascade,
    constraint market_run_entries_state_known check (state in ('PLANNED', 'CREATED', 'UPDATED', 'KEPT', 'FAILED'))
);
create index market_run_entries_by_state on market_run_entries (account_id, run_id, state, item_id);

-- What a run under way has fetched. Lost in a crash of the database: then the run fetches it again.
create unlogged table market_staged (
    account_id uuid not null,
    run_id uuid not null,
    kind text not null,
    id text not null,
    market_client_id text not null,
    updated_at timestamptz not null,
    name text,
    email_key text,
    fields jsonb,
    amount numeric,
    currency text,
    rating smallint,
    title text,
    happened_at timestamptz,
    constraint market_staged_pkey primary key (account_id, run_id, kind, id)
);
create index market_staged_by_client on market_staged (account_id, run_id, market_client_id, kind, id);
create index market_staged_by_email on market_staged (account_id, run_id, email_key, id) where email_key is not null;
