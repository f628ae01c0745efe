"""Tests of signatures against the public libraries that partners verify with, and the vectors of the standard."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
import standardwebhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from models.webhooks import Signing
from tests.signing import sign, sign_with_each
from workflows.webhooks.secrets import SecretMalformed, new_secret, verifier_of

# The standard's own example, which the sender that it comes from tests with, too.
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

Verify = Callable[[str, bytes, dict[str, str]], Any]


def by_standardwebhooks(secret: str, body: bytes, headers: dict[str, str]) -> None:
    standardwebhooks.Webhook(secret).verify(body, headers)


def by_svix(secret: str, body: bytes, headers: dict[str, str]) -> None:
    svix().Webhook(secret).verify(body, headers)


def svix() -> Any:
    return import_module("svix.webhooks")


LIBRARIES = [by_standardwebhooks, by_svix]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Its hundreds of models are for the one process that runs these tests, not for all that collect them."""
    svix()


secrets = st.binary(min_size=24, max_size=64).map(lambda raw: "whsec_" + b64encode(raw).decode())
bodies = st.binary(max_size=500).map(lambda raw: json.dumps({"any": raw.hex(), "ü": "ä"}, ensure_ascii=False).encode())


def headers(body: bytes, *secrets: str) -> dict[str, str]:
    """The headers of a message that is signed now."""
    webhook_id, timestamp = str(uuid4()), str(int(datetime.now(UTC).timestamp()))
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign_with_each(secrets, webhook_id, timestamp, body),
    }


def verify_v1a(public: str, body: bytes, headers: dict[str, str]) -> None:
    """Verify as Standard Webhooks specifies Ed25519, without the code under test."""
    key = Ed25519PublicKey.from_public_bytes(b64decode(public.removeprefix("whpk_")))
    (signature,) = (s[4:] for s in headers["webhook-signature"].split(" ") if s.startswith("v1a,"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key.verify(b64decode(signature, validate=True), content)


def test_the_standards_vectors_are_reproduced() -> None:
    assert sign(PRIVATE, *MESSAGE) == V1A
    assert verifier_of(PRIVATE) == PUBLIC
    assert sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", *MESSAGE) == V1


@pytest.mark.parametrize("verify", LIBRARIES)
@given(secret=secrets, body=bodies)
def test_a_symmetric_signature_is_verified_by_the_libraries(verify: Verify, secret: str, body: bytes) -> None:
    verify(secret, body, headers(body, secret))


@pytest.mark.parametrize("verify", LIBRARIES)
@given(old=secrets, new=secrets, body=bodies)
def test_while_a_secret_is_replaced_either_of_them_verifies(verify: Verify, old: str, new: str, body: bytes) -> None:
    sent = headers(body, new, old)
    assert len(sent["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        verify(secret, body, sent)


@pytest.mark.parametrize("verify", LIBRARIES)
@given(secret=secrets, other=secrets, body=bodies)
def test_whatever_was_altered_is_refused_by_the_libraries(verify: Verify, secret: str, other: str, body: bytes) -> None:
    sent = headers(body, secret)
    later = str(int(sent["webhook-timestamp"]) + 1)
    for key, message, altered in [
        (secret, body + b" ", sent),
        (secret, body, sent | {"webhook-id": str(uuid4())}),
        (secret, body, sent | {"webhook-timestamp": later}),
        *([(other, body, sent)] if other != secret else []),
    ]:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            verify(key, message, altered)


@pytest.mark.parametrize("verify", LIBRARIES)
def test_a_symmetric_secret_verifies_beside_an_asymmetric_one(verify: Verify) -> None:
    secret, private = "whsec_" + b64encode(b"x" * 32).decode(), new_secret(Signing.ED25519)
    sent = headers(b"{}", private, secret)
    verify(secret, b"{}", sent)
    verify_v1a(verifier_of(private), b"{}", sent)


@given(body=st.binary(max_size=500))
def test_an_asymmetric_signature_is_verified_by_the_public_key_alone(body: bytes) -> None:
    private = new_secret(Signing.ED25519)
    sent = headers(body, private)
    verify_v1a(verifier_of(private), body, sent)
    later = str(int(sent["webhook-timestamp"]) + 1)
    for key, message, altered in [
        (verifier_of(private), body + b" ", sent),
        (verifier_of(private), body, sent | {"webhook-id": "other"}),
        (verifier_of(private), body, sent | {"webhook-timestamp": later}),
        (verifier_of(new_secret(Signing.ED25519)), body, sent),
    ]:
        with pytest.raises(InvalidSignature):
            verify_v1a(key, message, altered)


def of(prefix: str, length: int) -> str:
    return prefix + b64encode(b"s" * length).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "plain words",
        of("whsec_", 23),
        of("whsec_", 65),
        "whsec_not base64 at all !",
        of("WHSEC_", 32),
        PUBLIC,
        of("whsk_", 32),
        of("whsk_", 63),
        # Halves that do not belong together.
        of("whsk_", 64),
    ],
)
def test_what_is_no_secret_signs_nothing_and_is_not_quoted(secret: str) -> None:
    with pytest.raises(SecretMalformed) as refused:
        sign(secret, *MESSAGE)
    assert len(secret) < 8 or secret[6:] not in str(refused.value)
    assert refused.value.__cause__ is None
