"""The worker, put together: which jobs there are, and what runs unattended and how often. No rules here."""

from datetime import timedelta
from functools import partial

from soloist.accounts import jobs as accounts
from soloist.clients import jobs as clients
from soloist.documents import jobs as documents
from soloist.health import jobs as health
from soloist.infra import changes, limits
from soloist.infra.clock import Clock, system_clock
from soloist.infra.queue import Handler, Periodic
from soloist.infra.queue_worker import Worker
from soloist.infra.settings import Settings
from soloist.infra.stores import open_store
from soloist.opportunities import jobs as opportunities
from soloist.reminders import jobs as reminders

HANDLERS: dict[str, Handler] = {}

PERIODIC = (
    Periodic("recalculate accounts whose rates changed", timedelta(seconds=15), clients.recalculate_flagged),
    Periodic("count planned interactions that have come", timedelta(minutes=1), clients.arrivals),
    Periodic("resume held deals whose day has come", timedelta(minutes=1), opportunities.resume_due),
    Periodic("value open deals by the rates of the day", timedelta(hours=1), opportunities.follow_rates),
    Periodic("let health scores follow the time", timedelta(hours=1), health.decay),
    Periodic("forget idempotency keys", timedelta(hours=1), changes.prune_keys),
    Periodic("forget ended sessions", timedelta(hours=1), accounts.prune),
    Periodic("forget rate windows", timedelta(hours=1), limits.sweep),
)


def create_worker(settings: Settings, dsn: str, clock: Clock = system_clock) -> Worker:
    """The worker on the database at `dsn`."""
    announce = partial(reminders.announce, overdue_after=timedelta(hours=settings.reminder_overdue_hours))
    announcing = Periodic("announce reminders that have come", timedelta(seconds=15), announce)
    sweep = partial(documents.sweep, open_store(settings))
    sweeping = Periodic("remove files that belong to no document", timedelta(hours=1), sweep)
    return Worker(dsn, HANDLERS, (announcing, *PERIODIC, sweeping), clock)
