"""Earnings, recounted from the ledger of payments."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.payments import payment_entries, payments
from models.sessions import sessions
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import World, as_mentor
from tests.queries import execute
from workflows.sessions.actions import create

PRICE = {"amount": 4000, "currency": "USD"}


def earnings(world: World, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = world.client.get(f"/analytics/earnings?{query}", headers=headers)
    assert answer.status_code == 200, answer.json
    items: list[dict[str, Any]] = answer.json["items"]
    return items


@pytest.fixture
def paid(world: World, cast: Cast) -> None:
    """Two paid sessions of the mentor, one held and one cancelled late, and a paid one of another mentor, refunded."""
    with world.engine.begin() as db:
        other = factories.make_listing(db, cast.other_mentor)
        strict = factories.make_listing(db, cast.mentor, cancellation_window_hours=8784, early_start_minutes=None)
        booked = [factories.make_prepaid_booking(db, listing=each, mentee=cast.mentee) for each in (strict, strict)]
        elsewhere = factories.make_prepaid_booking(db, listing=other, mentee=cast.mentee)
    for number, booking in enumerate([*booked, elsewhere]):
        assert booking.payment is not None
        path = f"/payments/{booking.payment.id}/confirm"
        confirmed = world.client.post(
            path, headers=cast.as_operator, json={"reference": f"pi_{number}", "amount": PRICE}
        )
        assert confirmed.status_code == 200
    with world.engine.begin() as db:
        held, late, refunded = [create(db, booking_id=each.id) for each in (*booked, elsewhere)]
        # For an hour after the acceptance, there is no fee.
        long_ago = sessions.c.created_at - timedelta(hours=2)
        db.execute(update(sessions).where(sessions.c.id == late.id).values(created_at=long_ago))
    client = world.client
    for step in ("start", "complete"):
        assert client.patch(f"/sessions/{held.id}/{step}", headers=cast.as_mentor).status_code == 200
    cancelled = client.post(f"/sessions/{late.id}/cancel", headers=cast.as_mentee, json={"reason": "Ill"})
    assert cancelled.status_code == 200
    back = client.post(f"/sessions/{refunded.id}/cancel", headers=as_mentor(cast.other_mentor), json={"reason": "Ill"})
    assert back.status_code == 200


def recounted(world: World, mentor_profile_id: Any = None) -> dict[str, int]:
    statement = select(payment_entries.c.kind, payment_entries.c.amount, payments.c.mentor_profile_id).join(payments)
    sums: dict[str, int] = defaultdict(int)
    for row in execute(world.engine, statement):
        if mentor_profile_id in (None, row.mentor_profile_id):
            sums[row.kind] += row.amount
    return sums


@pytest.mark.usefixtures("paid")
def test_earnings_equal_the_ledger(world: World, cast: Cast) -> None:
    month = f"{datetime.now(UTC):%Y-%m}"
    for reader, mentor in ((cast.as_mentor, cast.mentor.id), (cast.as_operator, None)):
        sums = recounted(world, mentor)
        (found,) = earnings(world, reader)
        assert (found["month"], found["currency"]) == (month, "USD")
        assert (found["charged"], found["refunded"]) == (sums["charge"], sums["refund_due"])
        assert found["net"] == sums["charge"] - sums["refund_due"]
        assert found["sessions"] == 1
    by_mentor = {each["mentorProfileId"]: each for each in earnings(world, cast.as_operator, "groupBy=mentor")}
    own, other = by_mentor[str(cast.mentor.id)], by_mentor[str(cast.other_mentor.id)]
    assert (other["charged"], other["refunded"], other["fees"], other["net"]) == (4000, 4000, 0, 0)
    assert own["net"] == own["charged"] - own["refunded"]
    assert own["fees"] == 4000 - own["refunded"] == 2000
    assert earnings(world, cast.as_mentor, "groupBy=mentor") == [own]


@pytest.mark.usefixtures("paid")
def test_a_period_without_money_has_no_rows(world: World, cast: Cast) -> None:
    assert earnings(world, cast.as_operator, "from=2001-01-01&to=2001-01-31") == []
    table = world.client.get("/analytics/earnings", headers=cast.as_operator | {"Accept": "text/csv"})
    assert table.data.decode().splitlines()[0] == "month,currency,sessions,charged,refunded,fees,net"


def test_earnings_are_for_mentors_about_themselves(world: World, cast: Cast) -> None:
    assert world.client.get("/analytics/earnings", headers=cast.as_mentee).status_code == 403
    other = f"/analytics/earnings?mentorProfileId={cast.other_mentor.id}"
    assert world.client.get(other, headers=cast.as_mentor).status_code == 403
    assert earnings(world, cast.as_mentor) == []
