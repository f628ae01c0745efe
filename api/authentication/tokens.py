"""Bearer tokens (RFC 7519): verified with the configured keys alone, each by the one algorithm that it was made for.

A token's header chooses among these keys and nothing else, neither an algorithm nor an address (RFC 8725).
"""

import json
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, Protocol

import jwt

from config.settings import Settings
from workflows.kernel.errors import Unauthenticated

MAX_TOKEN_CHARACTERS = 8192
MAX_KEY_ID_CHARACTERS = 255
LATEST_SECONDS = 253_402_300_799  # the end of the year 9999
_DATES = ("exp", "nbf", "iat")
# `crit` names extensions that none is known of here, `cty` a token in a token, and `b64` a payload that is elsewhere.
_REFUSED_HEADERS = frozenset({"crit", "cty", "b64"})
_FLAWED = "The bearer token is malformed, forged, expired or not meant for this service."
_FOR_AN_AUDIENCE = (
    "The bearer token is made for an audience (its claim aud), and this service has none: set JWT_AUDIENCE to the"
    " audience whose tokens it is to accept."
)
_ERRORS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

Key = Any  # as PyJWT takes it: a secret, or a public key of `cryptography`


class KeySource(Protocol):
    algorithms: Collection[str]

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """The keys of that algorithm, of these the one that a token names; empty where there is none."""
        ...


class FixedKeys(KeySource):
    """Keys of the settings, by algorithm. A token may name any: few enough are there to try all."""

    def __init__(self, keys: dict[str, list[Key]]) -> None:
        self._keys = keys
        self.algorithms = frozenset(keys)

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:  # noqa: ARG002 - a PEM has no names
        return self._keys[algorithm]


def key_source(settings: Settings) -> KeySource:
    """The keys that these settings name; JWT_SECRET is none of them beside public ones."""
    if settings.jwt_jwks_url is not None:
        # Its client is not needed elsewhere in this process.
        source: KeySource = import_module("api.authentication.jwks").JwksKeys(settings.jwt_jwks_url)
        return source
    if settings.jwt_public_key is not None:
        keys: dict[str, list[Key]] = {}
        for each in import_module("config.jwt_keys").public_keys(settings.jwt_public_key):
            keys.setdefault(each.algorithm, []).append(each.key)
        return FixedKeys(keys)
    return FixedKeys({"HS256": [settings.jwt_secret]})


class TokenVerifier:
    """Verifies tokens.

    Args:
        settings: audience, issuer and leeway.
        keys: by which tokens are signed.
    """

    def __init__(self, settings: Settings, keys: KeySource) -> None:
        self._keys = keys
        self._jwt = _StrictJwt()
        self._has_audience = settings.jwt_audience is not None
        self._expected: dict[str, Any] = {
            "audience": settings.jwt_audience,
            "issuer": settings.jwt_issuer,
            "leeway": settings.jwt_leeway_seconds,
            "options": {"require": ["exp", "sub"], "verify_aud": self._has_audience, "verify_sub": False},
        }

    def claims_of(self, token: str) -> dict[str, Any]:
        """The claims of a token; `sub` is a text, and `exp` lies ahead.

        Raises:
            Unauthenticated: it is malformed, forged, not valid now, or not for this service.
            ServiceUnavailable: no key has been read so far.
        """
        try:
            algorithm, key_id = self._signed_with(token)
            for key in self._keys.find(algorithm, key_id):
                try:
                    claims = self._jwt.decode(token, key, algorithms=[algorithm], **self._expected)
                except jwt.InvalidSignatureError:
                    continue
                # RFC 7519, 4.1.3: a service outside its audience must refuse it.
                if "aud" in claims and not self._has_audience:
                    raise Unauthenticated(_FOR_AN_AUDIENCE)
                return _checked(claims)
        except _ERRORS as error:
            raise Unauthenticated(_FLAWED) from error
        raise Unauthenticated(_FLAWED)

    def _signed_with(self, token: str) -> tuple[str, str | None]:
        if len(token) > MAX_TOKEN_CHARACTERS or token.count(".") != 2:
            raise ValueError("too long, or not signed")
        encoded = token.partition(".")[0]
        header = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), object_pairs_hook=_unique)
        if not isinstance(header, dict) or not _REFUSED_HEADERS.isdisjoint(header):
            raise ValueError("a header that is refused")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._keys.algorithms:
            raise ValueError("another algorithm")
        if key_id is not None and not (isinstance(key_id, str) and 1 <= len(key_id) <= MAX_KEY_ID_CHARACTERS):
            raise ValueError("no name of a key")
        return algorithm, key_id


class _StrictJwt(jwt.PyJWT):
    """PyJWT, with each claim at most once: readers differ about which of two counts."""

    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        payload = json.loads(decoded["payload"], object_pairs_hook=_unique)
        if not isinstance(payload, dict):
            raise jwt.DecodeError("no object")
        return payload


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice: " + Counter(name for name, _value in pairs).most_common(1)[0][0])
    return found


def _checked(claims: dict[str, Any]) -> dict[str, Any]:
    # RFC 7519 wants a text; many backends number their users.
    if type(claims["sub"]) is int:
        claims["sub"] = str(claims["sub"])
    if not isinstance(claims["sub"], str):
        raise ValueError("sub is no text")
    for name in _DATES:
        value = claims.get(name, 0)
        # PyJWT reads texts of digits as well, and takes any number, of whatever size.
        if type(value) not in (int, float) or not 0 <= value <= LATEST_SECONDS:
            raise ValueError(f"{name} is no date")
    return claims
