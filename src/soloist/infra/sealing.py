"""Secrets that must be read again, so that no hash will do: encrypted, each with a key of its account."""

from functools import lru_cache
from uuid import UUID

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from soloist.infra.secrets import derived

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class SealBroken(Exception):
    """The secret was sealed by another installation, or has been altered: nobody can read it any more."""


class Vault:
    """Seals secrets for the database and opens them again; `purpose` keeps one kind from passing for another."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._secret = secret
        self._purpose = purpose
        self._opened = lru_cache(maxsize=1024)(self._open)

    def seal(self, account_id: UUID, secret: str) -> str:
        """`secret` encrypted (AES-256-GCM, compact JWE): nobody without this installation's secret can read it."""
        return jwe.encrypt_compact(_HEADER, secret.encode(), self._key(account_id))

    def open(self, account_id: UUID, sealed: str) -> str:
        """The secret again; raises SealBroken."""
        return self._opened(account_id, sealed)

    def _open(self, account_id: UUID, sealed: str) -> str:
        try:
            plain = jwe.decrypt_compact(sealed, self._key(account_id)).plaintext
        except (JoseError, ValueError) as fault:
            raise SealBroken(self._purpose) from fault
        assert plain is not None
        return plain.decode()

    def _key(self, account_id: UUID) -> OctKey:
        return OctKey.import_key(derived(self._secret, f"{self._purpose} of {account_id}"))
