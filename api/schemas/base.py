"""What every shape shares: camelCase names, nothing unknown, and answers with all of their fields."""

from __future__ import annotations

from typing import Any

import marshmallow as ma


def camel(name: str) -> str:
    """`start_time` as clients know it: `startTime`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


class Body(ma.Schema):
    """The shape of what a client sends; a field that is not in it is refused."""

    class Meta:
        """Marshmallow's own options."""

        unknown = ma.RAISE

    error_messages = {"unknown": "There is no such field.", "type": "Must be a JSON object."}  # noqa: RUF012

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field) -> None:
        """Give each field the name that clients write."""
        field_obj.data_key = field_obj.data_key or camel(field_name)


class EmptyBody(Body):
    """The shape of a step that needs no words: nothing, or an empty object."""


class Answer(Body):
    """The shape of what a client gets: every field is there, null where there is nothing."""

    class Meta:
        """Clients must expect that answers grow."""

        unknown = ma.EXCLUDE

    optional: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field) -> None:
        """Besides its name: documented as always present, unless it is one of the optional ones."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = field_name not in self.optional


def page_of(item: type[Answer], name: str) -> type[Answer]:
    """The envelope of a list of `item`: its items, and the cursor of what comes after them."""
    fields: dict[str, Any] = {
        "items": ma.fields.List(ma.fields.Nested(item)),
        "next_cursor": ma.fields.String(
            allow_none=True, metadata={"description": "Send it as `cursor` to go on; null on the last page."}
        ),
        "__doc__": f"A page of a list of {item.__name__}.",
        "__module__": item.__module__,
    }
    return type(name, (Answer,), fields)
