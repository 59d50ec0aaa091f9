-- Events in the order in which they may be read, and jobs that a statement enqueues by itself.
-- No release before this one kept events, so nothing here meets a big table.
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion, adding-not-nullable-field
set local lock_timeout = '3s';

create sequence event_positions;

-- The next place in the order of events. Ids will not do for "what came after this one": an id is made before its
-- transaction commits, and a later one may commit first. Here each transaction that records events says, by a lock
-- it holds until its end, above which place its events will stand (event_horizon looks at these locks).
create function event_position(account uuid) returns bigint
language plpgsql
as $$
begin
    if coalesce(current_setting('soloist.recording', true), '') = '' then
        perform pg_advisory_xact_lock_shared(
            hashtext(account::text), (select (s.last_value::bit(32))::int from event_positions s)
        );
        perform set_config('soloist.recording', 'yes', true);
    end if;
    return nextval('event_positions');
end
$$;

-- Up to which place an account's events are settled: no transaction that is still running will put one there.
create function event_horizon(account uuid) returns bigint
language plpgsql
as $$
declare
    latest bigint;
    running bigint;
begin
    -- First the latest place, then the locks: who takes one later gets a later place.
    -- A lock has room for the low 32 bits of one.
    select s.last_value into latest from event_positions s;
    select min(latest - ((latest - l.objid::bigint) & 4294967295)) into running
    from pg_locks l
    where ((latest - l.objid::bigint) & 4294967295) < 2147483648
        and l.locktype = 'advisory' and l.objsubid = 2 and l.classid = hashtext(account::text)::bit(32)::bigint::oid
        and l.database = (select d.oid from pg_database d where d.datname = current_database());
    return least(latest, running);
end
$$;

alter table events
    add column position bigint,
    -- The job that tells whoever listens; null: nobody did.
    add column job_id bigint;
with placed as (
    select e.account_id, e.id, row_number() over (order by e.id) as place from events e
)
update events e set position = p.place from placed p where e.account_id = p.account_id and e.id = p.id;
select setval('event_positions', (select greatest(count(*), 1) from events));
alter sequence event_positions owned by events.position;
alter table events alter column position set default nextval('event_positions');
alter table events alter column position set not null;

-- They hold what counting asks, too.
create unique index events_position_unique on events (account_id, position) include (occurred_at);
create index events_by_type_position on events (account_id, type, position) include (occurred_at);
drop index events_by_type;

-- Adds a job to PgQueuer's queue as its own enqueue does, due at once; answers its id. A function, for its trigger
-- wakes the workers at every insert, of no rows, too: inside a CASE a function is not called when nobody listens.
create function enqueue_job(entrypoint text, payload jsonb) returns bigint
language plpgsql
as $$
declare
    job bigint;
begin
    insert into pgqueuer (priority, entrypoint, payload, status)
    values (0, enqueue_job.entrypoint, convert_to(enqueue_job.payload::text, 'UTF8'), 'queued')
    returning id into job;
    insert into pgqueuer_log (job_id, status, entrypoint, priority)
    values (job, 'queued', enqueue_job.entrypoint, 0);
    return job;
end
$$;

-- Jobs during which a worker died, and how often each was alone under suspicion.
create table suspect_jobs (
    job_id bigint not null,
    strikes smallint not null,
    struck_at timestamptz not null default now(),
    constraint suspect_jobs_pkey primary key (job_id)
);
