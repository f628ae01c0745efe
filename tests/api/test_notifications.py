"""Notifications over HTTP: one's own, listed, counted and read; and preferences."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, insert, select
from uuid_utils.compat import uuid7

from models.notifications import Channel, notification_preferences, notifications
from tests.api.conftest import Cast, Headers, version_of
from tests.application import ApiClient, ApiResponse, World
from tests.concurrency.racing import Race
from tests.queries import execute, scalars
from tests.statements import statements_of
from workflows.bookings.records import Booking
from workflows.events.event_types import ReviewUnlocked
from workflows.events.record import record
from workflows.notifications.kinds import OFFERED
from workflows.sessions.records import Session

SHAPE = {"id", "kind", "title", "body", "createdAt", "readAt", "sessionId", "bookingId"}


@pytest.fixture
def told(engine: Engine, cast: Cast, scheduled: Session) -> list[UUID]:
    """Three notifications of the mentee's, the oldest first; each is a mail as well."""
    return [tell(engine, cast.mentee.id, scheduled, f"The {n}.") for n in ("first", "second", "third")]


def tell(engine: Engine, user_id: UUID, session: Session, title: str) -> UUID:
    """Notify a user, in the application and by mail."""
    event = ReviewUnlocked(
        actor="system",
        occurred_at=datetime.now(UTC),
        session_id=session.id,
        booking_id=session.booking_id,
        mentor_profile_id=session.mentor_profile_id,
        mentee_user_id=user_id,
        expires_at=datetime.now(UTC),
    )
    about = {"event_id": event.id, "user_id": user_id, "kind": "review_unlocked", "title": title, "body": "So it is."}
    about |= {"booking_id": session.booking_id, "session_id": session.id}
    in_app, mail = uuid7(), uuid7()
    with engine.begin() as db:
        record(db, event)
        db.execute(insert(notifications).values(id=in_app, channel=Channel.IN_APP, **about))
        db.execute(insert(notifications).values(id=mail, channel=Channel.EMAIL, **about))
    return in_app


def titles(client: ApiClient, headers: Headers, query: str = "") -> list[str]:
    return [item["title"] for item in client.get(f"/notifications{query}", headers=headers).json["items"]]


def test_the_newest_comes_first_and_mails_are_not_shown(client: ApiClient, cast: Cast, told: list[UUID]) -> None:
    found = client.get("/notifications", headers=cast.as_mentee).json
    assert [item["id"] for item in found["items"]] == [str(each) for each in reversed(told)]
    assert set(found["items"][0]) == SHAPE
    assert found["items"][0]["sessionId"] is not None
    assert found["items"][0]["readAt"] is None
    assert found["nextCursor"] is None


def test_a_mentor_reads_their_own_by_the_profile_alone(
    client: ApiClient, cast: Cast, engine: Engine, scheduled: Session
) -> None:
    tell(engine, cast.mentor.user_id, scheduled, "To the mentor.")
    assert titles(client, cast.as_mentor) == ["To the mentor."]
    assert titles(client, cast.as_stranger) == []


def test_pages_follow_each_other_and_keep_to_their_filter(client: ApiClient, cast: Cast, told: list[UUID]) -> None:
    assert client.post(f"/notifications/{told[1]}/read", headers=cast.as_mentee).status_code == 200
    assert titles(client, cast.as_mentee, "?unread=true") == ["The third.", "The first."]
    assert titles(client, cast.as_mentee, "?unread=false") == ["The second."]
    first = client.get("/notifications?unread=true&limit=1", headers=cast.as_mentee).json
    rest = client.get(f"/notifications?unread=true&limit=1&cursor={first['nextCursor']}", headers=cast.as_mentee).json
    assert [item["title"] for item in rest["items"]] == ["The first."]
    assert rest["nextCursor"] is None
    of_another_list = client.get(f"/notifications?cursor={first['nextCursor']}", headers=cast.as_mentee)
    assert of_another_list.status_code == 400
    assert client.get("/notifications?unread=maybe", headers=cast.as_mentee).status_code == 400


