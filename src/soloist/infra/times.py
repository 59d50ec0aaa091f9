"""Moments as the wire writes them."""

from datetime import UTC, datetime


def wire(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z: 2024-01-15T10:30:00.000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
