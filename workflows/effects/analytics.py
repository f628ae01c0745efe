"""The queue `analytics`: the measures of each completed session, one row in `session_metrics`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Connection, Integer, any_, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Uuid

from models.analytics import session_metrics
from models.bookings import bookings
from models.sessions import sessions
from workflows.analytics.transition_times import WAS_REQUESTED, Transition, milliseconds_of
from workflows.events.event_types import SessionCompleted
from workflows.events.record import defer_write
from workflows.events.subscriptions import subscribe


@subscribe(SessionCompleted, name="analytics.session_completed", queue="analytics", deferred=True)
def measure_session(db: Connection, event: SessionCompleted, *, now: datetime) -> None:
    """Record the measures of a completed session, once however often this runs."""
    defer_write(db, record_metrics, event.session_id)


def record_metrics(db: Connection, session_ids: list[UUID]) -> None:
    """Record the measures of these completed sessions, in the order of their ids."""
    booking, session = bookings.c, sessions.c
    measures = {step: milliseconds_of(step) for step in Transition}
    decision = measures[Transition.REQUEST_TO_DECISION]
    measures[Transition.REQUEST_TO_DECISION] = case((WAS_REQUESTED, decision))
    booked = func.floor(func.date_part("epoch", session.end_time - session.start_time) / 60)
    values = {
        "session_id": session.id,
        "mentor_profile_id": session.mentor_profile_id,
        "course_id": session.course_id,
        "completed_at": session.completed_at,
        "booked_minutes": cast(booked, Integer),
        **{f"{step}_ms": cast(took, BigInteger) for step, took in measures.items()},
    }
    measured = (
        select(*values.values())
        .join_from(sessions, bookings, booking.id == session.booking_id)
        .where(session.id == any_(literal(session_ids, ARRAY(Uuid))), session.completed_at.is_not(None))
        .order_by(session.id)
    )
    db.execute(insert(session_metrics).from_select(list(values), measured).on_conflict_do_nothing())