def test_a_list_and_a_count_ask_little_of_the_database(world: World, cast: Cast, told: list[UUID]) -> None:
    with statements_of(world.engine) as made:
        assert len(world.client.get("/notifications?unread=true", headers=cast.as_mentee).json["items"]) == len(told)
    assert len(made.statements) == 2
    with statements_of(world.engine) as made:
        assert world.client.get("/notifications/unread-count", headers=cast.as_mentee).json == {"unread": 3}
    assert len(made.statements) == 2


def test_one_is_read_once_and_stays_read(client: ApiClient, cast: Cast, told: list[UUID]) -> None:
    path = f"/notifications/{told[0]}/read"
    first = client.post(path, headers=cast.as_mentee)
    again = client.post(path, headers=cast.as_mentee)
    assert first.json["readAt"] is not None
    assert again.json == first.json
    assert (version_of(first), version_of(again)) == (2, 2)
    assert client.get("/notifications/unread-count", headers=cast.as_mentee).json == {"unread": 2}
    stale = client.post(f"/notifications/{told[1]}/read", headers=cast.as_mentee | {"If-Match": '"2"'})
    assert (stale.status_code, stale.json["code"]) == (412, "stale")


def test_reading_others_notifications_is_refused(
    client: ApiClient, cast: Cast, engine: Engine, told: list[UUID]
) -> None:
    assert client.post(f"/notifications/{told[0]}/read", headers=cast.as_stranger).status_code == 403
    assert client.post(f"/notifications/{uuid4()}/read", headers=cast.as_mentee).status_code == 404
    assert client.post("/notifications/no-id/read", headers=cast.as_mentee).status_code == 404
    assert client.post(f"/notifications/{told[0]}/read", headers=cast.as_operator).status_code == 403
    mail = scalars(engine, select(notifications.c.id).where(notifications.c.channel == Channel.EMAIL).limit(1)).one()
    assert client.post(f"/notifications/{mail}/read", headers=cast.as_mentee).status_code == 404


def test_read_all_reads_ones_own_alone(
    world: World, cast: Cast, engine: Engine, scheduled: Session, told: list[UUID]
) -> None:
    tell(engine, cast.stranger.id, scheduled, "To another user.")
    with statements_of(engine) as made:
        answer = world.client.post("/notifications/read-all", headers=cast.as_mentee)
    assert answer.json == {"read": len(told)}
    assert len(made.statements) == 3, "the caller, the step, the audit"
    assert world.client.post("/notifications/read-all", headers=cast.as_mentee).json == {"read": 0}
    assert world.client.get("/notifications/unread-count", headers=cast.as_stranger).json == {"unread": 1}
    mails = scalars(engine, select(notifications.c.read_at).where(notifications.c.channel == Channel.EMAIL)).all()
    assert set(mails) == {None}


def preferences(client: ApiClient, headers: Headers) -> dict[str, dict[str, bool]]:
    found = client.get("/notification-preferences", headers=headers).json
    return {item["kind"]: item["channels"] for item in found["items"]}


def put(client: ApiClient, headers: Headers, *items: dict[str, Any]) -> ApiResponse:
    return client.put("/notification-preferences", json={"items": list(items)}, headers=headers)


def test_by_itself_every_kind_is_as_its_table_says(client: ApiClient, cast: Cast) -> None:
    found = preferences(client, cast.as_mentee)
    assert list(found) == list(OFFERED)
    assert found["session_created"] == {"inApp": True, "email": True, "push": True}
    assert found["session_started"] == {"inApp": True, "email": False, "push": True}


def test_operators_read_the_preferences_of_a_person(client: ApiClient, cast: Cast) -> None:
    put(client, cast.as_mentee, {"kind": "session_created", "channels": {"email": False}})
    for_mentee = cast.as_operator | {"On-Behalf-Of": str(cast.mentee.id)}
    assert preferences(client, for_mentee) == preferences(client, cast.as_mentee)
    assert client.get("/notification-preferences", headers=cast.as_operator).status_code == 403


