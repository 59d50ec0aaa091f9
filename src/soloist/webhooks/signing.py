"""Secrets and signatures: how a secret is made and kept, and the headers that prove who sent a delivery.

A secret is stored encrypted with a key of its account, derived from the installation's secret. Signatures are
those of Standard Webhooks 1.0.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from joserfc import jwe
from joserfc.jwk import OctKey
from standardwebhooks import Webhook as Signer

from soloist import __version__
from soloist.events.log import wire_id
from soloist.infra.secrets import derived

PREFIX = "whsec_"
SECRET_BYTES = 32
_HEADER = {"alg": "dir", "enc": "A256GCM"}


def new_secret() -> str:
    """A fresh secret as the receiver is given it: 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Vault:
    """Seals secrets for the database and opens them again."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._opened = lru_cache(maxsize=1024)(self._open)

    def seal(self, account_id: UUID, secret: str) -> str:
        """`secret` encrypted (AES-256-GCM, compact JWE): nobody without this installation's secret can read it."""
        return jwe.encrypt_compact(_HEADER, secret.encode(), self._key(account_id))

    def open(self, account_id: UUID, sealed: str) -> str:
        """The secret again; raises joserfc's JoseError if it was sealed elsewhere, or altered."""
        return self._opened(account_id, sealed)

    def _open(self, account_id: UUID, sealed: str) -> str:
        plain = jwe.decrypt_compact(sealed, self._key(account_id)).plaintext
        assert plain is not None
        return plain.decode()

    def _key(self, account_id: UUID) -> OctKey:
        return OctKey.import_key(derived(self._secret, f"webhook secrets of {account_id}"))


def headers(event_id: UUID, at: datetime, body: str, signing_secrets: Sequence[str]) -> Mapping[str, str]:
    """The headers of one attempt at `at`, signed with each of the secrets in their order."""
    name = wire_id(event_id)
    return {
        "content-type": "application/json",
        "user-agent": f"Soloist/{__version__}",
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(name, at, body) for secret in signing_secrets),
    }
