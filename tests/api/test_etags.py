"""Versions: an ETag on single resources, If-Match on changes, 304 for what the caller holds already."""

import pytest

from tests.api.conftest import Cast, version_of
from tests.application import ApiClient
from workflows.bookings.records import Booking
from workflows.catalog.courses import Course
from workflows.sessions.records import Session

# If-Match, for a resource of version 1 → whether the change is made.
MATCHES = {
    '"1"': True,
    "*": True,
    '"7", "1"': True,
    '"2"': False,
    '"7", "8"': False,
    'W/"1"': False,
    '""': False,
    ', "7",, "1" ,': True,
    '"1-anything"': True,
    '"a,b", "1"': True,
    "1": False,
    "'1'": False,
    '"01"': False,
    '"1': False,
    '"7" "1"': False,
    '"1", nonsense': False,
    '"7", *': False,
    'w/"1"': False,
    " * ": True,
    "": False,
    "nonsense": False,
}


@pytest.mark.parametrize("tags", MATCHES)
def test_a_change_is_made_on_the_version_that_was_named(
    client: ApiClient, cast: Cast, draft: Booking, tags: str
) -> None:
    answer = client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | {"If-Match": tags})
    if MATCHES[tags]:
        assert (answer.status_code, version_of(answer)) == (202, 2)
    else:
        assert (answer.status_code, answer.json["code"]) == (412, "stale")
        assert client.get(f"/bookings/{draft.id}", headers=cast.as_mentor).json["status"] == "draft"


def test_every_change_of_a_single_resource_honours_if_match(
    client: ApiClient, cast: Cast, draft: Booking, scheduled: Session, course: Course
) -> None:
    old = {"If-Match": '"99"'}
    for path, headers in (
        (f"/listings/{cast.listing.id}", cast.as_mentor),
        (f"/bookings/{draft.id}/accept", cast.as_mentor),
        (f"/bookings/{draft.id}/decline", cast.as_mentor),
        (f"/bookings/{draft.id}/cancel", cast.as_mentee),
        (f"/sessions/{scheduled.id}/start", cast.as_mentee),
        (f"/sessions/{scheduled.id}/complete", cast.as_mentor),
        (f"/sessions/{scheduled.id}/cancel", cast.as_mentee),
        (f"/courses/{course.id}", cast.as_operator),
        (f"/mentors/{cast.mentor.id}/hours", cast.as_mentor),
    ):
        method = "PUT" if path.endswith("hours") else "PATCH"
        body: object = {"hours": []} if path.endswith("hours") else {"reason": "Ill"} if "cancel" in path else {}
        answer = client.open(path, method=method, json=body, headers=headers | old)
        assert (answer.status_code, answer.json["code"]) == (412, "stale"), path


def test_what_the_caller_holds_already_is_not_sent_again(client: ApiClient, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}"
    tag = client.get(path, headers=cast.as_mentee).headers["ETag"]
    for held in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get(path, headers=cast.as_mentee | {"If-None-Match": held})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    for held in ('"0"', "", tag.strip('"'), f'{tag}, "x', f"{tag} {tag}", '"x", *', f"{tag}-{tag}"):
        assert client.get(path, headers=cast.as_mentee | {"If-None-Match": held}).status_code == 200, held


def test_single_resources_have_a_tag(client: ApiClient, cast: Cast, draft: Booking, scheduled: Session) -> None:
    for path in (
        "/me",
        f"/users/{cast.mentee.id}",
        f"/mentors/{cast.mentor.id}",
        f"/listings/{cast.listing.id}",
        f"/bookings/{draft.id}",
        f"/sessions/{scheduled.id}",
        f"/sessions/mentee/{scheduled.id}",
    ):
        assert version_of(client.get(path, headers=cast.as_mentee)) == 1, path


def test_a_profile_of_ones_own_changes_ones_tag(client: ApiClient, cast: Cast) -> None:
    held = client.get("/me", headers=cast.as_stranger).headers["ETag"]
    profile = client.post("/mentor-profiles", json={"headline": "New"}, headers=cast.as_stranger).json
    for path in ("/me", f"/users/{cast.stranger.id}"):
        answer = client.get(path, headers=cast.as_stranger | {"If-None-Match": held})
        assert (answer.status_code, answer.json["mentorProfileId"]) == (200, profile["id"])
        assert answer.headers["ETag"] != held


def test_each_view_of_a_session_has_its_own_tag(client: ApiClient, cast: Cast, in_progress: Session) -> None:
    path, record = f"/sessions/{in_progress.id}", {"rating": 3, "feedback": "Late."}
    assert client.patch(f"{path}/complete", json=record, headers=cast.as_mentor).status_code == 200
    mentees, mentors, operators = (
        client.get(path, headers=headers).headers["ETag"]
        for headers in (cast.as_mentee, cast.as_mentor, cast.as_operator)
    )
    assert mentees != mentors == operators
    answer = client.get(path, headers=cast.as_mentor | {"If-None-Match": mentees})
    assert (answer.status_code, answer.json["rating"]) == (200, 3)
    assert client.get(path, headers=cast.as_mentor | {"If-None-Match": mentors}).status_code == 304


def test_if_match_accepts_the_tag_of_any_view(client: ApiClient, cast: Cast, scheduled: Session) -> None:
    for reader, path in ((cast.as_mentor, "start"), (cast.as_mentor, "complete")):
        tag = client.get(f"/sessions/{scheduled.id}", headers=reader).headers["ETag"]
        step = f"/sessions/{scheduled.id}/{path}"
        assert client.patch(step, headers=cast.as_mentor | {"If-Match": '"99-whole"'}).status_code == 412
        assert client.patch(step, headers=cast.as_mentor | {"If-Match": tag}).status_code == 200


def test_answers_are_not_stored(client: ApiClient, cast: Cast, draft: Booking) -> None:
    for path, headers in (
        (f"/bookings/{draft.id}", cast.as_mentee),
        ("/bookings", cast.as_mentee),
        ("/me", cast.as_mentee),
        ("/me", {}),
        ("/courses/no-id", cast.as_mentee),
        ("/nowhere", {}),
        ("/health/live", {}),
    ):
        assert client.get(path, headers=headers).headers["Cache-Control"] == "no-store", path
    tag = client.get(f"/bookings/{draft.id}", headers=cast.as_mentee).headers["ETag"]
    again = client.get(f"/bookings/{draft.id}", headers=cast.as_mentee | {"If-None-Match": tag})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-store")
    assert "max-age=3600" in client.get("/docs/assets/index.css").headers["Cache-Control"]
