"""The order of events, and jobs that a statement enqueues by itself; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
