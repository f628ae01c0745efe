"""ETag and If-Match (RFC 9110): a resource's version and the digest of its body; and what may be cached."""

import re
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Protocol, TypeVar

from flask import Request, Response, make_response

from api.routes.blueprints import versioned
from workflows.kernel.errors import Stale

# An answer depends on these headers besides its address: each caller sees their own.
VARY = "Authorization, X-User-Id, X-Mentor-Profile-Id, On-Behalf-Of"
_VERSION_ALONE = re.compile(r"[0-9]+")
_DIGEST_CHARACTERS = 16
ANY_TAG = "*"
# One element of a list, which may be empty. Possessive: a header of blanks takes no longer than any other.
_ELEMENT = re.compile(r'[ \t]*+(?:(?P<weak>W/)?"(?P<tag>[^"\x00-\x20\x7f]*+)"[ \t]*+)?(?:,|$)')


class Versioned(Protocol):
    @property
    def version(self) -> int:
        """1 at first, incremented by every change."""


Record = TypeVar("Record", bound=Versioned)
Body = TypeVar("Body")
# Values that views return: the response's content, its status if it is not the documented one, and its headers.
WithHeaders = tuple[Body, dict[str, str]]
WithStatus = tuple[Body, int, dict[str, str]]


def tagged(record: Record, **headers: str) -> WithHeaders[Record]:
    """The return value of a view: the record, with its ETag and other headers of the response."""
    return record, {"ETag": tag_of(record), **headers}


def tag_of(record: Versioned) -> str:
    """The version of a record as an entity tag, to which `complete_tag` adds the digest of the body."""
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
    # Strong comparison (RFC 9110, section 13.1.1): a weak tag names no version.
    strong = (tag for tag, weak in entity_tags(request.headers["If-Match"]) if not weak)
    if str(record.version) not in {tag.partition("-")[0] for tag in strong}:
        raise Stale("resource")


def any_version_will_do(request: Request) -> bool:
    """Whether the request has no If-Match, or one that matches any version."""
    return request.headers.get("If-Match", ANY_TAG).strip() == ANY_TAG


def not_modified(request: Request, response: Response) -> bool:
    """Whether If-None-Match has this representation's tag, so that the response is 304."""
    held = request.headers.get("If-None-Match")
    if held is None or request.method not in ("GET", "HEAD") or response.status_code != 200:
        return False
    tag, weak = response.get_etag()
    if tag is None or weak:
        return False
    # Weak comparison (section 13.1.2): whatever a cache on the way has made of the tag.
    return held.strip() == ANY_TAG or tag in {each for each, _weak in entity_tags(held)}


def entity_tags(header: str) -> list[tuple[str, bool]]:
    """The entity tags of a list, each with whether it is weak; none of a list that is malformed.

    Werkzeug reads what is not quoted as a tag too, and `*` anywhere as every tag.
    """
    found, position = [], 0
    while position < len(header):
        element = _ELEMENT.match(header, position)
        if element is None:
            return []
        if element["tag"] is not None:
            found.append((element["tag"], element["weak"] is not None))
        position = element.end()
    return found


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
