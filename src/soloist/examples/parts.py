"""What the examples of all domains are made of."""

from collections.abc import Mapping

from soloist.infra.openapi import Example

MADE, CHANGED = "2024-01-15T10:30:00.000Z", "2024-01-15T11:00:00.000Z"
STAMPS: Mapping[str, object] = {"version": 1, "createdAt": MADE, "updatedAt": MADE}
NEWER: Mapping[str, object] = {"version": 2, "updatedAt": CHANGED}


def page(plural: str, item: object, total: int = 1, cursor: str | None = None) -> dict[str, object]:
    """The first page of a list that shows one item."""
    return {plural: [item], "total": total, "page": 1, "limit": 20, "nextCursor": cursor}


def gone(record_id: str) -> Example:
    """What a DELETE answers."""
    return Example({"id": record_id, "deleted": True})
