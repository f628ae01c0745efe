"""Sessions over HTTP: their life cycle, and who sees what of them."""

import pytest
from sqlalchemy import Engine, text

from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiClient, World
from workflows.bookings.records import Booking
from workflows.sessions.records import Session

FIELDS = {
    "id", "bookingId", "mentorProfileId", "menteeUserId", "mentor", "mentee",
    "title", "description", "startTime", "endTime", "status",
    "notes", "metadata", "rating", "feedback", "actionItems", "startedAt", "completedAt", "cancelledAt",
    "cancellation", "location", "earlyStartMinutes", "joinUrl", "externalId", "createdAt", "updatedAt",
    "kind", "listing", "course", "price", "payment", "bundlePurchaseId", "answers",
    "rescheduleCount", "rescheduledFrom", "proposal",
}  # fmt: skip
RECORD = {"notes": "Good", "rating": 4, "feedback": "Prepared", "actionItems": ["Read", "Write"]}


def test_the_way_from_a_request_to_a_completed_session(world: World, cast: Cast) -> None:
    client = world.client
    client.patch(f"/listings/{cast.listing.id}", json={"earlyStartMinutes": None}, headers=cast.as_mentor)
    requested = cast.body(title="Growing", notes="About me", metadata={"a": 1})
    booking = client.post("/bookings", json=requested, headers=cast.as_mentee).json
    accepted = client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor)
    world.run_session_effects()
    session = client.get(accepted.headers["Location"], headers=cast.as_mentee).json
    assert set(session) == FIELDS
    assert session["id"] == accepted.json["sessionId"]
    assert (session["startTime"], session["endTime"]) == (booking["startTime"], booking["endTime"])
    assert (session["status"], session["metadata"], session["title"]) == ("scheduled", {"a": 1}, "Growing")
    started = client.patch(f"/sessions/{session['id']}/start", headers=cast.as_mentee)
    assert (started.status_code, started.json["status"]) == (200, "in_progress")
    done = client.patch(f"/sessions/{session['id']}/complete", json=RECORD, headers=cast.as_mentor)
    assert (done.status_code, done.json["status"]) == (200, "completed")
    assert {name: done.json[name] for name in RECORD} == RECORD


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_steps_take_both_methods_and_no_body(client: ApiClient, cast: Cast, scheduled: Session, method: str) -> None:
    for step in ("start", "complete"):
        answer = client.open(f"/sessions/{scheduled.id}/{step}", method=method, headers=cast.as_mentor)
        assert answer.status_code == 200


# Who does which step, and what they hear: the parties start, the mentor alone completes.
WHO = {
    ("start", "mentee"): 200,
    ("start", "mentor"): 200,
    ("start", "stranger"): 403,
    ("start", "other_mentor"): 403,
    ("start", "operator"): 403,
    ("complete", "mentee"): 403,
    ("complete", "stranger"): 403,
    ("complete", "other_mentor"): 403,
    # Allowed, but not before the start.
    ("complete", "operator"): 400,
}


@pytest.mark.parametrize(("step", "who"), WHO)
def test_steps_are_for_those_whose_they_are(
    client: ApiClient, cast: Cast, scheduled: Session, step: str, who: str
) -> None:
    answer = client.patch(f"/sessions/{scheduled.id}/{step}", headers=getattr(cast, f"as_{who}"))
    assert answer.status_code == WHO[step, who]


