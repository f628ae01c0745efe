"""Signatures of webhooks, to the letter of Standard Webhooks: HMAC-SHA256 as `v1`, Ed25519 as `v1a`."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET, PRIVATE_KEY, PUBLIC_KEY = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = range(24, 64 + 1)
SEED_BYTES = 32


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
    if secret.startswith(PRIVATE_KEY):
        return "v1a," + b64encode(_private_key(secret).sign(signed)).decode()
    return "v1," + b64encode(hmac.digest(_symmetric_key(secret), signed, hashlib.sha256)).decode()


def signatures(secrets: Iterable[str], webhook_id: str, timestamp: str, body: bytes) -> str:
    """The value of the header `webhook-signature`: one of every valid secret, so that any of them verifies it."""
    return " ".join(sign(secret, webhook_id, timestamp, body) for secret in secrets)


def new_private_key() -> str:
    """A private key as it is stored: `whsk_` and the base64 of the seed and the public key, 64 bytes."""
    return _written(Ed25519PrivateKey.generate())


def public_key(private_key: str) -> str:
    """What a partner verifies with: `whpk_` and the base64 of 32 bytes.

    Raises:
        SecretMalformed: that is no private key.
    """
    return PUBLIC_KEY + b64encode(_private_key(private_key).public_key().public_bytes_raw()).decode()


def _symmetric_key(secret: str) -> bytes:
    key = _decoded(secret, SECRET)
    if len(key) not in SECRET_BYTES:
        raise SecretMalformed("A secret holds 24 to 64 bytes.")
    return key


def _private_key(secret: str) -> Ed25519PrivateKey:
    raw = _decoded(secret, PRIVATE_KEY)
    if len(raw) != 2 * SEED_BYTES:
        raise SecretMalformed("A private key holds 64 bytes: the seed, and the public key.")
    key = Ed25519PrivateKey.from_private_bytes(raw[:SEED_BYTES])
    # Halves that do not belong together would sign what nobody verifies.
    if key.public_key().public_bytes_raw() != raw[SEED_BYTES:]:
        raise SecretMalformed("The two halves of a private key do not belong together.")
    return key


def _decoded(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise SecretMalformed(f"A secret begins with {SECRET} or {PRIVATE_KEY}.")
    try:
        return b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error:
        # Without its cause, which may quote what it could not read.
        raise SecretMalformed("A secret is written in base64.") from None


def _written(key: Ed25519PrivateKey) -> str:
    return PRIVATE_KEY + b64encode(key.private_bytes_raw() + key.public_key().public_bytes_raw()).decode()
