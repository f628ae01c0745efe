"""Secrets and keys of Standard Webhooks: make and check them, and sign with them.

`whsec_` is the base64 of 24 to 64 bytes, for HMAC-SHA256 (`v1`). `whsk_` is the base64 of an Ed25519 seed and its
public key, 64 bytes in all, and `whpk_` the base64 of that public key (`v1a`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from models.webhooks import Signing
from workflows.kernel.errors import Invalid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
SECRET_BYTES_ALLOWED = range(24, 65)
SEED_BYTES = 32
# Signs some bytes; the signature names its scheme.
Sign = Callable[[bytes], str]


class SecretMalformed(ValueError):
    """No secret that Standard Webhooks knows; the message does not hold it."""


def new_secret(signing: Signing = Signing.HMAC_SHA256) -> str:
    """A fresh secret, or private key, as Standard Webhooks writes it."""
    if signing is Signing.HMAC_SHA256:
        return SYMMETRIC + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    seed = secrets.token_bytes(SEED_BYTES)
    return PRIVATE + b64encode(seed + _public_bytes(seed)).decode()


def checked_secret(secret: str, signing: Signing) -> str:
    """An owner's own secret; raises Invalid where it does not fit the way of signing."""
    if signing is Signing.HMAC_SHA256:
        if secret.startswith(SYMMETRIC) and len(_bytes_of(secret)) in SECRET_BYTES_ALLOWED:
            return secret
        raise _invalid("Must be whsec_ and the base64 of 24 to 64 bytes.")
    key = _bytes_of(secret) if secret.startswith(PRIVATE) else b""
    if len(key) == 2 * SEED_BYTES and key[SEED_BYTES:] == _public_bytes(key[:SEED_BYTES]):
        return secret
    raise _invalid("Must be whsk_ and the base64 of an Ed25519 seed followed by its public key, 64 bytes in all.")


def verifier_of(secret: str) -> str:
    """The secret with which a receiver verifies: itself, or the `whpk_` of a private key."""
    return PUBLIC + b64encode(_bytes_of(secret)[SEED_BYTES:]).decode() if secret.startswith(PRIVATE) else secret


def signer_of(secret: str) -> Sign:
    """The signer by a secret, HMAC-SHA256 (`v1`) or Ed25519 (`v1a`) by its prefix; raises SecretMalformed."""
    signing = Signing.ED25519 if secret.startswith(PRIVATE) else Signing.HMAC_SHA256
    try:
        checked_secret(secret, signing)
    except Invalid as error:
        # Without its cause, which may quote what it could not read.
        raise SecretMalformed(error.message) from None
    if signing is Signing.ED25519:
        private_key = _private_key(_bytes_of(secret)[:SEED_BYTES])
        return lambda signed: "v1a," + b64encode(private_key.sign(signed)).decode()
    key = _bytes_of(secret)
    return lambda signed: "v1," + b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signatures(signers: Iterable[Sign], webhook_id: str, timestamp: str, body: bytes) -> str:
    """The value of the header `webhook-signature`: one of every valid secret, so that any of them verifies it.

    Args:
        timestamp: seconds since 1970, in UTC.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(sign(signed) for sign in signers)


def _public_bytes(seed: bytes) -> bytes:
    return _private_key(seed).public_key().public_bytes_raw()


def _private_key(seed: bytes) -> Ed25519PrivateKey:
    # Imported here: every process that records events knows the effect of webhooks, and few sign any in this way.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(seed)


def _bytes_of(secret: str) -> bytes:
    encoded = secret.partition("_")[2]
    try:
        found = b64decode(encoded, validate=True)
    except ValueError as error:
        raise _invalid("Must be base64 after its prefix.") from error
    if b64encode(found).decode() != encoded:
        raise _invalid("Must be base64 in its one standard writing after its prefix.")
    return found


def _invalid(reason: str) -> Invalid:
    return Invalid("This is no secret of Standard Webhooks.", details={"secret": [reason]})
