"""Seats that await their payment: each is kept as an offered seat is, taken with its payment, and freed without it.

The awaited payment stands for such a seat, which blocks the time of its person. All of it changes under the lock of the
group.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam

from models.base import enum_literal, sql
from models.payments import PaidFor, PaymentStatus, payments
from workflows.events.event_types import GroupSessionChanged, SeatJoined
from workflows.events.record import record
from workflows.groups.place import read_group
from workflows.groups.records import Group
from workflows.identity.actor import SYSTEM, Actor
from workflows.payments.actions import ask, end_waiting
from workflows.payments.records import Payment

# A payment that was waived costs nothing, so that nothing of it is refunded.
_GIVE = sql("""
WITH seat AS (
    UPDATE group_sessions SET seats_taken = seats_taken + 1, seats_offered = seats_offered - 1
    WHERE booking_id = :booking_id
    RETURNING booking_id
)
INSERT INTO booking_participants (booking_id, user_id, seat_id, price_amount, price_currency, product_id)
SELECT booking_id, :user_id, :seat_id, :price_amount, :currency, :product_id FROM seat
""")
_FREE = sql("""
WITH answered AS (
    DELETE FROM seat_answers WHERE booking_id = :booking_id AND user_id = :user_id
),
released AS (
    DELETE FROM person_busy WHERE booking_id = :booking_id AND user_id = :user_id
)
UPDATE group_sessions SET seats_offered = seats_offered - 1 WHERE booking_id = :booking_id
""")
_AWAITED = (
    Payment.query()
    .where(
        payments.c.booking_id == bindparam("booking_id"),
        payments.c.seat_id.is_not(None),
        payments.c.status == enum_literal(PaymentStatus.AWAITING),
    )
    .order_by(payments.c.id)
    .with_for_update(key_share=True)
)


def ask_for_seat(
    db: Connection, group: Group, seat: dict[str, Any], *, actor: Actor, now: datetime, pay_within: timedelta
) -> Group:
    """Ask for the payment of a seat that was just kept; the group as it stands then, with that payment."""
    # The group may have moved since it was read.
    kept = read_group(db, group.id)
    payment = ask(
        db,
        PaidFor.SEAT,
        user_id=seat["user_id"],
        mentor_profile_id=group.mentor_profile_id,
        amount=seat["price_amount"],
        currency=group.price_currency,
        due_before=kept.start_time,
        pay_within=pay_within,
        booking_id=group.id,
        seat_id=seat["seat_id"],
        actor=actor,
        now=now,
    )
    record(db, GroupSessionChanged.about(kept, actor=actor, now=now))
    return replace(kept, payment=payment)


def give_seat(db: Connection, group: Group, payment: Payment, *, actor: Actor, now: datetime) -> None:
    """Let the person of a payment that is paid or waived take part.

    Args:
        actor: who owed the payment.
    """
    seat: dict[str, Any] = {
        "user_id": payment.user_id,
        "seat_id": payment.seat_id,
        "price_amount": payment.charged,
        "currency": payment.currency,
        "product_id": group.product_id,
    }
    db.execute(_GIVE, {**seat, "booking_id": group.id})
    record(db, SeatJoined.about(read_group(db, group.id), actor=actor, now=now, **seat))


def free_seat(
    db: Connection, group: Group, payment: Payment, status: PaymentStatus, *, actor: Actor, now: datetime
) -> None:
    """End the wait for a locked payment, and free its seat, which the caller offers to the next in line."""
    db.execute(_FREE, {"booking_id": group.id, "user_id": payment.user_id})
    end_waiting(db, payment, status, actor=actor, now=now)
    record(db, GroupSessionChanged.about(read_group(db, group.id), actor=actor, now=now))


def free_all_seats(db: Connection, group: Group, status: PaymentStatus, *, now: datetime) -> None:
    """End every awaited payment of a group that has begun or is cancelled, under its lock."""
    for row in db.execute(_AWAITED, {"booking_id": group.id}).all():
        free_seat(db, group, Payment.of(row), status, actor=SYSTEM, now=now)
