"""Encryption of stored values: notes and feedback, secrets, and responses that hold them.

A sealed value reads `sealed:<id of its key>:<Fernet token>`, by which the database can tell under which key it is
without being able to read it.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.secrets import require_passphrases

log = logging.getLogger(__name__)

KEY_ID_BYTES = 4
MARK = "sealed:"
MARK_CHARACTERS = len(MARK) + 2 * KEY_ID_BYTES + 1


class UnsealError(Exception):
    """A stored value was sealed with a key that ENCRYPTION_KEYS no longer holds."""


class Sealer:
    """Seals with the first passphrase and unseals with any, so that a new key is put in front of the old one.

    Args:
        passphrases: ENCRYPTION_KEYS; long and random, since they are stretched no further.

    Raises:
        ValueError: there are none, or one is empty.
    """

    def __init__(self, passphrases: Sequence[str]) -> None:
        require_passphrases(passphrases)
        keys = [_stretched(passphrase, b"tutelage sealing", 32) for passphrase in passphrases]
        self._fernet = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])
        # The beginnings of values under each of the keys, the present key first.
        ids = (_stretched(passphrase, b"tutelage key id", KEY_ID_BYTES).hex() for passphrase in passphrases)
        self.marks = tuple(f"{MARK}{key_id}:" for key_id in ids)

    @property
    def mark(self) -> str:
        return self.marks[0]

    def seal(self, value: str) -> str:
        """The value encrypted and authenticated, as text."""
        return self.mark + self._fernet.encrypt(value.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The value that was sealed. Raises UnsealError: no passphrase fits, or it is no sealed value."""
        try:
            return self._fernet.decrypt(sealed[MARK_CHARACTERS:].encode()).decode()
        except InvalidToken as error:
            raise UnsealError("A stored secret was sealed with a key that ENCRYPTION_KEYS no longer holds.") from error


_of_this_process: list[Sealer] = []


def use_sealer(sealer: Sealer) -> None:
    """Use these keys for stored texts in this process from now on."""
    _of_this_process[:] = [sealer]


def seal_text(text: str) -> str:
    """A person's text, encrypted for storage with the keys of this process."""
    return _of_this_process[0].seal(text)


def shown_text(stored: str) -> str | None:
    """A stored text, decrypted; None, with a line in the log, where its key is gone."""
    try:
        return _of_this_process[0].unseal(stored)
    except UnsealError:
        log.error("A stored text is under a key that ENCRYPTION_KEYS no longer holds, and is shown as empty.")
        return None


def _stretched(passphrase: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(passphrase.encode())
