"""The audit over HTTP: an entry of every change and of every refused access, and of nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from api.audit.refused_accesses import MAX_KINDS, RefusedAccesses
from api.database import database
from api.state import state_of
from config.signed_links import Signer
from models.engine import create
from models.notifications import Channel
from tests import factories
from tests.api.conftest import Cast
from tests.api.links import signed
from tests.application import SECRET, World, as_operator
from tests.audit import new_entry
from tests.statements import statements_of
from workflows.action_links.link import Action
from workflows.bookings.records import Booking
from workflows.events.audit_entry import NewEntry, Origin
from workflows.notifications.preferences import UNSUBSCRIBE_PURPOSE, Choice, UnsubscribeLink
from workflows.reviews.records import Review
from workflows.sessions.records import Session


def entries(world: World, query: str = "") -> list[dict[str, Any]]:
    answer = world.client.get(f"/audit?limit=100&{query}", headers=as_operator("reader"))
    assert answer.status_code == 200, answer.json
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def test_a_change_leaves_one_entry_with_its_origin(world: World, cast: Cast, draft: Booking) -> None:
    began = datetime.now(UTC)
    headers = cast.as_mentor | {"X-Request-Id": "2f1d01f0c0ffee42"}
    assert world.client.patch(f"/api/bookings/{draft.id}/accept", headers=headers).status_code == 202
    (entry,) = entries(world)
    assert began <= datetime.fromisoformat(entry.pop("occurredAt")) <= datetime.now(UTC)
    assert len(entry.pop("addressHash")) == 32
    assert UUID(entry.pop("id")).version == 7
    assert entry == {
        **{"actor": f"mentor:{cast.mentor.id}", "action": "booking.accepted", "result": "ok", "count": 1},
        **{"subjectType": "booking", "subjectId": str(draft.id), "reason": None, "data": {}},
        **{"method": "PATCH", "route": "/bookings/<id:booking_id>/accept", "requestId": "2f1d01f0c0ffee42"},
    }


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        ("0198f7b2-7c1e-7a3b-9d44-2f1d01f0c0ff", True),
        ("1D48BA26A0181F3828E12E0C361ABEA2", True),
        ("Ada.Lovelace", False),
        ("4915112345678", False),
        ("0198f7b2-7c1e-7a3b-9d44-Lovelace", False),
    ],
)
def test_request_ids_that_may_tell_of_people_stay_out(world: World, cast: Cast, sent: str, is_kept: bool) -> None:
    headers = cast.as_mentee | {"X-Request-Id": sent}
    answer = world.client.post("/bookings", headers=headers, json=cast.body())
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (201, sent)
    kept = entries(world)[0]["requestId"]
    assert kept == sent if is_kept else UUID(kept).hex == kept


def test_entry_and_events_share_a_transaction(world: World, cast: Cast, engine: Engine) -> None:
    made = world.client.post("/bookings", headers=cast.as_mentee, json=cast.body()).json
    with engine.connect() as db:
        together = "SELECT e.type, a.subject_id FROM events e JOIN audit_entries a USING (xid)"
        assert db.execute(text(together)).all() == [("booking.requested", UUID(made["id"]))]


def test_what_shows_no_id_in_its_path_is_found(world: World, cast: Cast) -> None:
    listing = {"title": "Go", "durationMinutes": 45, "price": {"amount": 100, "currency": "USD"}}
    made = world.client.post("/listings", headers=cast.as_mentor, json=listing).json
    user = {"email": "new@example.org", "name": "New", "timeZone": "UTC"}
    person = world.client.post("/users", headers=cast.as_operator, json=user).json
    slot = {"startTime": factories.next_slot().isoformat(), "durationMinutes": 60}
    held = world.client.post(f"/mentors/{cast.mentor.id}/holds", headers=cast.as_mentee, json=slot).json
    assert world.client.patch("/me", headers=cast.as_mentee, json={"name": "Jo"}).status_code == 200
    assert [(each["action"], each["subjectType"], each["subjectId"]) for each in entries(world)] == [
        ("user.changed", "user", str(cast.mentee.id)),
        ("hold.created", "hold", held["id"]),
        ("user.created", "user", person["id"]),
        ("listing.created", "listing", made["id"]),
    ]
    assert not any(told in str(entries(world)) for told in ("Jo", "example.org"))


def test_a_route_that_does_nothing_for_the_audit_leaves_an_entry(world: World) -> None:
    def change() -> dict[str, str]:
        database().exec_driver_sql("INSERT INTO skills (skill, mentors) VALUES ('go', 1)")
        return {}

    world.app.view_functions["Notifications.mark_all_notifications_read"] = change
    assert world.client.post("/notifications/read-all").status_code == 200
    (entry,) = entries(world)
    assert (entry["actor"], entry["route"], entry["subjectId"]) == ("anonymous", "/notifications/read-all", None)


def test_operators_leave_their_reasons(world: World, cast: Cast, scheduled: Session, reviewed: Review) -> None:
    why = {"reason": "It was booked twice."}
    assert world.client.post(f"/sessions/{scheduled.id}/void", headers=cast.as_operator, json=why).status_code == 200
    hide = {"hidden": True, "reason": "Spam"}
    assert world.client.patch(f"/reviews/{reviewed.id}", headers=cast.as_operator, json=hide).status_code == 200
    hidden, voided = entries(world)
    assert (voided["actor"], voided["action"], voided["reason"]) == (
        "operator:operator-1",
        "session.voided",
        why["reason"],
    )
    assert (hidden["action"], hidden["reason"], hidden["route"]) == ("review.hidden", "Spam", "/reviews/<id:review_id>")
    assert hidden["data"]["rating"] == reviewed.rating


@pytest.mark.parametrize("reason", ["NUL \x00", "\ud800", "x" * 60_000])
def test_a_reason_that_the_route_does_not_take_is_none(world: World, cast: Cast, reason: str) -> None:
    hook = {"url": "https://example.com/h", "eventTypes": ["booking.requested"]}
    made = world.client.post("/webhook-endpoints", json=hook, headers=cast.as_operator).json["id"]
    deleted = world.client.delete(f"/webhook-endpoints/{made}", json={"reason": reason}, headers=cast.as_operator)
    assert deleted.status_code == 204
    last = entries(world)[0]
    assert (last["action"], last["reason"]) == ("webhook_endpoint.deleted", None)


def test_what_participants_write_is_not_kept(world: World, cast: Cast, draft: Booking) -> None:
    body = {"reason": "My mother is ill."}
    world.client.patch(f"/bookings/{draft.id}/decline", headers=cast.as_mentor, json=body)
    assert [(each["action"], each["reason"]) for each in entries(world)] == [("booking.declined", None)]


def test_what_changes_nothing_leaves_no_entry(world: World, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}/accept"
    key = cast.as_mentor | {"Idempotency-Key": "once"}
    assert world.client.patch(path, headers=key).status_code == 202
    replayed = world.client.patch(path, headers=key)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert world.client.patch(path, headers=cast.as_mentor).status_code == 400
    assert world.client.patch(path, headers=cast.as_mentor | {"If-Match": '"9"'}).status_code == 412
    assert world.client.patch(f"/bookings/{uuid4()}/accept", headers=cast.as_mentor).status_code == 404
    assert world.client.patch(path).status_code == 401
    assert world.client.get(f"/bookings/{draft.id}", headers=cast.as_mentor).status_code == 200
    assert len(entries(world)) == 1


def test_series_leave_one_entry_despite_conflicts(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.mentor, booking_mode="instant", duration_minutes=30)
        taken = factories.next_slot() + timedelta(days=7)
        factories.make_booking(db, listing=listing, start_time=taken)
    body = {
        "mentorProfileId": str(cast.mentor.id),
        "scheduledAt": (taken - timedelta(days=7)).isoformat(),
        **{"durationMinutes": 30, "title": "Weekly"},
        "recurrence": {"count": 3, "onConflict": "skip"},
    }
    made = world.client.post("/sessions/book", headers=cast.as_mentee, json=body)
    assert made.status_code == 202, made.json
    assert len(made.json["series"]["skipped"]) == 1, made.json
    assert [each["subjectId"] for each in entries(world)] == [made.json["booking"]["id"]]


def test_links_in_mails_leave_entries_of_their_users(world: World, cast: Cast, draft: Booking) -> None:
    done = world.client.post(signed(Action.ACCEPT, draft.id, cast.mentor.user_id))
    assert done.status_code == 200
    choice = Choice(user_id=cast.mentee.id, kind="session_created", channel=Channel.EMAIL)
    unsubscribing = UnsubscribeLink(choice=choice, links_version=0)
    link = Signer((SECRET,), UNSUBSCRIBE_PURPOSE).sign(unsubscribing.to_text())
    assert world.client.post(f"/unsubscribe/{link}").status_code == 200
    assert entries(world)[0]["data"] == {"session_created": {"email": False}}
    assert [(each["actor"], each["action"], each["subjectId"], each["route"]) for each in entries(world)] == [
        (
            f"user:{cast.mentee.id}",
            "notification_preferences.changed",
            str(cast.mentee.id),
            "/unsubscribe/<signed>",
        ),
        (f"user:{cast.mentor.user_id}", "booking.accepted", str(draft.id), "/act/<signed>"),
    ]


def test_the_entry_of_changed_preferences_has_what_was_switched(world: World, cast: Cast) -> None:
    for channels in ({"email": False, "push": True}, {"email": False, "inApp": False}, {}):
        body = {"items": [{"kind": "session_created", "channels": channels}]}
        assert world.client.put("/notification-preferences", json=body, headers=cast.as_mentee).status_code == 200
    assert [each["data"] for each in entries(world)] == [
        {"session_created": {"email": True, "in_app": True}},
        {"session_created": {"in_app": False}},
        {"session_created": {"email": False}},
    ]


def test_a_refused_access_is_an_entry_of_its_own(world: World, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}"
    for method, url, action in (("GET", path, "read"), ("PATCH", f"{path}/accept", "booking.accepted")):
        answer = world.client.open(url, method=method, headers=cast.as_stranger)
        assert answer.status_code == 403
        newest = entries(world)[0]
        assert (newest["action"], newest["result"], newest["count"]) == (action, "forbidden", 1)
        assert (newest["actor"], newest["subjectId"]) == (f"user:{cast.stranger.id}", str(draft.id))
        assert newest["requestId"] == answer.json["requestId"]
    world.client.get("/audit", headers=cast.as_mentee)
    assert (entries(world)[0]["route"], entries(world)[0]["subjectId"]) == ("/audit", None)


def test_equal_refusals_are_counted_and_written_together(world: World, cast: Cast, draft: Booking) -> None:
    path, refused = f"/bookings/{draft.id}", state_of(world.app).refused_accesses

    def refuse(times: int) -> list[int]:
        for _time in range(times):
            assert world.client.get(path, headers=cast.as_stranger).status_code == 403
        return [each["count"] for each in entries(world, "result=forbidden")]

    assert refuse(4) == [1]
    refused.flush()
    assert refuse(2) == [3, 1], "what goes on is one entry a minute"
    refused.flush()
    assert refuse(0) == [2, 3, 1]
    refused.flush()
    assert refuse(1) == [1, 2, 3, 1], "after a minute of silence the next one is written at once"
    refused.close()
    assert refuse(0) == [1, 2, 3, 1]


def refusal(number: int) -> NewEntry:
    origin = Origin(method="GET", route="/bookings/<id:booking_id>", address_hash=bytes(16))
    refused = {"actor": "user:1", "action": "read", "result": "forbidden"}
    return new_entry(origin=origin, subject_type="booking", subject_id=UUID(int=number), **refused)


def test_kinds_of_refusals_are_bounded(engine: Engine, world: World) -> None:
    refused = RefusedAccesses(engine, window_seconds=None)
    with statements_of(engine) as made:
        for number in range(MAX_KINDS + 50):
            refused.note(refusal(number))
        refused.flush()
    assert len(made.statements) == MAX_KINDS + 2
    newest = entries(world)[0]
    assert (newest["actor"], newest["count"], newest["subjectId"]) == ("several", 49, None)


def test_refusals_wait_for_an_absent_database(engine: Engine, world: World) -> None:
    url = engine.url.render_as_string(hide_password=False)
    away = create("postgresql://tutelage@127.0.0.1:1/nothing", connect_timeout=1, warn=False)
    refused = RefusedAccesses(away, window_seconds=None)
    for _time in range(3):
        refused.note(refusal(1))
    refused._engine = back = create(url)
    refused.flush()
    back.dispose()
    assert [each["count"] for each in entries(world)] == [3]


def test_a_timer_writes_what_was_counted(engine: Engine, world: World) -> None:
    refused = RefusedAccesses(engine, window_seconds=0.05)
    for _time in range(3):
        refused.note(refusal(1))
    timer = refused._timer
    assert timer is not None
    timer.join(10)
    refused.close()
    assert sum(each["count"] for each in entries(world)) == 3


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("actor=operator:operator-1", ["session.voided"]),
        ("actor=operator:nobody", []),
        ("action=booking.declined", ["booking.declined"]),
        ("result=ok", ["session.voided", "booking.declined"]),
        ("result=forbidden", ["read"]),
        ("result=not_found", []),
        ("subjectId={booking}", ["booking.declined", "read"]),
        ("subjectId={booking}&result=ok", ["booking.declined"]),
        ("from=2020-01-01T00:00:00Z", ["session.voided", "booking.declined", "read"]),
        ("from={from}&to={to}", ["booking.declined"]),
        ("to=2020-01-01T00:00:00Z", []),
        ("from=2999-01-01T00:00:00Z", []),
    ],
)
def test_entries_are_searched(
    world: World, cast: Cast, draft: Booking, scheduled: Session, query: str, actions: list[str]
) -> None:
    world.client.get(f"/bookings/{draft.id}", headers=cast.as_stranger)
    world.client.patch(f"/bookings/{draft.id}/decline", headers=cast.as_mentor)
    world.client.post(f"/sessions/{scheduled.id}/void", headers=cast.as_operator, json={"reason": "Twice"})
    times = [each["occurredAt"] for each in entries(world)]
    found = entries(world, query.format(booking=draft.id, **{"from": times[1], "to": times[0]}))
    assert [each["action"] for each in found] == actions


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2030-01-01", "subjectId=7", "results=ok", "actor=" + "x" * 301]
)
def test_bad_filters_are_refused(world: World, cast: Cast, query: str) -> None:
    answer = world.client.get(f"/audit?{query}", headers=cast.as_operator)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_equal_addresses_have_equal_hashes_and_show_nothing(world: World, cast: Cast) -> None:
    hashes = []
    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.7"):
        environ = {"REMOTE_ADDR": address}
        world.client.patch("/me", headers=cast.as_mentee, json={"locale": "de"}, environ_overrides=environ)
        hashes.append(entries(world)[0]["addressHash"])
        assert address not in str(entries(world))
    assert hashes[0] == hashes[2] != hashes[1]
    other_key = World.on(world.engine, signing_keys=("another secret of thirty-two bytes at least",))
    environ = {"REMOTE_ADDR": "203.0.113.7"}
    other_key.client.patch("/me", headers=cast.as_mentee, json={"locale": "de"}, environ_overrides=environ)
    assert entries(world)[0]["addressHash"] not in hashes
