-- Accounts that are demo data: opened under a clock that was set, as by `soloist seed` and `soloist serve --now`.
set local lock_timeout = '3s';

alter table accounts add column is_demo boolean not null default false;
