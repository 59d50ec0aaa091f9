"""What deals are worth in the account's base currency: the only writer of `base_value` after a deal is made or closed.

A closed deal is valued by the rate of the day it closed, an open one by today's (docs/reference/rules.md).
"""

from uuid import UUID

from soloist.accounts.rates import converted
from soloist.infra.clock import local_day
from soloist.infra.db import Tx
from soloist.infra.statement import statement

# $2 is today.
_VALUE = converted("o.estimated_value", "o.currency", "coalesce(o.actual_close_date, $2::date)")
_ONE = statement(f"update opportunities o set base_value = {_VALUE} where o.account_id = $1 and o.id = $3")
# The rows are locked first: one that is being changed is valued as it is afterwards.
_OPEN = statement(
    f"""
    with valued as (
        select o.id, {_VALUE} as base_value from opportunities o
        where o.account_id = $1 and o.status in ('OPEN', 'ON_HOLD')
        for no key update of o
    )
    update opportunities o set base_value = v.base_value
    from valued v
    where o.account_id = $1 and o.id = v.id and o.base_value is distinct from v.base_value
    """
)
_BATCH = statement(
    f"""
    with valued as (
        select o.id, {_VALUE} as base_value from opportunities o
        where o.account_id = $1 and o.id > $3 order by o.id limit $4
        for no key update of o
    ), changed as (
        update opportunities o set base_value = v.base_value
        from valued v
        where o.account_id = $1 and o.id = v.id and o.base_value is distinct from v.base_value
    )
    select id from valued order by id desc limit 1
    """
)


async def revalue(tx: Tx, opportunity_id: UUID) -> None:
    """Value one deal anew."""
    await tx.run(_ONE, local_day(tx.actor.zone, tx.now), opportunity_id)


async def revalue_open(tx: Tx) -> int:
    """Value every open deal of the account anew; answers how many changed."""
    return await tx.run(_OPEN, local_day(tx.actor.zone, tx.now))


async def revalue_batch(tx: Tx, after: UUID, size: int) -> UUID | None:
    """Value the next deals of the account by id anew; answers the last one, None at the end."""
    last: UUID | None = await tx.value(_BATCH, local_day(tx.actor.zone, tx.now), after, size)
    return last


_ADDING = statement("select 1 from accounts where account_id = $1 for update")


async def wait_for_additions(tx: Tx) -> None:
    """Return when no other transaction is adding a deal that might have read the rates of before.

    Adding a row that refers to the account holds the account's own row until the commit.
    """
    await tx.run(_ADDING)
