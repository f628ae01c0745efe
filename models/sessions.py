"""Sessions: the meeting that an accepted booking becomes, exactly one."""

from enum import StrEnum
from uuid import UUID, uuid5

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.base import Timestamp, changing, enum, id_column, metadata, own_metadata
from models.personal import DELETED_ACCOUNT, ERASED, IMPERSONAL, OWN_LOCATION, replaced_by

_CANCELLATION = (
    f"CASE WHEN cancellation ->> 'reason' = '{DELETED_ACCOUNT}' THEN cancellation"
    " ELSE jsonb_set(cancellation, '{reason}', 'null') END"
)

_AMOUNTS = "({0})::bigint >= 0 AND ({1})::bigint >= 0 AND ({0})::bigint + ({1})::bigint <= ({2})::bigint".format(
    *(f"cancellation -> '{name}' ->> 'amount'" for name in ("fee", "refund", "paid"))
)

SESSION_NAMESPACE = UUID("6f1d3c2e-8a57-5b0e-9c44-0e7b1f6d2a93")


class SessionStatus(StrEnum):
    """State of the meeting."""

    SCHEDULED = "scheduled"  # in: the effect sessions.create alone; out: either party
    IN_PROGRESS = "in_progress"  # in: mentee or mentor; out: the mentor, or an operator
    COMPLETED = "completed"  # in: the mentor, or an operator; final
    CANCELLED = "cancelled"  # in: mentee, mentor, operator or system; once it has begun, an operator alone; final


SESSION_TRANSITIONS: dict[SessionStatus, frozenset[SessionStatus]] = {
    SessionStatus.SCHEDULED: frozenset({SessionStatus.IN_PROGRESS, SessionStatus.CANCELLED}),
    SessionStatus.IN_PROGRESS: frozenset({SessionStatus.COMPLETED, SessionStatus.CANCELLED}),
    SessionStatus.COMPLETED: frozenset(),
    SessionStatus.CANCELLED: frozenset(),
}


class CancelledBy(StrEnum):
    """The role in which a session was cancelled; of a no-show, the party who did not come."""

    MENTEE = "mentee"
    MENTOR = "mentor"
    OPERATOR = "operator"
    SYSTEM = "system"


class CancellationType(StrEnum):
    """Why a session was cancelled, as its canceller chose."""

    CLIENT_REQUEST = "client_request"
    COACH_REQUEST = "coach_request"
    EMERGENCY = "emergency"
    OTHER = "other"


class OutcomeType(StrEnum):
    """Why a session was cancelled, where the reason follows from the events."""

    NO_SHOW = "no_show"  # one party did not come
    NOT_HELD = "not_held"  # it was never started
    VOID = "void"  # an operator took it back


class AbsentParty(StrEnum):
    """Who did not come."""

    MENTOR = "mentor"
    MENTEE = "mentee"


class ProposalStatus(StrEnum):
    """State of a proposal of another time."""

    OPEN = "open"  # in: a party
    ACCEPTED = "accepted"  # in: the other party; at once where no agreement is needed; final
    DECLINED = "declined"  # in: the other party; final
    EXPIRED = "expired"  # in: the system, when nobody answered, or its session has begun, moved or ended; final
    WITHDRAWN = "withdrawn"  # in: who made it, or their next proposal; final


def session_id_of(booking_id: UUID) -> UUID:
    """The id of the one session that a booking can have: its uuid5, so that a second could not even be named."""
    return uuid5(SESSION_NAMESPACE, str(booking_id))


