"""Encryption of stored secrets: those of webhooks, and responses that hold them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class UnsealError(Exception):
    """A stored value was sealed with a key that ENCRYPTION_KEYS no longer holds."""


class Sealer:
    """Seals with the first passphrase and unseals with any, so that a key is rotated by putting a new one in front.

    Args:
        passphrases: ENCRYPTION_KEYS; long and random, since they are stretched no further.

    Raises:
        ValueError: there are none, or one is empty.
    """

    def __init__(self, passphrases: Sequence[str]) -> None:
        require_passphrases(passphrases)
        self._fernet = MultiFernet([Fernet(_key(passphrase)) for passphrase in passphrases])

    def seal(self, value: str) -> str:
        """The value encrypted and authenticated, as text."""
        return self._fernet.encrypt(value.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The value that was sealed.

        Raises:
            UnsealError: no passphrase fits.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise UnsealError("A stored secret was sealed with a key that ENCRYPTION_KEYS no longer holds.") from error


def require_passphrases(passphrases: Sequence[str]) -> None:
    """Refuse keys that everybody could derive, wherever they come from.

    Raises:
        ValueError: there are none, or one is empty.
    """
    if not passphrases or not all(passphrase.strip() for passphrase in passphrases):
        raise ValueError("Nothing is sealed or signed with an empty passphrase.")


def _key(passphrase: str) -> bytes:
    stretched = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tutelage sealing").derive(passphrase.encode())
    return urlsafe_b64encode(stretched)
