"""What every list is asked with."""

from __future__ import annotations

from api.schemas.base import Body
from api.schemas.fields import QueryWhole, Text


class ListQuery(Body):
    """How much of a list is wanted, and from where."""

    limit = QueryWhole(1, 100, load_default=20)
    cursor = Text(500, metadata={"description": "A page's `nextCursor`; good for the same filters alone."})
