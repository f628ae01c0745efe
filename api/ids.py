"""Ids in paths: a malformed one is not a wrong address but a thing that does not exist."""

from __future__ import annotations

from uuid import UUID

from werkzeug.routing import BaseConverter

from api.auth import identifier


class IdConverter(BaseConverter):
    """Reads a UUID; anything else becomes None, so that the loader asks who is calling before it answers 404."""

    def to_python(self, value: str) -> UUID | None:
        """The id, or None for what cannot be one."""
        return identifier(value)

    def to_url(self, value: object) -> str:
        """The id as a path holds it."""
        return str(value)
