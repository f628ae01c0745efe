"""Group sessions: the record, the list, and a caller's own place and view."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Uuid, and_, bindparam, exists, false, func, not_, null, select
from sqlalchemy.sql.expression import TextualSelect

from models.base import Timestamp, enum_literal, sql
from models.bookings import BookingKind, booking_participants, bookings
from models.groups import group_session_templates, group_sessions, seat_answers, seat_cancellations, waitlist_entries
from models.people import mentor_profiles
from models.prepared import PreparedStatement
from models.sessions import SessionStatus, sessions
from workflows.bookings.records import SHOWN_WITH_BOOKING, Booking, booking_query
from workflows.identity.access import has_access, is_mentor
from workflows.identity.actor import Actor
from workflows.identity.parties import Participant, participants_of
from workflows.kernel.errors import DomainError, Invalid, NotFound
from workflows.kernel.paging import EARLIEST_START_FIRST, Page, PagedList, narrowed
from workflows.kernel.records import Record
from workflows.payments.records import payment_of_seat

MAX_LEFT_SEATS = 100

# What changes about a group's booking, which itself never does once it is accepted.
_CHANGING = (
    *("template_id", "occurs_on", "capacity", "seats_taken", "seats_offered", "cancelled_at"),
    *("updated_at", "version"),
)

# As the template asks them now: of all of its groups.
_QUESTIONS = (
    select(group_session_templates.c.questions)
    .where(group_session_templates.c.id == group_sessions.c.template_id)
    .scalar_subquery()
    .label("questions")
)


@dataclass(frozen=True, kw_only=True)
class Group(Booking):
    """The accepted booking of a group with its seats; `id` is the booking's, the price that of one seat.

    `version` and `updated_at` are those of its row in `group_sessions`, whose seats move in one statement each.
    `occurs_on` is its date in the template's zone. It is over for good when `cancelled_at` is set.
    """

    template_id: UUID
    occurs_on: date
    capacity: int
    seats_taken: int
    seats_offered: int
    cancelled_at: datetime | None
    questions: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def columns(cls) -> list[ColumnElement[Any]]:
        """The booking's columns, and those of its row in `group_sessions`."""
        fixed = [column for column in Booking.columns() if column.name not in _CHANGING]
        return [*fixed, *(group_sessions.c[name] for name in _CHANGING)]

    @classmethod
    def query(cls) -> Select[Any]:
        """A select of every group session."""
        # The payment of a group is the payment of the caller's seat.
        shown = [*cls.columns(), *(column for column in SHOWN_WITH_BOOKING if column.name != "payment")]
        return select(*shown, _QUESTIONS).join_from(
            bookings, group_sessions, group_sessions.c.booking_id == bookings.c.id
        )

    @property
    def full(self) -> bool:
        """Whether every seat is taken or offered to someone on the waiting list."""
        return self.seats_taken + self.seats_offered >= self.capacity


@dataclass(frozen=True, kw_only=True)
class ListedGroup(Group):
    """A group session as it stands in one caller's list; `payment` is the latest of the caller's own.

    `waitlist_position` is 1 for the first in line, None for a caller who is not on the waiting list.
    """

    joined: bool
    waitlist_position: int | None


@dataclass(frozen=True, kw_only=True)
class SeatCancellation(Record):
    """What it cost to leave a seat, and when it was left. Amounts are minor units of `currency`.

    `credit_returned` is whether the credit that paid for the seat went back to its bundle; None where none did.
    `reason` is for the mentor and operators.
    """

    table = seat_cancellations

    seat_id: UUID
    user_id: UUID
    name: str
    late: bool
    fee_amount: int
    refund_amount: int
    currency: str
    reason: str | None
    credit_returned: bool | None
    created_at: datetime
    waived_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SeenGroup(ListedGroup):
    """A group session as one caller sees it; only its mentor and operators see the participants.

    `cancellations` are the latest seats that were left: all for its mentor and operators, for others their own.
    """

    participants: list[Participant] | None
    cancellations: list[SeatCancellation]


def not_a_group(db: Connection, actor: Actor, booking_id: UUID) -> DomainError:
    """The refusal for an id that is no group session's: `not_a_group` for another booking that the caller may see."""
    row = db.execute(booking_query(booking_id)).one_or_none()
    if row is None or not has_access(actor, Booking.of(row)):
        return NotFound("There is no such group session.")
    return Invalid(code="not_a_group")


def _joined(user_id: UUID | ColumnElement[UUID]) -> ColumnElement[bool]:
    seat = booking_participants.c
    return exists().where(seat.booking_id == bookings.c.id, seat.user_id == user_id)


def _waitlist_position(user_id: UUID | ColumnElement[UUID]) -> ColumnElement[int | None]:
    ahead, own = waitlist_entries.alias("ahead"), waitlist_entries.alias("own")
    position = (
        select(func.count())
        .select_from(own)
        .join(ahead, and_(ahead.c.booking_id == own.c.booking_id, ahead.c.id <= own.c.id))
        .where(own.c.booking_id == bookings.c.id, own.c.user_id == user_id)
    )
    return func.nullif(position.scalar_subquery(), 0)


