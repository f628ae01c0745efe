"""An identity provider: keys of every kind, tokens signed with them, and a server that publishes them."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Event
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.receivers import HttpReceiver, Request, serving

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
MAKERS: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "short": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - it is to be refused
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def private_key(kind: str, number: int = 1) -> PrivateKey:
    """The key of that kind and number, one for all tests of the process."""
    return _made(kind, number)


@cache
def _made(kind: str, _number: int) -> PrivateKey:
    made: PrivateKey = MAKERS[kind]()
    return made


def pem(*kinds: str) -> str:
    """The public keys of these kinds, one after the other."""
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return "".join(private_key(kind).public_key().public_bytes(*form).decode() for kind in kinds)


def signed(kind: str, claims: dict[str, Any], *, number: int = 1, **header: Any) -> str:
    claims = {"exp": time.time() + 3600, **claims}
    return jwt.encode(claims, private_key(kind, number), algorithm=kind, headers=header or None)


def assembled(header: dict[str, Any] | bytes, payload: dict[str, Any] | bytes, signature: bytes = b"x" * 64) -> str:
    """A token of any parts, as no library would make it."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def jwk(kind: str, *, number: int = 1, **fields: Any) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name({"short": "RS256"}.get(kind, kind))
    listed: dict[str, Any] = json.loads(algorithm.to_jwk(private_key(kind, number).public_key()))
    return {"kid": kind, **listed, **fields}


@dataclass
class IdentityProvider(HttpReceiver):
    """A server with a key set, which can be changed, slow, broken or away."""

    status: int = 200
    hangs: Event = field(default_factory=Event)
    goes_on: Event = field(default_factory=Event)

    @property
    def asked(self) -> int:
        return len(self.requests)

    def answer(self, request: Request) -> bytes:
        if self.hangs.is_set():
            self.goes_on.wait(30)
        return super().answer(request)

    def publish(self, *keys: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": keys}).encode()


@contextmanager
def identity_provider(*keys: dict[str, Any]) -> Iterator[IdentityProvider]:
    """A provider that listens until the end of the block."""
    with serving(IdentityProvider()) as provider:
        provider.publish(*keys)
        try:
            yield provider
        finally:
            provider.goes_on.set()
