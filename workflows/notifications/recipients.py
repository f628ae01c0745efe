"""Recipients of notifications: both sides of a booking, with their names, time zones and channels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Connection, Row, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, sql
from models.bookings import BookingStatus
from models.notifications import Channel
from models.sessions import SessionStatus
from workflows.events.delivery import Cancel
from workflows.events.event import Event
from workflows.events.event_types import (
    BookingCancelled,
    BookingDeclined,
    PaymentEvent,
    SeatLeft,
    SeatRefunded,
    SessionCancelled,
    WaitlistEvent,
)
from workflows.kernel.language import Language, language_of
from workflows.notifications.preferences import is_stopped, is_wanted, stopped_reason, switched_off_reason
from workflows.notifications.switches import SWITCHED_OFF

MAX_NAMES = 3
NOT_A_PARTY = "The reader is no longer a party of it."
# Its end has to reach everyone who was a party, however late the message leaves.
_ENDINGS = (BookingCancelled, BookingDeclined, SeatLeft, SessionCancelled)
# A person on a waiting list, and one who has left a seat, or has not paid for it, is no party.
_TO_OTHERS = (WaitlistEvent, SeatRefunded, PaymentEvent)

# Whether the reader of a notification `n` is a party of its booking.
IS_PARTY = """(
    n.booking_id IS NULL
    OR EXISTS (SELECT FROM booking_participants b WHERE b.booking_id = n.booking_id AND b.user_id = n.user_id)
    OR EXISTS (
        SELECT FROM bookings b JOIN mentor_profiles m ON m.id = b.mentor_profile_id
        WHERE b.id = n.booking_id AND m.user_id = n.user_id
    )
)"""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A reader; times are shown in `time_zone`, an IANA name."""

    user_id: UUID
    name: str
    time_zone: str
    locale: str  # a BCP 47 tag
    acts_as: frozenset[str] = frozenset()  # the values of an event's `actor` that stand for them
    choices: Mapping[str, bool] = field(default_factory=dict, hash=False)  # their notification preferences
    switched_off: frozenset[str] = frozenset()  # the kinds and channels that operators have switched off
    browsers: tuple[UUID, ...] = ()  # their push subscriptions
    present: bool | None = None  # as a mentee, whether they were; None until attendance is recorded
    # What a participant of a group paid for their seat, in minor units; None for all others.
    seat_price: int | None = None
    seat_paid_by_credit: bool = False  # whether a bundle paid for it
    erased: bool = False  # whether their account is erased, so that they get nothing

    def channels_for(self, kind: str) -> list[Channel]:
        """The channels on which they get notifications of a kind."""
        return [
            channel
            for channel in Channel
            if not self.erased
            and is_wanted(self.choices, kind, channel, self.switched_off)
            and (self.browsers or channel is not Channel.PUSH)
        ]

    def stopped_reason(self, kind: str, channel: Channel) -> str | None:
        """The reason why they get nothing of a kind on a channel that they or the operators have switched off."""
        if self.erased:
            return None
        if f"{kind} {channel}" in self.switched_off:
            return switched_off_reason(kind, channel)
        stopped = is_stopped(kind, channel, wanted=self.choices.get(f"{kind} {channel}"))
        return stopped_reason(kind, channel) if stopped else None


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Both sides of a booking, its title, and the present state of it and its session."""

    title: str | None
    start_time: datetime
    open_proposal_id: UUID | None  # of another time
    proposal_reason: str | None  # of that proposal, by who made it
    move_reason: str | None  # of the last move
    mentor: Person
    mentees: tuple[Person, ...]
    booking_status: BookingStatus
    decline_reason: str | None  # written by the mentor for the mentee alone
    cancel_reason: str | None  # written by the mentee, or a word of ours
    session_status: SessionStatus | None  # None while there is no session
    cancellation: Mapping[str, Any]  # of the session, as it is stored with it
    # How long before the start a cancellation costs the mentee something; None where it never does, or where the mentee
    # cannot cancel.
    fee_window_hours: int | None
    request_notified: bool  # of a cancelled booking, whether its mentor was notified that it was requested

    @property
    def all(self) -> tuple[Person, ...]:
        """The mentor first, then the mentees."""
        return (self.mentor, *self.mentees)

    def others(self, actor: str) -> tuple[Person, ...]:
        """All but the person who acted, by an event's `actor`."""
        return tuple(person for person in self.all if actor not in person.acts_as)


