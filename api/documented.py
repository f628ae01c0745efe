"""What the documentation is told of a view: kept beside the view, where flask-smorest looks for it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import marshmallow as ma

View = TypeVar("View", bound=Callable[..., Any])


def describe(view: View, of: Callable[..., Any], **told: Any) -> View:
    """The view, of which the documentation now knows what it knew of another one, and what is told besides.

    Args:
        of: what it was told of before: what the view wraps, or the view itself.
    """
    # A copy: one view may stand behind several routes with different loaders.
    vars(view)["_apidoc"] = {**deepcopy(told_of(of)), **told}
    return view


def told_of(view: Callable[..., Any]) -> dict[str, Any]:
    """What the documentation knows of a view."""
    known: dict[str, Any] = vars(view).get("_apidoc", {})
    return known


def in_query(filters: type[ma.Schema]) -> dict[str, Any]:
    """Arguments that stand in the query, for views that parse it themselves."""
    return {"parameters": [{"in": "query", "schema": filters, "required": False}]}
