"""The audit entry of each request: of every change in its own transaction, of a refused access (403) in another."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Flask, Response, g, request
from sqlalchemy import Connection

from api.authentication.authenticator import identifier
from api.routes.context import this_moment
from api.routes.declaration import declaration_of_endpoint
from api.state import app_state
from workflows.audit.log import write_entries
from workflows.events.audit_entry import FORBIDDEN, NewEntry, Origin
from workflows.events.record import recorded

ADDRESS_HASH_BYTES = 16
_ADDRESS_PURPOSE = b"tutelage audit address "
_REQUEST_ID_PURPOSE = b"tutelage audit request id "
# UUIDs, and numbers of base 16 that are too long for one of a telephone: an entry outlives whom an id could tell of.
_IMPERSONAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64}", re.ASCII | re.IGNORECASE)


# Of a refused look.
READ = "read"


def expect_entry(
    db: Connection,
    *,
    action: str | None = None,
    subject: tuple[str, UUID] | None = None,
    result: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Have the request's entry written with its first event about such a subject, which costs no statement more.

    An operator's is written at the end of the request, when the reason that it gives has been checked.

    Args:
        action: replaces the action that the route declares.
        subject: replaces the subject that the path names.
        result: the code of a refusal that is answered as a success.
        data: further details, without names or mail addresses.
    """
    entry = _entry()
    if action is not None:
        entry = replace(entry, action=action)
    if subject is not None:
        entry = replace(entry, subject_type=subject[0], subject_id=subject[1])
    if result is not None:
        entry = replace(entry, result=result)
    if data is not None:
        entry = replace(entry, data={**(entry.data or {}), **data})
    g.audit = entry
    kept = recorded(db)
    kept.origin = entry.origin
    kept.expected = None if _is_operator() else entry


def complete_entry(response: Response) -> None:
    """Write the request's entry where it has changed something and none is written yet; called before the commit."""
    kept = g._get_current_object()
    if "db" not in kept or "Idempotent-Replayed" in response.headers or recorded(kept.db).audited:
        return
    entry: NewEntry = kept.get("audit") or _entry()
    if entry.subject_id is None:
        entry = _about_response(entry, response)
    if _is_operator():
        entry = replace(entry, reason=_reason())
    write_entries(kept.db, [entry])


def register(app: Flask) -> None:
    app.after_request(_note_refusal)


def _note_refusal(response: Response) -> Response:
    """Have a refused access written, in a transaction of its own; equal ones within a minute are one entry."""
    if response.status_code != HTTPStatus.FORBIDDEN:
        return response
    entry = replace(_entry(), result=FORBIDDEN)
    if entry.subject_id is None:
        subject_type, subject_id = _named_by_path()
        entry = replace(entry, subject_type=subject_type or entry.subject_type, subject_id=subject_id)
    app_state().refused_accesses.note(entry)
    return response


def _entry() -> NewEntry:
    kept = g._get_current_object()
    rule = request.url_rule
    route = declaration_of_endpoint(request.endpoint)
    subject_type, subject_id = route.about, None
    if subject_type is None or (route.subject and route.subject.kind == subject_type):
        subject_type, subject_id = _named_by_path()
    elif subject_type == "user" and not _is_operator() and "actor" in kept:
        subject_id = kept.actor.user_id
    return NewEntry(
        origin=Origin(
            method=request.method,
            route=rule.rule if rule else None,
            address_hash=_hash_of(app_state().settings.signing_keys[0], request.remote_addr),
            request_id=_impersonal(kept.get("request_id")),
        ),
        occurred_at=this_moment(),
        actor=kept.get("actor_name", "anonymous"),
        action=route.action or READ,
        subject_type=subject_type,
        subject_id=subject_id,
        # The actor is who acts; the events name the person.
        data={"onBehalfOf": str(kept.actor.user_id)} if "on_behalf_of" in kept else None,
    )


def _named_by_path() -> tuple[str | None, UUID | None]:
    subject = declaration_of_endpoint(request.endpoint).subject
    ids = [each for each in (request.view_args or {}).values() if isinstance(each, UUID)]
    return (subject.kind, ids[-1]) if subject and ids else (None, None)


def _about_response(entry: NewEntry, response: Response) -> NewEntry:
    """The entry about what the response shows; or else about what the path names."""
    shown = response.get_json(silent=True) if response.is_json else None
    if isinstance(shown, dict):
        inner = shown.get("booking")
        found = identifier((inner if isinstance(inner, dict) else shown).get("id"))
        if found is not None:
            return replace(entry, subject_id=found)
    subject_type, subject_id = _named_by_path()
    return entry if subject_id is None else replace(entry, subject_type=subject_type, subject_id=subject_id)


def _is_operator() -> bool:
    actor = g.get("actor")
    return actor is not None and actor.operator


def _reason() -> str | None:
    # As the route's schema has read it: a route that takes no reason has none, whatever was sent.
    reason: str | None = g.get("reason")
    return reason


@lru_cache(maxsize=4096)
def _impersonal(request_id: str | None) -> str | None:
    """The id as it is where it cannot tell of a person, else a keyed hash of it."""
    if request_id is None or _IMPERSONAL_ID.fullmatch(request_id):
        return request_id
    key = app_state().settings.signing_keys[0].encode()
    return hmac.digest(key, _REQUEST_ID_PURPOSE + request_id.encode(), "sha256").hex()[:32]


def _hash_of(key: str, address: str | None) -> bytes | None:
    # A socket in the file system has no address.
    if address is None:
        return None
    return hmac.digest(key.encode(), _ADDRESS_PURPOSE + address.encode(), "sha256")[:ADDRESS_HASH_BYTES]
