"""Tests of the terms of bookings: all that is offered is agreed, and stays as it was when it is offered otherwise."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Table

from models.bookings import bookings
from models.catalog import BookingMode, listings
from models.groups import group_session_templates
from models.payments import PaymentMode
from models.terms import RescheduleMode, agreed_terms, offered_terms
from tests import factories
from workflows.bookings.records import BOOKING_BY_ID, Booking
from workflows.groups.schedule import schedule
from workflows.groups.templates import create_template
from workflows.sessions.actions import create
from workflows.sessions.records import accepted_session
from workflows.settlements.actions import confirm
from workflows.terms.terms import TERM_NAMES, Terms

# Other values than the defaults.
OFFERED: dict[str, Any] = {
    "price_amount": 1234,
    "price_currency": "CHF",
    "buffer_before_minutes": 5,
    "buffer_minutes": 10,
    "early_start_minutes": 30,
    "cancellation_window_hours": 48,
    "late_fee_percent": 70,
    "no_show_fee_percent": 80,
    "reminder_minutes": [30, 60],
    "location": {"kind": "address", "value": "12 Market Street"},
    "payment_mode": PaymentMode.BEFORE,
    "reschedule_mode": RescheduleMode.FREE,
    "reschedule_window_hours": 12,
    "reschedule_max_times": 5,
}


def terms_of(record: Terms) -> dict[str, Any]:
    return {name: getattr(record, name) for name in TERM_NAMES}


def names_of(columns: tuple[Any, ...]) -> set[str]:
    return {each.name for each in columns if isinstance(each, Column)}


def test_a_booking_has_a_column_for_each_term() -> None:
    assert names_of(agreed_terms()) == set(TERM_NAMES) == set(OFFERED)
    assert names_of(offered_terms()) <= set(TERM_NAMES)


@pytest.mark.parametrize("table", [listings, group_session_templates, bookings], ids=str)
def test_no_term_chosen_here_is_a_default(table: Table) -> None:
    for name in TERM_NAMES:
        default = table.c[name].server_default if name in table.c else None
        assert default is None or str(OFFERED[name]) != str(getattr(default, "arg", None)), name


@pytest.mark.parametrize("mode", BookingMode)
def test_a_booking_and_its_session_keep_every_term(db: Connection, mode: BookingMode) -> None:
    listing = factories.make_listing(db, booking_mode=mode, **OFFERED)
    assert terms_of(listing) == OFFERED
    booking = factories.make_booking(db, listing=listing)
    assert terms_of(booking) == OFFERED
    accepted = booking if mode is BookingMode.INSTANT else factories.accept_booking(db, booking)
    assert accepted.payment is not None
    paid: dict[str, Any] = {"reference": "pi_1", "amount": OFFERED["price_amount"], "currency": "CHF"}
    confirm(db, actor=factories.OPERATOR, payment=accepted.payment, now=accepted.created_at, **paid)
    assert terms_of(accepted_session(db, create(db, booking_id=accepted.id).id)) == OFFERED


def test_a_group_keeps_every_term_of_its_template(db: Connection) -> None:
    mentor = factories.make_mentor(db)
    # Seats are not paid before.
    of_groups = set(group_session_templates.c.keys()) - {"payment_mode"}
    chosen = {name: value for name, value in OFFERED.items() if name in of_groups}
    start = factories.next_slot()
    weekly = {"weekday": start.weekday(), "start_time": start.time(), "time_zone": "UTC"}
    columns = {"title": "Exercises", "duration_minutes": 60, "capacity": 3, **weekly, **chosen}
    template = create_template(db, actor=factories.acting_mentor(mentor), columns=columns)
    actor, now = factories.acting_mentor(mentor), start - timedelta(days=1)
    made = schedule(db, actor=actor, template=template, first=start.date(), last=start.date(), now=now).made
    group = Booking.of(db.execute(BOOKING_BY_ID, {"id": made[0].booking_id}).one())
    assert terms_of(group) == terms_of(template) == {**terms_of(template), **chosen}
