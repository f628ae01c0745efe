"""Signatures of webhooks, to the letter of Standard Webhooks: HMAC-SHA256 as `v1`, Ed25519 as `v1a`."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable

from models.webhooks import Signing
from workflows.errors import Invalid
from workflows.webhooks.secrets import checked_secret, hmac_key_of, private_key_of, signing_of


class SecretMalformed(ValueError):
    """No secret that Standard Webhooks knows; the message does not hold it."""


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """One signature over id, time and body, by the scheme that the secret's prefix names.

    Args:
        secret: `whsec_…` or `whsk_…`.
        timestamp: seconds since 1970, in UTC.

    Raises:
        SecretMalformed: neither of the two.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signing = signing_of(secret)
    try:
        checked_secret(secret, signing)
    except Invalid as error:
        # Without its cause, which may quote what it could not read.
        raise SecretMalformed(error.message) from None
    if signing is Signing.ED25519:
        return "v1a," + b64encode(private_key_of(secret).sign(signed)).decode()
    return "v1," + b64encode(hmac.digest(hmac_key_of(secret), signed, hashlib.sha256)).decode()


def signatures(secrets: Iterable[str], webhook_id: str, timestamp: str, body: bytes) -> str:
    """The value of the header `webhook-signature`: one of every valid secret, so that any of them verifies it."""
    return " ".join(sign(secret, webhook_id, timestamp, body) for secret in secrets)
