-- The pipeline: what happened with a deal, and the indexes of every list of deals.
-- squawk-ignore-file require-concurrent-index-creation
-- No release before this one could write a deal, so these indexes are made on an empty table.
set local lock_timeout = '3s';

create table opportunity_activities (
    account_id uuid not null,
    id uuid not null,
    opportunity_id uuid not null,
    activity_type text not null,
    from_stage text,
    to_stage text,
    notes text,
    changes jsonb,
    actor text not null,
    created_at timestamptz not null,
    constraint opportunity_activities_pkey primary key (account_id, id),
    constraint opportunity_activities_opportunity_fk foreign key (account_id, opportunity_id)
        references opportunities (account_id, id) on delete cascade
);
create index opportunity_activities_by_deal
    on opportunity_activities (account_id, opportunity_id, created_at, id);

create index opportunities_by_created on opportunities (account_id, created_at, id);
create index opportunities_by_updated on opportunities (account_id, updated_at, id);
create index opportunities_by_title on opportunities (account_id, (left(fold(title), 255)), id);
create index opportunities_by_probability on opportunities (account_id, probability, id);
-- What has no value or no day comes last whichever way the list runs: one index for each way.
create index opportunities_by_value_lowest on opportunities (account_id, (coalesce(base_value, 'infinity')), id);
create index opportunities_by_value_highest on opportunities (account_id, (coalesce(base_value, '-infinity')), id);
create index opportunities_by_close_soonest
    on opportunities (account_id, (coalesce(expected_close_date, 'infinity')), id);
create index opportunities_by_close_latest
    on opportunities (account_id, (coalesce(expected_close_date, '-infinity')), id);
-- The board and the forecast read only what is open.
create index opportunities_open on opportunities (account_id, stage, created_at, id)
    where status in ('OPEN', 'ON_HOLD');
-- Deals on hold that the worker is to resume.
create index opportunities_to_resume on opportunities (resume_on) where status = 'ON_HOLD';
-- Rates given ahead of their day: the worker values open deals by them once it has come.
create index exchange_rates_by_day on exchange_rates (rate_on);
