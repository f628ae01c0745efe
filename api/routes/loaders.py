"""What is settled before a body is read, in this order: who is calling (401), by which role (403), whether the change
has been made already (Idempotency-Key), what the path names (404), whether it is theirs (403), and on which version
(If-Match). It is above `@blp.arguments`, which would be first otherwise."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import g, make_response, request
from sqlalchemy import Connection

from api.audit.entries import expect_entry
from api.authentication.acting import ON_BEHALF_OF, acted_for
from api.authentication.claims import claim_of_request
from api.authentication.provisioning import authenticate_or_provision
from api.database import database
from api.http.etags import any_version_will_do, require_match
from api.http.idempotency import idempotent_request, require_usable_key
from api.http.requests import name_actor
from api.limits.rate_limits import RouteLimit
from api.routes.blueprints import document
from api.routes.context import RequestContext, Role, Subject, require_role, this_moment
from api.routes.declaration import SMALL_BODY_LIMIT_BYTES, Declaration, declaration_of_endpoint
from api.state import app_state
from models.keys import KeyScope
from workflows.accounts.api_keys import note_use
from workflows.identity.access import require_scope
from workflows.identity.actor import Actor
from workflows.kernel.errors import NotFound

View = Callable[..., object]
Path = dict[str, UUID | None]


def reads(role: Role, subject: Subject | None = None, **declared: Any) -> Callable[[View], View]:
    """A route that only looks: its view is called with a `RequestContext` before its other arguments.

    Args:
        declared: `scope` and `in_person` of `Declaration`.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def loaded(*args: object, **path: UUID | None) -> object:
            return view(context_of(role, subject, path), *args)

        return document(loaded, view, declared=Declaration(role=role, subject=subject, **declared))

    return decorator


def changes(
    role: Role,
    subject: Subject | None = None,
    *,
    action: str,
    about: str | None = None,
    limit: RouteLimit | None = None,
    body_limit_bytes: int = SMALL_BODY_LIMIT_BYTES,
    scope: KeyScope | None = None,
    in_person: bool = False,
) -> Callable[[View], View]:
    """A route that changes something: as `reads`, once per Idempotency-Key, and on the version that If-Match names.

    Args:
        action: as of `Declaration`, as are the others.
        about: the kind of the subject when left out, or else the first word of the action.
    """
    assert not role.visitors, "Visitors change nothing."
    declared = Declaration(
        role=role,
        subject=subject,
        changing=True,
        action=action,
        about=about or (subject.kind if subject else action.partition(".")[0]),
        limit=limit,
        body_limit_bytes=body_limit_bytes,
        scope=scope,
        in_person=in_person,
    )

    def decorator(view: View) -> View:
        @wraps(view)
        def loaded(*args: object, **path: UUID | None) -> object:
            db, actor = _admitted(role)
            change = idempotent_request(request, actor)
            # Before the look-up: a subject that was deleted under this key is gone, and the stored answer says so.
            earlier = change.earlier_answer(db) if change else None
            if earlier is not None:
                return earlier
            context = _context(db, actor, subject, path)
            require_usable_key(request)
            if context.subject is not None:
                require_match(request, context.subject)
            expect_entry(context.db)
            response = make_response(view(context, *args))
            if change:
                # Of the last transaction, where a view has had two.
                change.keep(database(), response)
            return response

        return document(loaded, view, declared=declared)

    return decorator


def declares(declared: Declaration) -> Callable[[View], View]:
    """The declaration of a route that asks for no credentials."""
    return lambda view: document(view, view, declared=declared)


def context_of(role: Role, subject: Subject | None, path: Path) -> RequestContext[Any]:
    """The request's context: authenticate the caller, require the role, then load what the path names.

    Raises:
        Unauthenticated: the caller is not known.
        Forbidden: the caller does not have the role, or has nothing to do with the subject.
        NotFound: there is no such subject.
    """
    db, actor = _admitted(role)
    return _context(db, actor, subject, path)


def _admitted(role: Role) -> tuple[Connection, Actor]:
    db = database()
    actor = authenticate_or_provision(db, claim_of_request(app_state().authenticator))
    name_actor(actor.name)
    # Read after the view has ended, by what waits for the session.
    g.actor = actor
    if actor.scopes is not None:
        note_use(db, actor, this_moment())
    declared = declaration_of_endpoint(request.endpoint)
    if ON_BEHALF_OF in request.headers:
        actor = g.actor = acted_for(db, actor, request.headers[ON_BEHALF_OF], in_person=declared.in_person)
    else:
        require_scope(actor, declared.needed_scope)
        actor = g.actor = app_state().as_purchaser(actor)
    require_role(actor, role)
    return db, actor


def _context(db: Connection, actor: Actor, subject: Subject | None, path: Path) -> RequestContext[Any]:
    found = None if subject is None else _load(subject, actor, path)
    return RequestContext(db, actor, found, this_moment(), any_version_will_do(request))


def _load(subject: Subject, actor: Actor, path: Path) -> Any:
    *_parents, subject_id = path.values()
    ids = dict(zip(subject.ids, path.values(), strict=True))
    # A malformed id in a path names nothing either.
    values = None if None in ids.values() else subject.statement.one_or_none(database(), ids)
    if values is None:
        if subject.absent and subject_id is not None:
            raise subject.absent(database(), actor, subject_id)
        raise NotFound(f"There is no such {subject.name}.")
    found = subject.record.of_values(values)
    if subject.access:
        subject.access(actor, found)
    return found
