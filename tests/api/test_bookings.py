"""Bookings over HTTP: asked for, decided, cancelled, and visible to their parties alone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests import factories
from tests.api.conftest import Cast
from tests.application import ApiClient, as_user
from workflows.bookings.records import Booking

FIELDS = {
    "id", "listingId", "mentorProfileId", "menteeUserId", "mentor", "mentee",
    "kind", "startTime", "endTime", "durationMinutes", "status",
    "title", "notes", "metadata", "price", "courseId", "productId", "bundlePurchaseId", "answers", "reschedule",
    "listing", "course", "session", "seriesId", "payment", "location", "sessionId", "declineReason", "cancelReason",
    "externalId", "createdAt", "updatedAt",
}  # fmt: skip


def test_a_request_is_a_draft(client: ApiClient, cast: Cast) -> None:
    requested = cast.body(title="Growing", notes="Zürich 🎓", metadata={"deep": [1, {"er": None}]})
    answer = client.post("/bookings", json=requested, headers=cast.as_mentee)
    assert answer.status_code == 201
    assert set(answer.json) == FIELDS
    assert answer.json["status"] == "draft"
    assert answer.json["sessionId"] is None
    assert answer.json["price"] == {"amount": 4000, "currency": "USD"}
    assert {name: answer.json[name] for name in ("title", "notes", "metadata")} == {
        name: requested[name] for name in ("title", "notes", "metadata")
    }
    assert answer.headers["Location"] == f"/bookings/{answer.json['id']}"
    assert client.get(answer.headers["Location"], headers=cast.as_mentor).json == answer.json


def test_times_are_read_in_any_zone_and_answered_in_utc(client: ApiClient, cast: Cast) -> None:
    day = (factories.next_slot() + timedelta(days=1)).date()
    answer = client.post("/bookings", json=cast.body(startTime=f"{day}T09:30:00+05:30"), headers=cast.as_mentee)
    assert (answer.json["startTime"], answer.json["endTime"]) == (f"{day}T04:00:00Z", f"{day}T05:00:00Z")


def test_an_end_must_be_the_listings_own(client: ApiClient, cast: Cast) -> None:
    start = factories.next_slot()
    right, wrong = start + timedelta(hours=1), start + timedelta(minutes=59)
    requested = {"startTime": start.isoformat()}
    refused = client.post("/bookings", json=cast.body(**requested, endTime=wrong.isoformat()), headers=cast.as_mentee)
    assert (refused.status_code, list(refused.json["details"])) == (400, ["endTime"])
    taken = client.post("/bookings", json=cast.body(**requested, endTime=right.isoformat()), headers=cast.as_mentee)
    assert taken.status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "POST"])
@pytest.mark.parametrize(
    ("step", "who", "body", "code", "status"),
    [
        ("accept", "mentor", {}, 202, "accepted"),
        ("decline", "mentor", {"reason": "Away"}, 200, "declined"),
        ("cancel", "mentee", {}, 200, "cancelled"),
    ],
)
def test_each_step_takes_both_methods(
    client: ApiClient, cast: Cast, draft: Booking, method: str, step: str, who: str, body: Any, code: int, status: str
) -> None:
    answer = client.open(
        f"/bookings/{draft.id}/{step}", method=method, headers=getattr(cast, f"as_{who}"), json=body or None
    )
    assert (answer.status_code, answer.json["status"], set(answer.json)) == (code, status, FIELDS)
    assert answer.json["declineReason"] == body.get("reason")
    if step == "accept":
        assert answer.headers["Location"] == f"/sessions/{answer.json['sessionId']}"


# Who may take which step with a draft: the mentor decides, the mentee cancels it.
STEPS = {
    ("accept", "mentee"): 403,
    ("accept", "stranger"): 403,
    ("accept", "other_mentor"): 403,
    ("accept", "operator"): 403,
    ("decline", "mentee"): 403,
    ("decline", "other_mentor"): 403,
    ("decline", "operator"): 403,
    ("cancel", "mentor"): 403,
    ("cancel", "stranger"): 403,
    ("cancel", "other_mentor"): 403,
    ("cancel", "operator"): 403,
}


@pytest.mark.parametrize(("step", "who"), STEPS)
def test_a_step_is_refused_to_all_other_roles(
    client: ApiClient, cast: Cast, draft: Booking, step: str, who: str
) -> None:
    answer = client.patch(f"/bookings/{draft.id}/{step}", headers=getattr(cast, f"as_{who}"))
    assert (answer.status_code, answer.json["code"]) == (STEPS[step, who], "forbidden")
    assert client.get(f"/bookings/{draft.id}", headers=cast.as_mentee).json["status"] == "draft"


def test_what_is_decided_stays_decided(client: ApiClient, cast: Cast, accepted: Booking) -> None:
    for step, headers in (("accept", cast.as_mentor), ("decline", cast.as_mentor), ("cancel", cast.as_mentee)):
        answer = client.patch(f"/bookings/{accepted.id}/{step}", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_transition")


def test_the_mentor_reads_why_a_mentee_cancelled(client: ApiClient, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}"
    client.patch(f"{path}/cancel", json={"reason": "I found a job."}, headers=cast.as_mentee)
    assert client.get(path, headers=cast.as_mentor).json["cancelReason"] == "I found a job."


def test_a_booking_is_seen_by_its_participants_and_operators(client: ApiClient, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}"
    for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator):
        assert client.get(path, headers=headers).status_code == 200
    for headers in (cast.as_stranger, cast.as_other_mentor):
        assert client.get(path, headers=headers).status_code == 403


def test_an_instant_listing_accepts_at_once(client: ApiClient, cast: Cast) -> None:
    client.patch(f"/listings/{cast.listing.id}", json={"bookingMode": "instant"}, headers=cast.as_mentor)
    requested = cast.body()
    answer = client.post("/bookings", json=requested, headers=cast.as_mentee)
    assert (answer.status_code, answer.json["status"]) == (202, "accepted")
    assert answer.headers["Location"] == f"/sessions/{answer.json['sessionId']}"
    second = client.post("/bookings", json=requested, headers=cast.as_stranger)
    assert (second.status_code, second.json["code"]) == (409, "slot_taken")


def test_bookings_are_listed_by_role_and_status(client: ApiClient, engine: Engine, cast: Cast, draft: Booking) -> None:
    with engine.begin() as db:
        listing = factories.make_listing(db, cast.other_mentor)
    # The mentor is a mentee of another mentor, too.
    requested = cast.body(listingId=str(listing.id))
    other = client.post("/bookings", json=requested, headers=cast.as_mentor).json["id"]

    def listed(query: str) -> set[str]:
        return {item["id"] for item in client.get(f"/bookings{query}", headers=cast.as_mentor).json["items"]}

    assert listed("") == {str(draft.id), other}
    assert listed("?role=mentor") == {str(draft.id)}
    assert listed("?role=mentee") == {other}
    assert listed("?status=draft") == {str(draft.id), other}
    assert listed("?status=accepted") == set()
    assert client.get("/bookings", headers=cast.as_stranger).json == {"items": [], "nextCursor": None}
    assert client.get("/bookings", headers=cast.as_operator).status_code == 200


def test_bookings_as_a_mentor_are_for_mentors(client: ApiClient, cast: Cast) -> None:
    acting_as_user = as_user(cast.mentor.user_id)
    for headers in (cast.as_mentee, acting_as_user):
        answer = client.get("/bookings?role=mentor", headers=headers)
        refusal = client.get("/sessions/mentor/my-sessions", headers=headers)
        assert answer.status_code == 403
        assert answer.json | {"requestId": ""} == refusal.json | {"requestId": ""}
        assert client.get("/bookings?role=mentee", headers=headers).status_code == 200
    stranger = as_user(UUID("0190a1b2-0000-7000-8000-00000000dead"))
    assert client.get("/bookings?role=mentor", headers=stranger).status_code == 401
