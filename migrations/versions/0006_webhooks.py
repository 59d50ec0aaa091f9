"""Webhooks: endpoints, their secrets, and what was sent to them; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
