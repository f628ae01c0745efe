"""Sessions and their life cycle. No route creates one: a durable task does."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, jsonify, make_response
from sqlalchemy import Connection, Select

from api.http.etags import WithHeaders, WithStatus, tag_of, tagged
from api.openapi.document import SESSIONS_DESCRIPTION
from api.openapi.examples import MENTOR_ID, MOMENT, example_of
from api.routes.blueprints import PREFER, STEPS, Area, accepts_headers, refuses, versioned
from api.routes.context import ANYONE, MENTOR, OPERATOR, OPERATOR_OR_MENTOR, PERSON, RequestContext, Subject
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES
from api.routes.lists import list_route, order_for_staff
from api.routes.loaders import changes, reads
from api.schemas import sessions as shapes
from api.schemas.base import EmptyBody, ListOrder
from api.state import app_state
from workflows.bookings.direct import WantedListing, book_directly
from workflows.bookings.records import Booking, awaited_booking_query
from workflows.bookings.series import Series
from workflows.groups.place import read_group, read_place
from workflows.groups.seats import quote_seat, waive_seat_fee
from workflows.identity.access import (
    has_access,
    is_mentee,
    require_access,
    require_mentee,
    require_mentor,
    require_mentor_or_operator,
    require_party,
)
from workflows.identity.actor import Actor
from workflows.identity.parties import Participant
from workflows.kernel.errors import NotFound
from workflows.kernel.paging import PagedList
from workflows.sessions.actions import complete, start
from workflows.sessions.attendance import record_attendance
from workflows.sessions.cancel import cancel, quote_for
from workflows.sessions.moving import accept_proposal, decline_proposal, reschedule, withdraw_proposal
from workflows.sessions.outcomes import report_no_show, revert_no_show, void, waive_fee
from workflows.sessions.proposals import Proposal
from workflows.sessions.records import (
    ALL_SESSIONS,
    NEXT_SESSIONS,
    SESSIONS,
    Session,
    SessionWithProposal,
    SessionWithTerms,
    effects_of,
    session_pending,
    session_query,
    session_with_proposal_query,
    session_with_terms_query,
)
from workflows.terms.withdrawals import use_withdrawal

sessions = Area("Sessions", SESSIONS_DESCRIPTION)


def pending(db: Connection, actor: Actor, session_id: UUID) -> NotFound:
    """The refusal for a session that is not there: to its participants it is about to be, to others it is nothing."""
    row = db.execute(awaited_booking_query(session_id)).one_or_none()
    if row is None or not has_access(actor, Booking.of(row)):
        return NotFound("There is no such session.")
    return session_pending()


def _session(
    access: Callable[[Actor, Any], None],
    query: Callable[[UUID], Select[Any]] = session_query,
    record: type[Session] = Session,
) -> Subject:
    return Subject(name="session", query=query, record=record, access=access, absent=pending)


OBSERVED = _session(require_access)
FOR_ITS_MENTEE = _session(require_mentee)
FOR_ITS_MENTOR = _session(require_mentor)
TO_COMPLETE = _session(require_mentor_or_operator)
TO_CANCEL = _session(require_access, session_with_terms_query, SessionWithTerms)
FOR_EITHER_PARTY = _session(require_party, session_with_terms_query, SessionWithTerms)

PROPOSAL = Subject(
    name="proposal", query=session_with_proposal_query, record=SessionWithProposal, access=require_access
)


def _as_seen(context: RequestContext[object], session: Session) -> Session:
    return shapes.as_seen_by(context.actor, session, meetings=app_state().meetings, now=context.now)


_CANCELLED = example_of(shapes.CancelledSession, status="cancelled", cancelledAt=MOMENT)


def _tagged(context: RequestContext[object], session: Session) -> WithHeaders[Session]:
    return tagged(_as_seen(context, session))


@sessions.route("/sessions/book", methods=["POST"])
@refuses(
    *("not_found", "no_listing", "beyond_horizon", "too_soon", "outside_hours", "booking_limit", "slot_taken"),
    *("no_such_time", "not_bookable", "external_id_taken", "price_changed", "terms_changed"),
)
@changes(PERSON, action="booking.requested", limit="booking", body_limit_bytes=LARGE_BODY_LIMIT_BYTES)
@accepts_headers(PREFER)
@sessions.arguments(
    shapes.NewSession, example=example_of(shapes.NewSession, mentorProfileId=MENTOR_ID, durationMinutes=60)
)
@sessions.response(
    201,
    shapes.DirectBooking,
    description="A draft, for the mentor to decide; or, with `Prefer: wait`, the accepted booking with its session.",
)
@sessions.alt_response(
    202,
    schema=shapes.DirectBooking,
    description="Accepted immediately (instant listing); the session will be at `Location`.",
)
def create_session_booking(
    context: RequestContext[None], body: dict[str, Any]
) -> WithStatus[dict[str, Series | Booking | None]]:
    """Book a session with a mentor.

    The listing is named by `listingId`; else the mentor's active listing of that duration is booked, of several the
    cheapest, then the one with the smallest id.
    An instant listing accepts immediately, and any other one makes a draft for the mentor to decide. With `recurrence`,
    it is booked every week at the same wall-clock time.
    """
    named = {name: body.pop(name) for name in ("mentor_profile_id", "listing_id", "duration_minutes")}
    booking, series = book_directly(
        context.db,
        actor=context.actor,
        wanted=WantedListing(**named),
        now=context.now,
        policy=app_state().booking_policy,
        **body,
    )
    answer = {"booking": booking, "session": None, **({"series": series} if series else {})}
    tag = {"ETag": tag_of(booking)}
    if booking.session_id is None:
        return answer, 201, {"Location": f"/bookings/{booking.id}", **tag}
    return answer, 202, {"Location": f"/sessions/{booking.session_id}", **tag}


def _in_order(_context: RequestContext[Any], filters: dict[str, Any]) -> PagedList[Session]:
    return NEXT_SESSIONS if filters.get("order") is ListOrder.ASC else SESSIONS


def _of_all(_context: RequestContext[Any], filters: dict[str, Any]) -> PagedList[Session]:
    return ALL_SESSIONS[order_for_staff(filters)]


@sessions.route("/sessions")
@sessions.response(200, shapes.Sessions)
@list_route(OPERATOR, _of_all, shapes.AllSessionFilters, seen_by=_as_seen)
def list_sessions(context: RequestContext[None], order: object = None, **filters: Any) -> dict[str, Any]:  # noqa: ARG001
    """List everyone's sessions, for staff: latest start first unless `order` is `asc`.

    With `updatedSince`, the least recently changed first.
    """
    return filters


@sessions.route("/sessions/mentee/my-sessions")
@sessions.response(200, shapes.Sessions)
@list_route(PERSON, _in_order, shapes.SessionFilters, seen_by=_as_seen)
def list_mentee_sessions(context: RequestContext[None], order: object = None, **filters: Any) -> dict[str, Any]:  # noqa: ARG001
    """List the caller's sessions as a mentee, latest start first unless `order` is `asc`."""
    return {"mentee_user_id": context.actor.user_id, **filters}


