"""What the daily digest says: today, overdue, clients that need attention, deals closing this week."""

from datetime import date, timedelta

import asyncpg

from soloist.accounts.model import WeekStart
from soloist.digests import queries
from soloist.digests.queries import Part
from soloist.infra.clock import day_bounds
from soloist.infra.db import Tx
from soloist.infra.money import decimals
from soloist.mails.model import Letter, Links, Ordered, Stoppable, local_time

_FIRST_DAY = {WeekStart.MONDAY: 0, WeekStart.SATURDAY: 5, WeekStart.SUNDAY: 6}


def week_of(day: date, start: WeekStart) -> tuple[date, date]:
    """The first and the last day of the week that `day` lies in."""
    first = day - timedelta(days=(day.weekday() - _FIRST_DAY[start]) % 7)
    return first, first + timedelta(days=6)


async def write(tx: Tx, mail: Ordered, links: Links) -> Letter | None:
    """The digest of the local day that the mail is for; None if no part of it has anything to say."""
    day = date.fromisoformat(mail.cause)
    first, after = day_bounds(tx.actor.zone, day)
    week = week_of(day, WeekStart(await queries.week_start(tx)))
    today = await queries.today(tx, first, after)
    overdue = await queries.overdue(tx, first)
    attention = await queries.needing_attention(tx)
    closing = await queries.closing(tx, *week)
    told = [
        (today.total, "today"),
        (overdue.total, "overdue"),
        (attention.total, "needing attention"),
        (closing.total, "closing this week"),
    ]
    if not any(count for count, _ in told):
        return None
    values = {
        "day": day.isoformat(),
        "zone": mail.time_zone,
        "parts": [
            _part("Today", today, _reminders(today, mail, links), links.to("/reminders")),
            _part("Overdue", overdue, _reminders(overdue, mail, links), links.to("/reminders")),
            _part("Clients that need attention", attention, _clients(attention, links), links.to("/clients")),
            _part("Deals closing this week", closing, _deals(closing, links), links.to("/pipeline")),
        ],
        "url": links.to("/"),
        "settings": links.to("/settings"),
    }
    counts = ", ".join(f"{count} {words}" for count, words in told if count)
    stop_url = links.stop(mail.account_id, Stoppable.DIGEST)
    return Letter(f"{day.isoformat()}: {counts}", "digest", values, stop_url)


def _part(title: str, part: Part, items: list[dict[str, object]], url: str | None) -> dict[str, object]:
    return {"title": title, "total": part.total, "items": items, "more": part.total - len(items), "url": url}


def _line(lead: str, text: str, note: str, url: str | None) -> dict[str, object]:
    return {"lead": lead, "text": text, "note": note, "url": url}


def _reminders(part: Part, mail: Ordered, links: Links) -> list[dict[str, object]]:
    return [
        _line(
            local_time(mail.time_zone, row["effective_at"]),
            row["title"],
            row["client_name"] or "",
            links.client(row["client_id"]) or links.to("/reminders"),
        )
        for row in part.rows
    ]


def _clients(part: Part, links: Links) -> list[dict[str, object]]:
    return [
        _line("", row["client_name"], "; ".join(row["reasons"]), links.client(row["client_id"])) for row in part.rows
    ]


def _deals(part: Part, links: Links) -> list[dict[str, object]]:
    return [
        _line(
            row["expected_close_date"].isoformat(),
            row["title"],
            ", ".join(filter(None, (row["client_name"], _worth(row), _standing(row)))),
            links.opportunity(row["id"]),
        )
        for row in part.rows
    ]


def _worth(row: asyncpg.Record) -> str:
    places = decimals().get(row["currency"], 2)
    return f"{row['value']:,.{places}f} {row['currency']}" if row["value"] else ""


def _standing(row: asyncpg.Record) -> str:
    return "on hold" if row["status"] == "ON_HOLD" else str(row["stage"]).capitalize()
