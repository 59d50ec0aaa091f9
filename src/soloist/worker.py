"""The worker, put together: which jobs there are, and what runs unattended and how often. No rules here."""

from datetime import timedelta
from functools import partial

from soloist import mailing, subscriptions
from soloist.accounts import jobs as accounts
from soloist.clients import jobs as clients
from soloist.documents import jobs as documents
from soloist.events import jobs as events
from soloist.events.log import REACT
from soloist.health import jobs as health
from soloist.infra import changes, limits, queue_upkeep
from soloist.infra.clock import Clock, system_clock
from soloist.infra.mail import mail_server
from soloist.infra.outbound import Outbound
from soloist.infra.queue import Companions, Handler, Periodic
from soloist.infra.queue_worker import STALE, Worker
from soloist.infra.sealing import Vault
from soloist.infra.secrets import derived, installation_secret
from soloist.infra.settings import Settings
from soloist.infra.stores import open_store
from soloist.mailing import Mailing
from soloist.market import jobs as market
from soloist.market.connection import doors_of
from soloist.market.jobs import Syncing
from soloist.market.runs import SYNC
from soloist.opportunities import jobs as opportunities
from soloist.reminders import jobs as reminders
from soloist.webhooks import jobs as webhooks
from soloist.webhooks.deliveries import DELIVER, REPLAY
from soloist.webhooks.lanes import Lanes
from soloist.webhooks.signing import KEPT_SECRETS

PERIODIC = (
    Periodic("recalculate accounts whose rates changed", timedelta(seconds=15), clients.recalculate_flagged),
    Periodic("count planned interactions that have come", timedelta(minutes=1), clients.arrivals),
    Periodic("resume held deals whose day has come", timedelta(minutes=1), opportunities.resume_due),
    Periodic("value open deals by the rates of the day", timedelta(hours=1), opportunities.follow_rates),
    Periodic("let health scores follow the time", timedelta(hours=1), health.decay),
    Periodic("forget idempotency keys", timedelta(hours=1), changes.prune_keys),
    Periodic("forget ended sessions", timedelta(hours=1), accounts.prune),
    Periodic("forget rate windows", timedelta(hours=1), limits.sweep),
    Periodic("forget old deliveries", timedelta(hours=1), webhooks.prune),
    Periodic("forget old events", timedelta(hours=1), events.prune),
    Periodic("forget old syncs", timedelta(hours=1), market.prune),
    Periodic("go on with syncs that were left", timedelta(minutes=1), market.rescue),
    Periodic("forget old jobs", timedelta(hours=1), queue_upkeep.prune),
)


def create_worker(settings: Settings, dsn: str, clock: Clock = system_clock) -> Worker:
    """The worker on the database at `dsn`."""
    announce = partial(reminders.announce, overdue_after=timedelta(hours=settings.reminder_overdue_hours))
    announcing = Periodic("announce reminders that have come", timedelta(seconds=15), announce)
    sweep = partial(documents.sweep, open_store(settings))
    sweeping = Periodic("remove files that belong to no document", timedelta(hours=1), sweep)
    secret = installation_secret(settings)
    syncing = Syncing(doors_of(settings, secret, clock))
    due = partial(market.begin_due, syncing.doors.has_default)
    beginning = Periodic("begin the syncs that are due", timedelta(minutes=5), due)
    vault = Vault(derived(secret, "webhooks"), KEPT_SECRETS)
    lanes = Lanes(Outbound(settings.outbound_allow), vault, STALE)
    rescuing = Periodic("wake forgotten deliveries", timedelta(seconds=5), partial(webhooks.rescue, lanes))
    mail = mailing.start(settings)
    periodic = (announcing, *PERIODIC, sweeping, rescuing, beginning, *mail.periodic)
    return Worker(dsn, handlers(settings, lanes, mail, syncing), periodic, clock, Companions((lanes, syncing)))


def handlers(settings: Settings, lanes: Lanes, mail: Mailing, syncing: Syncing) -> dict[str, Handler]:
    """Name → who does it, of every kind of job."""
    reactions = subscriptions.BY_MAIL if mail_server(settings) else subscriptions.WITHOUT_MAIL
    return {
        REACT: partial(subscriptions.react, lanes.wake, reactions),
        DELIVER: partial(webhooks.deliver, lanes),
        REPLAY: webhooks.replay,
        SYNC: partial(market.carry_out, syncing),
        **mail.handlers,
    }