# A session can be started early: the time alone does not tell whether it has begun.
_HAS_STARTED = exists().where(
    sessions.c.booking_id == bookings.c.id, sessions.c.status != enum_literal(SessionStatus.SCHEDULED)
)
_IS_SOLD = exists().where(mentor_profiles.c.id == bookings.c.mentor_profile_id, mentor_profiles.c.active)
_HAS_SEATS = and_(
    group_sessions.c.cancelled_at.is_(None),
    group_sessions.c.seats_taken + group_sessions.c.seats_offered < group_sessions.c.capacity,
    not_(_HAS_STARTED),
    _IS_SOLD,
)


def groups_query(
    page: Page,
    *,
    user_id: UUID | None = None,
    open_at: datetime | None = None,
    closed_at: datetime | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
) -> Select[Any]:
    """Group sessions, the earliest start first.

    Args:
        user_id: the caller, whose own place in each is shown; None for one without seats, as operators are.
        open_at: those that can be joined then: not begun, not cancelled, with a free seat.
        closed_at: all others.
        from_time: those that start then or later.
        to_time: those that start before then.
    """
    joined: ColumnElement[Any] = false() if user_id is None else _joined(user_id)
    position: ColumnElement[Any] = null() if user_id is None else _waitlist_position(user_id)
    query = Group.query().where(bookings.c.kind == enum_literal(BookingKind.GROUP))
    query = query.add_columns(joined.label("joined"), position.label("waitlist_position"))
    if user_id is not None:
        query = query.add_columns(payment_of_seat(user_id))
    start = bookings.c.start_time
    query = narrowed(
        query,
        (from_time, lambda: start >= from_time),
        (to_time, lambda: start < to_time),
        (open_at, lambda: and_(start > open_at, _HAS_SEATS)),
        (closed_at, lambda: not_(and_(start > closed_at, _HAS_SEATS))),
    )
    return EARLIEST_START_FIRST.select_page(query, page, start, bookings.c.id)


GROUPS = PagedList(ListedGroup, EARLIEST_START_FIRST, groups_query, equal=("course_id", "mentor_profile_id"))

_CALLER = bindparam("user_id", type_=Uuid)
_OWN_PLACE: list[ColumnElement[Any]] = [
    _joined(_CALLER).label("joined"),
    _waitlist_position(_CALLER).label("waitlist_position"),
    payment_of_seat(_CALLER),
    select(seat_answers.c.answers)
    .where(seat_answers.c.booking_id == bookings.c.id, seat_answers.c.user_id == _CALLER)
    .scalar_subquery()
    .label("answers"),
]
_PLACE = PreparedStatement(select(*_OWN_PLACE).where(bookings.c.id == bindparam("id", type_=Uuid)))


def _left_seats(which: str) -> TextualSelect:
    entries = "SELECT bool_or(e.kind = 'give_back') FROM bundle_entries e WHERE e.seat_id = c.seat_id"
    statement = f"""
SELECT c.seat_id, c.user_id, u.name, c.late, c.fee_amount, c.refund_amount, c.currency, c.reason, c.created_at,
       c.waived_at, ({entries}) AS credit_returned
FROM seat_cancellations c JOIN users u ON u.id = c.user_id
WHERE c.booking_id = :booking_id {which}
ORDER BY c.created_at DESC, c.seat_id DESC LIMIT {MAX_LEFT_SEATS}
"""
    return sql(statement).columns(seat_id=Uuid(), user_id=Uuid(), created_at=Timestamp, waived_at=Timestamp)


_LEFT_SEATS = _left_seats("")
_OWN_LEFT_SEATS = _left_seats("AND c.user_id = :user_id")


def seen_by(db: Connection, actor: Actor, group: Group) -> SeenGroup:
    """The group with the caller's own place, and for its mentor and operators with the participants."""
    place: dict[str, Any] = {"joined": False, "waitlist_position": None}
    if actor.user_id is not None:
        place = _PLACE.one_or_none(db, {"id": group.id, "user_id": actor.user_id}) or place
    if actor.operator or is_mentor(actor, group):
        rows = db.execute(_LEFT_SEATS, {"booking_id": group.id})
        left, participants = [SeatCancellation.of(row) for row in rows], participants_of(db, group.id)
    else:
        rows = db.execute(_OWN_LEFT_SEATS, {"booking_id": group.id, "user_id": actor.user_id})
        left, participants = [replace(SeatCancellation.of(row), reason=None) for row in rows], None
    # Of a seat that an operator takes for a person, it is that person's.
    place["payment"] = place.get("payment") or group.payment
    return SeenGroup(**{**vars(group), **place}, participants=participants, cancellations=left)
