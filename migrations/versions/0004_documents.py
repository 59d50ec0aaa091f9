"""Documents whose files are really there, and what is expected to arrive; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
