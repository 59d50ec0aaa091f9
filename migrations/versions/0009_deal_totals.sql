-- Few different keys, so it is stored in a few bytes a deal: the exact total of a filtered list is counted here.
-- squawk-ignore-file require-concurrent-index-creation
-- No release before this one could write a deal.
set local lock_timeout = '3s';

create index opportunities_counting on opportunities (account_id, status, stage, source, priority);
