"""Changes of availability as webhooks hear of them: the first at once, and those that follow together."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, text
from uuid_utils.compat import uuid7

from models.events import deliveries, events
from models.webhooks import EndpointState, webhook_endpoints
from tests import factories
from tests.api.conftest import Cast, counts, nothing_written, refusal
from tests.application import ApiClient, ApiResponse, World
from tests.integration.harness import Harness
from tests.queries import execute, scalar
from workflows.availability.changes import ANNOUNCEMENT_PAUSE

# A method, headers and a body, by the path.
Requests = dict[str, tuple[str, dict[str, str], dict[str, Any]]]
TIMER, SENT = "webhooks.availability", "webhooks.send"
CHANGED = "availability.changed"


def listen(engine: Engine, cast: Cast, count: int) -> None:
    """So many active endpoints of the mentor."""
    rows = [
        {
            "id": uuid7(),
            "mentor_profile_id": cast.mentor.id,
            "url": f"https://partner.example/{number}",
            "event_types": ["*"],
            "state": EndpointState.ACTIVE,
        }
        for number in range(count)
    ]
    execute(engine, insert(webhook_endpoints), rows)


def change(client: ApiClient, cast: Cast, minute: int) -> ApiResponse:
    hours = [{"weekday": 0, "startTime": f"09:{minute:02}", "endTime": "12:00"}]
    return client.put(f"/mentors/{cast.mentor.id}/hours", json={"hours": hours}, headers=cast.as_mentor)


def planned(engine: Engine, effect: str) -> list[Any]:
    """The deliveries of an effect with their events, in the order of these."""
    with engine.connect() as db:
        query = select(deliveries, events.c.data).join(events).where(deliveries.c.effect == effect)
        return list(db.execute(query.order_by(events.c.sequence)))


def pass_time(engine: Engine) -> None:
    execute(engine, text("UPDATE availability_announcements SET announced_at = announced_at - interval '31 seconds'"))


def run_timer(engine: Engine) -> None:
    """Run the only timer that is pending, as if its time had come."""
    harness = Harness(engine)
    (timer,) = [row for row in planned(engine, TIMER) if row.state == "pending"]
    key = harness.key(TIMER, timer.event_id)
    harness.delivered_again(key)


def test_sixty_changes_are_two_messages_for_each_of_fifty_endpoints(engine: Engine, world: World, cast: Cast) -> None:
    listen(engine, cast, 50)
    answers = [change(world.client, cast, minute) for minute in range(60)]
    assert {answer.status_code for answer in answers} == {200}
    assert scalar(engine, select(func.count()).where(events.c.type == CHANGED)) == 60
    assert [row.data["version"] for row in planned(engine, SENT)] == [1] * 50
    (timer,) = planned(engine, TIMER)
    assert timedelta(0) < timer.due_at - timer.created_at <= ANNOUNCEMENT_PAUSE
    run_timer(engine)
    assert [row.data["version"] for row in planned(engine, SENT)] == [1] * 50 + [60] * 50


def test_a_change_after_the_pause_is_announced_at_once(engine: Engine, world: World, cast: Cast) -> None:
    listen(engine, cast, 1)
    for minute in range(3):
        change(world.client, cast, minute)
        pass_time(engine)
    assert [row.data["version"] for row in planned(engine, SENT)] == [1, 2, 3]
    assert not planned(engine, TIMER)


def test_an_announcement_of_what_was_held_back_begins_another_pause(engine: Engine, world: World, cast: Cast) -> None:
    listen(engine, cast, 1)
    for minute in range(2):
        change(world.client, cast, minute)
    run_timer(engine)
    change(world.client, cast, 3)
    assert [row.data["version"] for row in planned(engine, SENT)] == [1, 2]
    run_timer(engine)
    assert [row.data["version"] for row in planned(engine, SENT)] == [1, 2, 3]


def test_a_timer_that_comes_late_announces_nothing_twice(engine: Engine, world: World, cast: Cast) -> None:
    listen(engine, cast, 1)
    for minute in range(2):
        change(world.client, cast, minute)
    pass_time(engine)
    change(world.client, cast, 3)
    run_timer(engine)
    assert [row.data["version"] for row in planned(engine, SENT)] == [1, 3]


def test_another_mentor_is_not_held_back(engine: Engine, world: World, cast: Cast) -> None:
    other = Cast(**{**vars(cast), "mentor": cast.other_mentor})
    for each in (cast, other):
        listen(engine, each, 1)
        change(world.client, each, 1)
    assert len(planned(engine, SENT)) == 2


def test_changes_of_availability_have_a_quota(engine: Engine, world: World, cast: Cast) -> None:
    change(world.client, cast, 0)
    execute(
        engine, text("UPDATE quota_usage SET used_until = now() + interval '1 day' WHERE kind = 'availability.changed'")
    )
    with nothing_written(engine):
        refused = change(world.client, cast, 1)
        assert refusal(refused) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) <= 87
    # A request that changes nothing uses nothing up.
    assert change(world.client, cast, 0).status_code == 200


@pytest.fixture
def unchanged(engine: Engine, client: ApiClient, cast: Cast) -> Requests:
    """Bodies that each say what is so already, by their path, after it was said once."""
    with engine.begin() as db:
        course = factories.make_course(db)
    mentor = f"/mentors/{cast.mentor.id}"
    weekly = {"title": "Algebra", "weekday": 0, "startTime": "09:00", "timeZone": "UTC", "durationMinutes": 60}
    template = client.post(
        "/group-session-templates",
        json={**weekly, "capacity": 3, "price": {"amount": 1, "currency": "EUR"}},
        headers=cast.as_mentor,
    )
    hook = {"url": "https://partner.example", "eventTypes": ["*"]}
    endpoint = client.post("/webhook-endpoints", json=hook, headers=cast.as_mentor)
    monday = {"weekday": 0, "startTime": "09:00", "endTime": "12:00"}
    said: Requests = {
        f"{mentor}/hours": ("PUT", cast.as_mentor, {"hours": [monday]}),
        f"{mentor}/dates/2030-05-06": ("PUT", cast.as_mentor, {"hours": []}),
        f"{mentor}/booking-rules": ("PUT", cast.as_mentor, {"maxPerDay": 3}),
        f"/mentor-profiles/{cast.mentor.id}": ("PATCH", cast.as_mentor, {"headline": "Engineer", "skills": ["go"]}),
        f"/listings/{cast.listing.id}": ("PATCH", cast.as_mentor, {"title": "Advice", "bufferMinutes": 5}),
        template.headers["Location"]: ("PATCH", cast.as_mentor, {"title": "Algebra I", "capacity": 4}),
        endpoint.headers["Location"]: ("PATCH", cast.as_mentor, hook),
        "/notification-preferences": (
            "PUT", cast.as_mentee, {"items": [{"kind": "session_created", "channels": {"email": False}}]}
        ),
        "/me": ("PATCH", cast.as_mentee, {"name": "Ada", "email": cast.mentee.email}),
        f"/courses/{course.id}": ("PATCH", cast.as_operator, {"title": "Algebra"}),
    }  # fmt: skip
    for path, (method, headers, body) in said.items():
        assert client.open(path, method=method, json=body, headers=headers).status_code == 200, path
    return said


def test_what_changes_nothing_is_no_event_and_no_delivery(
    engine: Engine, client: ApiClient, unchanged: Requests
) -> None:
    before = counts(engine)
    for path, (method, headers, body) in unchanged.items():
        assert client.open(path, method=method, json=body, headers=headers).status_code == 200
        assert counts(engine) == before, path
