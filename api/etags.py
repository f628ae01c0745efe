"""Versions over HTTP: a resource's ETag is its version, and If-Match refuses a change to any other one (RFC 9110)."""

from __future__ import annotations

from typing import Protocol, TypeVar

from flask import Request, Response

from workflows.errors import Stale


class Versioned(Protocol):
    """A record that counts its changes."""

    @property
    def version(self) -> int:
        """1 at first, one more with every change."""


Record = TypeVar("Record", bound=Versioned)


def tagged(record: Record, *, view: object = None, **headers: str) -> tuple[Record, dict[str, str]]:
    """The record as a view returns it: with its ETag, and whatever other headers the answer has.

    Args:
        view: what the representation depends on besides the record's version; None where on nothing.
    """
    return record, {"ETag": tag_of(record, view), **headers}


def tag_of(record: Versioned, view: object = None) -> str:
    """The strong entity tag of a record: its version, and by which view of it this is."""
    return f'"{record.version}"' if view is None else f'"{record.version}-{view}"'


def require_match(request: Request, record: Versioned) -> None:
    """Refuse a change that was decided on another version; without If-Match, every version will do.

    A record is the same whoever has looked at it: of a tag, the version alone counts.

    Raises:
        Stale: none of the tags sent is of the record's version.
    """
    if any_version_will_do(request):
        return
    if str(record.version) not in {(tag or "").partition("-")[0] for tag in request.if_match}:
        raise Stale("This has changed since you read it; read it again, and decide again.")


def any_version_will_do(request: Request) -> bool:
    """Whether the caller decided on no version in particular, and so cannot have decided on an old one."""
    return "If-Match" not in request.headers or request.if_match.star_tag


def not_modified(request: Request, response: Response) -> bool:
    """Whether the caller holds this very representation already, so that 304 says enough."""
    if "If-None-Match" not in request.headers or request.method not in ("GET", "HEAD") or response.status_code != 200:
        return False
    tag, weak = response.get_etag()
    return tag is not None and not weak and request.if_none_match.contains_weak(tag)
