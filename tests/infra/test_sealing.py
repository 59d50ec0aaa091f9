"""Sealed secrets: read again by their installation, for their account and purpose, and by nobody else."""

import pytest

from soloist.infra.ids import new_id
from soloist.infra.sealing import SealBroken, Vault

KEY = b"k" * 32


def test_a_sealed_secret_opens_for_its_account_purpose_and_installation_only() -> None:
    vault, hers, his, secret = Vault(KEY, "tests"), new_id(), new_id(), "a secret"
    sealed = vault.seal(hers, secret)
    assert secret not in sealed
    assert vault.seal(hers, secret) != sealed
    assert vault.open(hers, sealed) == secret
    elsewhere, otherwise = Vault(b"x" * 32, "tests"), Vault(KEY, "other tests")
    for stranger, owner, text in (
        (vault, his, sealed),
        (elsewhere, hers, sealed),
        (otherwise, hers, sealed),
        (vault, hers, sealed[:-2]),
        (vault, hers, "no seal"),
        (vault, hers, ""),
    ):
        with pytest.raises(SealBroken):
            stranger.open(owner, text)
