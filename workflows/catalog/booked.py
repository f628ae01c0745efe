"""The things that were booked as columns of a select: a booking's listing and course, and a session's booking."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Label, literal_column
from sqlalchemy.types import UserDefinedType

from workflows.identity.parties import ShownObject

_NAMED = "CAST({0}.id AS text), {0}.title, {0}.external_id"
_OFFERED = ShownObject(("id", "title", "externalId"))


def shown_offer(of: str) -> list[Label[Any]]:
    """The columns `listing` and `course` of a select, each an object or null; looked up for the rows of a page alone.

    Args:
        of: the name of the table, or of the part of the statement, that has `listing_id` and `course_id`.
    """
    tables = {"listing": "listings", "course": "courses"}
    return [
        literal_column(
            f"(SELECT ARRAY[{_NAMED.format('o')}] FROM {table} o WHERE o.id = {of}.{name}_id)", _OFFERED
        ).label(name)
        for name, table in tables.items()
    ]


class _BookingOfSession(UserDefinedType[dict[str, Any]]):
    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        return "TEXT[]"

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Callable[[Any], dict[str, Any] | None]:
        return _booking_of_session


def _booking_of_session(values: list[Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    external_id, kind, amount, currency, bundle, answers, *others = values
    listing, course, (payment, status) = others[:3], others[3:6], others[6:]
    return {
        "externalId": external_id,
        "kind": kind,
        "price": {"amount": int(amount), "currency": currency},
        "bundlePurchaseId": bundle,
        # Encrypted.
        "answers": answers,
        "listing": _named(listing),
        "course": _named(course),
        "payment": {"id": payment, "status": status} if payment else None,
    }


def _named(values: list[str | None]) -> dict[str, str | None] | None:
    return dict(zip(_OFFERED.names, values, strict=True)) if values[0] else None


# All in one lookup of the booking. The payment as bookings show it.
BOOKING_OF_SESSION: Label[Any] = literal_column(
    f"""(
    SELECT ARRAY[
        b.external_id, CAST(b.kind AS text), CAST(b.price_amount AS text), b.price_currency,
        CAST(b.bundle_purchase_id AS text), b.answers, {_NAMED.format("l")}, {_NAMED.format("c")},
        CAST(p.id AS text), CAST(p.status AS text)
    ]
    FROM bookings b LEFT JOIN listings l ON l.id = b.listing_id LEFT JOIN courses c ON c.id = b.course_id
    LEFT JOIN LATERAL (
        SELECT paid.id, paid.status FROM payments paid
        WHERE b.payment_mode = 'before' AND b.price_amount > 0 AND b.kind = 'individual'
          AND (paid.series_id = b.series_id
               OR (paid.series_id IS NULL AND paid.seat_id IS NULL AND paid.booking_id = b.id))
        LIMIT 1
    ) AS p ON true
    WHERE b.id = sessions.booking_id
)""",
    _BookingOfSession(),
).label("booking")
