"""The terms of a booking: as a mentor sets them, as everyone sees them, and as a client says that it has shown them."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.base import ExternalBody, ExternalShown, RequestSchema, ResponseSchema
from api.schemas.fields import OPTIONAL, Choice, Id, Line, Money, Price, Whole
from api.schemas.payments import payment_mode
from api.schemas.questions import Answers, Questions, asked
from config.addresses import require_meeting_link
from models.catalog import MAX_REMINDER_MINUTES, MAX_REMINDERS, LocationKind
from models.terms import RescheduleMode
from workflows.kernel.clock import HOURS_OF_A_YEAR, MINUTES_OF_A_YEAR
from workflows.terms.expected_terms import ExpectedTerms

_PRICE = (
    "The price that was shown: another one is refused with 409 `price_changed` and `details.price`. Of a series, the"
    " price of one session. With a bundle's credit the price is 0, in any currency."
)
_CANCELLATION = (
    "The cancellation policy that was shown: a worse one is refused with 409 `terms_changed` and"
    " `details.cancellation`. Null is the policy of an offer that mentees cannot cancel; no policy is worse."
)

_NO_SHOW = {"description": "The fee of a mentee who does not come, of the price; 100 by default.", "example": 100}


class CancellationPolicy(RequestSchema):
    """How long mentees can cancel without a fee, and the fee afterwards as a percentage of the price."""

    window_hours = Whole(0, HOURS_OF_A_YEAR, metadata={"example": 24})
    late_fee_percent = Whole(0, 100, metadata={"example": 50})


class Cancellation(fields.Nested):
    """A listing's cancellation policy from its two columns; null if mentees cannot cancel."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CancellationPolicy, allow_none=True, **kwargs)

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        if obj.cancellation_window_hours is None:
            return None
        return {"window_hours": obj.cancellation_window_hours, "late_fee_percent": obj.late_fee_percent}


class ReschedulePolicy(RequestSchema):
    """How parties move a session: `free` at once until the window before the start, `by_agreement`, or not (`off`)."""

    mode = Choice(RescheduleMode, metadata={"example": "by_agreement"})
    window_hours = Whole(0, HOURS_OF_A_YEAR, metadata={"example": 24})
    max_times = Whole(0, 100, metadata={"example": 2})


class Reschedule(fields.Nested):
    """How parties move a session, from its three columns."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ReschedulePolicy, **kwargs)

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        return {name: getattr(obj, f"reschedule_{name}") for name in ("mode", "window_hours", "max_times")}


class Location(RequestSchema):
    kind = Choice(LocationKind, required=True)
    value = Line(
        500,
        allow_none=True,
        metadata={
            "example": "12 Market Street, second bell",
            "description": "The address, or the number; without it, the mentor shares it otherwise. Or the link to meet"
            " at online, in which `{room}` stands for the session's own room; without it, the operator's service makes"
            " one.",
        },
    )

    @validates_schema
    def require_link(self, location: dict[str, Any], **_options: Any) -> None:
        """Require a link where people meet online. Raises ValidationError: it is none."""
        if location["kind"] is LocationKind.ONLINE and location.get("value") is not None:
            try:
                require_meeting_link(location["value"])
            except ValidationError as error:
                raise ValidationError(error.messages, "value") from error

    @post_load
    def as_stored(self, location: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """As the column holds it: without a value that is null."""
        return {name: str(value) for name, value in location.items() if value is not None}


class ShownLocation(ResponseSchema):
    """Where sessions take place."""

    kind = fields.String(validate=validate.OneOf(list(LocationKind)))
    value = fields.String(allow_none=True, dump_default=None)


class AgreedLocation(fields.Nested):
    """Where a booked session takes place: address and number once it is accepted, until it is cancelled."""

    def __init__(self) -> None:
        described = (
            "As agreed at the booking; `value` is null until it is accepted, and once it is cancelled. The link of an"
            " online session is its `joinUrl`. Null: online."
        )
        super().__init__(ShownLocation, allow_none=True, metadata={"description": described})

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        """The kind, and an address or a number that is shown by now; never a link."""
        location = obj.location
        if location and location["kind"] != LocationKind.ONLINE and obj.shows_place:
            return location
        return kind_alone(location)


class PublicLocation(AgreedLocation):
    """Where sessions take place, as everyone sees it: the kind alone."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = ma.missing) -> Any:  # noqa: ARG002
        return kind_alone(obj.location)


def kind_alone(location: dict[str, Any] | None) -> dict[str, Any] | None:
    """A location without the link, the address or the number."""
    return location and {"kind": location["kind"]}


def _each_once(minutes: list[int]) -> None:
    if len(set(minutes)) < len(minutes):
        raise ValidationError("Must not repeat a value.")


