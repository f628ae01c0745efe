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


def tagged(record: Record, **headers: str) -> tuple[Record, dict[str, str]]:
    """The record as a view returns it: with its ETag, and whatever other headers the answer has."""
    return record, {"ETag": tag_of(record), **headers}


def tag_of(record: Versioned) -> str:
    """The strong entity tag of a record."""
    return f'"{record.version}"'


def require_match(request: Request, record: Versioned) -> None:
    """Refuse a change that was decided on another version; without If-Match, every version will do.

    Raises:
        Stale: none of the tags sent is the record's.
    """
    if "If-Match" in request.headers and str(record.version) not in request.if_match:
        raise Stale("This has changed since you read it; read it again, and decide again.")


def not_modified(request: Request, response: Response) -> bool:
    """Whether the caller holds this very representation already, so that 304 says enough."""
    tag, weak = response.get_etag()
    return (
        request.method in ("GET", "HEAD")
        and response.status_code == 200
        and tag is not None
        and not weak
        and request.if_none_match.contains_weak(tag)
    )
