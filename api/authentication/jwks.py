"""Keys of an identity provider, read from its JWK Set (RFC 7517) and kept while it cannot be reached.

PyJWT's own PyJWKClient does not do: it reads an answer of any size for as long as its server drips, has every request
wait meanwhile, asks again for each unknown key while the server is away, and forgets its keys when they are five
minutes old, whether or not there are newer ones (PyJWT 2.15).
"""

import json
from collections.abc import Sequence
from http.client import HTTPException
from ipaddress import ip_network
from threading import Lock, Thread
from time import monotonic
from typing import Any, NamedTuple

import jwt
import structlog
from werkzeug.exceptions import ServiceUnavailable

from config.jwt_keys import Key, strong_key
from infrastructure.http_client import HttpClient, HttpLimits, log_detail
from workflows.kernel.address import Network, host_of
from workflows.kernel.errors import Invalid

log = structlog.get_logger(__name__)

# Between two requests for the keys, whether they were answered or not.
REFRESH_SECONDS = 30.0
# After which the keys are read again in the background: one that its issuer has withdrawn is used no longer.
MAX_AGE_SECONDS = 600.0
# How long a request waits for the keys that another one is reading.
WAIT_SECONDS = 1.0
LIMITS = HttpLimits(connect=2.0, deadline=3.0)
MAX_KEYS = 100
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
# An operator has chosen the address, which may well be inside: bounds and TLS are what the client is for.
_EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class JwksError(Exception):
    """The key set cannot be read, or holds nothing that can be used."""


class NamedKey(NamedTuple):
    """A key of the set; `key_id` is None where it has no name."""

    algorithm: str
    key_id: str | None
    key: Key


class JwksKeys:
    """The keys at an address; a redirect to another one is an error."""

    algorithms = ALGORITHMS

    def __init__(self, url: str, client: HttpClient | None = None) -> None:
        self._url = url
        self._client = client or HttpClient(_EVERYWHERE, limits=LIMITS)
        self._keys: tuple[NamedKey, ...] = ()
        self._read_at = self._tried_at = float("-inf")
        self._lock = Lock()

    def find(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        """The keys of that algorithm and name; without a name the only one of the algorithm.

        An unknown name has the keys read again, at most once in 30 seconds.

        Raises:
            ServiceUnavailable: no key has been read so far.
        """
        found = self._named(algorithm, key_id)
        if not found:
            self._refresh(WAIT_SECONDS)
            found = self._named(algorithm, key_id)
        elif monotonic() - self._read_at > MAX_AGE_SECONDS and self._is_due():
            Thread(target=self._refresh, args=(0.0,), name="jwks", daemon=True).start()
        if not self._keys:
            raise ServiceUnavailable("The identity provider's keys cannot be read.", retry_after=1)
        return found

    def read(self) -> tuple[NamedKey, ...]:
        """Ask for the keys now. Raises JwksError: there is no answer, or no usable key in it."""
        try:
            headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "Tutelage"}
            response = self._client.get(self._url, headers, redirects=0)
        except (OSError, HTTPException, Invalid) as error:
            raise JwksError(log_detail(error)) from error
        if response.status != 200:
            raise JwksError(f"The server answered {response.status}.")
        return keys_of(response.body)

    def _named(self, algorithm: str, key_id: str | None) -> Sequence[Key]:
        found = [each.key for each in self._keys if each.algorithm == algorithm and key_id in (None, each.key_id)]
        # Without a name, each of many keys would have to be tried for whatever is sent.
        return found if key_id is not None or len(found) == 1 else ()

    def _is_due(self) -> bool:
        return monotonic() - self._tried_at >= REFRESH_SECONDS

    def _refresh(self, wait_seconds: float) -> None:
        if not self._lock.acquire(timeout=wait_seconds):
            return
        try:
            if not self._is_due():
                return
            self._tried_at = monotonic()
            self._keys, self._read_at = self.read(), monotonic()
            log.info("jwks.read", host=host_of(self._url), keys=len(self._keys))
        except JwksError as error:
            log.warning("jwks.not_read", host=host_of(self._url), kept_keys=len(self._keys), reason=str(error))
        finally:
            self._lock.release()


def keys_of(body: bytes) -> tuple[NamedKey, ...]:
    """The keys of a set that can verify a token; others, such as symmetric and short ones, are left out.

    Raises:
        JwksError: it is no key set, or has no such key.
    """
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise JwksError("The answer is no JWK Set.") from error
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise JwksError(f"The answer is no JWK Set of at most {MAX_KEYS} keys.")
    found = [key for each in listed if (key := _usable(each)) is not None]
    if not found:
        raise JwksError("The set has no RSA (2048 bits), P-256 or Ed25519 key for signatures.")
    return tuple(found)


def _usable(entry: Any) -> NamedKey | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return None
    if entry.get("use", "sig") != "sig" or "verify" not in (entry.get("key_ops") or ["verify"]):
        return None
    key_id = entry.get("kid")
    try:
        algorithm, key = strong_key(jwt.PyJWK(entry).key)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if entry.get("alg", algorithm) != algorithm or not isinstance(key_id, str | None):
        return None
    return NamedKey(algorithm, key_id, key)