def test_a_choice_replaces_all_others_and_only_choices_are_stored(
    client: ApiClient, cast: Cast, engine: Engine
) -> None:
    chosen = put(client, cast.as_mentee, {"kind": "session_created", "channels": {"email": False, "push": True}})
    assert chosen.status_code == 200
    assert preferences(client, cast.as_mentee)["session_created"] == {"inApp": True, "email": False, "push": True}
    rows = execute(engine, select(notification_preferences)).all()
    assert [(row.kind, row.channel, row.wanted) for row in rows] == [("session_created", Channel.EMAIL, False)]
    put(client, cast.as_mentee, {"kind": "session_started", "channels": {"email": True}})
    now = preferences(client, cast.as_mentee)
    assert now["session_created"]["email"]
    assert now["session_started"]["email"]
    assert preferences(client, cast.as_stranger)["session_started"]["email"] is False


def test_what_was_read_can_be_changed_and_written_back(client: ApiClient, cast: Cast) -> None:
    seen = client.get("/notification-preferences", headers=cast.as_mentee)
    unchanged = put(client, cast.as_mentee | {"If-Match": seen.headers["ETag"]}, *seen.json["items"])
    assert (unchanged.status_code, unchanged.json) == (200, seen.json)
    assert unchanged.headers["ETag"] == seen.headers["ETag"]
    items = seen.json["items"]
    items[0]["channels"]["email"] = not items[0]["channels"]["email"]
    # The description of a kind and its mandatory channels cannot be chosen.
    items[0] |= {"description": "Something else.", "always": ["push"]}
    changed = put(client, cast.as_mentee | {"If-Match": seen.headers["ETag"]}, *items)
    assert changed.status_code == 200
    assert changed.json["items"][0] == items[0] | {
        name: unchanged.json["items"][0][name] for name in ("description", "always")
    }
    assert changed.json["items"][1:] == seen.json["items"][1:]


def test_a_choice_is_made_on_what_was_seen(client: ApiClient, cast: Cast) -> None:
    seen = client.get("/notification-preferences", headers=cast.as_mentee)
    etag = seen.headers["ETag"]
    unchanged = client.get("/notification-preferences", headers=cast.as_mentee | {"If-None-Match": etag})
    assert unchanged.status_code == 304
    off = {"kind": "session_started", "channels": {"inApp": False}}
    first = put(client, cast.as_mentee | {"If-Match": etag}, off)
    assert first.status_code == 200
    assert first.headers["ETag"] != etag
    second = put(client, cast.as_mentee | {"If-Match": etag}, off)
    assert (second.status_code, second.json["code"]) == (412, "stale")
    assert put(client, cast.as_mentee | {"If-Match": first.headers["ETag"]}).headers["ETag"] == etag


@pytest.mark.parametrize(
    "items",
    [
        # No such kind.
        [{"kind": "lottery_won", "channels": {}}],
        # Contradictory.
        [{"kind": "session_started", "channels": {}}, {"kind": "session_started", "channels": {"push": False}}],
        # A mandatory channel.
        [{"kind": "session_cancelled", "channels": {"inApp": False}}],
        [{"kind": "session_started", "channels": {"fax": True}}],
        [{"kind": "session_started", "channels": {"email": "no"}}],
        [{"kind": "session_started"}],
        [{"kind": "session_started", "channels": {}, "always": "push"}],
        [{"kind": "session_started", "channels": {}, "sentence": "You have left."}],
    ],
)
def test_what_cannot_be_chosen_is_refused_with_a_reason(
    client: ApiClient, cast: Cast, items: list[dict[str, Any]]
) -> None:
    answer = put(client, cast.as_mentee, *items)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["details"]


def test_operators_have_neither(client: ApiClient, cast: Cast, draft: Booking) -> None:
    assert draft
    for path in ("/notifications", "/notifications/unread-count", "/notification-preferences"):
        assert client.get(path, headers=cast.as_operator).status_code == 403


def test_one_of_several_changes_at_once_is_kept(world: World, cast: Cast, engine: Engine) -> None:
    seen = world.client.get("/notification-preferences", headers=cast.as_mentee)
    headers = cast.as_mentee | {"If-Match": seen.headers["ETag"]}
    # Each is mailed by default, so that each of these changes something.
    kinds = ("session_reminder", "booking_declined", "session_created", "session_completed")
    bodies = [{"kind": kind, "channels": {"email": False}} for kind in kinds]
    race = Race(engine, len(bodies))
    answers = race.run([partial(put, world.client, headers, body) for body in bodies])
    race.close()
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