@sessions.route("/sessions/mentor/my-sessions")
@sessions.response(200, shapes.Sessions)
@list_route(MENTOR, _in_order, shapes.MentorSessionFilters, seen_by=_as_seen)
def list_mentor_sessions(context: RequestContext[None], order: object = None, **filters: Any) -> dict[str, Any]:  # noqa: ARG001
    """List the caller's sessions as a mentor, latest start first unless `order` is `asc`."""
    return {"mentor_profile_id": context.actor.mentor_profile_id, **filters}


@sessions.route("/sessions/mentee/<id:session_id>")
@versioned
@reads(PERSON, FOR_ITS_MENTEE)
@sessions.response(200, shapes.Session)
def get_mentee_session(context: RequestContext[Session]) -> WithHeaders[Session]:
    """Get a session as its mentee."""
    return _tagged(context, context.subject)


@sessions.route("/sessions/mentor/<id:session_id>")
@versioned
@reads(MENTOR, FOR_ITS_MENTOR)
@sessions.response(200, shapes.Session)
def get_mentor_session(context: RequestContext[Session]) -> WithHeaders[Session]:
    """Get a session as its mentor."""
    return _tagged(context, context.subject)


@sessions.route("/sessions/<id:session_id>")
@versioned
@reads(ANYONE, OBSERVED)
@sessions.response(200, shapes.Session)
def get_session(context: RequestContext[Session]) -> WithHeaders[Session]:
    """Get a session, as one of its parties or as an operator."""
    return _tagged(context, context.subject)


