"""Sessions: the records, how to find sessions, and the effects of one."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from models.base import enum_literal, is_one_of
from models.bookings import BookingKind, booking_participants, bookings
from models.bundles import bundle_purchases
from models.payments import PaymentMode, PaymentStatus, payments
from models.sessions import SessionStatus, reschedule_proposals, sessions
from workflows.catalog.booked import BOOKING_OF_SESSION
from workflows.events.delivery import DeliveryStatus
from workflows.events.status import statuses_of_subjects
from workflows.identity.access import is_mentor
from workflows.identity.actor import Actor
from workflows.identity.parties import bookings_of_person, ids_as_array, of_people, participant_ids, shown_parties
from workflows.kernel.errors import NotFound
from workflows.kernel.paging import (
    EARLIEST_START_FIRST,
    LATEST_START_FIRST,
    LEAST_RECENTLY_CHANGED_FIRST,
    NO_TIME,
    Order,
    Page,
    PagedList,
    narrowed,
)
from workflows.kernel.transitions import StatefulRecord
from workflows.sessions.proposals import OPEN_PROPOSAL, Proposal, ProposalAsJson
from workflows.terms.terms import TERM_NAMES, Terms


@dataclass(frozen=True, kw_only=True)
class Session(StatefulRecord):
    """The meeting of an accepted booking. Times in UTC.

    `rating` and `feedback` are the mentor's own record of the meeting, not a review. `early_start_minutes` is None
    where it may start at any time; `room` names the meeting of an online session.
    """

    table = sessions

    booking_id: UUID
    mentor_profile_id: UUID
    mentee_user_id: UUID | None
    course_id: UUID | None
    start_time: datetime
    end_time: datetime
    status: SessionStatus
    title: str | None
    description: str | None
    notes: str | None
    metadata: dict[str, Any] | None
    rating: int | None
    feedback: str | None
    action_items: list[str] | None
    started_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancellation: dict[str, Any] | None
    location: dict[str, Any] | None
    early_start_minutes: int | None
    room: UUID | None
    rescheduled_from: datetime | None  # the start before the last of `reschedule_count` moves
    reschedule_count: int
    created_at: datetime
    updated_at: datetime
    # Of a group that was read with them.
    participant_ids: list[UUID] | None = None
    # As it was read to be shown.
    mentor: dict[str, Any] | None = None
    mentee: dict[str, Any] | None = None
    booking: dict[str, Any] | None = None
    join_url: str | None = None
    proposal: Proposal | None = None  # of another time, which is open

    @property
    def shows_place(self) -> bool:
        """Whether the mentor's address or number is shown: until it is cancelled."""
        return self.status is not SessionStatus.CANCELLED


@dataclass(frozen=True, kw_only=True)
class SessionWithTerms(Session, Terms):
    """A session with the terms of its booking, and the bundle whose credit paid for it.

    `bundle_valid_to` is None where that bundle has no end. The price is 0 where an operator waived its payment.
    """

    series_id: UUID | None
    bundle_purchase_id: UUID | None
    bundle_valid_to: datetime | None


@dataclass(frozen=True, kw_only=True)
class SessionWithProposal(SessionWithTerms):
    """A session with the proposal of another time that is asked for, whatever has become of it."""

    asked: Proposal


# A session has copies of the other terms.
_OF_BOOKING = [name for name in TERM_NAMES if name not in sessions.c and name != "price_amount"]
_PARTICIPANT_IDS = participant_ids(sessions, sessions.c.booking_id)
SHOWN_WITH_SESSION = [*shown_parties("sessions"), BOOKING_OF_SESSION, OPEN_PROPOSAL]
SESSION = Session.query().add_columns(*SHOWN_WITH_SESSION).where(sessions.c.id == bindparam("id"))


def session_pending() -> NotFound:
    """The refusal for a session that does not exist yet, to those who know that its booking is accepted."""
    return NotFound(code="session_pending", retry_after=1)


def session_query(session_id: UUID | BindParameter[UUID]) -> Select[Any]:
    """The session of that id, with a group's participants, and its parties as they are shown."""
    return Session.query().add_columns(_PARTICIPANT_IDS, *SHOWN_WITH_SESSION).where(sessions.c.id == session_id)


