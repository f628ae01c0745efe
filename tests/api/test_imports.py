"""Imports: lines of every type, again and again, bad ones, and what follows from them and what does not."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.resources.imports import NDJSON
from api.routes.declaration import UPLOAD_LIMIT_BYTES
from api.schemas.base import RequestSchema
from api.schemas.catalog import CourseChanges, ListingChanges, NewProduct
from api.schemas.imports import MAX_LINES
from api.schemas.people import MentorProfileChanges, NewUser
from models.keys import KeyScope
from tests.api.conftest import Cast, Headers
from tests.application import ApiResponse, World, as_operator, bearer
from tests.queries import execute
from workflows.imports.lines import TYPES
from workflows.invariants import check_all

Line = dict[str, Any]
NOW = datetime.now(UTC).replace(microsecond=0)
PRICE = {"amount": 4000, "currency": "USD"}


def at(days: float, hour: int = 10) -> str:
    """A time so many days from today."""
    day = NOW.replace(hour=hour, minute=0, second=0) + timedelta(days=days)
    return day.isoformat().replace("+00:00", "Z")


def line(type: str, external_id: str, **fields: Any) -> Line:
    return {"type": type, "externalId": external_id, **fields}


def user(who: str, **fields: Any) -> Line:
    return line("user", who, **{"email": f"{who}@import.example", "name": who.title(), **fields})


def booking(name: str, start: str, status: str, **fields: Any) -> Line:
    return line("booking", name, **{"listing": "l1", "mentee": "ada", "startTime": start, "status": status, **fields})


def listing(name: str, **fields: Any) -> Line:
    offer = {"mentor": "m1", "course": "c1", "title": "An hour", "durationMinutes": 60, "price": PRICE}
    return line("listing", name, **{**offer, **fields})


def closing(starts: str, ends: str) -> Line:
    hours = [{"weekday": 0, "startTime": starts, "endTime": ends}]
    return line("hours", "h2", mentor="m1", timeZone="UTC", hours=hours)


def people_and_offers() -> list[Line]:
    spans = [{"weekday": day, "startTime": "08:00", "endTime": "18:00"} for day in range(7)]
    return [
        user("grace", timeZone="Europe/Berlin", locale="de"),
        user("ada"),
        user("bob"),
        line("course", "c1", title="Algebra"),
        line("mentor", "m1", user="grace", headline="Teacher", skills=["Go", "go"]),
        line("product", "p1", course="c1", kind="bundle", title="Five", sessionCount=5, price=PRICE),
        listing("l1"),
        line("hours", "h1", mentor="m1", timeZone="Europe/Berlin", hours=spans),
    ]


def history() -> list[Line]:
    return [
        booking("b-past", at(-10), "completed", createdAt=at(-20), title="Groups", price={**PRICE, "amount": 3000}),
        booking("b-missed", at(-8), "no_show"),
        booking("b-off", at(-6), "cancelled"),
        booking("b-ahead", at(6), "accepted"),
        line("bundle", "n1", product="p1", mentee="ada", remainingSessions=3, validTo=at(90)),
        line("review", "r1", booking="b-past", rating=4, comment="Clear.", createdAt=at(-9)),
    ]


def everything() -> list[Line]:
    """In no order in which it could be written."""
    return [*history(), *reversed(people_and_offers())]


def ndjson(lines: Iterable[Mapping[str, Any] | str | bytes]) -> bytes:
    def written(each: Mapping[str, Any] | str | bytes) -> bytes:
        if isinstance(each, bytes):
            return each
        return (each if isinstance(each, str) else json.dumps(each)).encode()

    return b"".join(written(each) + b"\n" for each in lines)


def post(world: World, body: bytes, query: str = "", headers: Headers | None = None, **more: Any) -> ApiResponse:
    options: dict[str, Any] = {"content_type": NDJSON, "headers": headers or as_operator(), **more}
    return world.client.post(f"/imports{query}", data=body, **options)


def imported(world: World, lines: Iterable[Mapping[str, Any] | str | bytes], query: str = "") -> dict[str, Any]:
    """Upload the lines, have a worker carry them out, and return the import."""
    answer = post(world, ndjson(lines), query)
    assert answer.status_code == 202, answer.text
    world.run_database_effects()
    found: dict[str, Any] = world.client.get(f"/imports/{answer.json['id']}", headers=as_operator()).json
    assert found["status"] == "done", found
    return found


def counts(found: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in ("created", "updated", "unchanged", "refused"))


def listed(world: World, path: str, headers: Headers | None = None) -> list[dict[str, Any]]:
    answer = world.client.get(path, headers=headers or as_operator())
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def values(engine: Engine, statement: str) -> list[Any]:
    return [row[0] for row in execute(engine, text(statement))]


def dead_or_violated(engine: Engine) -> list[str]:
    with engine.begin() as db:
        return [finding.name for finding in check_all(db) if finding.violations]


def test_every_type_is_brought_over_in_any_order(world: World, engine: Engine) -> None:
    found = imported(world, everything())
    assert (counts(found), found["errors"], found["lines"]) == ((14, 0, 0, 0), [], 14)
    (mentor,) = listed(world, "/mentors?externalId=m1")
    assert (mentor["name"], mentor["skills"], mentor["timeZone"]) == ("Grace", ["go"], "Europe/Berlin")
    assert (mentor["rating"], mentor["reviewCount"]) == (4.0, 1)
    sessions = {each["externalId"]: each for each in listed(world, "/sessions?limit=100")}
    assert {name: each["status"] for name, each in sessions.items()} == {
        "b-past": "completed",
        "b-missed": "cancelled",
        "b-off": "cancelled",
        "b-ahead": "scheduled",
    }
    assert sessions["b-missed"]["cancellation"]["type"] == "no_show"
    assert sessions["b-past"]["completedAt"] == at(-10, 11)
    (past,) = listed(world, "/bookings?externalId=b-past")
    assert (past["price"]["amount"], past["createdAt"], past["title"]) == (3000, at(-20), "Groups")
    (bundle,) = listed(world, "/bundles?externalId=n1", bearer_of(world, "ada"))
    assert (bundle["remainingSessions"], bundle["totalSessions"], bundle["validTo"]) == (3, 5, at(90))
    assert dead_or_violated(engine) == []


def bearer_of(world: World, name: str) -> Headers:
    (found,) = listed(world, f"/users?externalId={name}")
    return bearer({"sub": found["id"]})


def test_offers_that_do_not_say_when_they_are_paid_have_the_operators_default(engine: Engine) -> None:
    world = World.on(engine, payment_default="before")
    imported(world, [*people_and_offers(), listing("l2", durationMinutes=30, payment="none")])
    offers = {each["externalId"]: each["payment"] for each in listed(world, "/listings")}
    assert offers == {"l1": "before", "l2": "none"}
    (course,) = listed(world, "/courses")
    assert [each["payment"] for each in listed(world, f"/courses/{course['id']}/products")] == ["before"]
    # As a change made here, it stays.
    (changed,) = listed(world, "/listings?externalId=l2")
    assert counts(imported(world, [listing("l2", durationMinutes=30)])) == (0, 0, 1, 0)
    assert listed(world, "/listings?externalId=l2") == [changed]


def test_the_same_lines_again_change_nothing(world: World, engine: Engine) -> None:
    imported(world, everything())
    before = values(engine, "SELECT count(*) FROM events WHERE type NOT LIKE 'import.%'")
    found = imported(world, everything())
    assert (counts(found), found["errors"]) == ((0, 0, 14, 0), [])
    assert values(engine, "SELECT count(*) FROM events WHERE type NOT LIKE 'import.%'") == before


def test_nobody_is_told_of_what_is_brought_over(world: World, engine: Engine) -> None:
    hook = {"url": "https://partner.example/hook", "eventTypes": ["*"]}
    assert world.client.post("/webhook-endpoints", json=hook, headers=as_operator()).status_code == 201
    world.run_database_effects()
    sent = "SELECT count(*) FROM deliveries WHERE effect LIKE '%.send%' OR effect LIKE 'notifications.%'"
    before = values(engine, sent)
    imported(world, everything())
    assert values(engine, "SELECT count(*) FROM notifications") == [0]
    # Reminders of what lies ahead, and of the end of the bundle, wait for their time.
    due = "SELECT DISTINCT effect FROM deliveries WHERE state = 'pending' AND effect LIKE 'notifications.%'"
    assert set(values(engine, due)) == {"notifications.session_reminder", "notifications.bundle_expiring"}
    waiting = "SELECT count(*) FROM deliveries WHERE effect LIKE 'notifications.%' AND due_at > now()"
    (reminders,) = values(engine, waiting)
    assert reminders == 3
    assert values(engine, sent) == [before[0] + reminders]


def test_on_request_people_hear_of_what_lies_ahead(world: World, engine: Engine) -> None:
    imported(world, everything(), "?notify=true")
    kinds = "SELECT DISTINCT kind FROM notifications ORDER BY kind"
    assert {"session_created", "bundle_purchased"} <= set(values(engine, kinds))
    about = "SELECT DISTINCT e.type FROM notifications n JOIN events e ON e.id = n.event_id"
    assert not {"session.completed", "session.cancelled", "review.unlocked"} & set(values(engine, about))
    assert dead_or_violated(engine) == []


def test_on_request_people_hear_that_a_session_ahead_is_cancelled(world: World, engine: Engine) -> None:
    imported(world, everything())
    told = "SELECT count(DISTINCT (event_id, user_id)) FROM notifications WHERE kind = 'session_cancelled'"
    imported(world, [booking("b-never", at(8), "cancelled")], "?notify=true")
    assert values(engine, told) == [0]
    for _ in range(2):
        imported(world, [booking("b-ahead", at(6), "cancelled")], "?notify=true")
        # The mentor and the mentee, once.
        assert values(engine, told) == [2]
    assert dead_or_violated(engine) == []


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_a_session_that_ends_early_is_not_told_as_cancelled(world: World, engine: Engine, status: str) -> None:
    imported(world, everything())
    begun = (NOW - timedelta(minutes=10)).isoformat()
    imported(world, [booking("b-now", begun, "accepted")])
    assert counts(imported(world, [booking("b-now", begun, status)], "?notify=true")) == (0, 1, 0, 0)
    assert values(engine, "SELECT count(*) FROM events WHERE type = 'session.cancelled'") == [0]
    assert dead_or_violated(engine) == []


def test_a_dry_run_counts_and_writes_nothing(world: World, engine: Engine) -> None:
    twice, unknown = booking("b-2", at(6), "accepted", mentee="bob"), booking("b-3", at(5), "accepted", listing="x")
    lines = [*everything(), twice, unknown]
    tables = ("users", "bookings", "sessions", "bundle_purchases", "reviews", "person_busy", "listings")
    total = " UNION ALL ".join(f"SELECT count(*) FROM {name}" for name in tables)
    before = values(engine, total)
    tried = imported(world, lines, "?dryRun=true")
    assert values(engine, total) == before
    assert values(engine, "SELECT count(*) FROM import_chunks") == [0]
    real = imported(world, lines)
    assert (counts(tried), tried["errors"]) == (counts(real), real["errors"])
    assert [each["code"] for each in real["errors"]] == ["slot_taken", "not_found"]


def test_a_line_changes_the_fields_that_it_names(world: World) -> None:
    imported(world, everything())
    changed = [
        user("ada", name="Ada L.", metadata={"tier": 1}),
        line("mentor", "m1", user="grace", headline="Professor"),
        listing("l1", price={**PRICE, "amount": 1}),
        booking("b-ahead", at(6), "cancelled"),
    ]
    assert counts(imported(world, changed)) == (0, 4, 0, 0)
    (mentor,) = listed(world, "/mentors?externalId=m1")
    assert (mentor["headline"], mentor["skills"]) == ("Professor", ["go"])
    (ahead,) = listed(world, "/sessions?externalId=b-ahead")
    assert ahead["status"] == "cancelled"
    # Its time is free again.
    assert counts(imported(world, [booking("b-other", at(6), "accepted", mentee="bob")])) == (1, 0, 0, 0)


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_what_lies_ahead_is_not_over(world: World, status: str) -> None:
    imported(world, everything())
    for query in ("?dryRun=true", ""):
        found = imported(world, [booking("b-ahead", at(6), status)], query)
        assert [(each["code"], each["message"]) for each in found["errors"]] == [
            ("invalid_request", f"startTime: Lies ahead; a booking is {status} once it has begun.")
        ]
    (ahead,) = listed(world, "/sessions?externalId=b-ahead")
    assert ahead["status"] == "scheduled"


def test_the_same_line_knows_a_session_that_has_moved_here(world: World, engine: Engine) -> None:
    imported(world, everything())
    (ahead,) = listed(world, "/sessions?externalId=b-ahead")
    to = {"startTime": at(7)}
    moved = world.client.post(f"/sessions/{ahead['id']}/reschedule", json=to, headers=as_operator())
    assert moved.status_code == 200, moved.json
    for query in ("?dryRun=true", ""):
        found = imported(world, everything(), query)
        assert (counts(found), found["errors"]) == ((0, 0, 14, 0), [])
    (ahead,) = listed(world, "/sessions?externalId=b-ahead")
    assert ahead["startTime"] == at(7)
    other = booking("b-ahead", at(6), "accepted", mentee="bob")
    assert [each["code"] for each in imported(world, [other])["errors"]] == ["external_id_taken"]
    assert counts(imported(world, [booking("b-ahead", at(6), "cancelled")])) == (0, 1, 0, 0)
    assert dead_or_violated(engine) == []


def test_a_listing_comes_with_its_questions_and_how_it_moves(world: World) -> None:
    asked: list[dict[str, Any]] = [
        {"id": "goal", "label": "What is your goal?", "kind": "text", "required": True},
        {"id": "level", "label": "How far are you?", "kind": "choice", "choices": ["New", "Further"]},
    ]
    terms = {"reschedule": {"mode": "free", "maxTimes": 1}, "questions": asked}
    imported(world, everything())
    for expected in ((0, 1, 0, 0), (0, 0, 1, 0)):
        found = imported(world, [listing("l1", **terms)])
        assert (counts(found), found["errors"]) == (expected, [])
    (shown,) = listed(world, "/listings?externalId=l1")
    assert shown["reschedule"] == {"mode": "free", "windowHours": 24, "maxTimes": 1}
    assert shown["questions"] == [asked[0], asked[1] | {"required": False}]
    # A line that does not name them leaves them.
    assert counts(imported(world, [listing("l1")])) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("kind", "schema", "apart"),
    [
        ("user", NewUser, set()),
        ("course", CourseChanges, set()),
        # `state` is the operators' way to say `active`.
        ("mentor", MentorProfileChanges, {"state"}),
        ("product", NewProduct, set()),
        ("listing", ListingChanges, set()),
    ],
)
def test_an_import_takes_what_the_api_takes(kind: str, schema: type[RequestSchema], apart: set[str]) -> None:
    of_api = {field.data_key or name for name, field in schema().load_fields.items()}
    references = {name for name, field in TYPES[kind].items() if field.refers_to}
    named = {"externalId", "active", *(f"{name}Id" for name in references)}
    assert of_api - apart - named == TYPES[kind].keys() - references - named


def test_live_updates_hear_that_a_time_is_free(world: World, engine: Engine) -> None:
    imported(world, everything())
    ends = [booking("b-ahead", at(6), "cancelled"), booking("b-never", at(8), "cancelled")]
    assert counts(imported(world, ends)) == (1, 1, 0, 0)
    told = "SELECT type FROM events WHERE type IN ('session.imported', 'session.time_freed') ORDER BY sequence"
    assert values(engine, told)[-4:] == ["session.imported"] * 2 + ["session.time_freed"] * 2


def test_an_account_without_an_external_id_is_found_by_its_address(world: World, cast: Cast) -> None:
    mine = user("known", email=cast.mentee.email.upper(), name=cast.mentee.name)
    assert counts(imported(world, [mine])) == (0, 1, 0, 0)
    (found,) = listed(world, "/users?externalId=known")
    assert found["id"] == str(cast.mentee.id)
    # Its address stays, and as it is written.
    assert found["email"] == cast.mentee.email
    refused = imported(world, [user("known", email="thief@evil.example"), user("known-2")])
    assert [(each["line"], each["message"]) for each in refused["errors"]] == [
        (1, "email: Cannot be changed by an import.")
    ]
    assert listed(world, "/users?externalId=known") == [found]
    taken = imported(world, [user("other", email=cast.mentee.email)])
    assert [each["code"] for each in taken["errors"]] == ["email_taken"]


@pytest.mark.parametrize(
    ("bad", "code", "said"),
    [
        ("", "invalid_request", "blank"),
        ("{", "invalid_request", "not valid JSON"),
        (b'{"type": "user\xff"}', "invalid_request", "UTF-8"),
        ("[]", "invalid_request", "no JSON object"),
        ({"type": "wizard"}, "invalid_request", "type: Must be one of"),
        ('{"type": "user", "type": "user"}', "invalid_request", "twice"),
        ('{"type": "user", "externalId": "\\u0000"}', "invalid_request", "cannot be stored"),
        (user("eve", email="no address"), "invalid_request", "email: Must be a mail address."),
        (user("dot", email="ada@import.example."), "invalid_request", "email: Must be a mail address."),
        (user("net", email="ada@192.0.2.1"), "invalid_request", "email: Must be a mail address."),
        (user("eve", shoeSize=41), "invalid_request", "shoeSize: Unknown field."),
        ({"type": "user", "email": "e@import.example", "name": "Eve"}, "invalid_request", "externalId:"),
        (user("eve", metadata={"a": "x" * 20_000}), "invalid_request", "metadata: Must not be larger"),
        (json.dumps(user("eve")) + " " * (256 * 1024), "too_large", "256 kB"),
        (user("ada", name="Another"), "external_id_taken", "has it, too"),
        (user("eve", email="ADA@import.example"), "email_taken", "already an account"),
        (line("mentor", "m2", user="nobody", headline="A"), "not_found", "no user with the external id nobody"),
        (line("mentor", "m2", user="grace", headline="A"), "profile_exists", "already has a mentor profile"),
        (listing("l2", mentor="l1"), "not_found", "no mentor"),
        # Without a minor unit, no amount of it can be shown or paid.
        (listing("l2", price={**PRICE, "currency": "XAU"}), "invalid_request", "price: The currency must be"),
        (
            listing("l2"),
            "listing_exists",
            "already have an active listing",
        ),
        (listing("l2", reschedule={"mode": "soon"}), "invalid_request", "reschedule: Must be one of free"),
        (listing("l2", questions=[{"id": "a b", "label": "?", "kind": "text"}]), "invalid_request", "questions: An id"),
        (listing("l2", questions=[{"id": "a", "label": "?", "kind": "choice"}]), "invalid_request", "Choices belong"),
        (
            listing("l2", questions=[{"id": "a", "label": "?", "kind": "choice", "choices": ["b", "b"]}]),
            "invalid_request",
            "different choices",
        ),
        (
            listing("l2", questions=[{"id": "a", "label": each, "kind": "text"} for each in "?!"]),
            "invalid_request",
            "repeat an id",
        ),
        (booking("b-x", at(-3), "accepted"), "invalid_request", "lies ahead"),
        (booking("b-x", at(3), "completed"), "invalid_request", "Lies ahead"),
        (booking("b-x", at(6), "accepted", mentee="bob"), "slot_taken", "mentor is already booked"),
        (booking("b-x", at(-3), "completed", mentee="grace"), "invalid_request", "Is the mentor"),
        (line("review", "r2", booking="b-off", rating=4, createdAt=at(-1)), "review_not_open", "not completed"),
        (line("review", "r2", booking="b-past", rating=1, createdAt=at(-1)), "already_reviewed", "already reviewed"),
        (line("bundle", "n2", product="p1", mentee="ada", remainingSessions=2), "already_purchased", "already an open"),
        (
            line("product", "p2", course="c1", kind="single", title="A", price=PRICE, validDays=2),
            "invalid_request",
            "Only a bundle",
        ),
        (
            closing("09:00", "08:00"),
            "invalid_request",
            "end after",
        ),
    ],
)
def test_a_bad_line_is_refused_and_the_others_go_on(world: World, bad: Any, code: str, said: str) -> None:
    found = imported(world, [*everything(), bad])
    assert counts(found) == (14, 0, 0, 1), found["errors"]
    (refused,) = found["errors"]
    assert (refused["line"], refused["code"]) == (15, code), refused
    assert said in refused["message"]


def test_many_bad_lines_are_counted_and_the_first_thousand_kept(world: World) -> None:
    found = imported(world, ["x"] * 1_100 + [user("ada")])
    assert (found["refused"], found["created"], len(found["errors"])) == (1_100, 1, 1_000)
    # Without a line, too, an import comes to its end.
    assert counts(imported(world, [])) == (0, 0, 0, 0)


def test_a_file_of_too_many_lines_is_refused_before_they_are_read(world: World) -> None:
    refused = post(world, b"\n" * (MAX_LINES + 1))
    assert (refused.status_code, refused.json["code"]) == (400, "invalid_request")
    assert "more than 1,000,000 lines" in refused.json["message"]


def test_refusals_stay_short_whatever_a_line_holds(world: World) -> None:
    names = {f"\x1b]0;{number:04}{'x' * 200}": 1 for number in range(500)}
    (refused,) = imported(world, [user("eve", **names)])["errors"]
    assert len(refused["message"]) < 1_000
    assert refused["message"].isprintable()


def test_bodies_are_ndjson_of_at_most_64_mb(world: World) -> None:
    for kind in ("application/json", "text/plain", f"{NDJSON}; charset=latin-1"):
        refused = post(world, ndjson([user("ada")]), content_type=kind)
        assert (refused.status_code, refused.json["code"]) == (415, "unsupported_media_type")
    refused = post(world, b"x" * (UPLOAD_LIMIT_BYTES + 1))
    assert (refused.status_code, refused.json["code"]) == (413, "too_large")
    for query in ("?dryRun=1", "?shout=true"):
        assert post(world, b"", query).status_code == 400


def test_keys_import_by_their_scope(world: World) -> None:
    def key(*scopes: KeyScope) -> Headers:
        body = {"name": "A", "scopes": list(scopes)}
        made = world.client.post("/api-keys", json=body, headers=as_operator())
        return {"Authorization": f"Bearer {made.json['key']}"}

    answer = post(world, ndjson([user("ada")]), headers=key(KeyScope.IMPORT))
    assert answer.status_code == 202
    assert world.client.get(answer.headers["Location"], headers=key(KeyScope.IMPORT)).status_code == 200
    refused = post(world, b"", headers=key(KeyScope.OPERATIONS, KeyScope.READ))
    assert (refused.status_code, refused.json["details"]) == (403, {"scope": ["import"]})


def test_a_repeated_request_gets_the_first_import_again(world: World) -> None:
    headers = {**as_operator(), "Idempotency-Key": "one"}
    first, second = (post(world, ndjson([user("ada")]), headers=headers) for _ in range(2))
    assert first.json["id"] == second.json["id"]


def test_what_is_uploaded_is_encrypted_and_gone_once_it_is_carried_out(world: World, engine: Engine) -> None:
    post(world, ndjson([user("ada"), user("bob")]))
    (stored,) = values(engine, "SELECT sealed FROM import_chunks")
    assert stored.startswith("sealed:")
    world.run_database_effects()
    assert values(engine, "SELECT sealed FROM import_chunks") == []


def test_erased_people_stay_erased(world: World) -> None:
    imported(world, people_and_offers())
    deleted = world.client.delete("/me", headers=bearer_of(world, "ada"))
    assert deleted.status_code < 300, deleted.text
    found = imported(world, [user("ada"), booking("b1", at(6), "accepted")])
    assert [each["code"] for each in found["errors"]] == ["not_found", "not_found"]


def test_imported_history_counts_in_reports(world: World, engine: Engine) -> None:
    imported(world, everything())
    query = {"from": at(-30), "to": at(30), "groupBy": "day"}
    found = world.client.get("/analytics/sessions", query_string=query, headers=as_operator())
    assert found.status_code == 200, found.text
    totals = {name: sum(day[name] for day in found.json["items"]) for name in ("completed", "cancelled")}
    assert totals == {"completed": 1, "cancelled": 2}
    assert values(engine, "SELECT booked_minutes FROM session_metrics") == [60]


def test_a_listing_that_is_paid_before_has_its_history_paid(world: World, engine: Engine) -> None:
    paid = listing("l1", payment="before")
    lines = [each for each in everything() if each["externalId"] != "l1"]
    found = imported(world, [*lines, paid])
    assert (counts(found), found["errors"]) == ((14, 0, 0, 0), [])
    assert dead_or_violated(engine) == []


def test_seats_of_groups_can_be_paid_before(world: World) -> None:
    seat = line("product", "p2", course="c1", kind="group_seat", title="Seat", price=PRICE, payment="before")
    found = imported(world, [*people_and_offers(), seat])
    assert (counts(found), found["errors"]) == ((9, 0, 0, 0), [])


def test_the_types_are_those_of_the_page() -> None:
    assert set(TYPES) == {"user", "mentor", "course", "product", "listing", "hours", "booking", "review", "bundle"}
