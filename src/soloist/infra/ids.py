"""Record ids: UUID version 7 (RFC 9562), so that newer rows lie beside each other in every index."""

import os
import time
from threading import Lock
from uuid import UUID

_RANDOM_BITS = 74
_STEP_BITS = 32
_lock = Lock()
_last = 0


def new_id() -> UUID:
    """A fresh id: 48 bits of milliseconds since 1970, then 74 random bits; greater than all this process made before.

    So what one transaction writes within a millisecond (an activity after an activity, an event after an event)
    keeps its order.
    """
    global _last
    random = int.from_bytes(os.urandom(10), "big")
    fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | random & ((1 << _RANDOM_BITS) - 1)
    with _lock:
        if fresh <= _last:
            fresh = _last + 1 + (random & ((1 << _STEP_BITS) - 1))
        _last = fresh
    return _uuid(fresh)


def _uuid(bits: int) -> UUID:
    """The 122 free bits with version 7 and the variant put between them."""
    head, tail = bits >> 62, bits & ((1 << 62) - 1)
    return UUID(int=(head >> 12) << 80 | 0x7 << 76 | (head & 0xFFF) << 64 | 0b10 << 62 | tail)
