"""The Market: connections, what was taken over, and the runs of the sync; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
