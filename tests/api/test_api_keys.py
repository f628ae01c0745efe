"""Keys of machines, and acting for a person: who may, what is refused, and what the audit has of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from models.audit import audit_entries
from models.keys import KeyScope
from models.people import users
from tests.api.conftest import Cast, Headers
from tests.application import ApiResponse, World
from workflows.accounts.api_keys import note_use
from workflows.identity.actor import Actor

# The last byte is white space in Latin-1.
EXTERNAL = "kundin/ü 7 à"


def make(world: World, cast: Cast, *scopes: str, **fields: Any) -> ApiResponse:
    body = {"name": "Backend", "scopes": scopes, **fields}
    return world.client.post("/api-keys", json=body, headers=cast.as_operator)


def by_key(world: World, cast: Cast, *scopes: str) -> Headers:
    return {"Authorization": f"Bearer {make(world, cast, *scopes).json['key']}"}


def acting(headers: Headers, named: object) -> Headers:
    return {**headers, "On-Behalf-Of": str(named).encode().decode("latin-1")}


def test_a_key_is_shown_once_and_stored_as_a_digest(world: World, cast: Cast, engine: Engine) -> None:
    made = make(world, cast, "read", "act", "read")
    key = made.json["key"]
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert (key[:4], key.startswith(made.json["prefix"]), made.json["scopes"]) == ("tsk_", True, ["read", "act"])
    listed = world.client.get("/api-keys", headers=cast.as_operator)
    assert listed.json["items"] == [{name: value for name, value in made.json.items() if name != "key"}]
    with engine.connect() as db:
        stored = db.exec_driver_sql("SELECT api_keys::text FROM api_keys UNION ALL SELECT a::text FROM audit_entries a")
        assert key not in str(stored.all())


def test_a_key_signs_in_until_it_is_deleted(world: World, cast: Cast) -> None:
    made = make(world, cast, "read")
    headers = {"Authorization": f"Bearer {made.json['key']}"}
    assert world.client.get(f"/users/{cast.mentee.id}", headers=headers).status_code == 200
    (listed,) = world.client.get("/api-keys", headers=cast.as_operator).json["items"]
    assert listed["lastUsedAt"] is not None
    assert world.client.delete(f"/api-keys/{listed['id']}", headers=cast.as_operator).status_code == 204
    assert world.client.get(f"/users/{cast.mentee.id}", headers=headers).status_code == 401
    assert world.client.get("/courses", headers={"Authorization": "Bearer tsk_unknown"}).status_code == 401


def test_a_rotated_key_works_until_its_grace_ends(world: World, cast: Cast) -> None:
    made = make(world, cast, "read").json
    path, read = f"/api-keys/{made['id']}/rotate", f"/users/{cast.mentee.id}"
    first = world.client.post(path, json={"graceHours": 1}, headers=cast.as_operator).json
    for key, status in ((made["key"], 200), (first["key"], 200)):
        assert world.client.get(read, headers={"Authorization": f"Bearer {key}"}).status_code == status
    second = world.client.post(path, json={"graceHours": 0}, headers=cast.as_operator).json
    for key, status in ((made["key"], 401), (first["key"], 401), (second["key"], 200)):
        assert world.client.get(read, headers={"Authorization": f"Bearer {key}"}).status_code == status


def test_a_key_ends(world: World, cast: Cast, engine: Engine) -> None:
    assert make(world, cast, "read", expiresAt="2020-01-01T00:00:00Z").status_code == 400
    headers = {"Authorization": f"Bearer {make(world, cast, 'read', expiresAt='2030-01-01T00:00:00Z').json['key']}"}
    assert world.client.get("/users/" + str(cast.mentee.id), headers=headers).status_code == 200
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE api_keys SET expires_at = now()")
    assert world.client.get("/users/" + str(cast.mentee.id), headers=headers).status_code == 401


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", 7], None])
def test_a_key_has_known_scopes(world: World, cast: Cast, scopes: Any) -> None:
    answer = world.client.post("/api-keys", json={"name": "A", "scopes": scopes}, headers=cast.as_operator)
    assert (answer.status_code, next(iter(answer.json["details"])).split(".")[0]) == (400, "scopes")


@pytest.mark.parametrize("held", list(KeyScope))
def test_a_key_does_what_its_scope_names(world: World, cast: Cast, held: KeyScope) -> None:
    headers = by_key(world, cast, held)
    asked: dict[KeyScope, tuple[str, str, dict[str, Any], Headers]] = {
        KeyScope.READ: ("GET", f"/users/{cast.mentee.id}", {}, headers),
        KeyScope.EVENTS: ("GET", "/events", {}, headers),
        KeyScope.OPERATIONS: ("POST", "/courses", {"json": {"title": "Algebra"}}, headers),
        KeyScope.ACT: ("GET", "/me", {}, acting(headers, cast.mentee.id)),
    }
    for scope, (method, path, options, sent) in asked.items():
        answer = world.client.open(path, method=method, headers=sent, **options)
        assert (answer.status_code < 300) is (scope is held), (scope, answer.json)
        if scope is not held:
            assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
            assert answer.json["details"] == {"scope": [scope]}


def test_a_key_that_reads_sees_no_secret_of_a_webhook(world: World, cast: Cast) -> None:
    body = {"url": "https://example.org/hook", "eventTypes": ["*"]}
    endpoint = world.client.post("/webhook-endpoints", json=body, headers=cast.as_operator).json["id"]
    for scope, status in (("read", 403), ("operations", 200)):
        headers = by_key(world, cast, scope)
        assert world.client.get(f"/webhook-endpoints/{endpoint}/secret", headers=headers).status_code == status


def test_no_request_waits_for_another_one_of_its_key(world: World, cast: Cast, engine: Engine) -> None:
    made = make(world, cast, "read").json
    key = Actor(operator=True, name=f"key:{made['id']}")
    with engine.begin() as under_way, engine.begin() as db:
        note_use(under_way, key, datetime.now(UTC))
        db.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        note_use(db, key, datetime.now(UTC))


def test_a_key_makes_no_keys(world: World, cast: Cast) -> None:
    headers = by_key(world, cast, *KeyScope)
    assert world.client.get("/api-keys", headers=headers).status_code == 403
    assert world.client.post("/api-keys", json={"name": "A", "scopes": ["read"]}, headers=headers).status_code == 403


def test_there_are_at_most_a_hundred_keys(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO api_keys (id, name, scopes, prefix, digest, created_by)"
            " SELECT gen_random_uuid(), 'x', '{read}', 'tsk_', sha256(n::text::bytea), 'x'"
            " FROM generate_series(1, 100) n"
        )
    refused = make(world, cast, "read")
    assert (refused.status_code, refused.json["code"]) == (409, "quota_reached")


@pytest.mark.parametrize("staff", ["operator", "key"])
def test_staff_book_for_a_person(world: World, cast: Cast, engine: Engine, staff: str) -> None:
    with engine.begin() as db:
        db.execute(update(users).where(users.c.id == cast.mentee.id).values(external_id=EXTERNAL))
    own = cast.as_operator if staff == "operator" else by_key(world, cast, "act")
    for named in (cast.mentee.id, f"external:{EXTERNAL}"):
        headers = acting(own, named)
        booked = world.client.post("/bookings", json=cast.body(), headers=headers)
        assert (booked.status_code, booked.json["menteeUserId"]) == (201, str(cast.mentee.id))
        assert booked.headers["On-Behalf-Of"] == headers["On-Behalf-Of"]
        with engine.connect() as db:
            entry = db.execute(select(audit_entries).where(audit_entries.c.action == "booking.requested")).all()[-1]
        assert (entry.actor.partition(":")[0], entry.data) == (staff, {"onBehalfOf": str(cast.mentee.id)})
    own_booking = world.client.get("/bookings", headers=cast.as_mentee).json["items"]
    assert len(own_booking) == 2


def test_a_person_and_their_staff_have_keys_of_their_own(world: World, cast: Cast) -> None:
    named = {"Idempotency-Key": "order-7"}
    own = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | named)
    callers = (acting(cast.as_operator, cast.mentee.id), acting(by_key(world, cast, "act"), cast.mentee.id))
    bodies = [cast.body() for _ in callers]
    made = [
        world.client.post("/bookings", json=body, headers=headers | named)
        for body, headers in zip(bodies, callers, strict=True)
    ]
    assert [each.status_code for each in (own, *made)] == [201] * 3
    for body, headers, first in zip(bodies, callers, made, strict=True):
        again = world.client.post("/bookings", json=body, headers=headers | named)
        assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")


def test_a_mentors_route_is_the_mentors(world: World, cast: Cast) -> None:
    draft = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json["id"]
    for named, status in ((cast.other_mentor.user_id, 403), (cast.mentee.id, 403), (cast.mentor.user_id, 202)):
        answer = world.client.post(f"/bookings/{draft}/accept", headers=acting(cast.as_operator, named))
        assert answer.status_code == status
    listed = world.client.post(
        "/listings",
        json={"title": "A", "durationMinutes": 30, "price": {"amount": 1, "currency": "USD"}},
        headers=acting(cast.as_operator, cast.mentor.user_id),
    )
    assert (listed.status_code, listed.json["mentorProfileId"]) == (201, str(cast.mentor.id))


def test_a_persons_rules_hold_for_who_acts_for_them(world: World, cast: Cast) -> None:
    headers = acting(cast.as_operator, cast.mentee.id)
    assert world.client.post("/courses", json={"title": "A"}, headers=headers).status_code == 403
    assert world.client.get(f"/users/{cast.stranger.id}", headers=headers).status_code == 403


def test_people_act_for_nobody(world: World, cast: Cast) -> None:
    for headers in (cast.as_mentee, cast.as_mentor):
        assert world.client.get("/me", headers=acting(headers, cast.stranger.id)).status_code == 403
    assert world.client.get("/me", headers={"On-Behalf-Of": str(cast.mentee.id)}).status_code == 401


SECRETS = (
    ("DELETE", "/me"),
    ("POST", "/calendar/secret"),
    ("POST", "/api-keys"),
    ("GET", "/webhook-endpoints/{endpoint}/secret"),
    ("POST", "/webhook-endpoints/{endpoint}/secret/rotate"),
)


@pytest.mark.parametrize(("method", "path"), SECRETS)
def test_nobody_sees_secrets_or_erases_an_account_for_another(
    world: World, cast: Cast, engine: Engine, method: str, path: str
) -> None:
    endpoint = world.client.post(
        "/webhook-endpoints",
        json={"url": "https://example.org/hook", "eventTypes": ["*"]},
        headers=cast.as_mentor,
    )
    headers = acting(cast.as_operator, cast.mentor.user_id)
    answer = world.client.open(path.format(endpoint=endpoint.json["id"]), method=method, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    with engine.connect() as db:
        assert db.scalar(select(users.c.erased_at).where(users.c.id == cast.mentor.user_id)) is None


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("", 400),
        ("ada", 400),
        ("external:", 400),
        ("external:\0", 400),
        ("external:nobody", 404),
        (str(UUID(int=1)), 404),
    ],
)
def test_who_is_named_exists(world: World, cast: Cast, named: str, status: int) -> None:
    answer = world.client.get("/me", headers=acting(cast.as_operator, named))
    assert answer.status_code == status
    assert "On-Behalf-Of" not in answer.headers
