"""The actor of work that nobody asked for just now: periodic passes and jobs."""

from uuid import UUID

from soloist.accounts.model import Actor, Scope
from soloist.infra.fields import zone


def unattended(account_id: UUID, time_zone: str, base_currency: str) -> Actor:
    """An account at work by itself; history names it "worker"."""
    return Actor(account_id, zone(time_zone), "worker", frozenset(Scope), base_currency, None)
