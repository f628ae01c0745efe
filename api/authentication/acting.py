"""Acting for a person: an operator or a key names them in a header, and the request is that person's."""

from flask import Response, g
from sqlalchemy import Connection

from api.authentication.authenticator import ON_BEHALF_OF, named_person
from workflows.identity.access import require_staff
from workflows.identity.actor import Actor, person_for

__all__ = ["ON_BEHALF_OF", "acted_for", "show_acting"]


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
    person = person_for(db, staff, **named_person(named))
    g.on_behalf_of = named.strip(" \t")
    return person


def show_acting(response: Response) -> Response:
    """Answer the header back."""
    if "on_behalf_of" in g:
        response.headers[ON_BEHALF_OF] = g.on_behalf_of
    return response
