"""Move a session to another time: at once by its terms or an operator, or once the other party accepts a proposal.

The session keeps its ids, its length, its terms and how it was paid. Its booking, its seats and the blocked times of
its people move in the same transaction, which the database holds.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import column

from models.base import sql
from models.prepared import PreparedStatement
from models.sessions import CancelledBy, ProposalStatus, SessionStatus, sessions
from models.terms import RescheduleMode
from workflows.availability.calendar import JOIN_CALENDAR, MentorCalendar, calendar_as_json
from workflows.availability.check import require_bookable, require_start
from workflows.events.event_types import (
    SessionRescheduled,
    SessionRescheduleEnded,
    SessionRescheduleProposed,
    SessionTimeFreed,
)
from workflows.events.record import record
from workflows.identity.access import require_mover, require_own_side
from workflows.identity.actor import Actor
from workflows.kernel.clock import in_utc
from workflows.kernel.constraints import constraint_errors
from workflows.kernel.errors import Conflict, Invalid, InvalidTransition
from workflows.kernel.locks import lock_bookings_and_sessions, lock_calendar, lock_people_of_booking
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy
from workflows.kernel.quotas import DAY, Quota, use_quota
from workflows.payments.actions import ask_again
from workflows.sessions.cancel import role_of
from workflows.sessions.proposals import Proposal, answer_proposal, write_proposal
from workflows.sessions.records import SESSION_WITH_TERMS, Session, SessionWithTerms

TIME_TO_ANSWER = timedelta(hours=72)
# Each is kept for good and notifies the other party, and a new one may replace one's own at once.
PROPOSALS_PER_DAY = 100
_PROPOSALS = Quota(
    "session.reschedule_proposed",
    PROPOSALS_PER_DAY,
    DAY,
    "You have proposed other times very often today; wait before you propose more, or ask an operator to move it.",
)
_CHANGED = "The session has changed in the meantime; read it again."

# The mentor's calendar for the longest session that can start then, and the present notice of the booking's listing.
OFFER = PreparedStatement(
    sql(f"""
SELECT listing.min_notice_minutes, {calendar_as_json(":start_time", ":start_time + interval '1 day'")}
FROM bookings AS booking
JOIN listings AS listing ON listing.id = booking.listing_id
JOIN mentor_profiles AS mentor ON mentor.id = booking.mentor_profile_id
{JOIN_CALENDAR}
WHERE booking.id = :booking_id
""").columns(column("min_notice_minutes", Integer), column("calendar", JSONB))
)
# One statement: a composite key ties the times of both.
_MOVE = sql(f"""
WITH booking AS (
    UPDATE bookings SET start_time = :start_time, end_time = :end_time WHERE id = :booking_id RETURNING id
),
seat AS (
    UPDATE booking_participants SET start_time = :start_time FROM booking
    WHERE booking_participants.booking_id = booking.id AND booking_participants.seat_id IS NOT NULL
)
UPDATE sessions SET start_time = :start_time, end_time = :end_time, rescheduled_at = :now FROM booking
WHERE sessions.booking_id = booking.id AND sessions.id = :id
RETURNING {Session.names(of="sessions")}
""").columns(*Session.columns())
# After the booking has moved, whose time the guard of the calendar reads.
_MOVE_BLOCKS = sql("""
UPDATE person_busy SET
    busy = CASE WHEN person_busy.mentor_profile_id IS NULL THEN tstzrange(b.start_time, b.end_time) ELSE tstzrange(
        b.start_time - b.buffer_before_minutes * interval '1 minute',
        b.end_time + b.buffer_minutes * interval '1 minute'
    ) END,
    may_overlap = person_busy.mentor_profile_id IS NULL AND CAST(:mentee_overlap AS boolean)
FROM bookings b WHERE b.id = :booking_id AND person_busy.booking_id = b.id
""")
_BLOCKED = sql("SELECT user_id FROM person_busy WHERE booking_id = :booking_id")
_LOCKED = SESSION_WITH_TERMS.with_for_update(key_share=True, of=sessions)


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """The terms of a session that moves, and its listing's notice."""

    duration_minutes: int
    min_notice_minutes: int
    buffer_before_minutes: int
    buffer_minutes: int


