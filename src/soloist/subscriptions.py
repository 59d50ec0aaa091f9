"""Event type → reactions: the whole map of what an event sets off after the change that caused it.

What must be true together with a change is done in its own transaction, by the action; here stands what others are
told. All reactions to one event are one transaction, and each does nothing when it is run twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from uuid import UUID

from soloist.accounts.unattended import unattended
from soloist.events import queries
from soloist.events.model import ReminderDue, ReminderOverdue
from soloist.infra.db import Database, Tx
from soloist.infra.queue import Job
from soloist.reminders.mailing import tell_by_mail
from soloist.webhooks.deliveries import fan_out

Reaction = Callable[[Tx, UUID], Awaitable[None]]
Wake = Callable[[UUID, UUID], None]  # the lane of an account's webhook

# Of every type: fan_out, a delivery to each webhook that asked for the type. Beside it, with a mail server:
BY_MAIL: Mapping[str, Reaction] = {
    ReminderDue.type: tell_by_mail,
    ReminderOverdue.type: tell_by_mail,
}
WITHOUT_MAIL: Mapping[str, Reaction] = {}


async def react(wake: Wake, beside: Mapping[str, Reaction], db: Database, job: Job) -> None:
    """Tell whoever listens to the event of the job: webhooks, and what `beside` has for its type.

    An event that is gone, with its account or its age, sets off nothing.
    """
    event_id = UUID(job.payload["event"])
    async with db.changing(unattended(job.account_id, "UTC", "USD")) as tx:
        event_type = await queries.find_type(tx, event_id)
        if event_type is None:
            return
        for webhook_id in await fan_out(tx, event_id, event_type):
            tx.after_commit.append(partial(wake, job.account_id, webhook_id))
        if event_type in beside:
            await beside[event_type](tx, event_id)
