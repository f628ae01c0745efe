"""Idempotency-Key: a change asked for twice under one key is made once, and its first answer is given again."""

import hashlib
import json
from typing import Any

from flask import Request, Response
from sqlalchemy import BigInteger, ColumnElement, Connection, FromClause, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert

from api.http.bodies import body_of
from api.state import app_state
from config.sealing import UnsealError
from models.idempotency import idempotency_keys as keys
from models.prepared import PreparedStatement
from workflows.identity.actor import Actor
from workflows.kernel.errors import Conflict, Invalid, KeyReused, RateLimited
from workflows.kernel.locks import lock_name

HEADER = "Idempotency-Key"
_MAX_KEY_CHARACTERS = 255
_STORED_HEADERS = ("Cache-Control", "Content-Type", "ETag", "Location")
_MEGABYTE = 1024 * 1024
_NO_LIMIT = 2**62

_LOCK = PreparedStatement(select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)).label("locked")))
_ANSWER = (keys.c.fingerprint, keys.c.status_code, keys.c.headers, keys.c.body)
_IDENTITY = (keys.c.caller, keys.c.method, keys.c.route, keys.c.key)
EARLIER = select(keys).where(
    *(column == bindparam(column.name) for column in _IDENTITY), keys.c.expires_at > func.now()
)
_EARLIER = PreparedStatement(EARLIER)
# Between the name of staff who act for a person and their key, which has none itself.
_OF_STAFF = "\n"
_OF_PERSON = (
    keys.c.caller == bindparam("caller"),
    func.strpos(keys.c.key, _OF_STAFF) == 0,
    keys.c.expires_at > func.now(),
)
# The answers that a caller has stored; few, since the quota bounds them.
STORED = select(
    func.count().label("number"), func.coalesce(func.sum(func.octet_length(keys.c.body)), 0).label("size")
).where(*_OF_PERSON)
_NEXT_TO_EXPIRE = select(func.ceil(func.extract("epoch", func.min(keys.c.expires_at) - func.now()))).where(*_OF_PERSON)


def _keep(stored: FromClause | None, *room: ColumnElement[bool]) -> PreparedStatement:
    """Insert the answer, where there is room for it, in the place of one that has expired."""
    columns = (*_IDENTITY, *_ANSWER)
    row = select(*(bindparam(column.name, type_=column.type) for column in columns)).where(*room)
    written = insert(keys).from_select(columns, row if stored is None else row.select_from(stored))
    replacing = written.on_conflict_do_update(
        index_elements=_IDENTITY,
        set_={
            **{column.name: written.excluded[column.name] for column in _ANSWER},
            "created_at": func.now(),
            "expires_at": text("now() + interval '72 hours'"),
        },
        where=keys.c.expires_at <= func.now(),
    )
    return PreparedStatement(replacing.returning(keys.c.key))


_KEEP = _keep(None)
_OWN = STORED.subquery("own")
_KEEP_WITHIN = _keep(
    _OWN,
    _OWN.c.number < bindparam("max_keys", type_=BigInteger),
    _OWN.c.size + bindparam("size", type_=BigInteger) <= bindparam("max_bytes", type_=BigInteger),
)


class AnsweredMeanwhile(Exception):
    """Between the two transactions of a view, another request under its key was answered: that answer is the first."""


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
            # A person's keys and the ones of staff who act for them are apart: neither is answered the other's.
            "key": key if actor.staff is None else f"{actor.staff}{_OF_STAFF}{key}",
        }
        # Operators are trusted, and the systems that act as one send many.
        self._unbounded = actor.operator or actor.staff is not None
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
        if not _LOCK.all(db, {"lock": self._lock()})[0]["locked"]:
            message = "The first request with this key is still being answered; ask again in a moment."
            raise Conflict(message, code="key_in_use", retry_after=1)
        row = _EARLIER.one_or_none(db, self.identity)
        if row is None:
            return None
        if row["fingerprint"] != self.fingerprint:
            raise KeyReused("This Idempotency-Key belongs to another request; use a new key for a new one.")
        return _replayed(row)

    def keep(self, db: Connection, response: Response) -> None:
        """Store a 2xx answer in the transaction of the change itself; any other answer may be asked for again.

        Raises:
            RateLimited: the caller has as much stored as there may be.
            AnsweredMeanwhile: another request under the key has its answer stored.
        """
        if not 200 <= response.status_code < 300:
            return
        values: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "status_code": response.status_code,
            "headers": {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers},
            # Answers hold secrets, notes and names: at rest they are all encrypted alike.
            "body": app_state().sealer.seal(response.get_data(as_text=True)).encode(),
        }
        values |= self.identity
        settings = app_state().settings
        max_keys, max_bytes = settings.max_idempotency_keys, settings.max_idempotency_megabytes * _MEGABYTE
        if self._unbounded or not (max_keys or max_bytes):
            if not _KEEP.all(db, values):
                raise AnsweredMeanwhile
            return
        values["size"] = len(values["body"])
        most = {"max_keys": max_keys or _NO_LIMIT, "max_bytes": max_bytes or _NO_LIMIT}
        # Up to half of the quota requests at the same time do not see each other's, and cannot exceed it.
        if _KEEP_WITHIN.all(db, values | {name: limit // 2 for name, limit in most.items()}):
            return
        # A caller's requests that come close to the quota hold the lock one after the other, until they commit.
        lock_name(db, f"idempotency keys of {self.identity['caller']}")
        # In a statement of its own: its snapshot must be younger than the lock.
        if not _KEEP_WITHIN.all(db, values | most):
            if _EARLIER.one_or_none(db, self.identity):
                raise AnsweredMeanwhile
            raise RateLimited(
                "Too many of your answers under an Idempotency-Key are stored, each for 72 hours; wait, or send fewer"
                " changes with one.",
                retry_after=int(db.execute(_NEXT_TO_EXPIRE, self.identity).scalar() or 1),
            )

    def _lock(self) -> int:
        return int.from_bytes(_digest(*(part.encode() for part in self.identity.values()))[:8], "big", signed=True)


def idempotent_request(request: Request, actor: Actor) -> IdempotentRequest | None:
    """The change that this request names by its key; None without one that can be used."""
    key = request.headers.get(HEADER)
    return IdempotentRequest(request, actor, key) if key is not None and _is_usable(key) else None


def require_usable_key(request: Request) -> None:
    """Refuse a key that cannot be used, once the caller may make the change.

    Raises:
        Invalid: it is empty, longer than 255 characters, or not printable.
    """
    key = request.headers.get(HEADER)
    if key is not None and not _is_usable(key):
        raise Invalid(
            "An Idempotency-Key has 1 to 255 printable ASCII characters.", details={HEADER: ["Not a usable key."]}
        )


def _is_usable(key: str) -> bool:
    return 1 <= len(key) <= _MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()


def _replayed(row: dict[str, Any]) -> Response:
    try:
        body = app_state().sealer.unseal(row["body"].decode())
    except UnsealError as error:
        raise KeyReused("The first answer under this key can be read no more; look at the resource itself.") from error
    response = Response(body, status=row["status_code"], headers=row["headers"])
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _digest(*fields: bytes) -> bytes:
    # Each field with its length before it: no two lists of fields read the same.
    whole = hashlib.sha256()
    for value in fields:
        whole.update(len(value).to_bytes(8, "big") + value)
    return whole.digest()
