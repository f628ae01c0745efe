"""Sessions, and how they are shown to each party."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from api.schemas.base import (
    EitherShape,
    ExternalShown,
    RequestSchema,
    ResponseSchema,
    TimedListQuery,
    fold_names,
    page_of,
)
from api.schemas.bookings import (
    Booking,
    BookingBody,
    CancellationTypeBody,
    IndividualBooking,
    MenteeParty,
    MentorParty,
    NewRecurrence,
    Offered,
    Series,
)
from api.schemas.fields import (
    CREDIT_VALID_TO,
    OPTIONAL,
    AsRead,
    Choice,
    Choices,
    Id,
    Line,
    Moment,
    MomentOrWallClock,
    Money,
    OfPeople,
    SealedLine,
    SealedText,
    ShownText,
    Text,
    TimeZone,
    TrueOrFalse,
    Whole,
)
from api.schemas.questions import ShownAnswers, shown_answers
from api.schemas.terms import AgreedLocation, AnsweringBody, ListingOrDuration
from models.bookings import BookingKind
from models.events import DeliveryState
from models.groups import MAX_CAPACITY
from models.payments import PaymentStatus
from models.sessions import AbsentParty, CancelledBy, ProposalStatus, SessionStatus
from workflows.events.delivery import DeliveryStatus
from workflows.identity.access import is_mentor
from workflows.identity.actor import Actor
from workflows.sessions.meeting import MeetingService
from workflows.sessions.records import Session as SessionRecord
from workflows.terms.cancellation import Quote


class AttendanceOfMentee(RequestSchema):
    user_id = Id(required=True)
    present = TrueOrFalse(required=True)


class AttendanceList(fields.List[Any]):
    """Attendance by the ids of mentees; each is named once."""

    def __init__(self, **kwargs: Any) -> None:
        described = (
            "Those of a group who were absent get no permit to review; what is recorded of others stays. The mentee of"
            " an individual session is not absent: that is a no-show."
        )
        super().__init__(
            fields.Nested(AttendanceOfMentee),
            validate=validate.Length(min=1, max=MAX_CAPACITY),
            metadata={"description": described},
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        given: Any = super()._deserialize(value, attr, data, **kwargs)
        by_mentee = {each["user_id"]: each["present"] for each in given}
        if len(by_mentee) < len(given):
            raise ValidationError("Must name each mentee once.")
        return by_mentee


class RecordedAttendance(RequestSchema):
    attendance = AttendanceList(required=True)


class Participant(ResponseSchema):
    user_id = Id()
    name = fields.String()
    present = fields.Boolean(allow_none=True, metadata={"description": "Null until attendance is recorded."})
    answers = ShownAnswers()


class Participants(ResponseSchema):
    """All mentees of a session, in the order in which they joined."""

    items = fields.List(fields.Nested(Participant))


class SessionCompletion(RequestSchema):
    """The mentor's record of a session."""

    notes = SealedText(5000, **OPTIONAL, metadata={"description": "Visible to both parties."})
    rating = Whole(1, 5, **OPTIONAL, metadata={"description": "For mentor and operators only."})
    feedback = SealedText(5000, **OPTIONAL, metadata={"description": "For mentor and operators only."})
    action_items = fields.List(
        SealedLine(500),
        **OPTIONAL,
        validate=validate.Length(max=50),
        metadata={"description": "Visible to both parties."},
    )
    attendance = AttendanceList(**OPTIONAL)


_JOIN_URL = (
    "The link to meet online, for mentor and mentees alone: from `earlyStartMinutes` before the start on, until the"
    " session is completed or cancelled."
)


class PaymentOfSession(ResponseSchema):
    """The payment of a session, and where it stands."""

    id = Id()
    status = Choice(PaymentStatus)


class Proposal(ResponseSchema):
    """Another time of a session, for the other party to accept or to decline."""

    id = Id()
    start_time = Moment()
    proposed_by = fields.String(metadata={"enum": ["mentee", "mentor", "operator"], "example": "mentee"})
    reason = fields.String(allow_none=True)
    expires_at = Moment(metadata={"description": "Until when it can be accepted."})
    status = Choice(ProposalStatus)


class OwnProposal(Proposal):
    """A proposal of another time, or a move at once, as its author's export has it."""

    session_id = Id()
    from_time = Moment(data_key="from")
    created_at = Moment()


