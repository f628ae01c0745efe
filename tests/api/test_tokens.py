"""Bearer tokens of every kind: signed with a secret, with public keys and with a key set, and forged in every way."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Engine, func, select, update
from werkzeug.exceptions import ServiceUnavailable

from api.authentication.authenticator import MAX_VERIFIED, Authenticator
from api.authentication.jwks import JwksError, JwksKeys, keys_of
from api.authentication.tokens import TokenVerifier, key_source
from models.people import users
from tests.api.conftest import Cast
from tests.api.identity_provider import IdentityProvider, assembled, identity_provider, jwk, pem, private_key, signed
from tests.application import SECRET, World, settings_for, token
from tests.eventually import eventually
from tests.queries import scalar
from tests.statements import statements_of
from workflows.identity.actor import Claim
from workflows.kernel.errors import Unauthenticated

NOWHERE = "postgresql://tutelage@127.0.0.1:1/nothing"
USER = "0190a1b2-0000-7000-8000-000000000001"
PUBLIC = ("RS256", "ES256", "EdDSA")


def asks(world: World, bearer: str) -> int:
    return world.client.get("/me", headers={"Authorization": f"Bearer {bearer}"}).status_code


@pytest.mark.parametrize("kind", PUBLIC)
def test_each_kind_of_public_key_verifies(engine: Engine, cast: Cast, kind: str) -> None:
    world = World.on(engine, jwt_public_key=pem(kind))
    assert asks(world, signed(kind, {"sub": str(cast.mentee.id)})) == 200
    assert asks(world, signed(kind, {"sub": str(cast.mentee.id)}, number=2)) == 401
    # Beside a public key, the secret verifies nothing.
    assert asks(world, token({"sub": str(cast.mentee.id)})) == 401


def test_several_public_keys_verify_during_a_rotation(engine: Engine, cast: Cast) -> None:
    world = World.on(engine, jwt_public_key=pem(*PUBLIC))
    for kind in PUBLIC:
        assert asks(world, signed(kind, {"sub": str(cast.mentee.id)}, kid="any")) == 200


def _hs256(header: bytes, payload: bytes, key: bytes = SECRET.encode()) -> str:
    parts = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload))
    signature = base64.urlsafe_b64encode(hmac.digest(key, parts, hashlib.sha256)).rstrip(b"=")
    return f"{parts.decode()}.{signature.decode()}"


def _claims(**claims: Any) -> bytes:
    return json.dumps({"sub": USER, "exp": time.time() + 300, **claims}).encode()


def _public_bytes(encoding: Encoding, form: PublicFormat) -> bytes:
    return private_key("RS256").public_key().public_bytes(encoding, form)


HS256 = b'{"alg":"HS256","typ":"JWT"}'
SIGNED = {"sub": USER}
# The defect → the token, for a service that knows the public keys of RS256, ES256 and EdDSA.
FORGED: dict[str, Callable[[], str]] = {
    "HS256 by the PEM": lambda: _hs256(HS256, _claims(), pem("RS256").encode()),
    "HS256 by the DER": lambda: _hs256(
        HS256, _claims(), _public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 by nothing": lambda: _hs256(HS256, _claims(), b""),
    "unsigned": lambda: jwt.encode({"exp": time.time() + 300, **SIGNED}, key="", algorithm="none"),
    "unsigned in other letters": lambda: assembled({"alg": "nOnE"}, {"exp": 4e9, **SIGNED}, b""),
    "another family": lambda: jwt.encode(
        {"exp": 4e9, **SIGNED},
        private_key("RS256"),
        algorithm="PS256",
    ),
    "another hash": lambda: jwt.encode(
        {"exp": 4e9, **SIGNED},
        private_key("RS256"),
        algorithm="RS512",
    ),
    "another curve": lambda: signed("ES384", SIGNED),
    "a key of its own": lambda: signed("RS256", SIGNED, number=2, jwk=jwk("RS256", number=2)),
    "an address of its own": lambda: signed("RS256", SIGNED, number=2, jku="https://evil.example/jwks.json"),
    "the signature of another token": lambda: (
        f"{signed('RS256', {'sub': 'x'}).rpartition('.')[0]}.{signed('RS256', SIGNED).rpartition('.')[2]}"
    ),
    "no signature": lambda: signed("EdDSA", SIGNED).rpartition(".")[0] + ".",
    "an ECDSA signature of zeros": lambda: assembled({"alg": "ES256"}, {"exp": 4e9, **SIGNED}, bytes(64)),
    "critical extensions": lambda: signed("EdDSA", SIGNED, crit=["b64"], b64=True),
    "a token in a token": lambda: signed("EdDSA", SIGNED, cty="JWT"),
    "an algorithm that is a list": lambda: assembled({"alg": ["RS256"]}, {"exp": 4e9, **SIGNED}),
    "an algorithm twice": lambda: assembled(b'{"alg":"none","alg":"RS256"}', {"exp": 4e9, **SIGNED}),
    "no algorithm": lambda: assembled({"typ": "JWT"}, {"exp": 4e9, **SIGNED}),
    "a header that is a list": lambda: assembled(b"[]", {"exp": 4e9, **SIGNED}),
    "a header that is no JSON": lambda: assembled(b"\xff\xfe", {"exp": 4e9, **SIGNED}),
    "a header nested without end": lambda: assembled(b'{"alg":' + b"[" * 5000, {"exp": 4e9, **SIGNED}),
    "five parts": lambda: "a.b.c.d.e",
    "one part": lambda: "abc",
    "letters beyond base64": lambda: "é.é.é",
}


@pytest.mark.parametrize("flaw", FORGED)
def test_forged_tokens_are_refused(flaw: str) -> None:
    settings = settings_for(NOWHERE, jwt_public_key=pem(*PUBLIC))
    # The token without the defect would be accepted.
    assert _verifier(settings).claims_of(signed("RS256", SIGNED))["sub"] == USER
    with pytest.raises(Unauthenticated):
        _verifier(settings).claims_of(FORGED[flaw]())


# Rightly signed, with the secret that is set: what is wrong is in what was signed.
SIGNED_NONSENSE: dict[str, Callable[[], str]] = {
    "too long": lambda: _hs256(HS256, _claims(note="x" * 9000)),
    "an empty name of a key": lambda: _hs256(b'{"alg":"HS256","kid":""}', _claims()),
    "an endless name of a key": lambda: _hs256(b'{"alg":"HS256","kid":"%s"}' % (b"k" * 300), _claims()),
    "a name of a key that is an object": lambda: _hs256(b'{"alg":"HS256","kid":{"a":1}}', _claims()),
    "a claim twice": lambda: _hs256(HS256, b'{"sub":"%s","sub":"x","exp":4000000000}' % USER.encode()),
    "no object": lambda: _hs256(HS256, b'["sub"]'),
    "no JSON": lambda: _hs256(HS256, b"\xff"),
    "nested without end": lambda: _hs256(HS256, b'{"sub":' + b"[" * 4000),
    "an end that is a text": lambda: _hs256(HS256, _claims(exp="4000000000")),
    "an end that is true": lambda: _hs256(HS256, _claims(exp=True)),
    "an end below nothing": lambda: _hs256(HS256, _claims(exp=-1)),
    "an end after all years": lambda: _hs256(HS256, _claims(exp=1e300)),
    "an end of too many digits": lambda: _hs256(HS256, b'{"sub":"x","exp":%s}' % (b"9" * 5000)),
    "an end that is no number": lambda: _hs256(HS256, b'{"sub":"x","exp":NaN}'),
    "an end at infinity": lambda: _hs256(HS256, b'{"sub":"x","exp":1e999}'),
    "a beginning that is a list": lambda: _hs256(HS256, _claims(nbf=[])),
    "a beginning below nothing": lambda: _hs256(HS256, _claims(nbf=-1e300)),
    "issued at no time": lambda: _hs256(HS256, _claims(iat="now")),
    "issued tomorrow": lambda: _hs256(HS256, _claims(iat=time.time() + 86_400)),
    "a subject that is null": lambda: _hs256(HS256, _claims(sub=None)),
    "a subject that is an object": lambda: _hs256(HS256, _claims(sub={})),
}


@pytest.mark.parametrize("flaw", SIGNED_NONSENSE)
def test_signed_nonsense_is_refused(flaw: str) -> None:
    with pytest.raises(Unauthenticated):
        _verifier(settings_for(NOWHERE)).claims_of(SIGNED_NONSENSE[flaw]())


@pytest.mark.parametrize("roles", [[1], [None], [["operator"]], {"operator": True}, "operator", 7])
def test_roles_that_are_no_names_are_refused(world: World, cast: Cast, roles: Any) -> None:
    assert asks(world, token({"sub": str(cast.mentee.id), "roles": roles})) == 401


def test_clocks_may_differ_by_the_leeway(engine: Engine, cast: Cast) -> None:
    claims = {"sub": str(cast.mentee.id)}
    world = World.on(engine, jwt_leeway_seconds=30)
    assert asks(world, token(claims, lifetime=-20)) == 200
    assert asks(world, token({**claims, "nbf": time.time() + 20, "iat": time.time() + 20})) == 200
    assert asks(world, token(claims, lifetime=-40)) == 401
    assert asks(world, token({**claims, "nbf": time.time() + 40})) == 401


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider(*map(jwk, PUBLIC)) as provider:
        yield provider


def _verifier(settings: Any, keys: Any = None) -> TokenVerifier:
    return TokenVerifier(settings, keys or key_source(settings))


@pytest.mark.parametrize("kind", PUBLIC)
def test_the_keys_of_a_provider_verify(engine: Engine, cast: Cast, provider: IdentityProvider, kind: str) -> None:
    world = World.on(engine, jwt_jwks_url=provider.url)
    headers: list[dict[str, Any]] = [{"kid": kind}, {}]
    for header in headers:
        assert asks(world, signed(kind, {"sub": str(cast.mentee.id)}, **header)) == 200
    assert asks(world, signed(kind, {"sub": str(cast.mentee.id)}, number=2, kid=kind)) == 401
    assert asks(world, token({"sub": str(cast.mentee.id)})) == 401
    assert provider.asked == 1


def test_an_unknown_key_is_asked_for_once_in_half_a_minute(provider: IdentityProvider) -> None:
    keys = Clocked(provider.url)
    assert keys.find("RS256", "RS256")
    provider.publish(jwk("RS256"), jwk("RS256", number=2, kid="new"))
    assert not keys.find("RS256", "new")
    keys.pass_time(31)
    assert keys.find("RS256", "new")
    for number in range(20):
        assert not keys.find("RS256", f"made up {number}")
    assert provider.asked == 2


class Clocked(JwksKeys):
    """Keys for which time can pass."""

    def pass_time(self, seconds: float) -> None:
        self._tried_at -= seconds
        self._read_at -= seconds


def test_keys_stay_while_the_provider_is_away(provider: IdentityProvider) -> None:
    keys = Clocked(provider.url)
    assert keys.find("ES256", "ES256")
    for status, body in ((503, b""), (200, b"<html>"), (200, b'{"keys":[]}'), (200, b"[" * 9000), (302, b"")):
        provider.status, provider.body, provider.headers = status, body, {"Location": provider.url}
        keys.pass_time(31)
        assert not keys.find("ES256", "made up")
        assert keys.find("ES256", "ES256")
    assert provider.asked == 6


def test_withdrawn_keys_are_forgotten_in_the_background(provider: IdentityProvider) -> None:
    keys = Clocked(provider.url)
    assert keys.find("ES256", "ES256")
    provider.publish(jwk("RS256"))
    keys.pass_time(601)
    # The request itself does not wait.
    provider.hangs.set()
    assert keys.find("ES256", "ES256")
    provider.goes_on.set()
    eventually(lambda: not keys.find("ES256", "ES256"), "that the key is gone")


def test_a_provider_that_hangs_delays_one_request(provider: IdentityProvider) -> None:
    keys = Clocked(provider.url)
    assert keys.find("RS256", "RS256")
    provider.hangs.set()
    keys.pass_time(31)
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        waiting = [pool.submit(keys.find, "RS256", f"made up {number}") for number in range(4)]
        # Known keys go on at once.
        assert keys.find("RS256", "RS256")
        assert time.monotonic() - began < 0.5
        assert not any(each.result() for each in waiting)
    assert provider.asked == 2


def test_without_any_key_the_service_is_unavailable(engine: Engine, cast: Cast) -> None:
    world = World.on(engine, jwt_jwks_url="http://127.0.0.1:1/jwks.json")
    headers = {"Authorization": f"Bearer {signed('RS256', {'sub': str(cast.mentee.id)})}"}
    answer = world.client.get("/me", headers=headers)
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")
    with pytest.raises(ServiceUnavailable):
        JwksKeys("http://127.0.0.1:1/jwks.json").find("RS256", None)


UNUSABLE: dict[str, Callable[[], dict[str, Any]]] = {
    "short": lambda: jwk("short"),
    "another curve": lambda: jwk("ES384"),
    "symmetric": lambda: {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
    "for encryption": lambda: jwk("RS256", use="enc"),
    "for signing alone": lambda: jwk("RS256", key_ops=["sign"]),
    "for another algorithm": lambda: jwk("RS256", alg="RS512"),
    "for no algorithm of signatures": lambda: jwk("RS256", alg="RSA-OAEP"),
    "private": lambda: jwk("RS256", d="AQAB"),
    "named by a number": lambda: jwk("RS256", kid=7),
    "without its numbers": lambda: {"kty": "RSA", "kid": "x"},
    "of the wrong type": lambda: {"kty": "RSA", "n": 7, "e": [], "kid": "x"},
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_keys_of_a_set_are_left_out(kind: str) -> None:
    usable = jwk("EdDSA")
    listed: list[Any] = [UNUSABLE[kind](), "no key", usable]
    assert [each.key_id for each in keys_of(json.dumps({"keys": listed}).encode())] == ["EdDSA"]
    with pytest.raises(JwksError):
        keys_of(json.dumps({"keys": listed[:2]}).encode())


def test_an_unnamed_key_is_used_only_where_it_is_the_only_one(provider: IdentityProvider) -> None:
    provider.publish(jwk("RS256", kid="a"), jwk("RS256", number=2, kid="b"))
    keys = Clocked(provider.url)
    assert not keys.find("RS256", None)
    assert keys.find("RS256", "b")


def test_a_verified_token_holds_no_longer_than_it_says(engine: Engine, cast: Cast) -> None:
    world = World.on(engine)
    with time_machine.travel(time.time(), tick=False) as clock:
        of_a_second, of_an_hour = (token({"sub": str(cast.mentee.id)}, lifetime=each) for each in (1, 3600))
        assert [asks(world, each) for each in (of_a_second, of_an_hour)] == [200, 200]
        clock.shift(2)
        assert [asks(world, each) for each in (of_a_second, of_an_hour)] == [401, 200]


def test_verified_tokens_are_not_kept_without_end() -> None:
    authenticator = Authenticator(settings_for(NOWHERE))
    for number in range(MAX_VERIFIED + 10):
        authenticator._verified[str(number).encode()] = (0.0, Claim())
    authenticator.claim_of({"Authorization": f"Bearer {token({'sub': USER})}"})
    assert len(authenticator._verified) == 1


NEWCOMER = {"email": "new@example.org", "email_verified": True, "name": "New Comer", "zoneinfo": "Europe/Berlin"}


def newcomer(**claims: Any) -> dict[str, str]:
    """Headers of a person whom the database does not know yet."""
    return {"Authorization": f"Bearer {token({'sub': USER, **NEWCOMER, **claims})}"}


def test_accounts_are_made_of_claims_on_first_sight(engine: Engine) -> None:
    client = World.on(engine, jwt_provision_users=True).client
    first = client.get("/me", headers=newcomer())
    assert first.status_code == 200
    made = {name: first.json[name] for name in ("id", "email", "name", "timeZone")}
    assert made == {"id": USER, "email": "new@example.org", "name": "New Comer", "timeZone": "Europe/Berlin"}
    # Later requests need none of it.
    assert client.get("/me", headers=newcomer(name=None, email_verified=False)).json["name"] == "New Comer"


def by_claims(**claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(claims)}"}


def test_claims_that_change_change_the_account(world: World, cast: Cast) -> None:
    client, sub = world.client, str(cast.mentee.id)
    said = {"name": "Ada King", "email": "ada@king.example", "email_verified": True, "locale": "de-AT"}
    first = client.get("/me", headers=by_claims(sub=sub, iat=100, **said)).json
    assert [first[name] for name in ("name", "email", "locale")] == ["Ada King", "ada@king.example", "de-AT"]
    again = client.get("/me", headers=by_claims(sub=sub, iat=101, **said))
    assert again.headers["ETag"] == client.get("/me", headers=by_claims(sub=sub)).headers["ETag"]
    # A person's own change stays, until the claims change.
    client.patch("/me", json={"name": "Mine"}, headers=by_claims(sub=sub, iat=102, **said))
    assert client.get("/me", headers=by_claims(sub=sub, iat=103, **said)).json["name"] == "Mine"
    assert client.get("/me", headers=by_claims(sub=sub, iat=104, **said | {"name": "Hers"})).json["name"] == "Hers"
    # An older token says what was.
    assert client.get("/me", headers=by_claims(sub=sub, iat=99, **said)).json["name"] == "Hers"


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "other@example.org"},
        {"email": "no address", "email_verified": True},
        {"name": " "},
        {"locale": "x"},
        {"name": 7, "locale": ["en"]},
        {"name": "\ud800", "locale": "\ud800"},
    ],
)
def test_claims_that_an_account_cannot_hold_change_nothing(world: World, cast: Cast, claims: dict[str, Any]) -> None:
    sub = str(cast.mentee.id)
    before = world.client.get("/me", headers=by_claims(sub=sub)).json
    assert world.client.get("/me", headers=by_claims(sub=sub, **claims)).json == before


def test_a_claimed_address_of_another_account_is_left_out(world: World, cast: Cast) -> None:
    said = {"name": "Ada King", "email": cast.stranger.email.upper(), "email_verified": True}
    me = world.client.get("/me", headers=by_claims(sub=str(cast.mentee.id), **said)).json
    assert (me["name"], me["email"]) == ("Ada King", cast.mentee.email)


def test_unchanged_claims_cost_no_statement(engine: Engine, cast: Cast) -> None:
    world = World.on(engine)
    headers = by_claims(sub=str(cast.mentee.id), name="Ada King")
    with statements_of(engine) as first:
        world.client.get("/me", headers=headers)
    with statements_of(engine) as second:
        world.client.get("/me", headers=headers)
    assert len(first.statements) == len(second.statements) + 1


@pytest.mark.parametrize("sub", ["auth0|7", "17", 17])
def test_a_subject_may_be_an_external_id(engine: Engine, sub: str | int) -> None:
    client = World.on(engine, jwt_subject="external", jwt_provision_users=True).client
    first = client.get("/me", headers=newcomer(sub=sub))
    assert (first.status_code, first.json["externalId"], first.json["name"]) == (200, str(sub), "New Comer")
    assert UUID(first.json["id"]).version == 7
    assert client.get("/me", headers=by_claims(sub=sub)).json == first.json
    assert client.get("/me", headers=by_claims(sub="18")).status_code == 401


def test_a_subject_that_is_a_number_is_no_id(world: World) -> None:
    assert world.client.get("/me", headers=by_claims(sub=17)).status_code == 401


def test_a_mentor_of_another_external_id_is_nobody(engine: Engine, cast: Cast) -> None:
    world = World.on(engine, jwt_subject="external")
    with engine.begin() as db:
        db.execute(update(users).where(users.c.id == cast.mentor.user_id).values(external_id="7"))
    mentor = str(cast.mentor.id)
    assert world.client.get("/me", headers=by_claims(sub=7, mentor_profile_id=mentor)).status_code == 200
    assert world.client.get("/me", headers=by_claims(sub=8, mentor_profile_id=mentor)).status_code == 401


def test_a_first_request_may_be_a_change(engine: Engine) -> None:
    client = World.on(engine, jwt_provision_users=True).client
    answer = client.patch("/me", json={"timeZone": "Asia/Tokyo"}, headers=newcomer(zoneinfo="nowhere"))
    assert (answer.status_code, answer.json["timeZone"]) == (200, "Asia/Tokyo")


REFUSED_NEWCOMERS: dict[str, tuple[dict[str, Any], str]] = {
    "an unverified address": ({"email_verified": False}, "not a verified one"),
    "a claim that it is verified, in words": ({"email_verified": "true"}, "not a verified one"),
    "no address": ({"email": None}, "no usable email"),
    "an address that is none": ({"email": "new"}, "no usable email"),
    "a list of addresses": ({"email": ["new@example.org"]}, "no usable email"),
    "no name": ({"name": None}, "no usable name"),
    "a blank name": ({"name": " "}, "no usable name"),
    "a name of lines": ({"name": "a\nb"}, "no usable name"),
    "a name of half a character": ({"name": "\ud800"}, "no usable name"),
    "a name and an address too long": ({"name": "x" * 201, "email": "x" * 400}, "no usable email and name"),
    "a subject that is no id": ({"sub": "auth0|7"}, "must be UUIDs"),
}


@pytest.mark.parametrize("flaw", REFUSED_NEWCOMERS)
def test_claims_that_make_no_account_are_refused_with_the_reason(engine: Engine, flaw: str) -> None:
    claims, sentence = REFUSED_NEWCOMERS[flaw]
    answer = World.on(engine, jwt_provision_users=True).client.get("/me", headers=newcomer(**claims))
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert sentence in answer.json["message"]
    assert scalar(engine, select(func.count()).select_from(users)) == 0


def test_no_account_is_made_by_default_or_over_another(engine: Engine, world: World, cast: Cast) -> None:
    assert world.client.get("/me", headers=newcomer()).status_code == 401
    client = World.on(engine, jwt_provision_users=True).client
    answer = client.get("/me", headers=newcomer(email=cast.mentee.email.upper()))
    assert answer.status_code == 401
    assert "another one has your mail address" in answer.json["message"]


@pytest.mark.parametrize("subject", ["id", "external"])
def test_first_requests_at_once_make_one_account(engine: Engine, subject: str) -> None:
    world, start = World.on(engine, jwt_provision_users=True, jwt_subject=subject), Barrier(6)

    def ask(number: int) -> int:
        start.wait()
        if number % 2:
            return world.client.get("/me", headers=newcomer()).status_code
        return world.client.patch("/me", json={"locale": "de"}, headers=newcomer()).status_code

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [200] * 6
