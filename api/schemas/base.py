"""Base classes of schemas (camelCase names, unknown fields refused), and the schemas that every area uses."""

from collections.abc import Callable
from enum import Enum
from functools import cached_property
from typing import Any, Self

import marshmallow as ma

from api.refusals import REFUSALS
from api.schemas.fields import Choice, Id, Line, Metadata, Moment, QueryWhole, Text
from models.bookings import BookingKind
from workflows.kernel.records import Record

# How values of fields without a `write` of their own are written. Marshmallow's way to each of a record's twenty values
# takes as long as PostgreSQL takes to find the record.
_PLAIN: dict[type[ma.fields.Field[Any]], Callable[[Any], Any]] = {
    ma.fields.Boolean: bool,
    ma.fields.Integer: int,
    ma.fields.String: str,
}


def camel(name: str) -> str:
    """`start_time` as clients know it: `startTime`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


class RequestSchema(ma.Schema):
    """Base of request bodies and queries; unknown fields are refused."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": "Unknown field.", "type": "Must be a JSON object."}  # noqa: RUF012

    def __deepcopy__(self, _memo: object) -> Self:
        """Itself: nothing changes it, and each copy of a route's documentation would have fields of its own."""
        return self

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        field_obj.data_key = field_obj.data_key or camel(field_name)


def fold_names(body: dict[str, Any], name: str, *others: str) -> None:
    """Keep the value of a field that has several names under the first of them.

    Raises:
        ValidationError: two of them are given, with different values.
    """
    given = [other for other in (name, *others) if body.get(other) is not None]
    values = [body.pop(other, None) for other in given]
    for other in others:
        body.pop(other, None)
    if any(value != values[0] for value in values):
        raise ma.ValidationError(f"Is another name of {camel(given[0])}; give one of them.", camel(given[-1]))
    if values:
        body[name] = values[0]


class EmptyBody(RequestSchema):
    """No body, or an empty object."""


class ResponseSchema(RequestSchema):
    """Base of responses: every field is present, null if it has no value."""

    class Meta:
        """Clients must expect new fields."""

        unknown = ma.EXCLUDE

    optional: tuple[str, ...] = ()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """As marshmallow does it; a record's plain fields by functions that were chosen once."""
        if not isinstance(obj, Record):
            return super().dump(obj, many=many)
        shown = {}
        for name, key, default, write, field in self._written:
            value = getattr(obj, name, default) if write else field.serialize(name, obj, accessor=self.get_attribute)
            if value is not ma.missing:
                shown[key] = value if write is None or value is None else write(value)
        return shown

    @cached_property
    def _written(self) -> list[tuple[str, str, Any, Callable[[Any], Any] | None, ma.fields.Field[Any]]]:
        return [
            (name, field.data_key or name, field.dump_default, _writer_of(field), field)
            for name, field in self.dump_fields.items()
        ]

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Besides: document each field as required, unless it is optional."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = field_name not in self.optional


class EitherShape(ResponseSchema):
    """Base of answers that come in one of several shapes; for the document alone."""

    shapes: tuple[type[ResponseSchema], ...] = ()


def _writer_of(field: ma.fields.Field[Any]) -> Callable[[Any], Any] | None:
    if field.attribute is not None or callable(field.dump_default):
        return None
    if isinstance(field, ma.fields.Enum) and field.by_value:
        return _value_of
    return getattr(field, "write", None) or _PLAIN.get(type(field))


def _value_of(member: Enum) -> Any:
    return member.value


class ExternalBody(RequestSchema):
    """Base of bodies that make or change what the marketplace names and describes for itself."""

    external_id = Line(
        200,
        allow_none=True,
        metadata={"description": "The marketplace's own id of it, unique among its kind.", "component": "ExternalId"},
    )
    metadata = Metadata(
        allow_none=True, metadata={"description": "The client's own object, at most 16 kB.", "component": "OwnObject"}
    )


class ExternalShown(ResponseSchema):
    """Base of what has an id and an object of the marketplace's own; they are shown to all its readers."""

    external_id = ma.fields.String(allow_none=True)
    metadata = ma.fields.Dict(allow_none=True)


def page_of(item: type[ResponseSchema], name: str) -> type[ResponseSchema]:
    """The schema of a page of a list: items, and the cursor of the next page."""
    fields: dict[str, Any] = {
        "items": ma.fields.List(ma.fields.Nested(item)),
        "next_cursor": ma.fields.String(
            allow_none=True,
            metadata={
                "description": "Pass it as `cursor` to get the next page; null on the last page.",
                "component": "NextCursor",
            },
        ),
        "__doc__": f"A page of a list of {item.__name__}.",
        "__module__": item.__module__,
    }
    return type(name, (ResponseSchema,), fields)


class ListQuery(RequestSchema):
    """The query of every list: page size and position."""

    limit = QueryWhole(1, 100, load_default=20)
    cursor = Text(500, metadata={"description": "A page's `nextCursor`; valid only with the same filters."})


class ExternalListQuery(ListQuery):
    """The query of lists of what may have an external id."""

    external_id = Line(200, metadata={"description": "Only the one that has this external id."})


class ListOrder(Enum):
    ASC = "asc"
    DESC = "desc"


class TimedListQuery(ExternalListQuery):
    """The query of lists of bookings and of sessions."""

    order = Choice(
        ListOrder, metadata={"description": "`asc`: the earliest start first; by default `desc`, the latest."}
    )
    from_time = Moment(
        data_key="from",
        metadata={"description": "Only those that start at or after this time.", "example": "2030-05-04T09:00:00Z"},
    )
    to_time = Moment(
        data_key="to",
        metadata={"description": "Only those that start before this time.", "example": "2030-06-04T09:00:00Z"},
    )
    updated_since = Moment(metadata={"description": "Only those that have changed at or after this time."})
    listing_id = Id(metadata={"description": "Only those of this listing."})
    course_id = Id(metadata={"description": "Only those of this course."})
    kind = Choice(BookingKind)


class ErrorBody(ResponseSchema):
    class Meta:
        """With the sentences about the codes: the body of each refusal repeats the fields in a client, not these."""

        unknown = ma.EXCLUDE
        description = "The body of every refusal. Its `code` is one of:\n\n" + "\n".join(
            f"- `{code}` ({refusal.status}): {refusal.when}" for code, refusal in REFUSALS.items()
        )

    status_code = ma.fields.Integer(metadata={"example": 400})
    error = ma.fields.String(metadata={"example": "Bad Request"})
    message = ma.fields.String(metadata={"description": "A sentence for people."})
    code = ma.fields.String(
        validate=ma.validate.OneOf(list(REFUSALS)),
        metadata={"description": "Stable, for programs.", "example": "invalid_transition", "component": "ErrorCode"},
    )
    details = ma.fields.Dict(
        keys=ma.fields.String(),
        metadata={
            "description": "Reasons by field, lists of sentences, if single fields are invalid. `price_changed` has the"
            " present `price`, `terms_changed` the present `cancellation`."
        },
    )
    request_id = ma.fields.String(metadata={"description": "The request's id in our logs."})

    optional = ("details",)