_PERSON = f"""
u.id AS user_id, u.name, u.time_zone, u.locale, u.erased_at IS NOT NULL AS erased, own.id AS mentor_profile_id,
(SELECT jsonb_object_agg(chosen.kind || ' ' || CAST(chosen.channel AS text), chosen.wanted)
 FROM notification_preferences chosen WHERE chosen.user_id = u.id) AS choices,
{SWITCHED_OFF} AS switched_off,
ARRAY(SELECT browser.id FROM push_subscriptions browser WHERE browser.user_id = u.id ORDER BY browser.id) AS browsers
"""
_TYPES: dict[str, Any] = {
    "user_id": Uuid(),
    "mentor_profile_id": Uuid(),
    "choices": JSONB(),
    "browsers": ARRAY(Uuid()),
    "switched_off": ARRAY(Text()),
}
_PARTIES = sql(f"""
SELECT b.id AS booking_id, b.title, b.start_time, offer.id AS open_proposal_id, offer.reason AS proposal_reason,
       (SELECT p.reason FROM reschedule_proposals p WHERE p.session_id = s.id AND p.status = 'accepted'
        ORDER BY p.id DESC LIMIT 1) AS move_reason,
       b.status AS booking_status, b.decline_reason, b.cancel_reason,
       s.status AS session_status, s.cancellation,
       CASE WHEN b.late_fee_percent > 0 AND (b.price_amount > 0 OR b.bundle_purchase_id IS NOT NULL)
            THEN b.cancellation_window_hours END AS fee_window_hours, party.is_mentor, party.present, party.seat_price,
       party.bundle_purchase_id IS NOT NULL AS seat_paid_by_credit,
       CASE WHEN b.status = 'cancelled' AND party.is_mentor THEN EXISTS (
           SELECT FROM events e JOIN notifications n ON n.event_id = e.id AND n.user_id = party.user_id
           WHERE e.subject_id = b.id AND e.type = 'booking.requested'
       ) END AS request_notified, {_PERSON}
FROM unnest(CAST(:booking_ids AS uuid[])) AS asked(id)
JOIN bookings b ON b.id = asked.id
LEFT JOIN sessions s ON s.booking_id = b.id
LEFT JOIN reschedule_proposals offer ON offer.session_id = s.id AND offer.status = 'open'
CROSS JOIN LATERAL (
    SELECT m.user_id, true AS is_mentor, CAST(NULL AS boolean) AS present, CAST(NULL AS bigint) AS seat_price,
           CAST(NULL AS uuid) AS bundle_purchase_id
    FROM mentor_profiles m WHERE m.id = b.mentor_profile_id
    UNION ALL
    SELECT p.user_id, false, p.present, p.price_amount, p.bundle_purchase_id
    FROM booking_participants p WHERE p.booking_id = b.id
) AS party
JOIN users u ON u.id = party.user_id
LEFT JOIN mentor_profiles own ON own.user_id = u.id
""").columns(booking_id=Uuid(), start_time=Timestamp, open_proposal_id=Uuid(), cancellation=JSONB(), **_TYPES)
_USER = sql(
    f"SELECT {_PERSON} FROM users u LEFT JOIN mentor_profiles own ON own.user_id = u.id WHERE u.id = :user_id"
).columns(**_TYPES)


def parties_by_booking(db: Connection, booking_ids: Iterable[UUID]) -> dict[UUID, Parties]:
    """Both sides of each of these bookings, with their preferences, in one statement."""
    rows: dict[UUID, list[Row[Any]]] = {}
    for row in db.execute(_PARTIES, {"booking_ids": list(set(booking_ids))}):
        rows.setdefault(row.booking_id, []).append(row)
    return {booking_id: _parties(of_booking) for booking_id, of_booking in rows.items()}


def parties_of(db: Connection, booking_id: UUID) -> Parties:
    """Both sides of a booking, with their preferences, in one statement."""
    return parties_by_booking(db, [booking_id])[booking_id]


def person_of(db: Connection, user_id: UUID) -> Person:
    """One user with their preferences, in one statement."""
    return _person(db.execute(_USER, {"user_id": user_id}).one())


def names_of(mentees: Sequence[Person], language: Language) -> str:
    """The mentees of a booking after the word `with`, the first of them by name."""
    names = [mentee.name for mentee in mentees[:MAX_NAMES]]
    if len(mentees) > MAX_NAMES:
        rest = len(mentees) - MAX_NAMES + 1
        names = [*names[:-1], language.ngettext("%(n)s other", "%(n)s others", rest)]
    return language.names(names) if names else language.gettext("your group")


def variables_about(parties: Parties, reader: Person) -> dict[str, Any]:
    """The variables of every template about both sides of a booking."""
    mentees = names_of(parties.mentees, language_of(reader.locale))
    is_mentor = reader == parties.mentor
    return {
        "reader": reader,
        "reader_is_mentor": is_mentor,
        "mentor": parties.mentor.name,
        "mentees": mentees,
        "others": mentees if is_mentor else parties.mentor.name,
        "title": parties.title,
    }


def require_recipient(event: Event, *, is_party: bool) -> None:
    """Raise Cancel for a reader who is no party of the booking, unless it is about its end or a waiting list."""
    if not is_party and not isinstance(event, _ENDINGS + _TO_OTHERS):
        raise Cancel(NOT_A_PARTY)


def _parties(rows: Sequence[Row[Any]]) -> Parties:
    first = rows[0]
    return Parties(
        title=first.title,
        start_time=first.start_time,
        open_proposal_id=first.open_proposal_id,
        proposal_reason=first.proposal_reason,
        move_reason=first.move_reason,
        mentor=next(_person(row) for row in rows if row.is_mentor),
        mentees=tuple(_person(row) for row in rows if not row.is_mentor),
        booking_status=BookingStatus(first.booking_status),
        decline_reason=first.decline_reason,
        cancel_reason=first.cancel_reason,
        session_status=SessionStatus(first.session_status) if first.session_status else None,
        cancellation=first.cancellation or {},
        fee_window_hours=first.fee_window_hours,
        request_notified=any(row.request_notified for row in rows),
    )


def _person(row: Row[Any]) -> Person:
    return Person(
        user_id=row.user_id,
        name=row.name,
        time_zone=row.time_zone,
        locale=row.locale,
        acts_as=frozenset({f"user:{row.user_id}", f"mentor:{row.mentor_profile_id}"}),
        choices=row.choices or {},
        switched_off=frozenset(row.switched_off),
        browsers=tuple(row.browsers),
        erased=row.erased,
        present=getattr(row, "present", None),
        seat_price=getattr(row, "seat_price", None),
        seat_paid_by_credit=getattr(row, "seat_paid_by_credit", False),
    )
