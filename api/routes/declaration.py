"""Declaration of a route: its role and subject, its name in the audit, its rate limit, its largest body.

The decorators of loaders.py, lists.py and reports.py write it; the hooks that run before the view read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from api.limits.rate_limits import RouteLimit
from api.routes.context import Role, Subject
from models.keys import KeyScope

SMALL_BODY_LIMIT_BYTES = 64 * 1024
# Of bodies that hold metadata or many texts.
LARGE_BODY_LIMIT_BYTES = 256 * 1024
# Of imports.
UPLOAD_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Role, subject, audited action and limits of a route."""

    role: Role | None = None  # who may use it; None where no credentials are asked for
    subject: Subject | None = None  # what its path names
    changing: bool = False  # whether it takes Idempotency-Key and If-Match
    action: str | None = None  # what the audit calls the change; None where nothing that is stored changes
    about: str | None = None  # the kind of what the change is done to, in the audit
    limit: RouteLimit | None = None  # the rate limit that it counts in, besides the caller's and the address's
    body_limit_bytes: int = SMALL_BODY_LIMIT_BYTES  # of a request's body
    scope: KeyScope | None = None  # which a key needs; else `operations` for a change, and `read` for a look
    in_person: bool = False  # whether nobody does it for another person: it shows a secret, or erases an account

    @property
    def needed_scope(self) -> KeyScope:
        """The scope that a key needs."""
        return self.scope or (KeyScope.OPERATIONS if self.changing else KeyScope.READ)

    def __deepcopy__(self, _memo: object) -> Declaration:
        """Itself: flask-smorest copies a view's metadata, and a copied statement would copy all its tables."""
        return self


NOTHING_DECLARED = Declaration()


def declaration_of(view: Callable[..., object]) -> Declaration:
    declared: Declaration = vars(view).get("_apidoc", {}).get("declared", NOTHING_DECLARED)
    return declared


def declaration_of_endpoint(endpoint: str | None) -> Declaration:
    """The declaration of a route of the present application; an empty one where no route was found."""
    return declaration_of(current_app.view_functions[endpoint]) if endpoint else NOTHING_DECLARED
