"""Idempotency-Key: a change asked for twice under one key is made once, and its first answer is given again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Request, Response
from sqlalchemy import BigInteger, Connection, Row, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert

from api.bodies import body_of
from api.state import app_state
from config.sealing import UnsealError
from models.idempotency import idempotency_keys as keys
from workflows.errors import Conflict, Invalid, KeyReused
from workflows.identity.actor import Actor

HEADER = "Idempotency-Key"
_MAX_KEY_CHARACTERS = 255
_STORED_HEADERS = ("Cache-Control", "Content-Type", "ETag", "Location")


_LOCK = select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)))
_ANSWER = (keys.c.fingerprint, keys.c.status_code, keys.c.headers, keys.c.body)
_IDENTITY = (keys.c.caller, keys.c.method, keys.c.route, keys.c.key)
EARLIER = select(keys).where(
    *(column == bindparam(column.name) for column in _IDENTITY), keys.c.expires_at > func.now()
)
_WRITTEN = insert(keys).values({column.name: bindparam(column.name) for column in (*_IDENTITY, *_ANSWER)})
_KEEP = _WRITTEN.on_conflict_do_update(
    index_elements=_IDENTITY,
    set_={
        **{column.name: _WRITTEN.excluded[column.name] for column in _ANSWER},
        "created_at": func.now(),
        "expires_at": text("now() + interval '72 hours'"),
    },
    where=keys.c.expires_at <= func.now(),
)


class IdempotentRequest:
    """One change under one key, for one caller.

    Args:
        request: the request as it came; its path is taken without `/api`, so that both addresses are the same change.
        actor: the authenticated caller.
    """

    def __init__(self, request: Request, actor: Actor, key: str) -> None:
        arguments = json.dumps({name: str(value) for name, value in sorted((request.view_args or {}).items())})
        rule = request.url_rule.rule if request.url_rule else request.path
        self.identity = {
            "caller": actor.name,
            "method": request.method,
            "route": f"{rule} {arguments}",
            "key": key,
        }
        payload = [self.identity["route"].encode(), request.query_string, body_of(request)]
        self.fingerprint = _digest(*payload)

    def earlier_answer(self, db: Connection) -> Response | None:
        """The first answer under this key, or None when this is the first request; others are kept out until commit.

        Raises:
            Conflict: `key_in_use`, the first request is still being answered.
            KeyReused: the key came with another request.
        """
        # The lock first, then the look-up in a statement of its own: its snapshot must be younger than the lock, or
        # it would miss what the lock's last holder has just committed.
        if not db.execute(_LOCK, {"lock": self._lock()}).scalar_one():
            raise _in_use("The first request with this key is still being answered; ask again in a moment.")
        row = db.execute(EARLIER, self.identity).one_or_none()
        if row is None:
            return None
        if row.fingerprint != self.fingerprint:
            raise KeyReused("This Idempotency-Key belongs to another request; use a new key for a new one.")
        return _replayed(row)

    def keep(self, db: Connection, response: Response) -> None:
        """Store a 2xx answer in the transaction of the change itself; any other answer may be asked for again."""
        if not 200 <= response.status_code < 300:
            return
        values = {
            "fingerprint": self.fingerprint,
            "status_code": response.status_code,
            "headers": {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers},
            # Answers hold secrets, notes and names: at rest they are all encrypted alike.
            "body": app_state().sealer.seal(response.get_data(as_text=True)).encode(),
        }
        db.execute(_KEEP, {**self.identity, **values})

    def _lock(self) -> int:
        return int.from_bytes(_digest(*(part.encode() for part in self.identity.values()))[:8], "big", signed=True)


def idempotent_request(request: Request, actor: Actor) -> IdempotentRequest | None:
    """The change that this request names by its key; None without one.

    Raises:
        Invalid: the key is empty, longer than 255 characters, or not printable.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise Invalid(
            "An Idempotency-Key has 1 to 255 printable ASCII characters.", details={HEADER: ["Not a usable key."]}
        )
    return IdempotentRequest(request, actor, key)


def _replayed(row: Row[Any]) -> Response:
    try:
        body = app_state().sealer.unseal(row.body.decode())
    except UnsealError as error:
        raise KeyReused("The first answer under this key can be read no more; look at the resource itself.") from error
    response = Response(body, status=row.status_code, headers=row.headers)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _in_use(message: str) -> Conflict:
    return Conflict(message, code="key_in_use", retry_after=1)


def _digest(*fields: bytes) -> bytes:
    # Each field with its length before it: no two lists of fields read the same.
    whole = hashlib.sha256()
    for value in fields:
        whole.update(len(value).to_bytes(8, "big") + value)
    return whole.digest()
