"""Signed texts (links in mails, cursors of lists), made by itsdangerous with SIGNING_KEYS."""

from collections.abc import Sequence
from hashlib import sha256

from itsdangerous import BadData, URLSafeSerializer

from config.secrets import require_passphrases

SIGNED_LIMIT_CHARACTERS = 1000


class Forged(ValueError):
    """A text that was not signed with any of the keys, or for another purpose."""


class Signer:
    """Signs with the first key and accepts any, so that signed texts outlive a rotation of keys.

    Args:
        keys: SIGNING_KEYS; long and random, since they are stretched no further.
        purpose: of the signed text; a signature for one purpose is invalid for another.

    Raises:
        ValueError: there are no keys, or one is empty.
    """

    def __init__(self, keys: Sequence[str], purpose: str) -> None:
        require_passphrases(keys)
        # itsdangerous signs with the last of its keys.
        self._serializer = URLSafeSerializer(
            keys[::-1], salt=purpose, signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )

    def sign(self, payload: object) -> str:
        """The payload (JSON) with its signature, as text for a URL."""
        signed = self._serializer.dumps(payload)
        return signed if isinstance(signed, str) else signed.decode()

    def verify(self, signed: str) -> object:
        """The payload that was signed. Raises Forged: it was not."""
        if len(signed) > SIGNED_LIMIT_CHARACTERS:
            raise Forged("no signed text is that long")
        try:
            payload: object = self._serializer.loads(signed)
        except BadData as error:
            raise Forged(str(error)) from error
        return payload
