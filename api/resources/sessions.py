"""Sessions: the meetings that accepted bookings become, and their life cycle. No route creates or edits one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import jsonify
from sqlalchemy import Connection

from api import examples
from api.blueprints import STEPS, Area, refuses, versioned
from api.context import ANYONE, MENTOR, PERSON, RequestContext, Subject
from api.etags import tagged
from api.lists import lists
from api.loaders import changes, reads
from api.openapi import SESSIONS_DESCRIPTION
from api.schemas import sessions as shapes
from api.schemas.base import EmptyBody
from models.sessions import SessionStatus
from workflows.bookings.booking import Booking, awaited_booking_query, participant_of
from workflows.errors import Forbidden, NotFound
from workflows.identity.actor import Actor
from workflows.sessions.cancel import cancel, session_to_cancel_query
from workflows.sessions.complete import complete
from workflows.sessions.effects import effects_of
from workflows.sessions.policy import SessionToCancel, quote_for
from workflows.sessions.session import (
    SESSIONS,
    Session,
    mentee_of,
    mentor_of,
    observer_of,
    party_of,
    session_query,
    session_to_start_query,
)
from workflows.sessions.start import start

sessions = Area("Sessions", SESSIONS_DESCRIPTION)


@dataclass(frozen=True, kw_only=True)
class SessionToStart(Session):
    """A session beside its listing's early-start window."""

    early_start_minutes: int | None


def pending(db: Connection, actor: Actor, session_id: UUID) -> NotFound:
    """The refusal for a session that is not there: to its participants it is about to be, to others it is nothing."""
    row = db.execute(awaited_booking_query(session_id)).one_or_none()
    if row is None or not _takes_part(actor, Booking.of(row)):
        return NotFound("There is no such session.")
    return NotFound("The session is being created; ask again in a moment.", code="session_pending", retry_after=1)


def _session(access: Any, query: Any = session_query, record: type[Session] = Session) -> Subject:
    return Subject(name="session", query=query, record=record, access=access, absent=pending)


OBSERVED = _session(observer_of)
FOR_ITS_MENTEE = _session(mentee_of)
FOR_ITS_MENTOR = _session(mentor_of)
TO_CANCEL = _session(observer_of, session_to_cancel_query, SessionToCancel)
FOR_EITHER_PARTY = _session(party_of, session_to_start_query, SessionToStart)


@sessions.route("/sessions/mentee/my-sessions")
@sessions.response(200, shapes.Sessions, example=examples.page(examples.SESSION_OF_MENTEE))
@lists(PERSON, SESSIONS, shapes.SessionFilters, seen_by=shapes.as_seen_by)
def list_sessions_of_mentee(
    context: RequestContext[None], **filters: SessionStatus | datetime | None
) -> dict[str, Any]:
    """List the sessions in which the caller is the mentee, the latest start first."""
    return {"mentee_user_id": context.actor.user_id, **filters}


@sessions.route("/sessions/mentor/my-sessions")
@sessions.response(200, shapes.Sessions, example=examples.page(examples.SESSION))
@lists(MENTOR, SESSIONS, shapes.SessionFilters, seen_by=shapes.as_seen_by)
def list_sessions_of_mentor(
    context: RequestContext[None], **filters: SessionStatus | datetime | None
) -> dict[str, Any]:
    """List the sessions that the caller holds as a mentor, the latest start first."""
    return {"mentor_profile_id": context.actor.mentor_profile_id, **filters}


@sessions.route("/sessions/mentee/<id:session_id>")
@versioned
@reads(PERSON, FOR_ITS_MENTEE)
@sessions.response(200, shapes.Session, example=examples.SESSION_OF_MENTEE)
def get_session_of_mentee(context: RequestContext[Session]) -> Any:
    """Read a session as its mentee."""
    return _tagged(context.actor, context.subject)


@sessions.route("/sessions/mentor/<id:session_id>")
@versioned
@reads(MENTOR, FOR_ITS_MENTOR)
@sessions.response(200, shapes.Session, example=examples.SESSION)
def get_session_of_mentor(context: RequestContext[Session]) -> Any:
    """Read a session as its mentor."""
    return _tagged(context.actor, context.subject)