@sessions.route("/sessions/<id:session_id>/start", methods=STEPS)
@refuses("invalid_transition", "too_early")
@changes(PERSON, FOR_EITHER_PARTY, action="session.started")
@sessions.arguments(EmptyBody, required=False, example={})
@sessions.response(200, shapes.Session, example=example_of(shapes.Session, status="in_progress", startedAt=MOMENT))
def start_session(context: RequestContext[SessionWithTerms], _body: dict[str, Any]) -> Any:
    """Start a scheduled session.

    By either party, at the earliest `earlyStartMinutes` of the listing before the start time: scheduled → in_progress.
    """
    started = start(
        context.db,
        actor=context.actor,
        session=context.subject,
        early_start_minutes=context.subject.early_start_minutes,
        now=context.now,
    )
    return _tagged(context, started)


@sessions.route("/sessions/<id:session_id>/complete", methods=STEPS)
@refuses("invalid_transition")
@changes(OPERATOR_OR_MENTOR, TO_COMPLETE, action="session.completed", body_limit_bytes=LARGE_BODY_LIMIT_BYTES)
@sessions.arguments(
    shapes.SessionCompletion, required=False, example={"notes": "We went through the first ninety days.", "rating": 5}
)
@sessions.response(
    200,
    shapes.Session,
    example=example_of(shapes.Session, status="completed", startedAt=MOMENT, completedAt="2030-05-04T10:01:40Z"),
)
def complete_session(context: RequestContext[Session], body: dict[str, Any]) -> Any:
    """Complete a session in progress.

    By the mentor, or by an operator: in_progress → completed. Durable tasks then open the mentee's review, notify both
    parties, update analytics and send webhooks.
    """
    return _tagged(context, complete(context.db, actor=context.actor, session=context.subject, now=context.now, **body))


