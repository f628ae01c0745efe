"""The terms of a booking as columns: as listings and templates of groups offer them, and as bookings keep them."""

from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import SchemaItem

from models.base import enum
from models.payments import PAYMENT_MODE
from models.personal import ERASED, IMPERSONAL, KEPT_ACCOUNT, OWN_LOCATION, replaced_by

# Of a listing or a template; also in the tables' checks.
MAX_QUESTIONS = 10


class QuestionKind(StrEnum):
    """Kind of a question to those who book."""

    TEXT = "text"
    CHOICE = "choice"  # one of its choices
    YES_NO = "yes_no"


def asked_questions() -> tuple[SchemaItem, ...]:
    """The questions that listings and templates ask of those who book, each an object in the API's own names."""
    return (
        Column("questions", JSONB, nullable=False, server_default=text("'[]'"), info=replaced_by("'[]'")),
        CheckConstraint(
            "CASE jsonb_typeof(questions) WHEN 'array' THEN jsonb_array_length(questions) <= 10 ELSE false END",
            name="questions",
        ),
        CheckConstraint("has_distinct_ids(questions)", name="question_ids"),
    )


class RescheduleMode(StrEnum):
    """How a party moves a session to another time."""

    FREE = "free"  # at once, until the window before the start
    BY_AGREEMENT = "by_agreement"  # once the other party accepts
    OFF = "off"  # an operator alone moves it


# One type of several tables.
_RESCHEDULE_MODE = enum(RescheduleMode, "reschedule_mode")


def _reschedule_terms() -> tuple[SchemaItem, ...]:
    return (
        Column("reschedule_mode", _RESCHEDULE_MODE, nullable=False, server_default=text("'by_agreement'")),
        Column("reschedule_window_hours", Integer, nullable=False, server_default=text("24"), info=IMPERSONAL),
        Column("reschedule_max_times", Integer, nullable=False, server_default=text("2"), info=IMPERSONAL),
        CheckConstraint("reschedule_window_hours >= 0", name="reschedule_window_hours"),
        CheckConstraint("reschedule_max_times >= 0", name="reschedule_max_times"),
    )


def offered_terms() -> tuple[SchemaItem, ...]:
    """The terms that listings and templates have alike, with their defaults and rules; prices in minor units."""
    return (
        Column("price_amount", BigInteger, nullable=False, info=IMPERSONAL),
        Column("price_currency", Text, nullable=False, info=IMPERSONAL),
        Column("early_start_minutes", Integer, server_default=text("15"), info=IMPERSONAL),
        Column("buffer_minutes", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
        Column("cancellation_window_hours", Integer, server_default=text("24"), info=IMPERSONAL),
        Column("late_fee_percent", Integer, nullable=False, server_default=text("50"), info=IMPERSONAL),
        Column("no_show_fee_percent", Integer, nullable=False, server_default=text("100"), info=IMPERSONAL),
        # {"kind": a LocationKind, "value": text, if there is one}
        Column("location", JSONB(none_as_null=True), info=ERASED),
        Column("payment_mode", PAYMENT_MODE, nullable=False, server_default=text("'none'")),
        *_reschedule_terms(),
        CheckConstraint("price_amount >= 0", name="price_amount"),
        CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name="price_currency"),
        CheckConstraint("early_start_minutes >= 0", name="early_start_minutes"),
        CheckConstraint("buffer_minutes BETWEEN 0 AND 1440", name="buffer_minutes"),
        CheckConstraint("cancellation_window_hours >= 0", name="cancellation_window_hours"),
        CheckConstraint("late_fee_percent BETWEEN 0 AND 100", name="late_fee_percent"),
        CheckConstraint("no_show_fee_percent BETWEEN 0 AND 100", name="no_show_fee_percent"),
        CheckConstraint("jsonb_typeof(location) = 'object'", name="location_is_an_object"),
    )


def agreed_terms() -> tuple[SchemaItem, ...]:
    """The terms as they were at the request: a later change of the listing or template does not change the booking."""
    return (
        Column("price_amount", BigInteger, nullable=False, info=KEPT_ACCOUNT),
        Column("price_currency", Text, nullable=False, info=KEPT_ACCOUNT),
        Column("buffer_before_minutes", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
        Column("buffer_minutes", Integer, nullable=False, server_default=text("0"), info=IMPERSONAL),
        Column("early_start_minutes", Integer, info=IMPERSONAL),
        Column("cancellation_window_hours", Integer, info=IMPERSONAL),
        Column("late_fee_percent", Integer, nullable=False, info=IMPERSONAL),
        # Null for a booking that was made before there was this term.
        Column("no_show_fee_percent", Integer, info=IMPERSONAL),
        Column("reminder_minutes", ARRAY(Integer), info=IMPERSONAL),
        Column("location", JSONB(none_as_null=True), info=replaced_by(OWN_LOCATION)),
        Column("payment_mode", PAYMENT_MODE, nullable=False, server_default=text("'none'")),
        *_reschedule_terms(),
        CheckConstraint("price_amount >= 0", name="price_amount"),
        CheckConstraint("buffer_before_minutes >= 0", name="buffer_before_minutes"),
        CheckConstraint("buffer_minutes >= 0", name="buffer_minutes"),
        CheckConstraint("late_fee_percent BETWEEN 0 AND 100", name="late_fee_percent"),
        CheckConstraint("no_show_fee_percent BETWEEN 0 AND 100", name="no_show_fee_percent"),
        CheckConstraint("jsonb_typeof(location) = 'object'", name="location_is_an_object"),
    )
