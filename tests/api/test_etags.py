"""Versions: an ETag on single resources, If-Match on changes, 304 for what the caller holds already."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.conftest import Cast
from workflows.bookings.booking import Booking
from workflows.sessions.session import Session

# If-Match, for a resource of version 1 → whether the change is made.
MATCHES = {
    '"1"': True,
    "*": True,
    '"7", "1"': True,
    '"2"': False,
    '"7", "8"': False,
    'W/"1"': False,
    '""': False,
    "": False,
    "nonsense": False,
}


@pytest.mark.parametrize("tags", MATCHES)
def test_a_change_is_made_on_the_version_that_was_named(
    client: FlaskClient, cast: Cast, draft: Booking, tags: str
) -> None:
    answer = client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor | {"If-Match": tags})
    if MATCHES[tags]:
        assert (answer.status_code, answer.headers["ETag"]) == (202, '"2"')
    else:
        assert (answer.status_code, answer.json["code"]) == (412, "stale")
        assert client.get(f"/bookings/{draft.id}", headers=cast.as_mentor).json["status"] == "draft"


def test_every_change_of_a_single_resource_honours_it(
    client: FlaskClient, cast: Cast, draft: Booking, scheduled: Session
) -> None:
    old = {"If-Match": '"99"'}
    for path, headers in (
        (f"/listings/{cast.listing.id}", cast.as_mentor),
        (f"/bookings/{draft.id}/accept", cast.as_mentor),
        (f"/bookings/{draft.id}/decline", cast.as_mentor),
        (f"/bookings/{draft.id}/cancel", cast.as_mentee),
        (f"/sessions/{scheduled.id}/start", cast.as_mentee),
        (f"/sessions/{scheduled.id}/complete", cast.as_mentor),
    ):
        assert client.patch(path, json={}, headers=headers | old).status_code == 412, path


def test_what_the_caller_holds_already_is_not_sent_again(client: FlaskClient, cast: Cast, draft: Booking) -> None:
    path = f"/bookings/{draft.id}"
    tag = client.get(path, headers=cast.as_mentee).headers["ETag"]
    for held in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = client.get(path, headers=cast.as_mentee | {"If-None-Match": held})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert client.get(path, headers=cast.as_mentee | {"If-None-Match": '"0"'}).status_code == 200


def test_single_resources_have_a_tag(client: FlaskClient, cast: Cast, draft: Booking, scheduled: Session) -> None:
    for path in (
        "/me",
        f"/users/{cast.mentee.id}",
        f"/mentors/{cast.mentor.id}",
        f"/listings/{cast.listing.id}",
        f"/bookings/{draft.id}",
        f"/sessions/{scheduled.id}",
        f"/sessions/mentee/{scheduled.id}",
    ):
        assert client.get(path, headers=cast.as_mentee).headers["ETag"] == '"1"', path
