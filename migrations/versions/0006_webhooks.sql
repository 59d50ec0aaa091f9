-- Webhooks: the endpoints of an account, their secrets, what is to be sent to each, and how each attempt went.
-- All tables are new: nothing here meets a big one.
set local lock_timeout = '3s';

create table webhooks (
    account_id uuid not null,
    id uuid not null,
    url text not null,
    -- Event types, or '*' alone for all of them.
    events text[] not null,
    description text,
    status text not null default 'ENABLED',
    disabled_because text,
    disabled_at timestamptz,
    -- The first of the failed attempts since the last success.
    failing_since timestamptz,
    version bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint webhooks_pkey primary key (account_id, id),
    constraint webhooks_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint webhooks_status_known check (status in ('ENABLED', 'DISABLED')),
    constraint webhooks_disabled_because_known check (disabled_because in ('REQUESTED', 'GONE', 'FAILING')),
    constraint webhooks_disabled_whole check (
        (status = 'DISABLED') = (disabled_because is not null) and (disabled_because is null) = (disabled_at is null)
    )
);
create index webhooks_by_created on webhooks (account_id, created_at, id);
-- Every change asks whether somebody listens.
create index webhooks_listening on webhooks (account_id) where status = 'ENABLED';

-- The newest secret of an endpoint never expires; the ones before it sign along until they do.
create table webhook_secrets (
    account_id uuid not null,
    id uuid not null,
    webhook_id uuid not null,
    -- Encrypted with a key derived from the installation's secret.
    sealed text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    constraint webhook_secrets_pkey primary key (account_id, id),
    constraint webhook_secrets_webhook_fk foreign key (account_id, webhook_id)
        references webhooks (account_id, id) on delete cascade
);
create index webhook_secrets_by_webhook on webhook_secrets (account_id, webhook_id, created_at, id);
create unique index webhook_secrets_one_current on webhook_secrets (account_id, webhook_id) where expires_at is null;

-- One event at one endpoint. The body that is sent is the event's own, but for a test, which is of no event.
create table webhook_deliveries (
    account_id uuid not null,
    id uuid not null,
    webhook_id uuid not null,
    event_id uuid not null,
    event_type text not null,
    state text not null default 'PENDING',
    -- All attempts so far, and how many of them were made before the current round began (a replay begins one).
    attempts integer not null default 0,
    attempts_before integer not null default 0,
    next_attempt_at timestamptz,
    -- The worker that has it in hand; void once that worker's heartbeat stops.
    claimed_by uuid,
    claimed_at timestamptz,
    test_body text,
    replayed_at timestamptz,
    created_at timestamptz not null,
    finished_at timestamptz,
    constraint webhook_deliveries_pkey primary key (account_id, id),
    constraint webhook_deliveries_once unique (account_id, webhook_id, event_id),
    constraint webhook_deliveries_webhook_fk foreign key (account_id, webhook_id)
        references webhooks (account_id, id) on delete cascade,
    constraint webhook_deliveries_state_known check (state in ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')),
    constraint webhook_deliveries_pending_whole check ((state = 'PENDING') = (next_attempt_at is not null)),
    constraint webhook_deliveries_claim_whole check ((claimed_by is null) = (claimed_at is null))
) with (fillfactor = 80); -- a claim changes no index: it fits beside the row
-- What is due at an endpoint; and, going from one endpoint to the next, which have anything to send.
create index webhook_deliveries_due on webhook_deliveries (account_id, webhook_id, next_attempt_at, id)
    where state = 'PENDING';
create index webhook_deliveries_by_created on webhook_deliveries (account_id, webhook_id, created_at, id);
create index webhook_deliveries_by_state on webhook_deliveries (account_id, webhook_id, state, created_at, id);
create index webhook_deliveries_by_type on webhook_deliveries (account_id, webhook_id, event_type, created_at, id);
-- What is older than the log is kept, of all accounts.
create index webhook_deliveries_to_forget on webhook_deliveries (created_at);

create table webhook_attempts (
    account_id uuid not null,
    delivery_id uuid not null,
    number integer not null,
    attempted_at timestamptz not null,
    duration_ms integer not null,
    status_code smallint,
    error text,
    -- The first 2 kB of the answer.
    response text,
    constraint webhook_attempts_pkey primary key (account_id, delivery_id, number),
    constraint webhook_attempts_delivery_fk foreign key (account_id, delivery_id)
        references webhook_deliveries (account_id, id) on delete cascade
);