def reschedule(
    db: Connection,
    *,
    actor: Actor,
    session: SessionWithTerms,
    start_time: datetime,
    reason: str | None = None,
    policy: OperatorPolicy = DEFAULT_POLICY,
    now: datetime,
) -> Session | Proposal:
    """Move a session to another time, or propose that to the other party, by the terms of its booking.

    An operator moves it at once, as does the mentor of a group by its terms. A proposal replaces an open one of the
    same party, and expires after 72 hours, and at either start.

    Args:
        start_time: aware; the end follows from the length, which stays.
        reason: shown to both sides.
        policy: whether mentees may have another session at that time, and a mentor without hours be booked.

    Raises:
        Forbidden: the caller is neither party nor operator; a participant of a group.
        Invalid: the present start, or one in the past.
        InvalidTransition: the session is not scheduled, or has changed since it was read.
        Conflict: `not_reschedulable` with `details.reason`; `proposal_open` of the other party; as a booking:
            `slot_taken`, `outside_hours`, `too_soon`, `beyond_horizon`, `booking_limit`.
        RateLimited: the caller has proposed too often.
    """
    require_mover(actor, session)
    start = in_utc(start_time)
    locked = _lock(db, session)
    at_once = _is_at_once(actor, locked, now=now)
    if start == locked.start_time:
        raise Invalid("The session starts at this time already.", details={"startTime": ["is its present start"]})
    about: dict[str, Any] = {
        "session_id": locked.id,
        "from_time": locked.start_time,
        "start_time": start,
        "proposed_by": role_of(actor, locked).value,
        "proposed_by_user_id": actor.user_id,
        "reason": reason,
    }
    if at_once:
        accepted = write_proposal(db, status=ProposalStatus.ACCEPTED, expires_at=now, **about)
        return _move(db, locked, accepted, actor=actor, policy=policy, now=now)
    if locked.proposal is not None and locked.proposal.proposed_by != about["proposed_by"]:
        raise Conflict(
            "The other party has proposed another time; accept or decline that first.",
            code="proposal_open",
            details={"proposal": str(locked.proposal.id)},
        )
    expires_at = min(now + TIME_TO_ANSWER, locked.start_time, start)
    # Tried, and taken back: it can be accepted as the calendars are now.
    with db.begin_nested() as tried:
        _place(db, locked, start, policy=policy, now=now)
        tried.rollback()
    if actor.user_id is not None:
        use_quota(db, _PROPOSALS, actor.user_id)
    proposal = write_proposal(db, status=ProposalStatus.OPEN, expires_at=expires_at, **about)
    record(db, SessionRescheduleProposed.about(locked, actor=actor, now=now, **_event_fields(proposal)))
    return proposal


def accept_proposal(
    db: Connection,
    *,
    actor: Actor,
    session: SessionWithTerms,
    proposal: Proposal,
    policy: OperatorPolicy = DEFAULT_POLICY,
    now: datetime,
) -> Session:
    """Move a session to the time that the other party has proposed.

    Raises:
        Forbidden: the caller is not the other party.
        InvalidTransition: the proposal or the session is no longer open.
        Invalid, Conflict: as of `reschedule`; the proposal stays open.
    """
    _require_other_side(actor, session, proposal)
    locked = _lock(db, session)
    _require_open(proposal, now=now)
    accepted = answer_proposal(db, proposal.id, ProposalStatus.ACCEPTED)
    return _move(db, locked, accepted, actor=actor, policy=policy, now=now)


def decline_proposal(
    db: Connection, *, actor: Actor, session: SessionWithTerms, proposal: Proposal, now: datetime
) -> Session:
    """Decline another time as the party to whom it was proposed; the session keeps its time.

    Raises:
        Forbidden: the caller is not the other party.
        InvalidTransition: the proposal is no longer open.
    """
    _require_other_side(actor, session, proposal)
    return _end(db, session, proposal, ProposalStatus.DECLINED, actor=actor, now=now)


def withdraw_proposal(
    db: Connection, *, actor: Actor, session: SessionWithTerms, proposal: Proposal, now: datetime
) -> Session:
    """Withdraw another time as the party who proposed it; the session keeps its time.

    Raises:
        Forbidden: the caller has not made the proposal.
        InvalidTransition: the proposal is no longer open.
    """
    by_mentee = proposal.proposed_by == CancelledBy.MENTEE
    require_own_side(actor, session, of_mentee=by_mentee, message="Only who proposed this time can withdraw it.")
    return _end(db, session, proposal, ProposalStatus.WITHDRAWN, actor=actor, now=now)


def expire_proposal(db: Connection, *, session: Session, proposal: Proposal, actor: Actor, now: datetime) -> None:
    """End a proposal that nobody has answered in time. Raises InvalidTransition: it was answered meanwhile."""
    expired = answer_proposal(db, proposal.id, ProposalStatus.EXPIRED)
    _record_end(db, session, expired, actor=actor, now=now)


def _end(
    db: Connection,
    session: SessionWithTerms,
    proposal: Proposal,
    status: ProposalStatus,
    *,
    actor: Actor,
    now: datetime,
) -> Session:
    _require_open(proposal, now=now)
    ended = answer_proposal(db, proposal.id, status)
    _record_end(db, session, ended, actor=actor, now=now)
    return replace(session, proposal=ended)


def _record_end(db: Connection, session: Session, ended: Proposal, *, actor: Actor, now: datetime) -> None:
    fields = _event_fields(ended)
    record(db, SessionRescheduleEnded.about(session, actor=actor, now=now, outcome=ended.status.value, **fields))


def _event_fields(proposal: Proposal) -> dict[str, Any]:
    return {
        "proposal_id": proposal.id,
        "from_": proposal.from_time,
        "to": proposal.start_time,
        "by": proposal.proposed_by,
        "expires_at": proposal.expires_at,
    }


