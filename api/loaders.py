"""What is settled before a body is read, in this order: who is calling (401), by which role (403), what the path names
(404), whether it is theirs (403), whether the change has been made already (Idempotency-Key), and on which version
(If-Match). It stands above `@blp.arguments`, which would be first otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, Select

from api.auth import claim_of
from api.calls import Call, Role, Subject, this_moment
from api.database import database
from api.documented import describe
from api.etags import require_match
from api.idempotency import once
from api.parts import parts
from api.requests import name_actor
from workflows.errors import Forbidden, NotFound
from workflows.identity.actor import Actor, Claim
from workflows.identity.recognise import recognise

View = Callable[..., ResponseReturnValue]


def reads(role: Role, subject: Subject | None = None) -> Callable[[View], View]:
    """A route that only looks: its view is called with a `Call` before its other arguments."""

    def decorator(view: View) -> View:
        @wraps(view)
        def loaded(*args: Any, **path: UUID | None) -> ResponseReturnValue:
            return view(_call(role, subject, path), *args)

        return describe(loaded, view, loader={"role": role, "subject": subject, "changing": False})

    return decorator


def changes(role: Role, subject: Subject | None = None) -> Callable[[View], View]:
    """A route that changes something: as `reads`, once per Idempotency-Key, and on the version that If-Match names."""

    def decorator(view: View) -> View:
        @wraps(view)
        def loaded(*args: Any, **path: UUID | None) -> ResponseReturnValue:
            call = _call(role, subject, path)
            change = once(request, call.actor)
            earlier = change.earlier_answer(call.db) if change else None
            if earlier is not None:
                return earlier
            if call.subject is not None:
                require_match(request, call.subject)
            response = make_response(view(call, *args))
            if change:
                change.keep(call.db, response)
            return response

        return describe(loaded, view, loader={"role": role, "subject": subject, "changing": True})

    return decorator


def recognised(role: Role, also: Callable[[Claim], Select[Any]] | None = None) -> tuple[Actor, list[Row[Any]]]:
    """The caller, and the rows of what they ask about, in one statement.

    Raises:
        Unauthenticated: nobody known is calling.
        Forbidden: the caller does not have the role; nothing is looked up for them.
    """
    claim = claim_of(dict(request.headers), parts().settings)
    permitted = role.held(claim)
    actor, rows = recognise(database(), claim, also=also(claim) if permitted and also else None)
    name_actor(actor.name)
    # Whoever shows something after the view has ended must know to whom.
    g.actor = actor
    if not permitted:
        raise Forbidden(role.needed)
    return actor, rows


def _call(role: Role, subject: Subject | None, path: dict[str, UUID | None]) -> Call[Any]:
    if subject is None:
        actor, _ = recognised(role)
        return Call(database(), actor, None, this_moment())
    (subject_id,) = path.values()
    if subject_id is None:
        recognised(role)
        raise no_such(subject)
    actor, rows = recognised(role, lambda _claim: subject.query(subject_id))
    if not rows:
        raise subject.absent(database(), actor, subject_id) if subject.absent else no_such(subject)
    found = subject.record.of(rows[0])
    if subject.access:
        subject.access(actor, found)
    return Call(database(), actor, found, this_moment())


def no_such(subject: Subject) -> NotFound:
    """The refusal for an id in a path that is not there."""
    return NotFound(f"There is no such {subject.name}.")