class Session(ExternalShown):
    id = Id()
    booking_id = Id()
    mentor_profile_id = Id()
    mentee_user_id = Id(allow_none=True)
    mentor = AsRead(MentorParty)
    mentee = AsRead(MenteeParty, metadata={"description": "Null for a group."})
    title = fields.String(allow_none=True)
    description = ShownText(allow_none=True)
    start_time = Moment()
    end_time = Moment()
    status = Choice(SessionStatus)
    external_id = fields.String(allow_none=True, dump_default=None, metadata={"description": "Its booking's."})
    kind = fields.Enum(BookingKind, by_value=True, dump_default=None)
    listing = AsRead(Offered, metadata={"description": "Null for a group."})
    course = AsRead(Offered)
    price = AsRead(Money, metadata={"description": "As agreed; of a group, the price of one seat."})
    payment = AsRead(
        PaymentOfSession,
        metadata={"description": "Of its booking or series; null where none is made, and for a group."},
    )
    bundle_purchase_id = Id(
        allow_none=True, dump_default=None, metadata={"description": "The bundle that paid for it; null for a group."}
    )
    answers = ShownAnswers("Those of its booking; of a group, its participants have them.")
    notes = ShownText(allow_none=True)
    rating = fields.Integer(
        allow_none=True, metadata={"description": "For mentor and operators only.", "example": None}
    )
    feedback = ShownText(allow_none=True, metadata={"description": "For mentor and operators only."})
    action_items = fields.List(ShownText(), allow_none=True)
    started_at = Moment(allow_none=True)
    completed_at = Moment(allow_none=True)
    cancelled_at = Moment(allow_none=True)
    cancellation = fields.Dict(
        allow_none=True,
        metadata={"description": "Its `refund` is null for a participant of a group, whose own seat is refunded."},
    )
    location = AgreedLocation()
    early_start_minutes = fields.Integer(
        allow_none=True,
        metadata={"description": "How long before the start it can be started and joined; null for any time."},
    )
    join_url = fields.String(allow_none=True, dump_default=None, metadata={"description": _JOIN_URL, "format": "uri"})
    rescheduled_from = Moment(
        allow_none=True, metadata={"description": "The start before its last move; null where it has not moved."}
    )
    reschedule_count = fields.Integer(metadata={"description": "How often it has moved.", "example": 0})
    proposal = fields.Nested(
        Proposal,
        allow_none=True,
        dump_default=None,
        metadata={"description": "The open proposal of another time; in the answer to a step, the one that it ended."},
    )
    created_at = Moment()
    updated_at = Moment()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Besides: the values of its booking, which the database has made in the schema's own names."""
        shown = super().dump(obj, many=many)
        if many or not isinstance(obj, SessionRecord):
            return shown
        booking = obj.booking or {}
        return {**shown, **booking, "answers": shown_answers(booking.get("answers"))}


class SessionCancellation(CancellationTypeBody):
    reason = Text(2000, shortest=1, required=True, metadata={"description": "Visible to both parties."})
    refund_requested = TrueOrFalse(
        load_default=True, metadata={"description": "Counts when a mentee cancels: with false, nothing is refunded."}
    )


class SessionMove(RequestSchema):
    """Another time of a session, whose length stays."""

    start_time = Moment(required=True, metadata={"example": "2030-05-05T09:00:00Z"})
    reason = Text(2000, shortest=1, **OPTIONAL, metadata={"description": "Visible to both parties."})


class ProposedMove(ResponseSchema):
    proposal = fields.Nested(Proposal)


class NoShow(RequestSchema):
    who = Choice(AbsentParty, required=True)


class OperatorsReason(RequestSchema):
    reason = Text(2000, shortest=1, required=True)


class Waiver(OperatorsReason):
    user_id = Id(
        **OPTIONAL, metadata={"description": "Who has left the group late; required for a group, otherwise the mentee."}
    )


class AgreedPolicy(ResponseSchema):
    window_hours = fields.Integer()
    late_fee_percent = fields.Integer()


class CancellationQuote(ResponseSchema):
    session_id = Id()
    allowed = fields.Boolean()
    cancelled_by = Choice(CancelledBy)
    late = fields.Boolean(metadata={"description": "Whether the mentee would cancel inside the policy's window."})
    fee = fields.Nested(Money)
    refund = fields.Nested(
        Money, metadata={"description": "The refund; of an individual session, unless the mentee does without it."}
    )
    free_until = Moment(
        allow_none=True,
        metadata={
            "description": "The mentee can cancel without a fee until then, and for the fee from then on; null where"
            " nothing will change: for mentor and operator, and where the mentee cannot cancel."
        },
    )
    credit_returned = fields.Boolean(
        allow_none=True, metadata={"description": "Whether the credit that paid for it would return; null if none did."}
    )
    credit_valid_to = CREDIT_VALID_TO
    policy = fields.Nested(AgreedPolicy, allow_none=True, metadata={"description": "Null: the mentee cannot cancel."})
    no_show_fee_percent = fields.Integer(
        metadata={"description": "The fee of a mentee who does not come, of the price.", "example": 100}
    )


class CancelledSession(Session):
    """A cancelled session, with its fee and refund; `cancellation.waivedAt` is when an operator waived the fee."""

    fee = fields.Nested(Money, attribute="cancellation.fee")
    refund = fields.Nested(
        Money,
        attribute="cancellation.refund",
        allow_none=True,
        metadata={"description": "Null for a participant of a group."},
    )


class WaivedSession(CancelledSession):
    """The session whose fee was waived; a group has no `fee` and `refund`: its `cancellations` have them by seat."""

    optional = (*CancelledSession.optional, "fee", "refund")


class BookedSession(ResponseSchema):
    booking = fields.Nested(Booking)
    session = fields.Nested(Session)


class BookedIndividualSession(BookedSession):
    """An accepted booking and its session; of a series, the first ones."""

    series = fields.Nested(Series)

    optional = ("series",)