def _require_other_side(actor: Actor, session: SessionWithTerms, proposal: Proposal) -> None:
    by_mentor = proposal.proposed_by == CancelledBy.MENTOR
    require_own_side(actor, session, of_mentee=by_mentor, message="Only the other party answers this proposal.")


def _require_open(proposal: Proposal, *, now: datetime) -> None:
    if proposal.status is not ProposalStatus.OPEN:
        raise InvalidTransition(f"This proposal is {proposal.status}; read the session again.")
    if proposal.expires_at <= now:
        raise InvalidTransition("This proposal has expired; propose a time again.")


def _is_at_once(actor: Actor, session: SessionWithTerms, *, now: datetime) -> bool:
    """Whether the caller moves the session at once, or by agreement. Raises Conflict: `not_reschedulable`, neither."""
    if actor.operator:
        return True
    if session.reschedule_mode is RescheduleMode.OFF:
        raise _not_reschedulable("off", "This session is moved by an operator alone; ask one, or cancel it.")
    if session.reschedule_count >= session.reschedule_max_times:
        raise _not_reschedulable("max_times", "This session has moved as often as its terms allow.")
    # A group has no other party to agree with.
    at_once = session.reschedule_mode is RescheduleMode.FREE or session.mentee_user_id is None
    window = timedelta(hours=session.reschedule_window_hours) if at_once else timedelta(0)
    if now > session.start_time - window or now >= session.start_time:
        raise _not_reschedulable("window", "It is too late to move this session by its terms; ask an operator.")
    return at_once


def _not_reschedulable(reason: str, message: str) -> Conflict:
    return Conflict(message, code="not_reschedulable", details={"reason": reason})


def _lock(db: Connection, session: SessionWithTerms) -> SessionWithTerms:
    """Lock the mentor, the people, the booking, the group and the session, in this order; the session as it is then.

    Raises:
        InvalidTransition: it is not scheduled, or has changed since it was read.
    """
    lock_calendar(db, session.mentor_profile_id)
    ids = {"mentor_profile_id": session.mentor_profile_id, "booking_id": session.booking_id}
    people = lock_people_of_booking(db, **ids)
    lock_bookings_and_sessions(db, [str(session.booking_id)], [str(session.id)])
    locked = SessionWithTerms.of(db.execute(_LOCKED, {"id": session.id}).one())
    if locked.status is not SessionStatus.SCHEDULED:
        raise InvalidTransition(f"Only a session that is scheduled moves; this one is {locked.status}.")
    # A person who took a seat of a group before it was locked, or for whom one is kept, and whose calendar is not.
    blocked = set(db.scalars(_BLOCKED, {"booking_id": session.booking_id}))
    if locked.version != session.version or not blocked <= people:
        raise InvalidTransition(_CHANGED)
    return locked


def _place(
    db: Connection, session: SessionWithTerms, start: datetime, *, policy: OperatorPolicy, now: datetime
) -> Session:
    """Move a locked session, its booking and the blocked times; checked as a booking is, but for its own time.

    Raises:
        Invalid, Conflict: as of `reschedule`.
    """
    length = session.end_time - session.start_time
    if session.mentee_user_id is None:
        # A group is bound by its mentor's calendar, as when it was scheduled, and by no hours.
        require_start(start, now)
    else:
        found = OFFER.one_or_none(db, {"booking_id": session.booking_id, "start_time": start})
        assert found is not None
        offer = _Offer(
            duration_minutes=int(length.total_seconds() // 60),
            min_notice_minutes=found["min_notice_minutes"],
            buffer_before_minutes=session.buffer_before_minutes,
            buffer_minutes=session.buffer_minutes,
        )
        require_bookable(
            db,
            MentorCalendar.read(found["calendar"], closed_without_hours=policy.closed_without_hours),
            offer,
            start=start,
            mentee_user_id=session.mentee_user_id,
            now=now,
            accepted=True,
            moved_from=session.start_time,
        )
    times = {"start_time": start, "end_time": start + length}
    row = db.execute(_MOVE, {"id": session.id, "booking_id": session.booking_id, "now": now, **times}).one()
    with constraint_errors():
        db.execute(_MOVE_BLOCKS, {"booking_id": session.booking_id, "mentee_overlap": policy.mentee_overlap})
    return Session.of_values({**session.beside_columns(), **row._mapping})


def _move(
    db: Connection, locked: SessionWithTerms, accepted: Proposal, *, actor: Actor, policy: OperatorPolicy, now: datetime
) -> Session:
    moved = _place(db, locked, accepted.start_time, policy=policy, now=now)
    fields = {name: value for name, value in _event_fields(accepted).items() if name != "expires_at"}
    record(
        db,
        SessionTimeFreed.about(locked, actor=actor, now=now),
        SessionRescheduled.about(moved, actor=actor, now=now, **fields),
    )
    if moved.mentee_user_id is None:
        ask_again(db, booking_id=moved.booking_id, start_time=moved.start_time, actor=actor, now=now)
    return replace(moved, proposal=accepted)
