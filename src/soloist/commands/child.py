"""A process that `soloist serve --workers N` started: `python -m soloist.commands.child KIND …`.

The settings come by the environment; the database's address is in DATABASE_URL.
"""

import os
import socket
import sys
from functools import partial

from soloist.commands import process
from soloist.commands.console import Failure, end_with
from soloist.commands.failures import failure_of
from soloist.infra import logs
from soloist.infra.settings import load


def main() -> None:
    """Run the kind of process that the arguments name: `server LISTENER LIFE READY` or `worker LIFE READY`."""
    kind, *descriptors = sys.argv[1:]
    *listener, life, ready = map(int, descriptors)
    settings = load()
    logs.configure(settings.log_format, settings.log_level, sys.stdout)
    if settings.database_url is None:
        end_with(Failure("This is a part of 'soloist serve --workers'; start that."))
    dsn = settings.database_url.get_secret_value()
    on_started = partial(os.write, ready, b".")
    if kind == "server":
        process.run_server(settings, dsn, socket.socket(fileno=listener[0]), on_started, parent=life)
    else:
        process.run_worker(settings, dsn, on_started, parent=life)


if __name__ == "__main__":
    try:
        main()
    except Exception as fault:
        known = failure_of(fault)
        if known is None:
            raise
        end_with(known)
