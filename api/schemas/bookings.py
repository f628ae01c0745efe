"""Bookings."""

from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.base import (
    ExternalBody,
    ExternalShown,
    RequestSchema,
    ResponseSchema,
    TimedListQuery,
    fold_names,
    page_of,
)
from api.schemas.fields import (
    OPTIONAL,
    AsRead,
    Choice,
    Choices,
    Day,
    Id,
    Metadata,
    Moment,
    OfPeople,
    OneLine,
    Price,
    SealedText,
    ShownText,
    Text,
    TimeZone,
    TrueOrFalse,
    Whole,
)
from api.schemas.payments import OwnPayment
from api.schemas.questions import ShownAnswers
from api.schemas.terms import AgreedLocation, AnsweringBody, PublicLocation, Reschedule
from config.sealing import seal_text
from models.bookings import BookingKind, BookingStatus
from models.sessions import CancellationType, SessionStatus
from workflows.bookings.individual import IndividualRequest
from workflows.bookings.records import Booking as BookingRecord
from workflows.bookings.series import MAX_OCCURRENCES, MAX_WEEKS_APART, OnConflict, Recurrence
from workflows.bookings.series import Series as SeriesOfBookings
from workflows.groups.records import Group


class BookingBody(ExternalBody):
    """Base of bodies that book: how the marketplace names and describes the booking."""

    metadata = Metadata(
        allow_none=True, metadata={"description": "At most 16 kB; copied to the session.", "component": "CopiedObject"}
    )

    @validates_schema
    def _names_one(self, body: dict[str, Any], **_: Any) -> None:
        if body.get("external_id") is not None and body.get("recurrence") is not None:
            raise ValidationError("Names one booking: leave it out of a series.", "externalId")


class NewBooking(AnsweringBody, BookingBody):
    listing_id = Id(required=True)
    start_time = Moment(required=True, metadata={"example": "2030-05-04T09:00:00Z"})
    end_time = Moment(**OPTIONAL, metadata={"description": "Must be `startTime` plus the listing's duration."})
    title = OneLine(200, **OPTIONAL)
    notes = SealedText(5000, **OPTIONAL)


class NewRecurrence(RequestSchema):
    """How often a session is repeated: by `count` or `until`, at the same wall-clock time."""

    count = Whole(1, MAX_OCCURRENCES, metadata={"description": "How many sessions, the first included."})
    until = Day(
        metadata={"description": f"The last date; at most {MAX_OCCURRENCES} sessions.", "example": "2030-06-30"}
    )
    every_weeks = Whole(1, MAX_WEEKS_APART, load_default=1)
    on_conflict = Choice(
        OnConflict,
        load_default=OnConflict.FAIL,
        metadata={"description": "`fail`: all or nothing. `skip`: leave out what cannot be booked, and report it."},
    )

    @validates_schema
    def _has_one_end(self, recurrence: dict[str, Any], **_: Any) -> None:
        if ("count" in recurrence) == ("until" in recurrence):
            raise ValidationError("Give either count or until.", "count")

    @post_load
    def _as_recurrence(self, recurrence: dict[str, Any], **_: Any) -> Recurrence:
        return Recurrence(**recurrence)


