"""What the program's parts raise, as the failure that a person reads. Loaded only when a command has failed."""

import asyncpg

from soloist.commands.console import Code, Failure
from soloist.infra.backup import BackupRefused
from soloist.infra.db import UNAVAILABLE
from soloist.infra.errors import Problem
from soloist.infra.migrations import MigrationFailed
from soloist.infra.postgres import AlreadyRunning, PostgresUnavailable
from soloist.infra.settings import SettingsInvalid
from soloist.seed_data import SeedRefused

_BY_STATUS = {401: Code.NOT_ALLOWED, 403: Code.NOT_ALLOWED, 404: Code.NOT_FOUND, 503: Code.TEMPORARY}


def failure_of(fault: BaseException) -> Failure | None:
    """The failure that `fault` stands for; None for one that nobody expected, which is our mistake."""
    match fault:
        case Failure():
            return fault
        case SettingsInvalid():
            return Failure(str(fault), code=Code.USAGE)
        case AlreadyRunning():
            return Failure(str(fault), code=Code.TEMPORARY)
        case PostgresUnavailable() | MigrationFailed() | BackupRefused() | SeedRefused():
            return Failure(str(fault))
        case Problem():
            return Failure(fault.message, code=_BY_STATUS.get(fault.status, Code.FAILED))
        case asyncpg.InvalidAuthorizationSpecificationError():
            return Failure(f"The database refused the sign-in: {fault}.", "look at DATABASE_URL", Code.NOT_ALLOWED)
        case asyncpg.InvalidCatalogNameError():
            return Failure(f"The server has no such database: {fault}.", "create it, or look at DATABASE_URL")
        case asyncpg.ClientConfigurationError():
            return Failure(f"DATABASE_URL: {fault}.", "such as postgresql://user:password@host/soloist", Code.USAGE)
        case OSError() if fault.filename is not None and not isinstance(fault, ConnectionError):
            return Failure(f"{fault.filename}: {fault.strerror}.")
    if isinstance(fault, (*UNAVAILABLE, OSError)):
        cause = str(fault) or type(fault).__name__
        return Failure(f"The database can't be reached: {cause}.", "is it running? See DATABASE_URL", Code.TEMPORARY)
    return None
