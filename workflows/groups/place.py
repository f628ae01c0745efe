"""One person's place in a group session, read under the lock under which its seats and its waiting list move."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam

from models.base import Timestamp, sql
from models.bookings import booking_participants
from models.prepared import PreparedStatement
from models.sessions import SessionStatus
from workflows.groups.records import Group
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition, NotFound
from workflows.kernel.locks import lock_person_and_group
from workflows.kernel.records import Record

# A seat that is paid before was agreed to when its payment was asked for.
_READ = sql("""
SELECT b.id AS booking_id, :user_id AS user_id, m.user_id AS mentor_user_id, m.active AS mentor_active,
       g.cancelled_at,
       s.status AS session_status,
       CASE WHEN coalesce(paid.created_at, p.created_at) <= s.rescheduled_at THEN s.rescheduled_at END AS moved_at,
       p.seat_id, p.price_amount, p.price_currency, p.bundle_purchase_id,
       bundle.valid_to AS bundle_valid_to,
       w.id AS entry_id, w.offered_until, awaited.id AS awaited_payment_id,
       (SELECT count(*) FROM waitlist_entries ahead WHERE ahead.booking_id = b.id AND ahead.id <= w.id) AS position,
       EXISTS (
           SELECT FROM mentor_blocks WHERE mentor_profile_id = m.id AND mentor_blocks.user_id = :user_id
       ) AS blocked,
       EXISTS (SELECT FROM waitlist_entries waiting WHERE waiting.booking_id = b.id) AS has_waitlist
FROM bookings b
JOIN group_sessions g ON g.booking_id = b.id
JOIN mentor_profiles m ON m.id = b.mentor_profile_id
LEFT JOIN sessions s ON s.booking_id = b.id
LEFT JOIN booking_participants p ON p.booking_id = b.id AND p.user_id = :user_id
LEFT JOIN payments paid ON paid.seat_id = p.seat_id
LEFT JOIN bundle_purchases bundle ON bundle.id = p.bundle_purchase_id
LEFT JOIN waitlist_entries w ON w.booking_id = b.id AND w.user_id = :user_id
LEFT JOIN payments awaited
  ON awaited.booking_id = b.id AND awaited.user_id = :user_id AND awaited.seat_id IS NOT NULL
  AND awaited.status = 'awaiting'
WHERE b.id = :booking_id
""").columns(
    booking_id=Uuid(),
    user_id=Uuid(),
    mentor_user_id=Uuid(),
    cancelled_at=Timestamp,
    moved_at=Timestamp,
    seat_id=Uuid(),
    bundle_purchase_id=Uuid(),
    bundle_valid_to=Timestamp,
    entry_id=Uuid(),
    offered_until=Timestamp,
    awaited_payment_id=Uuid(),
)
_GROUP = PreparedStatement(Group.by_id(bindparam("id", type_=Uuid)))


@dataclass(frozen=True, kw_only=True)
class Place(Record):
    """A person's seat in a group, or their entry in its waiting list; each is None where they have none.

    `position` is 1 for the first in line, `offered_until` the end of the offer that they hold. `session_status` is None
    while the session does not exist yet.
    """

    table = booking_participants

    booking_id: UUID
    user_id: UUID
    mentor_user_id: UUID
    mentor_active: bool
    blocked: bool  # whether the mentor has blocked the person
    cancelled_at: datetime | None
    session_status: SessionStatus | None
    moved_at: datetime | None  # when the session last moved, since the person has the seat
    seat_id: UUID | None
    price_amount: int | None
    price_currency: str | None
    bundle_purchase_id: UUID | None
    bundle_valid_to: datetime | None
    entry_id: UUID | None
    offered_until: datetime | None
    awaited_payment_id: UUID | None  # of a seat that is kept for the person until it is paid
    position: int
    has_waitlist: bool

    @property
    def has_seat(self) -> bool:
        """Whether the person takes part."""
        return self.seat_id is not None

    @property
    def is_kept(self) -> bool:
        """Whether a seat is kept for the person until it is paid."""
        return self.awaited_payment_id is not None


def read_group(db: Connection, booking_id: UUID) -> Group:
    """The group as it stands now."""
    values = _GROUP.one_or_none(db, {"id": booking_id})
    assert values is not None
    return Group.of_values(values)


def lock_place(db: Connection, group: Group, user_id: UUID) -> Place:
    """Lock a person's calendar and the group, and read their place in it. Raises NotFound: there is no such user."""
    if not lock_person_and_group(db, user_id=user_id, booking_id=group.id):
        raise NotFound("There is no such user.")
    # A statement of its own: under the lock it sees what another one has committed.
    return read_place(db, group.id, user_id)


def read_place(db: Connection, booking_id: UUID, user_id: UUID) -> Place:
    """A person's place in the group."""
    return Place.of(db.execute(_READ, {"booking_id": booking_id, "user_id": user_id}).one())


def is_open(group: Group, place: Place, *, now: datetime) -> bool:
    """Whether the group session is neither cancelled nor has begun, by the clock or early."""
    scheduled = place.session_status in (None, SessionStatus.SCHEDULED)
    return place.cancelled_at is None and scheduled and group.start_time > now


def require_open(group: Group, place: Place, *, now: datetime) -> None:
    """Refuse what is possible only before the group session begins.

    Raises:
        InvalidTransition: it has begun, is over, or is cancelled.
    """
    if place.cancelled_at is not None or place.session_status == SessionStatus.CANCELLED:
        raise InvalidTransition("This group session is cancelled; choose another one.")
    if not is_open(group, place, now=now):
        raise InvalidTransition("This group session has already begun.")


def require_joinable(group: Group, place: Place, *, now: datetime) -> None:
    """Refuse a person who can neither take a seat nor wait for one.

    Raises:
        InvalidTransition: the group session has begun, is over, or is cancelled.
        Conflict: `not_bookable`, where the mentor is not active or has blocked the person; `already_joined`, also by a
            seat that is kept until it is paid.
        Invalid: the person is its mentor.
    """
    require_open(group, place, now=now)
    if place.blocked or not place.mentor_active:
        raise Conflict(code="not_bookable")
    if place.user_id == place.mentor_user_id:
        raise Invalid("A mentor cannot take a seat in their own group session.")
    if place.has_seat or place.is_kept:
        raise Conflict(code="already_joined")
