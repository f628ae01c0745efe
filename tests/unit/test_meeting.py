"""Tests of where sessions take place: whose link it is, and from when to when it is shown."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.catalog import LocationKind
from models.sessions import SessionStatus
from workflows.sessions.meeting import MeetingService, Place

START = datetime(2030, 5, 4, 9, tzinfo=UTC)
ROOM = UUID("9d0cbd1f-4c5e-4c2f-8a4b-7f1e2d3c4b5a")
JITSI = MeetingService("https://meet.jit.si/{room}")
LINK = f"https://meet.jit.si/{ROOM.hex}"
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Session:
    """A session, as far as it matters here."""

    status: SessionStatus = SessionStatus.SCHEDULED
    start_time: datetime = START
    early_start_minutes: int | None = 15
    location: dict[str, Any] | None = None
    room: UUID | None = ROOM


@pytest.mark.parametrize(
    ("location", "link"),
    [
        (None, LINK),
        ({"kind": "online"}, LINK),
        ({"kind": "online", "value": "https://zoom.example/j/123?pwd=x"}, "https://zoom.example/j/123?pwd=x"),
        ({"kind": "online", "value": "https://own.example/{room}"}, f"https://own.example/{ROOM.hex}"),
        ({"kind": "online", "value": "HTTP://own.example"}, "HTTP://own.example"),
        # As listings could hold before links were required.
        ({"kind": "online", "value": "We agree on it by mail"}, None),
        ({"kind": "online", "value": "javascript:alert(1)"}, None),
        ({"kind": "online", "value": "https://own.example/\nX: y"}, None),
        ({"kind": "address", "value": "https://not.a.link.example"}, None),
        ({"kind": "phone", "value": "+49 30 1234"}, None),
    ],
)
def test_a_listings_own_link_precedes_the_services(location: dict[str, Any] | None, link: str | None) -> None:
    assert JITSI.link_to(location, ROOM) == link


def test_a_service_may_have_one_link_for_all_or_none() -> None:
    assert MeetingService("https://one.example/room").link_to(None, ROOM) == "https://one.example/room"
    assert MeetingService("https://one.example/room").link_to(None, None) == "https://one.example/room"
    assert MeetingService(None).link_to(None, ROOM) is None
    assert (
        MeetingService(None).link_to({"kind": "online", "value": "https://own.example"}, ROOM) == "https://own.example"
    )
    # A session that was over before sessions had rooms.
    assert JITSI.link_to(None, None) is None


@pytest.mark.parametrize(
    ("early", "now", "shown"),
    [
        (15, START - timedelta(minutes=15) - timedelta(microseconds=1), False),
        (15, START - timedelta(minutes=15), True),
        (15, START + timedelta(days=1), True),
        (0, START - SECOND, False),
        (0, START, True),
        (None, START - timedelta(days=365), True),
    ],
)
def test_the_link_appears_exactly_at_the_early_start(early: int | None, now: datetime, shown: bool) -> None:
    assert JITSI.join_url(Session(early_start_minutes=early), now=now) == (LINK if shown else None)


@pytest.mark.parametrize("status", SessionStatus)
def test_the_link_goes_when_the_session_is_over(status: SessionStatus) -> None:
    over = status in (SessionStatus.COMPLETED, SessionStatus.CANCELLED)
    assert JITSI.join_url(Session(status), now=START) == (None if over else LINK)
    early = JITSI.join_url(Session(status), now=START - timedelta(days=1))
    assert early == (LINK if status is SessionStatus.IN_PROGRESS else None)


def test_a_place_is_a_link_an_address_or_a_number() -> None:
    session = Session()
    assert JITSI.place_of(session) == Place(kind=LocationKind.ONLINE, link=LINK, words=None)
    assert MeetingService().place_of(session) == Place(kind=LocationKind.ONLINE, link=None, words=None)
    for kind in (LocationKind.ADDRESS, LocationKind.PHONE):
        told = replace(session, location={"kind": kind.value, "value": "12 Market St"})
        assert JITSI.place_of(told) == Place(kind=kind, link=None, words="12 Market St")
        untold = replace(session, location={"kind": kind.value})
        assert JITSI.place_of(untold) == Place(kind=kind, link=None, words=None)
