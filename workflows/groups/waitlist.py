"""The waiting list of a full group session: a freed seat is offered to the first in line, for a limited time."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, TextualSelect, Uuid
from uuid_utils.compat import uuid7

from models.base import Timestamp, sql
from models.payments import PaymentStatus
from workflows.availability.busy import IS_BUSY, require_free
from workflows.events.event import Event
from workflows.events.event_types import GroupSessionChanged, WaitlistDropped, WaitlistOffered
from workflows.events.record import record
from workflows.groups.awaited import free_all_seats
from workflows.groups.place import Place, lock_place, read_group, read_place, require_joinable
from workflows.groups.records import Group
from workflows.identity.actor import SYSTEM, Actor
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict
from workflows.kernel.locks import lock_group
from workflows.kernel.operator_policy import OperatorPolicy

LAPSED = "lapsed"
CANCELLED = "cancelled"
BEGUN = "begun"
# Groups of one transaction, which locks them.
OFFERED_AT_ONCE = 50


def _deleting(which: str) -> TextualSelect:
    """The statement that deletes entries of a group's waiting list with the seats that are offered to them."""
    return sql(f"""
WITH dropped AS (
    DELETE FROM waitlist_entries WHERE booking_id = :booking_id {which}
    RETURNING id, user_id, offered_until
),
counted AS (
    UPDATE group_sessions SET seats_offered = seats_offered - (SELECT count(offered_until) FROM dropped)
    WHERE booking_id = :booking_id AND EXISTS (SELECT FROM dropped WHERE offered_until IS NOT NULL)
)
SELECT user_id FROM dropped ORDER BY id
""").columns(user_id=Uuid())


# A person whose offer ends while the mentor is inactive could not accept it, and waits on in the same position.
_END_LAPSED = sql("""
WITH mentor AS (
    SELECT m.active FROM bookings b JOIN mentor_profiles m ON m.id = b.mentor_profile_id WHERE b.id = :booking_id
),
kept AS (
    UPDATE waitlist_entries SET offered_until = NULL FROM mentor
    WHERE booking_id = :booking_id AND offered_until <= :now AND NOT mentor.active
    RETURNING id, user_id, false AS dropped
),
dropped AS (
    DELETE FROM waitlist_entries USING mentor
    WHERE booking_id = :booking_id AND offered_until <= :now AND mentor.active
    RETURNING id, user_id, true AS dropped
),
ended AS (
    SELECT * FROM kept UNION ALL SELECT * FROM dropped
),
counted AS (
    UPDATE group_sessions SET seats_offered = seats_offered - (SELECT count(*) FROM ended)
    WHERE booking_id = :booking_id AND EXISTS (SELECT FROM ended)
)
SELECT user_id, dropped FROM ended ORDER BY id
""").columns(user_id=Uuid())
_DROP_OWN = _deleting("AND user_id = :user_id")
_DROP_ALL = _deleting("")
_ENTER = sql("INSERT INTO waitlist_entries (id, booking_id, user_id) VALUES (:id, :booking_id, :user_id)")
_IS_WAITING = sql("SELECT EXISTS (SELECT FROM waitlist_entries WHERE booking_id = :booking_id AND user_id = :user_id)")
_OFFERED_UNTIL = sql("SELECT offered_until FROM waitlist_entries WHERE booking_id = :booking_id AND user_id = :user_id")
# People to whom a seat can be offered. Nothing is offered once the session has been started, however early, nor by an
# inactive mentor, nor to a person who is blocked, or busy at that time: they keep their position, and the next in line
# gets the seat.
_WAITING = f"""
FROM bookings b
JOIN group_sessions g ON g.booking_id = b.id AND g.seats_taken + g.seats_offered < g.capacity
JOIN mentor_profiles m ON m.id = b.mentor_profile_id AND m.active
JOIN waitlist_entries w ON w.booking_id = b.id AND w.offered_until IS NULL
LEFT JOIN sessions s ON s.booking_id = b.id
WHERE b.kind = 'group' AND b.start_time > :now AND g.cancelled_at IS NULL
  AND coalesce(s.status, 'scheduled') = 'scheduled'
  AND NOT EXISTS (
      SELECT FROM mentor_blocks k WHERE k.mentor_profile_id = b.mentor_profile_id AND k.user_id = w.user_id
  )
  AND NOT {IS_BUSY.format(user_id="w.user_id", start_time="b.start_time", end_time="b.end_time")}
"""
WAITED_FOR = sql(f"SELECT DISTINCT g.booking_id {_WAITING} ORDER BY g.booking_id LIMIT :limit").columns(
    booking_id=Uuid()
)
_OFFER = sql(f"""
WITH first AS (
    SELECT w.id {_WAITING} AND b.id = :booking_id
    ORDER BY w.id
    LIMIT (SELECT capacity - seats_taken - seats_offered FROM group_sessions WHERE booking_id = :booking_id)
),
offered AS (
    UPDATE waitlist_entries SET offered_until = CAST(:until AS timestamptz) FROM first
    WHERE waitlist_entries.id = first.id
    RETURNING waitlist_entries.id, waitlist_entries.user_id, waitlist_entries.offered_until
),
counted AS (
    UPDATE group_sessions SET seats_offered = seats_offered + (SELECT count(*) FROM offered)
    WHERE booking_id = :booking_id AND EXISTS (SELECT FROM offered)
)
SELECT user_id, offered_until FROM offered ORDER BY id
""").columns(user_id=Uuid(), offered_until=Timestamp)


