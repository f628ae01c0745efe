"""Public keys that verify bearer tokens: read from PEM, and held to what is strong enough."""

import re
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

# RFC 7518, section 3.3, and NIST SP 800-131A.
MIN_RSA_BITS = 2048
# Verifying takes longer with the square of the length.
MAX_RSA_BITS = 8192
MAX_KEYS = 20

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.+?-----END \1-----", re.DOTALL)

Key = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class VerificationKey(NamedTuple):
    """A public key, and the one algorithm (RFC 7518, RFC 8037) whose signatures it verifies."""

    algorithm: str
    key: Key


def public_keys(pem: str) -> tuple[VerificationKey, ...]:
    """The keys in a text of PEM blocks.

    Raises:
        ValueError: with the reason, as the rest of a sentence; the text is never quoted.
    """
    found = []
    for block in _BLOCK.finditer(pem):
        if "PRIVATE" in block[1]:
            raise ValueError("must hold public keys, not a private one: `openssl pkey -in key.pem -pubout` prints it.")
        try:
            key = load_pem_public_key(block[0].encode())
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError(
                "must hold public keys in PEM (BEGIN PUBLIC KEY), such as `openssl pkey` prints."
            ) from None
        found.append(strong_key(key))
    if not 1 <= len(found) <= MAX_KEYS:
        raise ValueError(f"must hold 1 to {MAX_KEYS} public keys in PEM (BEGIN PUBLIC KEY).")
    return tuple(found)


def strong_key(key: object) -> VerificationKey:
    """The key with its algorithm.

    Raises:
        ValueError: it is of another kind or curve, or too short; the rest of a sentence.
    """
    if isinstance(key, RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError(f"must hold RSA keys of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits; one has {key.key_size}.")
        return VerificationKey("RS256", key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return VerificationKey("ES256", key)
    if isinstance(key, Ed25519PublicKey):
        return VerificationKey("EdDSA", key)
    raise ValueError("must hold RSA, P-256 or Ed25519 keys, for RS256, ES256 or EdDSA.")