def with_terms() -> Select[Any]:
    """The columns of a session with its booking's terms; the caller joins `sessions` and `bookings`.

    A group comes with its participants, and its price is what all of its seats were paid with.
    """
    terms, seat = bookings.c, booking_participants.c
    of_seats = select(cast(func.coalesce(func.sum(seat.price_amount), 0), BigInteger))
    of_seats = of_seats.where(seat.booking_id == sessions.c.booking_id)
    payment = payments.c
    waived = exists().where(
        payment.status == enum_literal(PaymentStatus.WAIVED),
        or_(
            and_(payment.booking_id == sessions.c.booking_id, payment.seat_id.is_(None)),
            payment.series_id == terms.series_id,
        ),
    )
    paid = case(
        (sessions.c.mentee_user_id.is_(None), of_seats.scalar_subquery()),
        (and_(terms.payment_mode == enum_literal(PaymentMode.BEFORE), waived), 0),
        else_=terms.price_amount,
    )
    return select(
        *Session.columns(),
        _PARTICIPANT_IDS,
        *SHOWN_WITH_SESSION,
        paid.label("price_amount"),
        *(terms[name] for name in _OF_BOOKING),
        terms.series_id,
        terms.bundle_purchase_id,
        select(bundle_purchases.c.valid_to)
        .where(bundle_purchases.c.id == terms.bundle_purchase_id)
        .scalar_subquery()
        .label("bundle_valid_to"),
    )


def session_with_terms_query(session_id: UUID | BindParameter[UUID]) -> Select[Any]:
    """The session of that id, with the terms of its booking."""
    joined = with_terms().join_from(sessions, bookings, bookings.c.id == sessions.c.booking_id)
    return joined.where(sessions.c.id == session_id)


def session_with_proposal_query(
    session_id: UUID | BindParameter[UUID], proposal_id: UUID | BindParameter[UUID]
) -> Select[Any]:
    """The session of that id with its proposal of that id, and the terms of its booking."""
    asked = type_coerce(func.to_jsonb(literal_column("reschedule_proposals")), ProposalAsJson).label("asked")
    query = session_with_terms_query(session_id).add_columns(asked)
    of_session = reschedule_proposals.c.session_id == sessions.c.id
    return query.join(reschedule_proposals, of_session).where(reschedule_proposals.c.id == proposal_id)


def sessions_query(
    page: Page,
    *,
    mentee_user_id: UUID | None = None,
    mentor_profile_id: UUID | None = None,
    order: Order = LATEST_START_FIRST,
    **filters: Any,
) -> Select[Any]:
    """The sessions of a mentee, their groups' among them, or of a mentor.

    Args:
        filters: as of `narrow_sessions`.
    """

    shown = Session.query().add_columns(*SHOWN_WITH_SESSION)

    def page_of(query: Select[Any], start: ColumnElement[Any]) -> Select[Any]:
        return order.select_page(narrow_sessions(query, start, **filters), page, start, sessions.c.id)

    if mentee_user_id is None:
        return page_of(shown.where(sessions.c.mentor_profile_id == mentor_profile_id), sessions.c.start_time)
    seat, keys = booking_participants.c, select(sessions.c.id, sessions.c.start_time)
    joined = keys.join_from(booking_participants, sessions, sessions.c.booking_id == seat.booking_id)
    joined = joined.where(seat.user_id == mentee_user_id, seat.seat_id.is_not(None))
    own = keys.where(sessions.c.mentee_user_id == mentee_user_id)
    # A page of keys of each by its own index.
    pages = [page_of(own, sessions.c.start_time), page_of(joined, seat.start_time)]
    return order.select_union(pages, page, shown, sessions.c.start_time, sessions.c.id)


def narrow_sessions(
    query: Select[Any],
    start: ColumnElement[Any],
    *,
    status: Any = None,
    kind: Any = None,
    listing_id: UUID | None = None,
    course_id: UUID | None = None,
    with_user_id: UUID | None = None,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
    updated_since: datetime | None = None,
    external_id: str | None = None,
) -> Select[Any]:
    """Those that fit every filter that is given.

    Args:
        status: a SessionStatus, or several.
        kind: a BookingKind.
        with_user_id: the mentee.
        to_time: excluded, unlike `from_time`.
    """
    session = sessions.c
    of_group = func.num_nulls(session.mentee_user_id) == 1
    of_booking = exists().where(bookings.c.id == session.booking_id)
    # Spelled so that no index but the one of the party's own sessions can serve: others find everyone's.
    return narrowed(
        query,
        (external_id, lambda: of_booking.where(bookings.c.external_id == external_id)),
        (status, lambda: is_one_of(session.status, status)),
        (kind, lambda: of_group if kind is BookingKind.GROUP else ~of_group),
        (listing_id, lambda: of_booking.where(bookings.c.listing_id.is_not_distinct_from(listing_id))),
        (course_id, lambda: session.course_id.is_not_distinct_from(course_id)),
        (with_user_id, lambda: session.mentee_user_id == with_user_id),
        (from_time, lambda: start >= from_time),
        (to_time, lambda: start < to_time),
        (updated_since, lambda: session.updated_at + NO_TIME >= updated_since),
    )


