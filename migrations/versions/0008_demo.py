"""Which accounts are demo data; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
