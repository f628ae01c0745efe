"""Tests of what an endpoint misses: what happens or comes due while it is not active is kept, and can be recovered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from models.events import deliveries
from models.webhooks import EndpointState
from tests.factories import OPERATOR, make_booking
from tests.integration.endpoints import attempts_kept, listening, messages, set_endpoint
from tests.integration.house import House
from workflows.webhooks.endpoint import Endpoint, endpoint_query
from workflows.webhooks.recover import recover

NOT_ACTIVE = [EndpointState.PENDING, EndpointState.PAUSED, EndpointState.DISABLED]


def becomes(house: House, endpoint_id: UUID, state: EndpointState) -> None:
    reason = "Nobody answered." if state is EndpointState.DISABLED else None
    set_endpoint(house, endpoint_id, state=state, disabled_reason=reason)


def runs(house: House, endpoint_id: UUID) -> list[Any]:
    """Whatever is kept for the endpoint, in order."""
    query = select(deliveries).where(deliveries.c.target.startswith(str(endpoint_id)))
    with house.engine.connect() as db:
        return list(db.execute(query.order_by(deliveries.c.event_id, deliveries.c.target)))


def recovered(house: House, endpoint_id: UUID) -> int:
    with house.transactions() as db:
        found = Endpoint.of(db.execute(endpoint_query(endpoint_id)).one())
        now = db.execute(select(func.now())).scalar_one()
        return recover(db, actor=OPERATOR, endpoint=found, since=now - timedelta(hours=1), now=now)


@pytest.mark.parametrize("state", NOT_ACTIVE)
def test_what_happens_while_an_endpoint_is_not_active_is_kept_without_a_nudge(
    house: House, state: EndpointState
) -> None:
    partner, other = listening(house), listening(house, "https://other.example", event_types=["session.*"])
    becomes(house, partner, state)
    becomes(house, other, state)
    with house.transactions() as db:
        make_booking(db)
    house.nudger.nudges.clear()
    house.deliver("webhooks.queue")
    (run,) = runs(house, partner)
    assert (run.state, run.cancel_reason, run.last_error) == (
        "cancelled",
        "not_listening",
        f"The webhook endpoint is {state}.",
    )
    assert (runs(house, other), house.nudger.nudges) == ([], []), "what it did not ask for is not missed"
    becomes(house, partner, EndpointState.ACTIVE)
    assert recovered(house, partner) == 1
    house.run_all()
    assert [(run.state, run.target) for run in runs(house, partner)] == [
        ("cancelled", str(partner)),
        ("done", f"{partner}:1"),
    ]
    assert [message.webhook_id for message in house.http.received] == [run.event_id]


@pytest.mark.parametrize("state", NOT_ACTIVE)
def test_what_comes_due_while_an_endpoint_is_not_active_is_recovered(house: House, state: EndpointState) -> None:
    partner = listening(house)
    (key,) = messages(house, partner)
    becomes(house, partner, state)
    house.deliverer.deliver(key)
    row = house.row(key)
    assert (row.state, row.cancel_reason, attempts_kept(house, key)) == ("cancelled", "not_listening", ["cancelled"])
    becomes(house, partner, EndpointState.ACTIVE)
    assert [recovered(house, partner), recovered(house, partner)] == [1, 0]
    house.run_all()
    assert [run.state for run in runs(house, partner)] == ["cancelled", "done"]


def test_fanning_out_again_keeps_nothing_twice(house: House) -> None:
    partner = listening(house, state=EndpointState.PAUSED)
    with house.transactions() as db:
        make_booking(db)
    key = house.deliver("webhooks.queue")
    house.change(key, state="pending", done_at=None)
    becomes(house, partner, EndpointState.ACTIVE)
    house.deliverer.deliver(key)
    assert [run.state for run in runs(house, partner)] == ["cancelled"]
    assert recovered(house, partner) == 1
