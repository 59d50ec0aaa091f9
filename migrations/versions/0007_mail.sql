-- Mail to an account's owner: what is to go out and what has, and when the daily digest is due.
-- Before the first release no table is big, so its indexes and checks are made in the step itself.
-- squawk-ignore-file require-concurrent-index-creation, constraint-missing-not-valid
set local lock_timeout = '3s';

alter table accounts
    add column email_notices boolean not null default true,
    add column digest_hour smallint default 7,
    -- When the next digest is due, by hour and zone; null without an hour. Long past: not yet worked out.
    add column digest_at timestamptz default '1970-01-01T00:00:00Z',
    add constraint accounts_digest_hour_of_a_day check (digest_hour between 0 and 23);
create index accounts_digest_at on accounts (digest_at)
    where digest_at is not null and status = 'ACTIVE' and email is not null;

create table mails (
    account_id uuid not null,
    id uuid not null,
    kind text not null,
    -- What it tells of; with the kind, what makes it one mail and not two.
    cause text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    next_attempt_at timestamptz,
    attempts integer not null default 0,
    -- How it ended, and when; null while it waits.
    outcome text,
    settled_at timestamptz,
    constraint mails_pkey primary key (account_id, id),
    constraint mails_account_fk foreign key (account_id) references accounts (account_id) on delete cascade,
    constraint mails_outcome_known check (outcome in ('SENT', 'NOTHING_TO_SAY', 'REFUSED', 'EXPIRED')),
    constraint mails_settled_or_waiting check (
        (outcome is null) = (next_attempt_at is not null) and (outcome is null) = (settled_at is null)
    )
);
create unique index mails_one_per_cause on mails (account_id, kind, cause);
create index mails_to_send on mails (next_attempt_at, id) where next_attempt_at is not null;
create index mails_created_at on mails (created_at);

-- The reminders that were announced in one go.
create index events_announced_together on events (account_id, occurred_at, id)
    where type in ('reminder.due', 'reminder.overdue');
