"""Secrets and signatures: how a secret is made, and the headers that prove who sent a delivery.

Signatures are those of Standard Webhooks 1.0.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook as Signer

from soloist import __version__
from soloist.events.log import wire_id

PREFIX = "whsec_"
SECRET_BYTES = 32
KEPT_SECRETS = "webhook secrets"  # for what they are sealed


def new_secret() -> str:
    """A fresh secret as the receiver is given it: 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


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
