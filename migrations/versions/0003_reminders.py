"""Reminders that recur and announce themselves, and the indexes of their lists; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