def join_waitlist(
    db: Connection, *, actor: Actor, group: Group, now: datetime, policy: OperatorPolicy
) -> tuple[Place, bool]:
    """Put the caller at the end of the waiting list; those who are on it keep their position.

    Args:
        policy: how long a seat is kept for a person to whom it is offered, and whether mentees may overlap.

    Returns:
        the caller's place, and whether it is new.

    Raises:
        InvalidTransition: the group session has begun or is cancelled.
        Invalid: the caller is its mentor.
        Conflict: `not_bookable`; `already_joined`; `slot_taken` with `details.mentee`, as it would be for a seat;
            `seats_free`.
    """
    assert actor.user_id is not None
    place = lock_place(db, group, actor.user_id)
    require_joinable(group, place, now=now)
    place = after_offers(db, group, place, now=now, policy=policy)
    if place.entry_id is not None:
        return place, False
    if not read_group(db, group.id).full:
        raise Conflict(code="seats_free")
    require_free(db, actor.user_id, group.start_time, group.end_time, mentee_overlap=policy.mentee_overlap)
    # Under the group's lock: the order of the ids is that in which people came.
    with constraint_errors():
        db.execute(_ENTER, {"id": uuid7(), "booking_id": group.id, "user_id": actor.user_id})
    return read_place(db, group.id, actor.user_id), True


def is_waiting(db: Connection, group: Group, user_id: UUID) -> bool:
    """Whether a person is on the waiting list."""
    return bool(db.scalar(_IS_WAITING, {"booking_id": group.id, "user_id": user_id}))


def leave_waitlist(db: Connection, *, actor: Actor, group: Group, now: datetime, policy: OperatorPolicy) -> None:
    """Take the caller off the waiting list; a seat that was kept for them is offered to the next. Idempotent."""
    lock_group(db, group.id)
    if drop_own_entry(db, group.id, actor.user_id):
        record(db, GroupSessionChanged.about(group, actor=actor, now=now))
    offer_seats(db, group=group, now=now, policy=policy)