class MadeBooking(EitherShape):
    """A draft, or a booking that awaits its payment; with `Prefer: wait`, an accepted booking and its session."""

    shapes = (Booking, BookedSession)


class MadeIndividualBooking(EitherShape):
    """A booking that awaits its payment; with `Prefer: wait`, an accepted booking and its session."""

    shapes = (IndividualBooking, BookedIndividualSession)


class NewSession(ListingOrDuration, AnsweringBody, BookingBody):
    """A session with a mentor at some time, of a listing or of some duration."""

    mentor_profile_id = Id(allow_none=True, metadata={"description": "Required, by this name or as `coachId`."})
    coach_id = Id(allow_none=True, metadata={"description": "Another name of `mentorProfileId`."})
    scheduled_at = MomentOrWallClock(
        required=True,
        metadata={"description": "Without a zone, a wall-clock time in `timeZone`.", "example": "2030-05-04T09:00:00Z"},
    )
    time_zone = TimeZone(**OPTIONAL)
    title = Line(200, required=True)
    description = SealedText(5000, **OPTIONAL, metadata={"description": "Kept as the booking's `notes`."})
    recurrence = fields.Nested(NewRecurrence, **OPTIONAL)

    @post_load
    def name_the_mentor(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Keep the mentor under one name. Raises ValidationError: neither name is given, or both with different ids."""
        fold_names(body, "mentor_profile_id", "coach_id")
        if body.get("mentor_profile_id") is None:
            raise ValidationError("Missing data for required field.", "mentorProfileId")
        return body


class DirectBooking(ResponseSchema):
    """A booking, and its session once that exists; of a series, the first ones."""

    booking = fields.Nested(Booking)
    session = fields.Nested(Session, allow_none=True)
    series = fields.Nested(Series)

    optional = ("series",)


class SessionFilters(TimedListQuery):
    status = Choices(SessionStatus, metadata={"description": "Only sessions that have one of these statuses."})


class MentorSessionFilters(SessionFilters):
    with_user_id = Id(data_key="menteeUserId", metadata={"description": "Only sessions with this mentee."})


class AllSessionFilters(MentorSessionFilters):
    mentor_profile_id = Id(metadata={"description": "Only sessions of this mentor."})
    q = OfPeople()


class SessionEffect(ResponseSchema):
    effect = fields.String(metadata={"example": "reviews.unlock"})
    event = fields.String(attribute="event_type", metadata={"example": "session.completed"})
    target = fields.String()
    state = Choice(DeliveryState)
    attempts = fields.Integer()
    due_at = Moment()
    done_at = Moment(allow_none=True)
    last_error = fields.String(allow_none=True, metadata={"description": "For operators only."})

    optional = ("last_error",)


class SessionEffects(ResponseSchema):
    items = fields.List(fields.Nested(SessionEffect))


Sessions = page_of(Session, "Sessions")
_SHOWN = Session()
_QUOTE = CancellationQuote()
_EFFECTS_FOR_OPERATORS = SessionEffects()
_EFFECTS = SessionEffects(exclude=("items.last_error",))


def as_seen_by(actor: Actor, session: SessionRecord, *, meetings: MeetingService, now: datetime) -> SessionRecord:
    """The session as it is shown to a party or an operator.

    The mentor's record is for the mentor and operators, the link to meet for the parties, while they can. The refund of
    a cancelled group is the sum of all seats, which no participant sees.
    """
    proposal = session.proposal
    if proposal and proposal.is_open and (proposal.expires_at <= now or session.status is not SessionStatus.SCHEDULED):
        session = replace(session, proposal=None)
    join_url = None if actor.operator else meetings.join_url(session, now=now)
    if actor.operator or is_mentor(actor, session):
        return replace(session, join_url=join_url) if join_url else session
    cancellation = session.cancellation
    if cancellation is not None and session.mentee_user_id is None:
        cancellation = {**cancellation, "refund": None}
    return replace(session, join_url=join_url, rating=None, feedback=None, cancellation=cancellation)


def quoted(quote: Quote) -> dict[str, Any]:
    """A quote, or what it has cost to leave a seat, by the names of the schemas' fields."""
    policy = {"window_hours": quote.window_hours, "late_fee_percent": quote.late_fee_percent}
    return {
        **vars(quote),
        "fee": {"amount": quote.fee_amount, "currency": quote.currency},
        "refund": {"amount": quote.refund_amount, "currency": quote.currency},
        "policy": None if quote.window_hours is None else policy,
    }


def shown_quote(session: SessionRecord, quote: Quote) -> dict[str, Any]:
    shown: dict[str, Any] = _QUOTE.dump({**quoted(quote), "session_id": session.id})
    return shown


def shown_effects(actor: Actor, effects: list[DeliveryStatus]) -> dict[str, Any]:
    """A session's effects as JSON; errors are for operators only."""
    shown: dict[str, Any] = (_EFFECTS_FOR_OPERATORS if actor.operator else _EFFECTS).dump({"items": effects})
    return shown


def shown_session(session: SessionRecord) -> dict[str, Any]:
    shown: dict[str, Any] = _SHOWN.dump(session)
    return shown
