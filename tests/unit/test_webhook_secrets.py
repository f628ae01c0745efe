"""Tests of secrets and keys as Standard Webhooks writes them, and of the headers that are sent along."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from models.webhooks import Signing
from workflows.kernel.errors import Invalid
from workflows.webhooks.headers import checked_headers
from workflows.webhooks.secrets import checked_secret, new_secret, signer_of, verifier_of

# RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OTHER_PUBLIC = Ed25519PrivateKey.from_private_bytes(PUBLIC).public_key().public_bytes_raw()
KEY = "whsk_" + b64encode(SEED + PUBLIC).decode()


def written(length: int, prefix: str = "whsec_") -> str:
    return prefix + b64encode(bytes(range(length))).decode()


@pytest.mark.parametrize("signing", Signing)
def test_new_secrets_are_valid_and_unique(signing: Signing) -> None:
    secrets = {new_secret(signing) for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        assert checked_secret(secret, signing) == secret


@pytest.mark.parametrize("length", [24, 32, 63, 64])
def test_an_own_secret_has_24_to_64_bytes(length: int) -> None:
    secret = checked_secret(written(length), Signing.HMAC_SHA256)
    assert verifier_of(secret) == secret
    assert Webhook(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "mine",
        written(23),
        written(65),
        written(32, ""),
        written(32, "whsk_"),
        written(32).upper(),
        written(32)[:-1],
        written(32) + "=",
        written(32) + "\n",
        "whsec_" + "ä" * 40,
        "whsec_" + "-_" * 20,
        # The same bytes in another writing: what is compared elsewhere as text must be one text.
        written(25)[:-3] + "B==",
        KEY,
    ],
)
def test_anything_else_is_no_secret(secret: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_secret(secret, Signing.HMAC_SHA256)
    assert set(refused.value.details or {}) == {"secret"}


def test_a_private_key_is_its_seed_and_its_public_key() -> None:
    assert checked_secret(KEY, Signing.ED25519) == KEY
    assert verifier_of(KEY) == "whpk_" + b64encode(PUBLIC).decode()
    scheme, _, signature = signer_of(KEY)(b"").partition(",")
    # RFC 8032's signature of the empty message.
    assert scheme == "v1a"
    assert b64decode(signature).hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        written(32),
        "whsk_" + b64encode(SEED).decode(),
        "whsk_" + b64encode(SEED + SEED).decode(),
        "whsk_" + b64encode(PUBLIC + SEED).decode(),
        "whsk_" + b64encode(SEED + PUBLIC + b"x").decode(),
        "whpk_" + b64encode(SEED + PUBLIC).decode(),
        "whsk_" + b64encode(SEED + OTHER_PUBLIC).decode(),
    ],
)
def test_a_private_key_that_does_not_fit_together_is_refused(secret: str) -> None:
    with pytest.raises(Invalid):
        checked_secret(secret, Signing.ED25519)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Key": "value", "Authorization": "Bearer abc", "x-empty": ""},
        {f"X-{number}": "v" * 1000 for number in range(20)},
        {"!#$%&'*+.^_`|~-1aA": "~ !"},
    ],
)
def test_headers_are_sent_along(headers: dict[str, str]) -> None:
    assert checked_headers(headers) == headers


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "Transfer-Encoding", "connection", "TE", "trailer", "Upgrade"),
        *("Proxy-Authorization", "proxy-x", "Webhook-Id", "webhook-signature", "webhook-anything", "Cookie"),
        *("Keep-Alive", "Expect", "User-Agent", "Content-Encoding", "X-Forwarded-For", "Forwarded", "Via", "Sec-X"),
        *("", " ", "a b", "a:b", ":path", "ä", "a\r\nb", "a\n", "(a)", "a" * 101),
    ],
)
def test_reserved_and_invalid_header_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_headers({"X-Good": "yes", name: "x"})
    assert set(refused.value.details or {}) == {"headers"}


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "a\r\n b", "\t", " a", "a ", "ä", "\x7f", "v" * 1001])
def test_values_that_could_end_a_header_are_refused(value: str) -> None:
    with pytest.raises(Invalid):
        checked_headers({"X-A": value})


def test_more_than_twenty_headers_or_one_twice_are_refused() -> None:
    with pytest.raises(Invalid):
        checked_headers({f"X-{number}": "v" for number in range(21)})
    with pytest.raises(Invalid):
        checked_headers({"X-A": "1", "x-a": "2"})
