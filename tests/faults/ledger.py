"""After the day: whether every time, seat, credit and cent is where the ledger of the plays says, and nowhere twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from tests.faults.checks import Check
from tests.faults.market import Market

_PAYMENTS = "SELECT id::text, status::text, charged, refunded, refund_due, reference FROM payments"
_BOOKINGS = """
SELECT b.id::text, b.status::text, s.status::text, coalesce(s.start_time, b.start_time),
       (SELECT count(*) FROM person_busy p WHERE p.booking_id = b.id)
FROM bookings b LEFT JOIN sessions s ON s.booking_id = b.id WHERE b.id = ANY(%s::uuid[])
"""
_BUNDLES = "SELECT id::text, remaining_sessions FROM bundle_purchases WHERE id = ANY(%s::uuid[])"
_SEATS = """
SELECT g.booking_id::text, g.seats_taken,
       array(SELECT user_id::text FROM booking_participants p WHERE p.booking_id = g.booking_id AND seat_id IS NOT NULL)
FROM group_sessions g WHERE g.booking_id = ANY(%s::uuid[])
"""
_OVERLAPS = """
SELECT a.booking_id::text, b.booking_id::text FROM bookings x
JOIN person_busy a ON a.booking_id = x.id
JOIN person_busy b ON b.user_id = a.user_id AND b.booking_id > a.booking_id AND a.busy && b.busy
WHERE x.listing_id = ANY(%s::uuid[])
"""


def check_ledger(db: psycopg.Connection, market: Market, unanswered: int) -> Iterator[Check]:
    """Compare what must remain with what does, here and at the payment provider.

    Args:
        unanswered: how many plays came to no end; what they left is looked at by the invariants alone.
    """
    ledger, stand_in = market.ledger, market.stand_in
    found = {row[0]: row[1:] for row in db.execute(_PAYMENTS)}
    references = {row[4] for row in found.values()}
    shown = {key: row[:3] for key, row in found.items()}
    yield _compared("a payment has the status, the charge and the refund that it was promised", ledger.payments, shown)
    owed = [
        f"payment {key}: {row[3]} is not sent back" for key, row in found.items() if row[3] and key in ledger.payments
    ]
    yield Check("nothing is owed", len(ledger.payments), owed)
    yield Check(
        "what was charged and refunded is what the provider has taken and sent back",
        len(stand_in.charged),
        [
            f"payment {key}: charged {row[1]} and refunded {row[2]}, at the provider"
            f" {stand_in.charged.get(row[4], 0)} and {stand_in.refunded(row[4])}"
            for key, row in found.items()
            if key in ledger.payments
            and row[4] is not None
            and (row[1], row[2]) != (stand_in.charged.get(row[4], 0), stand_in.refunded(row[4]))
        ]
        + [f"{reference} is nobody's" for reference in _strange(market, references, unanswered)],
    )
    sent = Counter(str(each["metadata"]) for each in stand_in.refunds if each["status"] != "failed")
    yield Check("a refund is sent once", len(sent), [f"refund {key}: {n} times" for key, n in sent.items() if n > 1])
    bookings = {row[0]: row[1:] for row in db.execute(_BOOKINGS, [list(ledger.bookings)])}
    yield _compared("a booking has its state, its session, its time and its people's", ledger.bookings, bookings)
    bundles: dict[str, int] = dict(db.execute(_BUNDLES, [list(ledger.bundles)]).fetchall())
    yield _compared("a bundle has its credits", ledger.bundles, bundles)
    groups = db.execute(_SEATS, [list(ledger.seats)]).fetchall()
    yield _compared("a seat is its person's", ledger.seats, {key: set(people) for key, _taken, people in groups})
    listings = [stall.prepaid for stall in market.stalls]
    overlaps = [f"{one} and {other}" for one, other in db.execute(_OVERLAPS, [listings])]
    yield Check("nobody's time is given twice", len(ledger.bookings), overlaps)


def _strange(market: Market, known: set[str], unanswered: int) -> list[str]:
    """Money that arrived and is nobody's; of a play without an end it may not have been told."""
    strange = [reference for reference in market.stand_in.charged if reference not in known]
    return strange if len(strange) > unanswered else []


def _compared(name: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Check:
    wrong = [f"{key}: {found.get(key)}, and not {each}" for key, each in expected.items() if found.get(key) != each]
    return Check(name, len(expected), wrong)
