-- Reminders that recur, what was announced of them, and the indexes of every list of reminders.
-- Before the first release no table is big, so its indexes and checks are made in the step itself.
-- squawk-ignore-file require-concurrent-index-creation, constraint-missing-not-valid
set local lock_timeout = '3s';

alter table reminders
    -- When reminder.due is to be recorded, where that is not at the due date.
    add column notify_at timestamptz,
    -- What has been recorded of this occurrence: nothing (null), DUE, or OVERDUE as well.
    add column announced text,
    -- A recurring one: which occurrence of which series, and the series' rule. Dates count from the anchor.
    add column series_id uuid,
    add column occurrence integer,
    add column anchor timestamptz,
    add column anchor_occurrence integer,
    add column time_zone text,
    add column frequency text,
    add column every integer,
    add column ends_on date,
    add column max_count integer,
    add column days_of_week text[],
    -- A completed one: the occurrence made in its place, and how many were left out before that.
    add column next_id uuid,
    add column skipped integer not null default 0,
    add constraint reminders_announced_known check (announced in ('DUE', 'OVERDUE')),
    add constraint reminders_frequency_known check (frequency in ('daily', 'weekly', 'monthly', 'yearly')),
    add constraint reminders_recurrence_whole check (
        num_nonnulls(series_id, occurrence, anchor, anchor_occurrence, time_zone, frequency, every) in (0, 7)
    );

-- However many complete an occurrence at once, one next occurrence comes of it; and one is open at a time.
create unique index reminders_one_per_occurrence on reminders (account_id, series_id, occurrence)
    where series_id is not null;
create unique index reminders_one_open_per_series on reminders (account_id, series_id)
    where series_id is not null and status in ('PENDING', 'SNOOZED');

create index reminders_by_date on reminders (account_id, (coalesce(snoozed_until, due_date)), id);
create index reminders_open_by_date on reminders (account_id, (coalesce(snoozed_until, due_date)), id)
    where status in ('PENDING', 'SNOOZED');
create index reminders_by_client on reminders (account_id, client_id, (coalesce(snoozed_until, due_date)), id)
    where client_id is not null;
create index reminders_by_opportunity on reminders (account_id, opportunity_id, (coalesce(snoozed_until, due_date)), id)
    where opportunity_id is not null;
create index reminders_by_interaction on reminders (account_id, interaction_id) where interaction_id is not null;

-- What the worker still has to announce, of all accounts and of one.
create index reminders_to_announce on reminders ((coalesce(notify_at, due_date)))
    where status in ('PENDING', 'SNOOZED') and announced is distinct from 'OVERDUE';
create index reminders_to_announce_of_account on reminders (account_id, (coalesce(notify_at, due_date)), id)
    where status in ('PENDING', 'SNOOZED') and announced is distinct from 'OVERDUE';