class NewIndividualBooking(AnsweringBody, BookingBody):
    """A request for a session of a course. Fields that are null count as left out."""

    course_id = Id(required=True)
    start_time = Moment(allow_none=True, metadata={"example": "2030-05-04T09:00:00Z"})
    date = Moment(allow_none=True, metadata={"description": "Another name of `startTime`; one of them is required."})
    duration_minutes = Whole(5, 1440, required=True, metadata={"example": 60})
    student_id = Id(
        allow_none=True, metadata={"description": "The mentee: the caller's own id, or anyone's for an operator."}
    )
    mentor_profile_id = Id(allow_none=True, metadata={"description": "Left out, a mentor who is free is chosen."})
    ta_id = Id(allow_none=True, metadata={"description": "Another name of `mentorProfileId`."})
    coach_id = Id(allow_none=True, metadata={"description": "Another name of `mentorProfileId`."})
    listing_id = Id(
        allow_none=True, metadata={"description": "A listing of this course, duration and, if named, mentor."}
    )
    product_id = Id(allow_none=True, metadata={"description": "The product whose price is paid."})
    bundle_purchase_id = Id(allow_none=True, metadata={"description": "The bundle that pays with a credit."})
    title = OneLine(200, allow_none=True)
    notes = Text(5000, allow_none=True)
    description = Text(5000, allow_none=True, metadata={"description": "Another name of `notes`."})
    recurrence = fields.Nested(NewRecurrence, allow_none=True)
    time_zone = TimeZone(allow_none=True)

    @post_load
    def as_arguments(self, body: dict[str, Any], **options: Any) -> Any:
        """The request, each of its fields under one name.

        Raises:
            ValidationError: two names of a field have different values; no start, or two means of payment.
        """
        super().as_arguments(body, **options)
        fold_names(body, "start_time", "date")
        fold_names(body, "mentor_profile_id", "ta_id", "coach_id")
        fold_names(body, "notes", "description")
        # Only now: the same text under two names is encrypted to two values.
        if body.get("notes") is not None:
            body["notes"] = seal_text(body["notes"])
        if body.get("start_time") is None:
            raise ValidationError("Missing data for required field.", "startTime")
        if body.get("product_id") and body.get("bundle_purchase_id"):
            raise ValidationError("Pay by a product or by a bundle, not by both.", "bundlePurchaseId")
        return IndividualRequest(**body)


class GivenReason(RequestSchema):
    reason = Text(1000, **OPTIONAL)


class MentorParty(ResponseSchema):
    id = Id()
    name = fields.String()
    headline = fields.String()
    avatar_url = fields.String(allow_none=True)


class MenteeParty(ResponseSchema):
    id = Id()
    name = fields.String()


class Offered(ResponseSchema):
    """The listing or the course that was booked, as it is called now."""

    id = Id()
    title = fields.String()
    external_id = fields.String(allow_none=True)


class SessionOfBooking(ResponseSchema):
    """The session of a booking, and where it stands."""

    id = Id()
    status = Choice(SessionStatus)


class Booking(ExternalShown):
    id = Id()
    listing_id = Id(allow_none=True, metadata={"description": "Null for a group."})
    mentor_profile_id = Id()
    mentee_user_id = Id(allow_none=True)
    mentor = AsRead(MentorParty)
    mentee = AsRead(MenteeParty, metadata={"description": "Null for a group."})
    kind = Choice(BookingKind)
    start_time = Moment()
    end_time = Moment()
    duration_minutes = fields.Integer()
    status = Choice(BookingStatus)
    title = fields.String(allow_none=True)
    notes = ShownText(allow_none=True)
    answers = ShownAnswers("As they were given, with the questions as they were asked; of a group, the caller's own.")
    price = Price()
    course_id = Id(allow_none=True, dump_default=None)
    listing = AsRead(Offered, metadata={"description": "Null for a group."})
    course = AsRead(Offered)
    product_id = Id(allow_none=True, metadata={"description": "The product whose price was taken."})
    bundle_purchase_id = Id(allow_none=True, metadata={"description": "The bundle that paid for it."})
    series_id = Id(allow_none=True, metadata={"description": "The series of a recurring booking."})
    location = AgreedLocation()
    reschedule = Reschedule()
    payment = OwnPayment()
    session_id = Id(allow_none=True, metadata={"description": "The session's id, once the booking is accepted."})
    session = AsRead(SessionOfBooking, metadata={"description": "Null until the session exists."})
    decline_reason = fields.String(allow_none=True)
    cancel_reason = fields.String(
        allow_none=True,
        metadata={
            "description": "By who cancelled it; `expired` without a decision in time, `unpaid` without a payment."
        },
    )
    capacity = fields.Integer(metadata={"description": "Of a group alone."})
    seats_taken = fields.Integer(metadata={"description": "As `capacity`."})
    full = fields.Boolean(metadata={"description": "As `capacity`: whether every seat is taken or offered."})
    created_at = Moment()
    updated_at = Moment()

    optional: tuple[str, ...] = ("capacity", "seats_taken", "full")