def test_no_step_is_skipped_or_taken_twice(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    def step(name: str) -> tuple[int, str | None]:
        answer = client.patch(f"/sessions/{scheduled.id}/{name}", headers=cast.as_mentor)
        return answer.status_code, answer.json.get("code")

    refused = (400, "invalid_transition")
    assert [step(name) for name in ("complete", "start", "start", "complete", "complete", "start")] == [
        refused, (200, None), refused, (200, None), refused, refused
    ]  # fmt: skip


def test_until_it_is_there_a_session_is_pending_for_its_parties_alone(
    client: ApiClient, cast: Cast, accepted: Booking
) -> None:
    path = f"/sessions/{accepted.session_id}"
    for address, headers in (
        (path, cast.as_mentee),
        (path, cast.as_mentor),
        (path, cast.as_operator),
        (f"{path}/effects", cast.as_mentee),
        (f"/sessions/mentee/{accepted.session_id}", cast.as_mentee),
        (f"/sessions/mentor/{accepted.session_id}", cast.as_mentor),
    ):
        answer = client.get(address, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (404, "session_pending")
        assert answer.headers["Retry-After"] == "1"
    assert client.patch(f"{path}/start", headers=cast.as_mentee).json["code"] == "session_pending"
    for headers in (cast.as_stranger, cast.as_other_mentor):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert "Retry-After" not in answer.headers


def test_a_session_is_seen_by_its_parties_and_operators(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    seen = {
        f"/sessions/{scheduled.id}": {"mentee", "mentor", "operator"},
        f"/sessions/{scheduled.id}/effects": {"mentee", "mentor", "operator"},
        f"/sessions/mentee/{scheduled.id}": {"mentee"},
        f"/sessions/mentor/{scheduled.id}": {"mentor"},
    }
    for path, who in seen.items():
        for person in ("mentee", "mentor", "stranger", "other_mentor", "operator"):
            answer = client.get(path, headers=getattr(cast, f"as_{person}"))
            assert answer.status_code == (200 if person in who else 403), (path, person)


def test_the_mentors_own_record_is_for_mentor_and_operators(
    client: ApiClient, cast: Cast, in_progress: Session
) -> None:
    path = f"/sessions/{in_progress.id}"
    client.patch(f"{path}/complete", json=RECORD, headers=cast.as_mentor)
    for headers in (cast.as_mentor, cast.as_operator):
        assert client.get(path, headers=headers).json["rating"] == 4
    mentees = client.get(path, headers=cast.as_mentee).json
    listed = client.get("/sessions/mentee/my-sessions", headers=cast.as_mentee).json["items"][0]
    for shown in (mentees, listed, client.get(f"/sessions/mentee/{in_progress.id}", headers=cast.as_mentee).json):
        assert (shown["rating"], shown["feedback"]) == (None, None)
        assert (shown["notes"], shown["actionItems"]) == ("Good", ["Read", "Write"])


def test_bookings_and_sessions_name_both_parties(world: World, cast: Cast) -> None:
    client, mentor = world.client, {"id": str(cast.mentor.id), "name": cast.mentor.name, "headline": "Mentor"}
    parties = {"mentor": {**mentor, "avatarUrl": None}, "mentee": {"id": str(cast.mentee.id), "name": cast.mentee.name}}

    def named(answer: dict[str, object]) -> dict[str, object]:
        return {party: answer[party] for party in parties}

    booking = client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json
    accepted = client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor).json
    world.run_session_effects()
    path = f"/sessions/{accepted['sessionId']}"
    cancelled = client.patch(f"{path}/cancel", json={"reason": "Ill"}, headers=cast.as_mentee).json
    shown = [booking, accepted, cancelled]
    for address, headers in (
        (f"/bookings/{booking['id']}", cast.as_mentor),
        (path, cast.as_operator),
        (f"/sessions/mentee/{accepted['sessionId']}", cast.as_mentee),
    ):
        shown.append(client.get(address, headers=headers).json)
    for address, headers in (
        ("/bookings", cast.as_mentor),
        ("/sessions/mentor/my-sessions", cast.as_mentor),
        ("/sessions/mentee/my-sessions", cast.as_mentee),
    ):
        shown += client.get(address, headers=headers).json["items"]
    assert [named(each) for each in shown] == [parties] * 9


def test_each_party_lists_its_own_sessions(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    mine = [str(scheduled.id)]

    def listed(path: str, headers: dict[str, str]) -> list[str]:
        return [item["id"] for item in client.get(path, headers=headers).json["items"]]

    assert listed("/sessions/mentee/my-sessions", cast.as_mentee) == mine
    assert listed("/sessions/mentor/my-sessions", cast.as_mentor) == mine
    assert listed("/sessions/mentee/my-sessions", cast.as_mentor) == []
    assert listed("/sessions/mentor/my-sessions", cast.as_other_mentor) == []
    start = scheduled.start_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    path = "/sessions/mentee/my-sessions"
    assert listed(f"{path}?status=scheduled&from={start}", cast.as_mentee) == mine
    assert listed(f"{path}?to={start}", cast.as_mentee) == []
    assert listed(f"{path}?status=completed", cast.as_mentee) == []


def test_sessions_are_listed_in_either_order_and_narrowed(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        course = factories.make_course(db)
        taught = factories.make_listing(db, cast.mentor, course_id=course.id)
        listings = (cast.listing, taught, cast.listing)
        made = [factories.make_session(db, listing=listing, mentee=cast.mentee) for listing in listings]
        other = factories.make_session(db, listing=cast.listing, mentee=cast.stranger)
    ids = [str(session.id) for session in made]

    def listed(query: str, role: str = "mentee") -> list[str]:
        headers = cast.as_mentor if role == "mentor" else cast.as_mentee
        answer = client.get(f"/sessions/{role}/my-sessions?{query}", headers=headers)
        assert answer.status_code == 200, answer.json
        return [item["id"] for item in answer.json["items"]]

    second = made[1].start_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed("order=asc") == ids
    assert listed("order=desc") == listed("") == ids[::-1]
    assert listed(f"order=asc&limit=1&status=scheduled&from={second}") == [ids[1]]
    assert listed(f"courseId={course.id}") == listed(f"listingId={taught.id}") == [ids[1]]
    assert (listed("kind=group"), listed("kind=individual&order=asc")) == ([], ids)
    assert listed("updatedSince=2999-01-01T00:00:00Z") == []
    latest = client.get(f"/sessions/{ids[2]}", headers=cast.as_mentee).json["updatedAt"]
    assert ids[2] in listed(f"updatedSince={latest}"), "at or after"
    assert listed(f"menteeUserId={cast.stranger.id}", "mentor") == [str(other.id)]
    first = client.get("/sessions/mentee/my-sessions?order=asc&limit=2", headers=cast.as_mentee).json
    cursor = first["nextCursor"]
    assert listed(f"order=asc&limit=2&cursor={cursor}") == [ids[2]]
    refused = client.get(f"/sessions/mentee/my-sessions?cursor={cursor}", headers=cast.as_mentee)
    assert refused.status_code == 400
    wrong = client.get(f"/sessions/mentee/my-sessions?menteeUserId={cast.mentee.id}", headers=cast.as_mentee)
    assert wrong.status_code == 400


def test_bookings_are_listed_in_either_order_and_narrowed(client: ApiClient, engine: Engine, cast: Cast) -> None:
    with engine.begin() as db:
        made = [factories.make_booking(db, listing=cast.listing, mentee=cast.mentee) for _ in range(2)]
        other = factories.make_booking(db, listing=cast.listing, mentee=cast.stranger)
    ids = [str(booking.id) for booking in made]

    def listed(query: str, headers: dict[str, str]) -> list[str]:
        return [item["id"] for item in client.get(f"/bookings?{query}", headers=headers).json["items"]]

    start = made[1].start_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed("order=asc", cast.as_mentee) == ids
    assert listed(f"from={start}", cast.as_mentee) == [ids[1]]
    latest = client.get(f"/bookings/{ids[1]}", headers=cast.as_mentee).json["updatedAt"]
    assert ids[1] in listed(f"updatedSince={latest}", cast.as_mentee), "at or after"
    assert listed("order=asc", cast.as_mentor) == [*ids, str(other.id)]
    assert listed(f"menteeUserId={cast.stranger.id}", cast.as_mentor) == [str(other.id)]
    assert client.get(f"/bookings?menteeUserId={cast.mentee.id}", headers=cast.as_mentee).status_code == 403


def test_effects_tell_operators_more(world: World, cast: Cast) -> None:
    booking = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json
    location = world.client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor).headers["Location"]
    world.run_session_effects()
    items = world.client.get(f"{location}/effects", headers=cast.as_mentee).json["items"]
    created = next(item for item in items if item["effect"] == "sessions.create")
    assert (created["event"], created["state"]) == ("booking.accepted", "done")
    assert set(created) == {"effect", "event", "target", "state", "attempts", "dueAt", "doneAt"}
    operators = world.client.get(f"{location}/effects", headers=cast.as_operator).json["items"]
    assert set(operators[0]) == {*created, "lastError"}


def test_who_else_listens_is_shown_to_operators_alone(world: World, cast: Cast, engine: Engine) -> None:
    body = {"url": "https://partner.example", "eventTypes": ["*"]}
    for owner in (cast.as_operator, cast.as_mentor):
        assert world.client.post("/webhook-endpoints", json=body, headers=owner).status_code == 201
    booking = world.client.post("/bookings", json=cast.body(), headers=cast.as_mentee).json
    location = world.client.patch(f"/bookings/{booking['id']}/accept", headers=cast.as_mentor).headers["Location"]
    world.run_session_effects()
    with engine.begin() as db:
        # Beside what the endpoints missed, as they have not answered their pings yet: a resend.
        db.execute(
            text(
                "INSERT INTO deliveries (event_id, effect, target, endpoint_id, resend, id, queue, due_at, nudge_at)"
                " SELECT events.id, 'webhooks.send', endpoints.id || '\\:1', endpoints.id, 1, gen_random_uuid(),"
                " 'webhooks', now(), now() FROM events, webhook_endpoints endpoints"
                " WHERE events.type = 'session.created'"
            )
        )
        (own,) = db.scalars(text("SELECT id::text FROM webhook_endpoints WHERE mentor_profile_id IS NOT NULL"))

    def listeners(headers: dict[str, str]) -> set[str]:
        items = world.client.get(f"{location}/effects", headers=headers).json["items"]
        assert "sessions.create" in {item["effect"] for item in items}
        return {item["target"] for item in items if item["effect"] == "webhooks.send"}

    assert listeners(cast.as_mentee) == set()
    assert listeners(cast.as_mentor) == {own, f"{own}:1"}
    assert len(listeners(cast.as_operator)) == 4


def test_no_route_creates_or_edits_a_session(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    assert client.post("/sessions", json={}, headers=cast.as_mentor).status_code == 405
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        answer = client.open(f"/sessions/{scheduled.id}", method=method, json={}, headers=cast.as_mentor)
        assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]
