"""ETag and If-Match (RFC 9110): a resource's entity tag is its version."""

from __future__ import annotations

from typing import Protocol, TypeVar

from flask import Request, Response

from workflows.errors import Stale


class Versioned(Protocol):
    """A record with a version."""

    @property
    def version(self) -> int:
        """1 at first, incremented by every change."""


Record = TypeVar("Record", bound=Versioned)


def tagged(record: Record, *, view: object = None, **headers: str) -> tuple[Record, dict[str, str]]:
    """The return value of a view: the record, with its ETag and other headers of the response.

    Args:
        view: what the representation depends on besides the record's version; None where on nothing.
    """
    return record, {"ETag": tag_of(record, view), **headers}


def tag_of(record: Versioned, view: object = None) -> str:
    """The strong entity tag of a record: its version and view."""
    return f'"{record.version}"' if view is None else f'"{record.version}-{view}"'


def require_match(request: Request, record: Versioned) -> None:
    """Require that If-Match, if sent, names the record's version, in any of its views.

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
