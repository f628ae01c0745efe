"""ETag and If-Match (RFC 9110): a resource's version and the digest of its body; and what may be cached."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Protocol, TypeVar

from flask import Request, Response, make_response

from api.blueprints import versioned
from workflows.errors import Stale

# What an answer depends on besides its address: each caller sees their own.
VARY = "Authorization, X-User-Id, X-Mentor-Profile-Id"
_VERSION_ALONE = re.compile(r"[0-9]+")
_DIGEST_CHARACTERS = 16


class Versioned(Protocol):
    """A record with a version."""

    @property
    def version(self) -> int:
        """1 at first, incremented by every change."""


Record = TypeVar("Record", bound=Versioned)
Body = TypeVar("Body")
# What views return: what the response shows, its status where that is not the documented one, and its headers.
WithHeaders = tuple[Body, dict[str, str]]
WithStatus = tuple[Body, int, dict[str, str]]


def tagged(record: Record, **headers: str) -> WithHeaders[Record]:
    """The return value of a view: the record, with its ETag and other headers of the response."""
    return record, {"ETag": tag_of(record), **headers}


def tag_of(record: Versioned) -> str:
    """The version of a record as an entity tag, which `complete_tag` makes that of the representation."""
    return f'"{record.version}"'


def complete_tag(response: Response) -> None:
    """Add the digest of the body to a tag that is a version alone.

    A body shows more than its own row: the names of people, the place of the caller, a state that follows from the
    time. The digest changes with any of these, so that no 304 hides it, and the version is what If-Match names.
    """
    tag, weak = response.get_etag()
    if tag is not None and not weak and _VERSION_ALONE.fullmatch(tag):
        response.set_etag(f"{tag}-{sha256(response.get_data()).hexdigest()[:_DIGEST_CHARACTERS]}")


def require_match(request: Request, record: Versioned) -> None:
    """Require that If-Match, if sent, names the record's version, whatever else the body showed.

    Raises:
        Stale: it names other versions only.
    """
    if any_version_will_do(request):
        return
    if str(record.version) not in {(tag or "").partition("-")[0] for tag in request.if_match}:
        raise Stale("The resource has changed since you read it; read it again and retry.")


def any_version_will_do(request: Request) -> bool:
    """Whether the request has no If-Match, or one that matches any version."""
    return "If-Match" not in request.headers or request.if_match.star_tag


def not_modified(request: Request, response: Response) -> bool:
    """Whether If-None-Match has this representation's tag, so that the response is 304."""
    if "If-None-Match" not in request.headers or request.method not in ("GET", "HEAD") or response.status_code != 200:
        return False
    tag, weak = response.get_etag()
    return tag is not None and not weak and request.if_none_match.contains_weak(tag)


def cacheable(view: Callable[..., object]) -> Callable[..., Response]:
    """A read of the catalogue, which clients may keep and ask about again each time: 304 while it has not changed.

    Only the tag of the present answer is confirmed, so that a change of anything shown is seen at once. All other
    answers are `no-store`.
    """

    @wraps(view)
    def kept(*args: object, **path: object) -> Response:
        return revalidated(make_response(view(*args, **path)))

    return versioned(kept)


def revalidated(response: Response) -> Response:
    """The answer, for its caller alone to keep; what has no version is tagged by the digest of its body.

    The digest of a page takes some 2 µs. A version of the whole table would spare a list's statement and its JSON, a
    third of the request, but it would have to rise with every change of what a list shows of other tables.
    """
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers.add("Vary", VARY)
    response.add_etag()
    return response