def offer_seats(db: Connection, *, group: Group, now: datetime, policy: OperatorPolicy) -> None:
    """End the offers that have lapsed, and offer every free seat to the next in line, under the group's lock.

    To be called wherever a seat may have become free: when one is left or declined, an offer has lapsed, or the
    capacity was raised. An offer ends at the start at the latest. Those who are busy at that time are passed over.
    """
    ended = db.execute(_END_LAPSED, {"booking_id": group.id, "now": now}).all()
    news: list[Event] = [_dropped(group, row.user_id, LAPSED, now) for row in ended if row.dropped]
    if len(news) < len(ended):
        news.append(GroupSessionChanged.about(group, actor=SYSTEM, now=now))
    minutes = policy.waitlist_offer_minutes
    wanted = {
        "booking_id": group.id,
        "now": now,
        "until": min(group.start_time, now + timedelta(minutes=minutes)) if minutes else group.start_time,
        "mentee_overlap": policy.mentee_overlap,
    }
    news += [
        WaitlistOffered.about(group, actor=SYSTEM, now=now, user_id=row.user_id, expires_at=row.offered_until)
        for row in db.execute(_OFFER, wanted)
    ]
    if news:
        record(db, *news)


def offer_waited_seats(db: Connection, *, now: datetime, policy: OperatorPolicy, limit: int = OFFERED_AT_ONCE) -> bool:
    """Offer free seats of upcoming groups to people who wait for them; returns whether there may be more.

    Seats stay free while everybody in line is busy or the mentor is inactive; the end of either calls nothing here.
    """
    waited_for = db.scalars(WAITED_FOR, {"now": now, "mentee_overlap": policy.mentee_overlap, "limit": limit}).all()
    for booking_id in waited_for:
        lock_group(db, booking_id)
        offer_seats(db, group=read_group(db, booking_id), now=now, policy=policy)
    return len(waited_for) == limit


def is_offered(db: Connection, event: WaitlistOffered, *, now: datetime) -> bool:
    """Whether that seat is still kept for that person."""
    offered_until = db.scalar(_OFFERED_UNTIL, {"booking_id": event.booking_id, "user_id": event.user_id})
    return event.expires_at == offered_until and now < event.expires_at


def after_offers(db: Connection, group: Group, place: Place, *, now: datetime, policy: OperatorPolicy) -> Place:
    """The person's place once lapsed offers have ended, whether their timer has run or not."""
    if not place.has_waitlist:
        return place
    offer_seats(db, group=group, now=now, policy=policy)
    return read_place(db, group.id, place.user_id)


def drop_own_entry(db: Connection, booking_id: UUID, user_id: UUID | None) -> bool:
    """Delete a person's entry with the seat that is offered to them; whether there was one."""
    return db.execute(_DROP_OWN, {"booking_id": booking_id, "user_id": user_id}).one_or_none() is not None


def close_waitlist(
    db: Connection, *, booking_id: UUID, now: datetime, unless_moved_from: datetime | None = None
) -> None:
    """Delete the waiting list of a group session that has begun, and end the payments that are awaited for its seats;
    their people are notified.

    By durable effects, at the start and when the session is started before it. Nothing enters it afterwards: entering
    holds the group's lock, and refuses what has begun.

    Args:
        unless_moved_from: the start at which the list ends, unless the session has moved since.
    """
    lock_group(db, booking_id)
    group = read_group(db, booking_id)
    if unless_moved_from not in (None, group.start_time):
        return
    dropped = drop_waitlist(db, group, reason=BEGUN, now=now)
    if dropped:
        record(db, *dropped)
    if group.is_prepaid:
        free_all_seats(db, group, PaymentStatus.LAPSED, now=now)


def drop_waitlist(db: Connection, group: Group, *, reason: str, now: datetime) -> list[WaitlistDropped]:
    """Delete the whole waiting list of a group, under its lock; the events are the caller's to record."""
    rows = db.execute(_DROP_ALL, {"booking_id": group.id})
    return [_dropped(group, row.user_id, reason, now) for row in rows]


def _dropped(group: Group, user_id: UUID, reason: str, now: datetime) -> WaitlistDropped:
    return WaitlistDropped.about(group, actor=SYSTEM, now=now, user_id=user_id, reason=reason)