@sessions.route("/sessions/<id:session_id>/attendance", methods=["POST"])
@refuses("invalid_transition")
@changes(OPERATOR_OR_MENTOR, TO_COMPLETE, action="session.attendance_recorded", body_limit_bytes=LARGE_BODY_LIMIT_BYTES)
@sessions.arguments(shapes.RecordedAttendance)
@sessions.response(200, shapes.Participants)
def record_session_attendance(context: RequestContext[Session], body: dict[str, Any]) -> dict[str, list[Participant]]:
    """Record which mentees were present: while the session is in progress, or within seven days of its completion.

    After the completion, absence withdraws an unused permit to review and presence gives it back; a review that has
    been written stays.
    """
    participants = record_attendance(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return {"items": participants}


@sessions.route("/sessions/<id:session_id>/cancel", methods=STEPS)
@refuses("invalid_transition", "not_cancellable")
@changes(ANYONE, TO_CANCEL, action="session.cancelled")
@sessions.arguments(shapes.SessionCancellation)
@sessions.response(200, shapes.CancelledSession, example=_CANCELLED)
def cancel_session(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Cancel a scheduled session, by its listing's policy.

    Mentees pay the late fee inside the policy's window, and get the rest back unless they do without it. When the
    mentor or an operator cancels, at any time, there is no fee and the whole price goes back. The mentor's time is
    available again immediately.

    All participants of a group get back what they paid; a participant leaves it instead
    (`POST /group-sessions/{bookingId}/leave`).
    """
    use_withdrawal(context.db, context.actor, context.subject, limit=app_state().settings.max_withdrawals_per_day)
    return _tagged(context, cancel(context.db, actor=context.actor, session=context.subject, now=context.now, **body))


@sessions.route("/sessions/<id:session_id>/reschedule", methods=["POST"])
@refuses(
    *("invalid_transition", "not_reschedulable", "proposal_open"),
    *("slot_taken", "outside_hours", "too_soon", "beyond_horizon", "booking_limit"),
)
@changes(ANYONE, TO_CANCEL, action="session.reschedule_requested", limit="booking")
@sessions.arguments(shapes.SessionMove)
@sessions.response(200, shapes.Session, description="The session at its new time.")
@sessions.alt_response(
    202, schema=shapes.ProposedMove, description="Proposed to the other party, who accepts or declines."
)
def reschedule_session(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Move a scheduled session to another time, or propose that to the other party.

    By the terms of the booking (`reschedule`): with `free`, a party moves it at once until the window before the start;
    with `by_agreement`, the other party accepts a proposal first. An operator moves it always, and a group is moved by
    an operator or by its mentor alone. The session keeps its ids, its length, its terms and how it was paid; the new
    time is checked as the time of a booking is.
    """
    result = reschedule(
        context.db,
        actor=context.actor,
        session=context.subject,
        policy=app_state().policy,
        now=context.now,
        **body,
    )
    if isinstance(result, Proposal):
        answer = make_response(jsonify(shapes.ProposedMove().dump({"proposal": result})), 202)
        answer.headers["ETag"] = tag_of(context.subject)
        return answer
    return _tagged(context, result)


@sessions.route("/sessions/<id:session_id>/proposals/<id:proposal_id>/accept", methods=["POST"])
@refuses(*("invalid_transition", "slot_taken", "outside_hours", "too_soon", "beyond_horizon", "booking_limit"))
@changes(PERSON, PROPOSAL, action="session.reschedule_accepted", limit="booking")
@sessions.arguments(EmptyBody, required=False, example={})
@sessions.response(200, shapes.Session)
def accept_session_proposal(context: RequestContext[SessionWithProposal], _body: dict[str, Any]) -> Any:
    """Accept another time as the other party: the session moves, if the time can still be booked."""
    moved = accept_proposal(
        context.db,
        actor=context.actor,
        session=context.subject,
        proposal=context.subject.asked,
        policy=app_state().policy,
        now=context.now,
    )
    return _tagged(context, moved)


@sessions.route("/sessions/<id:session_id>/proposals/<id:proposal_id>/decline", methods=["POST"])
@refuses("invalid_transition")
@changes(PERSON, PROPOSAL, action="session.reschedule_declined")
@sessions.arguments(EmptyBody, required=False, example={})
@sessions.response(200, shapes.Session)
def decline_session_proposal(context: RequestContext[SessionWithProposal], _body: dict[str, Any]) -> Any:
    """Decline another time as the other party: the session keeps its time."""
    session = context.subject
    kept = decline_proposal(context.db, actor=context.actor, session=session, proposal=session.asked, now=context.now)
    return _tagged(context, kept)


@sessions.route("/sessions/<id:session_id>/proposals/<id:proposal_id>/withdraw", methods=["POST"])
@refuses("invalid_transition")
@changes(PERSON, PROPOSAL, action="session.reschedule_withdrawn")
@sessions.arguments(EmptyBody, required=False, example={})
@sessions.response(200, shapes.Session)
def withdraw_session_proposal(context: RequestContext[SessionWithProposal], _body: dict[str, Any]) -> Any:
    """Withdraw another time as the party who proposed it: the session keeps its time."""
    session = context.subject
    kept = withdraw_proposal(context.db, actor=context.actor, session=session, proposal=session.asked, now=context.now)
    return _tagged(context, kept)


@sessions.route("/sessions/<id:session_id>/no-show", methods=["POST"])
@refuses("invalid_transition", "too_early", "forbidden")
@changes(ANYONE, TO_CANCEL, action="session.no_show_reported")
@sessions.arguments(shapes.NoShow, example={"who": "mentee"})
@sessions.response(200, shapes.CancelledSession, example=_CANCELLED)
def report_session_no_show(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Report that a party did not come, as the other one or an operator, from 15 minutes after the start on.

    The session is cancelled. A mentee owes the agreed `noShowFeePercent` of the price; where the mentor did not come,
    everything goes back.
    """
    reported = report_no_show(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _tagged(context, reported)


@sessions.route("/sessions/<id:session_id>/no-show/revert", methods=["POST"])
@refuses("invalid_transition")
@changes(OPERATOR, TO_CANCEL, action="session.no_show_reverted")
@sessions.arguments(shapes.OperatorsReason)
@sessions.response(200, shapes.CancelledSession, example=_CANCELLED)
def revert_session_no_show(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Revert a no-show as an operator: the session counts as void, and everything goes back to the mentee."""
    reverted = revert_no_show(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _tagged(context, reverted)


@sessions.route("/sessions/<id:session_id>/void", methods=["POST"])
@refuses("invalid_transition")
@changes(OPERATOR, TO_CANCEL, action="session.voided")
@sessions.arguments(shapes.OperatorsReason)
@sessions.response(200, shapes.CancelledSession, example=_CANCELLED)
def void_session(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Cancel a scheduled session, or one in progress, as an operator: everything goes back to the mentee."""
    voided = void(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    return _tagged(context, voided)


@sessions.route("/sessions/<id:session_id>/waive-fee", methods=["POST"])
@refuses("invalid_transition", "not_found")
@changes(OPERATOR, TO_CANCEL, action="session.fee_waived")
@sessions.arguments(shapes.Waiver)
@sessions.response(
    200, shapes.WaivedSession, example=example_of(shapes.WaivedSession, status="cancelled", cancelledAt=MOMENT)
)
def waive_session_fee(context: RequestContext[SessionWithTerms], body: dict[str, Any]) -> Any:
    """Waive the fee of a cancelled session: the refund becomes the whole price, or the credit returns.

    With `userId`, waive the fee of a person who has left a group's seat late, whatever has become of the group.
    """
    session = context.subject
    about = {"actor": context.actor, "reason": body["reason"], "now": context.now}
    if session.mentee_user_id is None:
        ids = {"booking_id": session.booking_id, "session_id": session.id, "mentee_user_id": body["user_id"]}
        waive_seat_fee(context.db, **ids, **about)
        return _tagged(context, session)
    return _tagged(context, waive_fee(context.db, session=session, user_id=body["user_id"], **about))


@sessions.route("/sessions/<id:session_id>/cancellation-quote")
@reads(ANYONE, TO_CANCEL)
@sessions.response(200, shapes.CancellationQuote)
def get_cancellation_quote(context: RequestContext[SessionWithTerms]) -> Response:
    """Get what it would cost the caller to cancel the session now; a participant of a group, to leave their seat."""
    actor, session = context.actor, context.subject
    if session.mentee_user_id is None and is_mentee(actor, session):
        assert actor.user_id is not None
        group = read_group(context.db, session.booking_id)
        place = read_place(context.db, group.id, actor.user_id)
        quote = quote_seat(group, place, actor=actor, now=context.now)
    else:
        quote = quote_for(actor, session, now=context.now)
    return jsonify(shapes.shown_quote(session, quote))


@sessions.route("/sessions/<id:session_id>/effects")
@reads(ANYONE, OBSERVED)
@sessions.response(200, shapes.SessionEffects)
def list_session_effects(context: RequestContext[Session]) -> Response:
    """List a session's effects (notifications, webhooks, …) and their state.

    Operators see the messages to all webhook endpoints, others those to their own.
    """
    return jsonify(shapes.shown_effects(context.actor, effects_of(context.db, context.subject, seen_by=context.actor)))
