"""Signatures of links that people are sent: whoever holds one may do what it says, and nobody can make one up."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.sealing import require_passphrases

SIGNATURE_BYTES = 32
LONGEST = 1000  # characters


class Forged(ValueError):
    """Not signed here, or no longer."""


class Signer:
    """Signs with the first passphrase and believes any, so that links outlive the rotation of keys.

    Args:
        passphrases: ENCRYPTION_KEYS; long and random, since they are stretched no further.
        purpose: what is signed; a signature for one purpose is none for another.

    Raises:
        ValueError: there are no passphrases, or one is empty.
    """

    def __init__(self, passphrases: Sequence[str], purpose: str) -> None:
        require_passphrases(passphrases)
        self._keys = [_key(passphrase, purpose) for passphrase in passphrases]

    def sign(self, payload: bytes) -> str:
        """The payload with its signature, as text that can stand in a URL."""
        return urlsafe_b64encode(_signature(self._keys[0], payload) + payload).decode().rstrip("=")

    def verify(self, signed: str) -> bytes:
        """The payload that was signed.

        Raises:
            Forged: it was not.
        """
        if len(signed) > LONGEST or not signed.isascii():
            raise Forged("no signature is that long, or in such letters")
        try:
            whole = urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
        except ValueError as error:
            raise Forged("not in base64") from error
        signature, payload = whole[:SIGNATURE_BYTES], whole[SIGNATURE_BYTES:]
        # Base64 can be written in several ways; one of them is ours. Every key is tried, whichever fits.
        fits = [hmac.compare_digest(signature, _signature(key, payload)) for key in self._keys]
        if not any(fits) or urlsafe_b64encode(whole).decode().rstrip("=") != signed:
            raise Forged("not signed here")
        return payload


def _signature(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)


def _key(passphrase: str, purpose: str) -> bytes:
    info = f"tutelage signing {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(passphrase.encode())
