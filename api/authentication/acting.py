"""Acting for a person: an operator or a key names them in a header, and the request is that person's."""

from __future__ import annotations

from flask import Response, g
from sqlalchemy import Connection

from api.authentication.authenticator import identifier
from workflows.identity.access import require_staff
from workflows.identity.actor import Actor, person_for
from workflows.kernel.errors import Invalid

ON_BEHALF_OF = "On-Behalf-Of"
_EXTERNAL = "external:"


def acted_for(db: Connection, staff: Actor, named: str, *, in_person: bool) -> Actor:
    """The person whom the header names, by a user id or by `external:` and an external id.

    Args:
        in_person: whether nobody may do it for another person.

    Raises:
        Forbidden: the caller is no staff, or a key without the scope `act`; or nobody may do it.
        Invalid: the header is neither.
        NotFound: there is no such user.
    """
    require_staff(staff, in_person=in_person)
    # Headers are read as Latin-1 (PEP 3333); ids are UTF-8, whose bytes may be white space in Latin-1.
    named = named.strip(" \t").encode("latin-1", "replace").decode("utf-8", "replace")
    user_id, external_id = identifier(named), named.removeprefix(_EXTERNAL)
    if user_id is None and not (named.startswith(_EXTERNAL) and external_id and "\0" not in named):
        raise Invalid(
            "The request does not fit; see details.",
            details={ON_BEHALF_OF: ["Must be a user's id, or external: and an external id."]},
        )
    person = person_for(db, staff, user_id=user_id, external_id=None if user_id else external_id)
    g.on_behalf_of = named
    return person


def show_acting(response: Response) -> Response:
    """Answer the header back."""
    if "on_behalf_of" in g:
        response.headers[ON_BEHALF_OF] = g.on_behalf_of.encode().decode("latin-1")
    return response
