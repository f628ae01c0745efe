"""Where a session takes place: online by a meeting link, at an address, or by phone.

A meeting service has an address for every room, which comes into being when it is first opened, as at Jitsi; or one
address for all sessions. A listing may have a link of its own instead. Its location is fixed with the booking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from models.catalog import LocationKind
from models.sessions import SessionStatus

# In an address, for the room of a session.
ROOM = "{room}"
_LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
Location = Mapping[str, Any]


class Meeting(Protocol):
    """A session, as far as it tells where and when it can be joined."""

    @property
    def status(self) -> SessionStatus: ...

    @property
    def start_time(self) -> datetime: ...

    @property
    def early_start_minutes(self) -> int | None: ...

    @property
    def location(self) -> Location | None: ...

    @property
    def room(self) -> UUID | None: ...


@dataclass(frozen=True)
class MeetingService:
    """What makes the links of online sessions."""

    # The link, with `{room}` for a session's own room; None where only links of listings are used.
    address: str | None = None

    def link_to(self, location: Location | None, room: UUID | None) -> str | None:
        """The link of a session, whenever it is; None if it is not online, or there is no link.

        Args:
            location: of its booking; None for online, by this service.
            room: the session's random id, which cannot be guessed.
        """
        place = location or {}
        if kind_of(location) is not LocationKind.ONLINE:
            return None
        address = place.get("value") or self.address
        if address is None or not _LINK.fullmatch(address) or (room is None and ROOM in address):
            return None
        return str(address).replace(ROOM, room.hex if room else "")

    def join_url(self, meeting: Meeting, *, now: datetime) -> str | None:
        """The link of a session that can be joined now; None for all others."""
        return self.link_to(meeting.location, meeting.room) if is_open(meeting, now=now) else None

    def place_of(self, meeting: Meeting) -> Place:
        """Where a session takes place, for its parties."""
        location = meeting.location or {}
        link = self.link_to(meeting.location, meeting.room)
        return Place(kind=kind_of(meeting.location), link=link, words=None if link else location.get("value"))


NO_LINKS = MeetingService()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a session takes place: the link, the address or the number; without any, the mentor tells otherwise."""

    kind: LocationKind
    link: str | None
    words: str | None  # the address or the number; what an online listing has instead of a link


def kind_of(location: Location | None) -> LocationKind:
    """The kind of a location; where a listing has none, its sessions are online."""
    return LocationKind(location["kind"]) if location else LocationKind.ONLINE


def is_open(meeting: Meeting, *, now: datetime) -> bool:
    """Whether a session is in progress, or may be started by now."""
    if meeting.status is not SessionStatus.SCHEDULED:
        return meeting.status is SessionStatus.IN_PROGRESS
    return meeting.early_start_minutes is None or now >= opens_at(meeting.start_time, meeting.early_start_minutes)


def opens_at(start_time: datetime, early_start_minutes: int) -> datetime:
    """From when on a session may be started and joined."""
    return start_time - timedelta(minutes=early_start_minutes)
