"""The installation's secret: made once, kept in the data folder, never shown. Keys for each purpose derive from it."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from soloist.infra.settings import Settings

FILE = "secret.key"


def installation_secret(settings: Settings) -> bytes:
    """The secret from the settings or from the data folder, where it is made at the first start.

    Two processes that start at once agree on one secret; the file is readable by its owner only.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    path = settings.data_dir / FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return _make(path)


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-Expand with one block, RFC 5869)."""
    return hmac.digest(secret, purpose.encode() + b"\x01", hashlib.sha256)


def _make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_bytes(32))
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)  # fails if another process was first: then its secret is the one
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()
