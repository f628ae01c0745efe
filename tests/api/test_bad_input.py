"""Bad input is a 4xx in the one shape, never a 500, and writes nothing."""

import json
from typing import Any

import pytest

from api.routes.declaration import LARGE_BODY_LIMIT_BYTES, declaration_of
from tests.api.conftest import Cast, nothing_written
from tests.application import ApiResponse, World
from workflows.bookings.records import Booking
from workflows.sessions.records import Session

UNKNOWN_ID = "0190a1b2-0000-7000-8000-00000000dead"
SHAPE = {"statusCode", "error", "message", "code", "requestId"}


def refused(answer: ApiResponse, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, after a look at its shape."""
    assert (answer.status_code, answer.json["code"], answer.json["statusCode"]) == (status, code, status), answer.json
    assert set(answer.json) - {"details"} == SHAPE
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]
    assert answer.content_type == "application/json"
    body: dict[str, Any] = answer.json
    return body


# Bodies that are no JSON, or none that could be kept.
NO_JSON = {
    "cut off": b'{"title": ',
    "not UTF-8": b'{"title": "\xff"}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "NaN": b'{"metadata": {"x": NaN}}',
    "Infinity": b'{"metadata": {"x": -Infinity}}',
    "too large a number": b'{"metadata": {"x": 1e999}}',
    "a number of 309 digits": b'{"metadata": {"x": 1e308}}',
    "a number of 22 digits": b'{"metadata": {"x": [-1.5e21]}}',
    "a number next to nothing": b'{"metadata": {"x": 1e-300}}',
    "a number nearer to nothing": b'{"metadata": {"x": -0.0000000000000000000009}}',
    "a number that would be read as nothing": b'{"metadata": {"x": -0.00300e-400}}',
    "an integer of 101 characters": b'{"metadata": {"x": -' + b"9" * 100 + b"}}",
    "an integer of 4,201 digits": b'{"metadata": {"x": ' + b"9" * 4201 + b"}}",
    "a name twice": b'{"title": "x", "title": "y"}',
    "a name twice, deep down": b'{"metadata": {"x": [{"a": 1, "\\u0061": 1}]}}',
    "too many digits": b'{"metadata": {"x": ' + b"9" * 5000 + b"}}",
    "a depth bomb": b'{"metadata": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
    "a depth bomb of lists": b"[" * 100_000,
    "deeper than anybody needs": b'{"metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
    "a list": b"[]",
    "text": b'"title"',
    "null": b"null",
    "a number": b"7",
    "nothing": b"",
    "only white space": b"   ",
}


@pytest.mark.parametrize("flaw", NO_JSON)
def test_bodies_that_are_no_json_object(world: World, cast: Cast, flaw: str) -> None:
    with nothing_written(world.engine):
        answer = world.client.post(
            "/bookings", data=NO_JSON[flaw], headers=cast.as_mentee, content_type="application/json"
        )
        refused(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("x" * 100_000, "x" * 30 + "…"), ("a\x1b[2J", "a\\u001b[2J"), ("\ud800", "\\ud800"), ("a\nb", "a\\nb")],
    ids=["long", "control characters", "half a pair", "a line break"],
)
def test_a_duplicate_name_is_quoted_on_one_line(world: World, cast: Cast, name: str, shown: str) -> None:
    data = json.dumps({name: 1})[:-1] + "," + json.dumps({name: 2})[1:]
    answer = world.client.post("/bookings", data=data, headers=cast.as_mentee, content_type="application/json")
    assert refused(answer, 400, "invalid_request")["message"] == f'The body has the name "{shown}" twice in one object.'


# Fields of a booking's request that do not fit → the field that is to blame, where it is not the same.
WISHES: list[tuple[dict[str, Any], str | None]] = [
    ({"listingId": "no-id"}, None),
    ({"listingId": f"urn:uuid:{UNKNOWN_ID}"}, None),
    ({"listingId": UNKNOWN_ID.replace("-", "")}, None),
    ({"startTime": "2030-01-01T10:00:00"}, None),
    ({"startTime": "tomorrow"}, None),
    ({"startTime": "2030-13-01T10:00:00Z"}, None),
    ({"startTime": "2030-02-30T10:00:00Z"}, None),
    ({"startTime": "2030-01-01T24:00:01Z"}, None),
    ({"startTime": "2030-01-01T10:00:00+99:00"}, None),
    ({"startTime": "0001-01-01T00:00:00+14:00"}, None),
    ({"startTime": "9999-12-31T23:59:59-14:00"}, None),
    ({"startTime": "2020-01-01T00:00:00Z"}, None),
    ({"endTime": "2020-01-01T00:00:00Z"}, None),
    ({"endTime": "2030-01-01T10:00:00"}, None),
    ({"title": "x" * 201}, None),
    ({"title": "a\0b"}, None),
    ({"title": "a\nb"}, None),
    ({"title": "a\u2029b"}, None),
    ({"title": "a\u202eb"}, None),
    ({"title": "\ud800"}, None),
    ({"notes": "x" * 5001}, None),
    ({"notes": "\x1b[2J"}, None),
    ({"notes": "a\u202eb"}, None),
    ({"notes": "a\u2066b"}, None),
    ({"metadata": []}, None),
    ({"metadata": {"x": "y" * 16_400}}, None),
    ({"metadata": {"a\0b": 1}}, None),
    ({"metadata": {"deep": [{"x": "\udfff"}]}}, None),
    ({"status": "accepted"}, None),
    ({"menteeUserId": UNKNOWN_ID}, None),
    ({"start_time": "2030-01-01T10:00:00Z"}, None),
    ({"\ud800": 1}, "_schema"),
]


@pytest.mark.parametrize(("fields", "blamed"), WISHES, ids=lambda value: ascii(value)[:60])
def test_fields_of_a_booking_that_do_not_fit(
    world: World, cast: Cast, fields: dict[str, Any], blamed: str | None
) -> None:
    with nothing_written(world.engine):
        answer = world.client.post(
            "/bookings",
            data=json.dumps(cast.body(**fields)),
            headers=cast.as_mentee | {"Idempotency-Key": "k"},
            content_type="application/json",
        )
        body = refused(answer, 400, "invalid_request")
        assert {name.partition(".")[0] for name in body["details"]} == {blamed or next(iter(fields))}


@pytest.mark.parametrize(
    "reason", ["", "   ", "\n\t\r\n", "\u00a0", "a\0b", "a\x1b[1Ab", "a\x85b", "a\u202eb", "a\u2069b"]
)
def test_a_reason_says_something_and_hides_nothing(
    world: World, cast: Cast, scheduled: Session, draft: Booking, reason: str
) -> None:
    body = {"reason": reason}
    answer = world.client.post(f"/sessions/{scheduled.id}/cancel", json=body, headers=cast.as_mentee)
    assert set(refused(answer, 400, "invalid_request")["details"]) == {"reason"}
    # A decline needs no reason.
    if reason.strip():
        answer = world.client.patch(f"/bookings/{draft.id}/decline", json=body, headers=cast.as_mentor)
        assert set(refused(answer, 400, "invalid_request")["details"]) == {"reason"}


@pytest.mark.parametrize(
    "notes", ["One.\n\n\tTwo.\r\nThree.", "\u200eשלום\u200f", "\u061cسلام", "a\u2028b", "👩\u200d🏫", " "]
)
def test_text_of_several_lines_is_stored_as_given(world: World, cast: Cast, notes: str) -> None:
    answer = world.client.post("/bookings", json=cast.body(notes=notes), headers=cast.as_mentee)
    assert (answer.status_code, answer.json["notes"]) == (201, notes)


def test_what_is_missing_is_named(world: World, cast: Cast) -> None:
    body = refused(world.client.post("/bookings", json={}, headers=cast.as_mentee), 400, "invalid_request")
    assert set(body["details"]) == {"listingId", "startTime"}


def test_an_unknown_listing_is_not_found(world: World, cast: Cast) -> None:
    with nothing_written(world.engine):
        requested = cast.body(listingId=UNKNOWN_ID)
        refused(world.client.post("/bookings", json=requested, headers=cast.as_mentee), 404, "not_found")


def test_only_some_routes_take_more_than_64_kilobytes(world: World, cast: Cast) -> None:
    large = b" " * 70_000
    sent: dict[str, Any] = {"headers": cast.as_mentee, "content_type": "application/json"}
    refused(world.client.patch("/me", data=b"{}" + large, **sent), 413, "too_large")
    refused(world.client.post("/no-such-route", data=large, **sent), 404, "not_found")
    assert world.client.patch("/me", data=b"{}" + large[:60_000], **sent).status_code == 200
    views = world.app.view_functions
    taking = {
        rule.rule
        for rule in world.app.url_map.iter_rules()
        if declaration_of(views[rule.endpoint]).body_limit_bytes == LARGE_BODY_LIMIT_BYTES
    }
    assert taking == {
        *("/bookings", "/bookings/individual", "/sessions/book"),
        *("/sessions/<id:session_id>/complete", "/sessions/<id:session_id>/attendance", "/payments/stripe"),
    }
    for rule in taking:
        path = rule.replace("<id:session_id>", UNKNOWN_ID)
        assert world.client.post(path, data=b"{}" + large, **sent).status_code in (400, 403, 404)


@pytest.mark.parametrize(("path", "limit"), [("/component/telemetry", 2), ("/listings", 64), ("/bookings", 256)])
def test_a_body_too_large_is_told_its_routes_limit(world: World, cast: Cast, path: str, limit: int) -> None:
    sent: dict[str, Any] = {"headers": cast.as_mentor, "content_type": "application/json"}
    answer = world.client.post(path, data=b" " * (limit * 1024 + 1), **sent)
    refused(answer, 413, "too_large")
    assert answer.json["message"] == f"The body is too large; the limit is {limit} kB."


def test_a_megabyte_is_too_large_wherever_it_is_sent(world: World, cast: Cast, draft: Booking) -> None:
    with nothing_written(world.engine):
        big = json.dumps({"reason": "x" * 2**20})
        for path, headers in (
            ("/bookings", cast.as_mentee),
            (f"/bookings/{draft.id}/accept", cast.as_mentor),
            (f"/bookings/{draft.id}/decline", cast.as_mentor),
        ):
            for key in ({}, {"Idempotency-Key": "k"}):
                answer = world.client.post(path, data=big, headers=headers | key, content_type="application/json")
                refused(answer, 413, "too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_is_declared_as_json(world: World, cast: Cast, content_type: str) -> None:
    answer = world.client.post("/bookings", data=b'{"a": 1}', headers=cast.as_mentee, content_type=content_type)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=latin1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "identity, br"},
    ],
)
def test_a_body_is_plain_utf_8(world: World, cast: Cast, headers: dict[str, str]) -> None:
    answer = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee | headers)
    refused(answer, 415, "unsupported_media_type")


def test_plain_utf_8_may_be_declared(world: World, cast: Cast) -> None:
    headers = cast.as_mentee | {"Content-Type": 'application/json; charset="UTF-8"', "Content-Encoding": "Identity"}
    metadata = {"a": 1e20, "b": -1.5e-20, "c": 0.0, "d": 10**100 - 1, "e": 1 - 10**99, "f": 0.0}
    # A zero is one, however it is written.
    data = json.dumps(cast.body(metadata=metadata)).replace('"f": 0.0', '"f": -0.00e-999')
    answer = world.client.post("/bookings", data=data, headers=headers)
    assert (answer.status_code, answer.json["metadata"]) == (201, metadata)


# Route, who asks, what is wrong.
OTHERS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("POST", "/users", "operator", {"email": "ada", "name": "Ada"}),
    ("POST", "/users", "operator", {"email": "a@b.org\0", "name": "Ada"}),
    ("POST", "/users", "operator", {"email": "a" * 250 + "@example.org", "name": "Ada"}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": ""}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "  "}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "Ada", "timeZone": "Mars/Olympus"}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "Ada", "timeZone": "../../etc/passwd"}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "Ada", "timeZone": "/etc/passwd"}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "Ada", "timeZone": "Europe"}),
    ("POST", "/users", "operator", {"email": "a@example.org", "name": "Ada", "role": "operator"}),
    ("POST", "/mentor-profiles", "mentee", {"headline": "x", "skills": ["go"] * 51}),
    ("POST", "/mentor-profiles", "mentee", {"headline": "x", "skills": ["g" * 61]}),
    ("POST", "/mentor-profiles", "mentee", {"headline": "x" * 201}),
    ("POST", "/mentor-profiles", "mentee", {"headline": "x", "bio": "x" * 5001}),
    ("PATCH", "/listings/{listing}", "mentor", {"durationMinutes": "60"}),
    ("PATCH", "/listings/{listing}", "mentor", {"durationMinutes": True}),
    ("PATCH", "/listings/{listing}", "mentor", {"durationMinutes": 60.5}),
    ("PATCH", "/listings/{listing}", "mentor", {"durationMinutes": 2**70}),
    ("PATCH", "/listings/{listing}", "mentor", {"durationMinutes": 0}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": -1, "currency": "USD"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 2**63, "currency": "USD"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1.5, "currency": "USD"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "usd"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "USD\n"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "ZZZ"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "XAU"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "DEM"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "UYI"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "UYW"}}),
    ("PATCH", "/listings/{listing}", "mentor", {"price": {"amount": 1, "currency": "USD", "tax": 1}}),
    ("PATCH", "/listings/{listing}", "mentor", {"earlyStartMinutes": -1}),
    ("PATCH", "/listings/{listing}", "mentor", {"earlyStartMinutes": 2**31}),
    ("PATCH", "/listings/{listing}", "mentor", {"cancellation": {"lateFeePercent": 101}}),
    ("PATCH", "/listings/{listing}", "mentor", {"active": "yes"}),
    ("PATCH", "/listings/{listing}", "mentor", {"courseId": "x"}),
    ("PATCH", "/listings/{listing}", "mentor", {"mentorProfileId": UNKNOWN_ID}),
    ("PATCH", "/bookings/{draft}/decline", "mentor", {"reason": "x" * 1001}),
    ("PATCH", "/bookings/{draft}/accept", "mentor", {"anything": 1}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"rating": 0}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"rating": 4.5}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"notes": "x" * 5001}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"feedback": "a\0b"}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"actionItems": ["x"] * 51}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"actionItems": ["x" * 501]}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"actionItems": [["x"]]}),
    ("PATCH", "/sessions/{session}/complete", "mentor", {"status": "completed"}),
]


@pytest.mark.parametrize(("method", "path", "who", "body"), OTHERS, ids=lambda value: ascii(value)[:40])
def test_bodies_of_other_routes_that_do_not_fit(
    world: World,
    cast: Cast,
    draft: Booking,
    in_progress: Session,
    method: str,
    path: str,
    who: str,
    body: dict[str, Any],
) -> None:
    with nothing_written(world.engine):
        address = path.format(listing=cast.listing.id, draft=draft.id, session=in_progress.id)
        answer = world.client.open(
            address,
            method=method,
            data=json.dumps(body),
            headers=getattr(cast, f"as_{who}"),
            content_type="application/json",
        )
        found = refused(answer, 400, "invalid_request")
        assert any(name.partition(".")[0] in body for name in found["details"])


def test_longest_words_fit(world: World, cast: Cast, in_progress: Session) -> None:
    requested = cast.body(title="ü" * 200, notes="ü" * 5000, metadata={"x": "y" * 16_370})
    assert world.client.post("/bookings", json=requested, headers=cast.as_mentee).status_code == 201
    record = {"notes": "ü" * 5000, "feedback": "ü" * 5000, "actionItems": ["ü" * 500] * 50, "rating": 1}
    path = f"/sessions/{in_progress.id}/complete"
    assert world.client.patch(path, json=record, headers=cast.as_mentor).status_code == 200
