"""Mail to an account's owner, and when its digest is due; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
