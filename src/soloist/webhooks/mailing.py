"""The letter that tells an owner of an endpoint that nothing more is sent to."""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from soloist.accounts.actions import nobody_yet
from soloist.infra.db import Database, Tx
from soloist.infra.http import BASE
from soloist.infra.queue import Job, kind
from soloist.infra.statement import statement
from soloist.infra.times import wire
from soloist.mails import actions as mails
from soloist.mails.model import Kind, Letter, Links, Ordered, local_time
from soloist.webhooks.model import DisabledBecause

TELL_DISABLED = kind("mail.webhook_disabled")  # {"webhook": <id>}, enqueued with the change that disables it
KEEP_TRYING = timedelta(days=7)

_WHY = {
    DisabledBecause.GONE: "It answered 410 Gone, which asks for nothing more to be sent.",
    DisabledBecause.FAILING: "Every attempt of the last five days failed.",
}
_DISABLED = statement(
    """
    select url, disabled_because, disabled_at, failing_since from webhooks
    where account_id = $1 and id = $2 and status = 'DISABLED' and disabled_because <> 'REQUESTED'
    """
)


async def order_notice(db: Database, job: Job) -> None:
    """Have the owner written to of an endpoint that was disabled without being asked, once for each time it is."""
    webhook_id = UUID(job.payload["webhook"])
    async with db.changing(nobody_yet(job.account_id, "worker")) as tx:
        row = await tx.row(_DISABLED, webhook_id)
        if row is not None:
            cause = f"{webhook_id} {wire(row['disabled_at'])}"
            await mails.order(tx, Kind.WEBHOOK_DISABLED, cause, tx.now + KEEP_TRYING)


async def write_notice(tx: Tx, mail: Ordered, links: Links) -> Letter | None:
    """The letter about a disabled endpoint; None if it is enabled again, or gone."""
    webhook_id = UUID(mail.cause.split()[0])
    row = await tx.row(_DISABLED, webhook_id)
    if row is None:
        return None
    failing_since = row["failing_since"]
    host = urlsplit(row["url"]).netloc
    values = {
        "host": host,
        "because": _WHY[DisabledBecause(row["disabled_because"])],
        "at": local_time(mail.time_zone, row["disabled_at"]),
        "failing_since": failing_since and local_time(mail.time_zone, failing_since),
        "since": wire(failing_since or row["disabled_at"]),
        "zone": mail.time_zone,
        "webhook_id": str(webhook_id),
        "api": BASE,
        "url": links.to("/settings"),
    }
    return Letter(f"Webhook disabled: {host}", "webhook_disabled", values)