sessions = Table(
    "sessions",
    metadata,
    id_column(),
    Column("booking_id", Uuid, ForeignKey("bookings.id"), nullable=False, unique=True),
    Column("mentor_profile_id", Uuid, ForeignKey("mentor_profiles.id"), nullable=False),
    Column("mentee_user_id", Uuid, ForeignKey("users.id")),
    Column("course_id", Uuid, ForeignKey("courses.id")),
    Column("start_time", Timestamp, nullable=False),
    Column("end_time", Timestamp, nullable=False),
    Column("status", enum(SessionStatus, "session_status"), nullable=False),
    Column("title", Text, info=ERASED),
    Column("description", Text, info=ERASED),
    Column("notes", Text, info=ERASED),
    *own_metadata(),
    Column("rating", SmallInteger, info=ERASED),
    Column("feedback", Text, info=ERASED),
    Column("action_items", JSONB(none_as_null=True), info=ERASED),
    Column("started_at", Timestamp),
    Column("completed_at", Timestamp),
    Column("cancelled_at", Timestamp),
    Column("cancellation", JSONB(none_as_null=True), info=replaced_by(_CANCELLATION)),
    # Names the online meeting; unguessable, while the id follows from the booking's id.
    Column("room", Uuid, server_default=text("gen_random_uuid()")),
    # Its booking's, written by a trigger: where it takes place, and how long before its start it can be joined.
    Column("location", JSONB(none_as_null=True), info=replaced_by(OWN_LOCATION)),
    Column("early_start_minutes", Integer, info=IMPERSONAL),
    # When the mentor was reminded to complete it, a day after its end.
    Column("completion_reminded_at", Timestamp),
    # The start before the last move; a trigger writes it, and counts.
    Column("rescheduled_from", Timestamp),
    Column("reschedule_count", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    Column("rescheduled_at", Timestamp),
    # The SEQUENCE of its invitations (RFC 5545), raised by triggers when it moves or is cancelled.
    Column("calendar_sequence", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
    *changing(),
    # Neither side can drift from the other: a trigger alone could be raced.
    ForeignKeyConstraint(
        ["booking_id", "start_time", "end_time", "mentor_profile_id"],
        ["bookings.id", "bookings.start_time", "bookings.end_time", "bookings.mentor_profile_id"],
    ),
    CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    CheckConstraint("calendar_sequence >= 0", name="calendar_sequence"),
    CheckConstraint(
        "num_nonnulls(rescheduled_from, rescheduled_at) = CASE WHEN reschedule_count > 0 THEN 2 ELSE 0 END",
        name="rescheduled",
    ),
    CheckConstraint("jsonb_typeof(action_items) = 'array'", name="action_items_are_a_list"),
    CheckConstraint(
        "(started_at IS NOT NULL) = (status IN ('in_progress', 'completed')) OR status = 'cancelled'", name="started_at"
    ),
    CheckConstraint(
        "status <> 'cancelled' OR started_at IS NULL"
        " OR (cancellation ->> 'cancelledBy') IS NOT DISTINCT FROM 'operator'",
        name="begun_and_cancelled",
    ),
    CheckConstraint(_AMOUNTS, name="amounts"),
    CheckConstraint("(completed_at IS NOT NULL) = (status = 'completed')", name="completed_at"),
    CheckConstraint("(cancelled_at IS NOT NULL) = (status = 'cancelled')", name="cancelled_at"),
    Index("ix_sessions_mentor_profile_id_start_time_id", "mentor_profile_id", text("start_time DESC"), "id"),
    Index("ix_sessions_mentee_user_id_start_time_id", "mentee_user_id", text("start_time DESC"), "id"),
    # The specification requires the first for operators who ask by state; reports of a period read the second.
    Index("ix_sessions_status_start_time", "status", "start_time"),
    Index("ix_sessions_start_time", "start_time"),
    Index("ix_sessions_course_id_start_time", "course_id", "start_time"),
    Index(
        "ix_sessions_to_complete",
        "start_time",
        postgresql_where=text("status = 'in_progress' AND completion_reminded_at IS NULL"),
    ),
    # Maintain reads the rows that changed since its last round.
    Index("ix_sessions_updated_at_id", "updated_at", "id"),
)

# Each move of a session begins as one; a move that needs no agreement is accepted as it is written.
reschedule_proposals = Table(
    "reschedule_proposals",
    metadata,
    id_column(),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False),
    Column("from_time", Timestamp, nullable=False),
    Column("start_time", Timestamp, nullable=False),
    # The role in which it was made, as of CancelledBy; and the person, but for an operator.
    Column("proposed_by", Text, nullable=False, info=IMPERSONAL),
    Column("proposed_by_user_id", Uuid, ForeignKey("users.id")),
    Column("reason", Text, info=ERASED),
    Column("status", enum(ProposalStatus, "proposal_status"), nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    *changing(),
    CheckConstraint("proposed_by IN ('mentee', 'mentor', 'operator')", name="proposed_by"),
    CheckConstraint("(proposed_by_user_id IS NULL) = (proposed_by = 'operator')", name="proposed_by_user_id"),
    CheckConstraint("start_time <> from_time", name="another_time"),
    Index("ix_reschedule_proposals_session_id_id", "session_id", "id"),
    Index("uq_reschedule_proposals_open", "session_id", unique=True, postgresql_where=text("status = 'open'")),
    Index(
        "ix_reschedule_proposals_proposed_by_user_id_id",
        "proposed_by_user_id",
        "id",
        postgresql_where=text("proposed_by_user_id IS NOT NULL"),
    ),
)
