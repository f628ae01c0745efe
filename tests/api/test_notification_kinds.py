"""Tests of the operators' switches: a channel of a kind that is off reaches nobody."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, select

from models.audit import audit_entries
from models.events import deliveries
from models.notifications import notifications
from tests.api.conftest import Cast
from tests.api.test_notifications import preferences
from tests.application import ApiClient, World
from tests.concurrency.racing import Race
from tests.queries import broken_invariants, execute
from workflows.bookings.records import Booking
from workflows.notifications.kinds import OFFERED

PATH = "/operations/notification-kinds"
ON = {"mail": True, "push": True, "inApp": True}


def kinds(client: ApiClient, cast: Cast) -> dict[str, dict[str, Any]]:
    listed = client.get(PATH, headers=cast.as_operator).json["items"]
    assert [item["kind"] for item in listed] == list(OFFERED)
    return {item["kind"]: item for item in listed}


def test_every_channel_is_on_at_first(client: ApiClient, cast: Cast) -> None:
    for item in kinds(client, cast).values():
        assert {name: item[name] for name in ON} == ON
    assert kinds(client, cast)["session_created"]["description"] == "A session is booked."


def test_a_channel_that_is_off_reaches_nobody(
    world: World, client: ApiClient, cast: Cast, draft: Booking, engine: Engine
) -> None:
    off = {"mail": False, "push": True, "inApp": True}
    answer = client.put(f"{PATH}/session_created", json=off, headers=cast.as_operator)
    assert answer.status_code == 200
    assert answer.json == kinds(client, cast)["session_created"]
    assert answer.json | off == answer.json
    wanted = {"items": [{"kind": "session_created", "channels": {"email": True}}]}
    client.put("/notification-preferences", json=wanted, headers=cast.as_mentee)
    assert preferences(client, cast.as_mentee)["session_created"] == {"inApp": True, "email": False, "push": True}

    assert client.patch(f"/bookings/{draft.id}/accept", headers=cast.as_mentor).status_code == 202
    world.run_database_effects()
    query = select(notifications.c.channel).where(notifications.c.kind == "session_created")
    assert {str(row.channel) for row in execute(engine, query)} == {"in_app"}
    sent = select(deliveries.c.state, deliveries.c.last_error).where(
        deliveries.c.effect == "mail.send", deliveries.c.last_error.like("Operators%")
    )
    assert {(str(row.state), row.last_error) for row in execute(engine, sent)} == {
        ("cancelled", "Operators have switched off the kind session_created for email.")
    }
    assert not broken_invariants(engine)
    client.put(f"{PATH}/session_created", json=ON, headers=cast.as_operator)
    assert preferences(client, cast.as_mentee)["session_created"]["email"]


def test_the_audit_tells_which_kind_was_switched(client: ApiClient, cast: Cast, engine: Engine) -> None:
    client.put(f"{PATH}/seat_left", json={**ON, "push": False}, headers=cast.as_operator)
    query = select(audit_entries.c.data).where(audit_entries.c.action == "notification_kind.switched")
    (entry,) = execute(engine, query)
    assert entry.data == {"kind": "seat_left", "mail": True, "push": False, "in_app": True}


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("lottery_won", ON, 404, "no such kind"),
        ("confirm_mail", {**ON, "mail": False}, 400, "confirm_mail is always mailed"),
        ("session_cancelled", {**ON, "inApp": False}, 400, "session_cancelled cannot be switched off"),
        ("session_created", {"mail": False}, 400, ""),
        ("session_created", {**ON, "sms": True}, 400, ""),
        ("session_created", {**ON, "mail": None}, 400, ""),
    ],
)
def test_what_cannot_be_switched_is_refused(
    client: ApiClient, cast: Cast, kind: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = client.put(f"{PATH}/{kind}", json=body, headers=cast.as_operator)
    assert answer.status_code == status
    assert said in answer.json["message"]
    for item in kinds(client, cast).values():
        assert {name: item[name] for name in ON} == ON


def test_two_switches_at_once_leave_one_of_them(world: World, cast: Cast) -> None:
    bodies = [{"mail": False, "push": True, "inApp": True}, {"mail": True, "push": False, "inApp": True}]

    def switch(body: dict[str, bool]) -> int:
        return world.client.put(f"{PATH}/seat_left", json=body, headers=cast.as_operator).status_code

    race = Race(world.engine, len(bodies))
    assert race.run([partial(switch, body) for body in bodies]) == [200, 200]
    race.close()
    found = kinds(world.client, cast)["seat_left"]
    assert {name: found[name] for name in ON} in bodies
