"""The rows of reminders: the only writer of `reminders`, and how a series stands in its columns."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from soloist.infra.db import Tx
from soloist.infra.fields import zone
from soloist.infra.statement import Statement, statement
from soloist.opportunities.model import OpportunityNotFound
from soloist.reminders.recurrence import Frequency, Pattern, Series, Weekday

Values = Mapping[str, Any]  # by column


async def insert(tx: Tx, reminder_id: UUID, values: Values) -> None:
    """Put in a row with these columns; raises OpportunityNotFound when the deal has just been deleted."""
    everything = {"id": reminder_id, "status": "PENDING", "created_at": tx.now, "updated_at": tx.now, **values}
    await _run(tx, _insert(tuple(everything)), *everything.values())


async def write(tx: Tx, reminder_id: UUID, values: Values) -> None:
    """Change these columns, which makes a new version; raises OpportunityNotFound as `insert` does."""
    await _run(tx, _update(tuple(values)), reminder_id, tx.now, *values.values())


_DELETE = statement("delete from reminders where account_id = $1 and id = $2")


async def delete(tx: Tx, reminder_id: UUID) -> None:
    """Take the row out."""
    await tx.run(_DELETE, reminder_id)


_DELETE_UNTOUCHED = statement(
    """
    delete from reminders where account_id = $1 and id = $2 and status = 'PENDING' and version = 1
    returning id, client_id, title
    """
)


async def delete_untouched(tx: Tx, reminder_id: UUID) -> asyncpg.Record | None:
    """Remove a reminder that is as it was made; None if it is gone or was changed since."""
    return await tx.row(_DELETE_UNTOUCHED, reminder_id)


def series_of(row: asyncpg.Record) -> Series | None:
    """The series that the row is an occurrence of; None if it does not recur."""
    if row["frequency"] is None:
        return None
    days = tuple(Weekday(day) for day in row["days_of_week"] or ())
    pattern = Pattern(Frequency(row["frequency"]), row["every"], row["ends_on"], row["max_count"], days)
    return Series(row["anchor"], zone(row["time_zone"]), pattern, row["anchor_occurrence"])


def columns_of(series: Series, series_id: UUID, occurrence: int) -> dict[str, Any]:
    """The columns that make a row that occurrence of that series."""
    pattern = series.pattern
    return {
        "series_id": series_id,
        "occurrence": occurrence,
        "anchor": series.anchor,
        "anchor_occurrence": series.number,
        "time_zone": series.zone.key,
        "frequency": pattern.frequency,
        "every": pattern.interval,
        "ends_on": pattern.end_on,
        "max_count": pattern.count,
        "days_of_week": list(pattern.days_of_week) or None,
    }


SERIES_COLUMNS = (
    "series_id", "occurrence", "anchor", "anchor_occurrence", "time_zone",
    "frequency", "every", "ends_on", "max_count", "days_of_week",
)  # fmt: skip
NO_SERIES: Values = dict.fromkeys(SERIES_COLUMNS)


async def _run(tx: Tx, sql: Statement, *args: object) -> None:
    try:
        await tx.run(sql, *args)
    except asyncpg.ForeignKeyViolationError as fault:
        if fault.constraint_name != "reminders_opportunity_fk":
            raise
        raise OpportunityNotFound from None


def _insert(columns: tuple[str, ...]) -> Statement:
    places = ", ".join(f"${index}" for index in range(2, len(columns) + 2))
    return statement(f"insert into reminders (account_id, {', '.join(columns)}) values ($1, {places})")


def _update(columns: tuple[str, ...]) -> Statement:
    sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(columns, 4))
    return statement(
        f"update reminders set {sets}, updated_at = $3, version = version + 1 where account_id = $1 and id = $2"
    )
