"""The secrets of webhook endpoints: shown at one place, rotated with a grace, ten valid ones at most."""

from base64 import b64encode

import pytest
from sqlalchemy import select, text

from config.sealing import Sealer
from models.idempotency import idempotency_keys
from models.webhooks import Signing, webhook_secrets
from tests.api.conftest import Cast
from tests.api.partner import Partner
from tests.application import SECRET, World
from workflows.webhooks.actions import sealed_secrets
from workflows.webhooks.secrets import new_secret, verifier_of

OWN = "whsec_" + b64encode(bytes(range(40))).decode()


def valid(partner: Partner) -> list[str]:
    with partner.engine.connect() as db:
        return [Sealer([SECRET]).unseal(sealed) for sealed in sealed_secrets(db, partner.id)]


def rotate(partner: Partner, **body: object) -> dict[str, object]:
    answer = partner.client.post(f"{partner.path}/secret/rotate", json=body, headers=partner.headers)
    assert answer.status_code == 200, answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    rotated: dict[str, object] = answer.json
    return rotated


def hours_left(partner: Partner) -> list[float | None]:
    """How long the secrets that have an end stay valid, in hours, the newest first."""
    with partner.engine.connect() as db:
        left = text("SELECT extract(epoch FROM expires_at - now()) / 3600 FROM webhook_secrets ORDER BY id DESC")
        return [None if hours is None else round(float(hours), 2) for hours in db.scalars(left)]


def test_the_old_secret_signs_along_for_a_day(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    (old,) = valid(partner)
    assert partner.client.get(f"{partner.path}/secret", headers=cast.as_mentor).json == {"secret": old}
    new = rotate(partner)["secret"]
    assert valid(partner) == [new, old]
    assert hours_left(partner) == [None, 24]
    assert partner.client.get(f"{partner.path}/secret", headers=cast.as_mentor).json == {"secret": new}


@pytest.mark.parametrize("hours", [0, 1, 168])
def test_the_grace_is_chosen(world: World, cast: Cast, hours: int) -> None:
    partner = Partner.of(world, cast.as_mentor)
    new = rotate(partner, graceHours=hours)["secret"]
    assert len(valid(partner)) == (2 if hours else 1)
    assert valid(partner)[0] == new
    assert hours_left(partner) == [None, hours]


def test_what_would_end_sooner_does(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    rotate(partner, graceHours=2)
    rotate(partner, graceHours=100)
    assert hours_left(partner) == [None, 100, 2]
    rotate(partner, graceHours=0)
    assert len(valid(partner)) == 1
    # A secret that no longer signs is not kept.
    rotate(partner)
    assert hours_left(partner) == [None, 24]


def test_an_own_secret_is_taken(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    assert rotate(partner, secret=OWN)["secret"] == OWN
    assert valid(partner)[0] == OWN


def test_an_endpoint_with_ed25519_shows_its_public_key_alone(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor, signing="ed25519")
    shown = partner.client.get(f"{partner.path}/secret", headers=cast.as_mentor).json["secret"]
    (private,) = valid(partner)
    assert private.startswith("whsk_")
    assert shown == verifier_of(private)
    assert partner.client.get(partner.path, headers=cast.as_mentor).json["signing"] == "ed25519"
    own = new_secret(Signing.ED25519)
    answer = rotate(partner, secret=own)
    assert answer == {"secret": verifier_of(own)}
    assert valid(partner) == [own, private]
    for wrong in (OWN, verifier_of(own)):
        refused = partner.client.post(f"{partner.path}/secret/rotate", json={"secret": wrong}, headers=cast.as_mentor)
        assert (refused.status_code, list(refused.json["details"])) == (400, ["secret"])


@pytest.mark.parametrize(
    "flaw",
    [
        {"graceHours": -1},
        {"graceHours": 169},
        {"graceHours": 1.5},
        {"graceHours": "24"},
        {"graceHours": None},
        {"secret": ""},
        {"secret": None},
        {"secret": "whsec_short"},
        {"secret": OWN.removeprefix("whsec_")},
        {"secret": new_secret(Signing.ED25519)},
        {"signing": "ed25519"},
    ],
    ids=lambda flaw: next(iter(flaw)),
)
def test_rotations_that_make_no_sense_are_refused(world: World, cast: Cast, flaw: dict[str, object]) -> None:
    partner = Partner.of(world, cast.as_mentor)
    before = valid(partner)
    answer = partner.client.post(f"{partner.path}/secret/rotate", json=flaw, headers=cast.as_mentor)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert list(answer.json["details"]) == list(flaw)
    assert valid(partner) == before


def test_a_rotation_is_idempotent_and_stored_encrypted(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    keyed = cast.as_mentor | {"Idempotency-Key": "k"}
    first, second = (partner.client.post(f"{partner.path}/secret/rotate", headers=keyed) for _ in range(2))
    assert first.json == second.json
    assert len(valid(partner)) == 2
    secret = first.json["secret"].removeprefix("whsec_").encode()
    with world.engine.connect() as db:
        assert all(secret not in body for body in db.scalars(select(idempotency_keys.c.body)))
        assert all("whsec_" not in sealed for sealed in db.scalars(select(webhook_secrets.c.sealed_secret)))


def test_secrets_are_their_owners(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    path = f"{partner.path}/secret/rotate"
    bad = {"data": b"{", "content_type": "application/json"}
    assert partner.client.post(path, **bad).status_code == 401
    assert partner.client.post(path, headers=cast.as_mentee, **bad).status_code == 403
    assert partner.client.post(path, headers=cast.as_other_mentor, **bad).status_code == 403
    assert partner.client.post(path, headers=cast.as_mentor, **bad).status_code == 400


def test_no_other_answer_shows_a_secret(world: World, cast: Cast) -> None:
    partner = Partner.of(world, cast.as_mentor)
    partner.told()
    for path in (partner.path, "/webhook-endpoints", "/webhook-deliveries"):
        answer = partner.client.get(path, headers=cast.as_mentor).text
        assert "whsec_" not in answer
        assert "secret" not in answer.lower()
