"""Base classes of schemas (camelCase names, unknown fields refused), and the schemas that every area uses."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from api.schemas.fields import QueryWhole, Text


def camel(name: str) -> str:
    """`start_time` as clients know it: `startTime`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


class RequestSchema(ma.Schema):
    """The shape of what a client sends; a field that is not in it is refused."""

    class Meta:
        """Marshmallow's own options."""

        unknown = ma.RAISE

    error_messages = {"unknown": "There is no such field.", "type": "Must be a JSON object."}  # noqa: RUF012

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field) -> None:
        """Give each field the name that clients write."""
        field_obj.data_key = field_obj.data_key or camel(field_name)


class EmptyBody(RequestSchema):
    """The shape of a step that needs no words: nothing, or an empty object."""


class ResponseSchema(RequestSchema):
    """The shape of what a client gets: every field is there, null where there is nothing."""

    class Meta:
        """Clients must expect that answers grow."""

        unknown = ma.EXCLUDE

    optional: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field) -> None:
        """Besides its name: documented as always present, unless it is one of the optional ones."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = field_name not in self.optional


def page_of(item: type[ResponseSchema], name: str) -> type[ResponseSchema]:
    """The envelope of a list of `item`: its items, and the cursor of what comes after them."""
    fields: dict[str, Any] = {
        "items": ma.fields.List(ma.fields.Nested(item)),
        "next_cursor": ma.fields.String(
            allow_none=True, metadata={"description": "Send it as `cursor` to go on; null on the last page."}
        ),
        "__doc__": f"A page of a list of {item.__name__}.",
        "__module__": item.__module__,
    }
    return type(name, (ResponseSchema,), fields)


class ListQuery(RequestSchema):
    """The query of every list: page size and position."""

    limit = QueryWhole(1, 100, load_default=20)
    cursor = Text(500, metadata={"description": "A page's `nextCursor`; valid only with the same filters."})


class Error(ResponseSchema):
    """Why a request was refused or failed."""

    status_code = ma.fields.Integer(metadata={"example": 400})
    error = ma.fields.String(metadata={"example": "Bad Request"})
    message = ma.fields.String(metadata={"description": "A sentence for people."})
    code = ma.fields.String(metadata={"description": "Stable, for programs.", "example": "invalid_transition"})
    details = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"description": "Reasons by field, if single fields are invalid."},
    )
    request_id = ma.fields.String(metadata={"description": "The request's id in our logs."})

    optional = ("details",)