@sessions.route("/sessions/<id:session_id>")
@versioned
@reads(ANYONE, OBSERVED)
@sessions.response(200, shapes.Session, example=examples.SESSION)
def get_session(context: RequestContext[Session]) -> Any:
    """Read a session as either party or as an operator."""
    return _tagged(context.actor, context.subject)


@sessions.route("/sessions/<id:session_id>/start", methods=STEPS)
@refuses("invalid_transition", "too_early")
@changes(PERSON, FOR_EITHER_PARTY)
@sessions.arguments(EmptyBody, required=False, example={})
@sessions.response(200, shapes.Session, example=examples.STARTED)
def start_session(context: RequestContext[SessionToStart], _body: dict[str, Any]) -> Any:
    """Start a scheduled session.

    Either party's step, from the listing's `earlyStartMinutes` before the start time on: scheduled → in_progress.
    """
    started = start(
        context.db,
        actor=context.actor,
        session=context.subject,
        early_start_minutes=context.subject.early_start_minutes,
        now=context.now,
    )
    return _tagged(context.actor, started)


@sessions.route("/sessions/<id:session_id>/complete", methods=STEPS)
@refuses("invalid_transition")
@changes(MENTOR, FOR_ITS_MENTOR)
@sessions.arguments(shapes.Completion, required=False, example=examples.COMPLETION)
@sessions.response(200, shapes.Session, example=examples.COMPLETED)
def complete_session(context: RequestContext[Session], body: dict[str, Any]) -> Any:
    """Complete a session in progress.

    The mentor's step alone: in_progress → completed. It unlocks the mentee's review, notifies both sides, counts the
    day and is announced to webhooks, each as a durable task of its own.
    """
    return _tagged(
        context.actor, complete(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    )


@sessions.route("/sessions/<id:session_id>/cancel", methods=STEPS)
@refuses("invalid_transition", "not_cancellable")
@changes(ANYONE, TO_CANCEL)
@sessions.arguments(shapes.CancellationOfSession, example=examples.CANCELLATION)
@sessions.response(200, shapes.CancelledSession, example=examples.CANCELLED)
def cancel_session(context: RequestContext[SessionToCancel], body: dict[str, Any]) -> Any:
    """Cancel a scheduled session, by its listing's policy.

    The mentee pays the late fee inside the policy's window; mentor and operator cancel at any time without one. The
    refund is the price without the fee, when it is asked for. The mentor's time is free again at once.
    """
    return _tagged(
        context.actor, cancel(context.db, actor=context.actor, session=context.subject, now=context.now, **body)
    )


@sessions.route("/sessions/<id:session_id>/cancellation-quote")
@reads(ANYONE, TO_CANCEL)
@sessions.response(200, shapes.CancellationQuote, example=examples.QUOTE)
def get_cancellation_quote(context: RequestContext[SessionToCancel]) -> Any:
    """Read what it would cost the caller to cancel the session now."""
    return jsonify(shapes.shown_quote(context.subject, quote_for(context.actor, context.subject, now=context.now)))


@sessions.route("/sessions/<id:session_id>/effects")
@reads(ANYONE, OBSERVED)
@sessions.response(200, shapes.SessionEffects, example=examples.EFFECTS)
def get_effects_of_session(context: RequestContext[Session]) -> Any:
    """Read what follows from a session, and how far it has come.

    Operators see every message to a webhook endpoint, everybody else those to endpoints of their own.
    """
    return jsonify(shapes.shown_effects(context.actor, effects_of(context.db, context.subject, seen_by=context.actor)))


def _tagged(actor: Actor, session: Session) -> Any:
    seen = shapes.as_seen_by(actor, session)
    # A mentee who acts as a mentor elsewhere must not take one view for the other.
    return tagged(seen, view="whole" if seen is session else None)


def _takes_part(actor: Actor, booking: Booking) -> bool:
    try:
        participant_of(actor, booking)
    except Forbidden:
        return False
    return True
