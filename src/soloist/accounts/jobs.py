"""What runs unattended for accounts."""

from soloist.accounts import sessions
from soloist.infra.db import Database


async def prune(db: Database) -> int:
    """Forget sessions and reset tokens that ended long ago; answers how many sessions."""
    return await sessions.prune(db)