class CancellationTypeBody(RequestSchema):
    """Base of bodies that may name the type of a cancellation."""

    type = Choice(
        CancellationType,
        metadata={"description": "Not `coach_request` from a mentee, nor `client_request` from a mentor."},
    )
    cancellation_type = Choice(CancellationType, metadata={"description": "Another name of `type`."})

    @post_load
    def name_the_type(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Keep the type under one name. Raises ValidationError: its two names have different values."""
        fold_names(body, "type", "cancellation_type")
        return body


class BookingCancellation(GivenReason, CancellationTypeBody):
    """An optional reason; what else a cancelled session has is of no concern to a draft."""

    refund_requested = TrueOrFalse(load_default=True)


class CancelledBooking(Booking):
    """A booking that was cancelled; one that was accepted stays so, and has what its cancellation cost."""

    location = PublicLocation()
    cancellation = fields.Dict(
        metadata={"description": "Of the session or the group's seat, where the booking was accepted."}
    )

    optional = (*Booking.optional, "cancellation")


class SeriesOccurrence(ResponseSchema):
    start_time = Moment()
    booking_id = Id(attribute="id")
    session_id = Id(allow_none=True, metadata={"description": "Null for a draft."})


class SkippedSeriesOccurrence(ResponseSchema):
    start_time = Moment()
    code = fields.String(attribute="refusal.code", metadata={"example": "slot_taken"})
    message = fields.String(attribute="refusal.message")


class Series(ResponseSchema):
    id = Id()
    made = fields.List(fields.Nested(SeriesOccurrence))
    skipped = fields.List(fields.Nested(SkippedSeriesOccurrence))


class IndividualBooking(Booking):
    """An accepted booking; the first one of a series, if it is repeated."""

    series = fields.Nested(Series)

    optional = (*Booking.optional, "series")


class SeriesCancellation(BookingCancellation):
    from_time = Moment(
        data_key="from",
        **OPTIONAL,
        metadata={"description": "The start of the first one to cancel; now, when left out."},
    )
    reason = Text(2000, shortest=1, required=True, metadata={"description": "Visible to both parties."})


class KeptBooking(ResponseSchema):
    booking_id = Id()
    code = fields.String(metadata={"description": "The code of the refusal.", "example": "invalid_transition"})


class CancelledSeries(ResponseSchema):
    cancelled = fields.List(Id())
    kept = fields.List(fields.Nested(KeptBooking))


class BookingFilters(TimedListQuery):
    role = fields.String(
        validate=validate.OneOf(["mentee", "mentor"]),
        metadata={"description": "The caller's role; by default both. Only mentors may ask for `mentor`."},
    )
    status = Choices(BookingStatus, metadata={"description": "Only bookings that have one of these statuses."})
    with_user_id = Id(
        data_key="menteeUserId",
        metadata={"description": "As a mentor: only bookings of this mentee with the caller; as staff: with anyone."},
    )
    mentor_profile_id = Id(metadata={"description": "For staff: only bookings of this mentor."})
    q = OfPeople()


class ListedBooking(Booking):
    """A booking in a list; a group's booking with its seats."""

    capacity = fields.Integer(attribute="seats.capacity", metadata={"description": "Of a group alone."})
    seats_taken = fields.Integer(attribute="seats.taken", metadata={"description": "As `capacity`."})
    full = fields.Boolean(
        attribute="seats.full", metadata={"description": "As `capacity`: whether every seat is taken or offered."}
    )


Bookings = page_of(ListedBooking, "Bookings")


@dataclass(frozen=True, kw_only=True)
class BookingOfSeries(BookingRecord):
    """The first booking of a series, with what became of the others."""

    series: SeriesOfBookings


@dataclass(frozen=True, kw_only=True)
class BookingOfCancelledSession(BookingRecord):
    """An accepted booking whose session was cancelled, with that cancellation."""

    cancellation: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class BookingOfLeftGroup(Group):
    """The booking of a group in which the caller had a seat, with what it cost to leave that."""

    cancellation: dict[str, Any]
