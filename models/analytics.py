"""Measures of completed sessions."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Uuid

from models.base import Timestamp, created, metadata
from models.personal import IMPERSONAL

# One row for each completed session, never changed, for dashboards and warehouses that read the database.
session_metrics = Table(
    "session_metrics",
    metadata,
    Column("session_id", Uuid, ForeignKey("sessions.id"), primary_key=True),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("course_id", Uuid, ForeignKey("courses.id")),
    Column("completed_at", Timestamp, nullable=False),
    Column("booked_minutes", Integer, nullable=False, info=IMPERSONAL),
    # From the request to its acceptance; null for an instant listing or a group.
    Column("request_to_decision_ms", BigInteger, info=IMPERSONAL),
    Column("acceptance_to_session_ms", BigInteger, nullable=False, info=IMPERSONAL),
    # Below zero for an early start.
    Column("start_delay_ms", BigInteger, nullable=False, info=IMPERSONAL),
    Column("length_ms", BigInteger, nullable=False, info=IMPERSONAL),
    created(),
)
