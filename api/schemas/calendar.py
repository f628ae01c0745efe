"""Calendar feeds: the secret, and where a calendar program subscribes by it."""

from __future__ import annotations

from marshmallow import fields

from api.schemas.base import Answer


class CalendarSecret(Answer):
    """What leads to the caller's feed. It is shown this once: only what it hashes to is kept."""

    secret = fields.String(metadata={"description": "Whoever knows it reads the feed; make a new one to end that."})
    url = fields.String(metadata={"format": "uri", "description": "What a calendar program subscribes to."})
