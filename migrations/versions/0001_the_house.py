"""Accounts, clients, contacts, interactions, health; see the SQL file beside this one."""

from soloist.infra.upgrade import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file."""
    run_sql_beside(__file__)