def all_sessions_query(
    page: Page,
    *,
    order: Order = LATEST_START_FIRST,
    mentor_profile_id: UUID | None = None,
    with_user_id: Any = None,
    listing_id: UUID | None = None,
    course_id: UUID | None = None,
    external_id: str | None = None,
    updated_since: datetime | None = None,
    q: Any = None,
    **filters: Any,
) -> Select[Any]:
    """Everyone's sessions, for staff; unlike a party's, each filter finds its rows by an index of its own.

    Args:
        with_user_id: the mentee, or a participant.
        q: what the name or the mail address of a party begins with.
        filters: as of `narrow_sessions`.
    """
    session, booking = sessions.c, bookings.c

    def of_bookings(condition: ColumnElement[bool]) -> Any:
        return session.booking_id == ids_as_array(select(booking.id).where(condition))

    query = narrowed(
        Session.query().add_columns(*SHOWN_WITH_SESSION),
        (mentor_profile_id, lambda: session.mentor_profile_id == mentor_profile_id),
        (with_user_id, lambda: session.booking_id == bookings_of_person(with_user_id)),
        (listing_id, lambda: of_bookings(booking.listing_id == listing_id)),
        (external_id, lambda: of_bookings(booking.external_id == external_id)),
        (course_id, lambda: session.course_id == course_id),
        (updated_since, lambda: session.updated_at >= updated_since),
        (q, lambda: of_people(q, session.booking_id, session.mentor_profile_id)),
    )
    key = session.updated_at if order is LEAST_RECENTLY_CHANGED_FIRST else session.start_time
    return order.select_page(narrow_sessions(query, session.start_time, **filters), page, key, session.id)


ALL_SESSIONS = {
    order: PagedList(Session, order, partial(all_sessions_query, order=order), narrows=True)
    for order in (LATEST_START_FIRST, EARLIEST_START_FIRST, LEAST_RECENTLY_CHANGED_FIRST)
}
SESSION_WITH_TERMS = session_with_terms_query(bindparam("id", type_=sessions.c.id.type))
SESSION_WITH_PROPOSAL = session_with_proposal_query(
    bindparam("session_id", type_=sessions.c.id.type), bindparam("proposal_id", type_=sessions.c.id.type)
)


def accepted_session(db: Connection, session_id: UUID) -> SessionWithTerms:
    """The session of an accepted booking, with its terms.

    Raises:
        NotFound: `session_pending`, while it is being created.
    """
    row = db.execute(SESSION_WITH_TERMS, {"id": session_id}).one_or_none()
    if row is None:
        raise session_pending()
    return SessionWithTerms.of(row)


SESSIONS = PagedList(Session, LATEST_START_FIRST, sessions_query, narrows=True)
NEXT_SESSIONS = PagedList(
    Session, EARLIEST_START_FIRST, partial(sessions_query, order=EARLIEST_START_FIRST), narrows=True
)


def effects_of(db: Connection, session: Session, *, seen_by: Actor | None = None) -> list[DeliveryStatus]:
    """The deliveries of the session's and its booking's events, in the order of the events.

    Args:
        seen_by: the caller; all but operators see no delivery that is internal to operators, and of webhooks those to
            endpoints of their own. A participant of a group sees nothing of other participants: of the session's and
            the booking's own events, and no deliveries to others. None for all deliveries.
    """
    everything = seen_by is None or seen_by.operator
    mentor = seen_by.mentor_profile_id if seen_by else None
    statuses = statuses_of_subjects(
        db, [session.booking_id, session.id], everything=everything, mentor_profile_id=mentor
    )
    if seen_by is None or everything or session.mentee_user_id is not None or is_mentor(seen_by, session):
        return statuses
    # Targets are recipients.
    own = ("", str(seen_by.user_id))
    of_session = ("booking.", "session.")
    return [each for each in statuses if each.target in own and each.event_type.startswith(of_session)]
