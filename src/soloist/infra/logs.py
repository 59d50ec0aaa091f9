"""Logging: one JSON object a line (readable text on a terminal), without personal data.

Log ids, codes and times; never names, addresses, tokens, notes or bodies.
"""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(form: str = "auto", level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's loggers for this process.

    A server logs to standard output; a command whose output is data leaves that to the data.
    """
    text = form == "text" or (form == "auto" and stream.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _where,
    ]
    if text:
        processors.append(structlog.dev.ConsoleRenderer())
        factory: Any = structlog.PrintLoggerFactory(stream)
    else:
        processors.append(structlog.processors.JSONRenderer(serializer=_dumps))
        factory = structlog.BytesLoggerFactory(stream.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # Libraries speak only when something is wrong: their messages may carry what we don't log.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=stream, force=True)


def _where(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception as its kind and where it came from; its message and variables may hold personal data."""
    fault = event.pop("exc_info", None)
    if fault is True:
        fault = sys.exc_info()[1]
    if isinstance(fault, BaseException):
        frames = traceback.extract_tb(fault.__traceback__)
        event["exception"] = type(fault).__qualname__
        event["where"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
    return event


def _dumps(event: Any, **_: object) -> bytes:
    return orjson.dumps(event, default=str)
