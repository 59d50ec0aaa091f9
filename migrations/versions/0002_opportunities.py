"""The pipeline: activities of deals and the indexes of its lists; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
