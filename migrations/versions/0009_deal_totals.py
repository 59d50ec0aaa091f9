"""How the exact totals of lists of deals are counted; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