class Reminders(fields.List[int]):
    """Minutes before the start at which both parties are reminded: up to five different ones."""

    def __init__(self, **kwargs: Any) -> None:
        described = "Minutes before the start at which both parties are reminded; null for the operator's default."
        shown = {"example": [1440, 60], "uniqueItems": True, "description": described}
        longest = validate.Length(max=MAX_REMINDERS)
        super().__init__(Whole(1, MAX_REMINDER_MINUTES), validate=[longest, _each_once], metadata=shown, **kwargs)


def with_price_columns(body: dict[str, Any]) -> dict[str, Any]:
    """A body with its price, if it has one, split into its columns."""
    columns = {name: value for name, value in body.items() if name != "price"}
    if "price" in body:
        price = body["price"] or {"amount": None, "currency": None}
        columns |= {"price_amount": price["amount"], "price_currency": price["currency"]}
    return columns


class OfferedTermsBody(ExternalBody):
    """Base of changes to a listing or a template of groups, which offer sessions by terms."""

    duration_minutes = Whole(5, 1440, metadata={"example": 60})
    price = Price()
    early_start_minutes = Whole(0, MINUTES_OF_A_YEAR, allow_none=True)
    buffer_minutes = Whole(0, 1440)
    cancellation = Cancellation()
    no_show_fee_percent = Whole(0, 100, metadata=_NO_SHOW)
    location = fields.Nested(Location, allow_none=True)
    payment_mode = payment_mode()
    reschedule = Reschedule()
    questions = asked()

    @post_load
    def as_columns(self, body: dict[str, Any], **_options: Any) -> dict[str, Any]:
        columns = with_price_columns(body)
        if "cancellation" in columns:
            policy = columns.pop("cancellation") or {"window_hours": None}
            names = {"window_hours": "cancellation_window_hours"}
            columns |= {names.get(name, name): value for name, value in policy.items()}
        for name, value in columns.pop("reschedule", {}).items():
            columns[f"reschedule_{name}"] = value
        return columns


class OfferedTerms(ExternalShown):
    """Base of listings and templates of groups."""

    id = Id()
    mentor_profile_id = Id()
    title = fields.String()
    duration_minutes = fields.Integer()
    price = Price()
    course_id = Id(allow_none=True, dump_default=None)
    early_start_minutes = fields.Integer(allow_none=True)
    buffer_minutes = fields.Integer()
    cancellation = Cancellation()
    no_show_fee_percent = fields.Integer(metadata=_NO_SHOW)
    location = fields.Nested(ShownLocation, allow_none=True)
    payment_mode = payment_mode()
    reschedule = Reschedule()
    questions = Questions()
    active = fields.Boolean()


class ExpectedCancellation(RequestSchema):
    window_hours = Whole(0, HOURS_OF_A_YEAR, required=True, metadata={"example": 24})
    late_fee_percent = Whole(0, 100, required=True, metadata={"example": 50})


class ExpectedPriceBody(RequestSchema):
    """Base of bodies that may hold the price that was shown."""

    expected_price = fields.Nested(
        Money, allow_none=True, metadata={"description": _PRICE, "component": "ExpectedPrice"}
    )

    @post_load
    def as_arguments(self, body: dict[str, Any], **_options: Any) -> Any:
        """Keep what was shown as one value, `expected`."""
        price, policy = body.pop("expected_price", None) or {}, body.pop("expected_cancellation", None) or {}
        shown = {"price_amount": price.get("amount"), "price_currency": price.get("currency"), **policy}
        body["expected"] = ExpectedTerms(**shown)
        return body


class ExpectedTermsBody(ExpectedPriceBody):
    """Base of bodies that may hold the price and the cancellation policy that were shown."""

    expected_cancellation = fields.Nested(
        ExpectedCancellation, allow_none=True, metadata={"description": _CANCELLATION, "component": "ExpectedPolicy"}
    )


class AnsweringBody(ExpectedTermsBody):
    """Base of bodies that book or join: they may hold answers besides."""

    answers = Answers()


class ListingOrDuration(ExpectedTermsBody):
    """Base of bodies that name a listing of one mentor, by its id or by its duration."""

    listing_id = Id(
        **OPTIONAL, metadata={"description": "The mentor's listing; without it, the cheapest of that duration."}
    )
    duration_minutes = Whole(
        5,
        1440,
        **OPTIONAL,
        metadata={"description": "Required without `listingId`; beside it, its duration.", "example": 60},
    )

    @validates_schema
    def _has_either(self, body: dict[str, Any], **_options: Any) -> None:
        if body["listing_id"] is None and body["duration_minutes"] is None:
            raise ValidationError("Give listingId or durationMinutes.", "durationMinutes")
