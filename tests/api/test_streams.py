"""Tests of live updates: real HTTP connections to the process's own application, over a real database."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, text, update
from structlog.testing import capture_logs

from api.state import state_of
from api.streams.hub import Hub
from config.settings import Settings
from models.calendar import person_busy
from models.events import deliveries, events
from models.groups import waitlist_entries
from tests import factories
from tests.api.conftest import Cast
from tests.api.streaming import SECONDS, Streams, availability, await_others, serving
from tests.application import World
from tests.eventually import eventually
from tests.integration.harness import without_guards
from tests.queries import execute
from tests.statements import statements_of
from workflows.bookings.holds import delete_expired_holds
from workflows.bookings.records import Booking
from workflows.events.event_types import AvailabilityChanged, CalendarFreed, CalendarTaken
from workflows.events.record import record
from workflows.sessions import actions
from workflows.sessions.records import Session
from workflows.streams.changes import LAST_SEQUENCE, Position, Snapshot, latest_changes, present_of, settle, snapshot_of

CHANGES, CUTS = 500, 20
HOURS = count()


@pytest.fixture
def streams(world: World) -> Iterator[Streams]:
    with serving(world) as running:
        yield running


def accepted(engine: Engine, cast: Cast) -> Booking:
    """A booking within the days of a snapshot, each later than the one before."""
    start = factories.this_hour() + timedelta(days=1, hours=3 * next(HOURS))
    with engine.begin() as db:
        draft = factories.make_booking(db, listing=cast.listing, mentee=cast.mentee, start_time=start)
        return factories.accept_booking(db, draft)


def block(booking: Booking, buffer_minutes: int = 0) -> dict[str, str]:
    end = booking.end_time + timedelta(minutes=buffer_minutes)
    return {"startTime": f"{booking.start_time:%Y-%m-%dT%H:%M:%SZ}", "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


def test_availability_begins_with_busy_times_and_follows(
    streams: Streams, world: World, cast: Cast, engine: Engine
) -> None:
    world.client.patch(f"/listings/{cast.listing.id}", json={"bufferMinutes": 15}, headers=cast.as_mentor)
    first = accepted(engine, cast)
    client = streams.open(availability(cast), cast.as_stranger)
    assert client.response.getheader("Content-Type") == "text/event-stream"
    snapshot = client.next()
    assert (snapshot.name, snapshot.data["busy"]) == ("snapshot", [block(first, 15)])
    second = accepted(engine, cast)
    assert client.next()[1:] == ("busy", block(second, 15))
    client.close()


def test_cancelled_sessions_and_changed_hours_are_followed(
    streams: Streams, world: World, cast: Cast, engine: Engine
) -> None:
    booking = accepted(engine, cast)
    with engine.begin() as db:
        session = actions.create(db, booking_id=booking.id)
    client = streams.open(availability(cast), cast.as_stranger)
    client.next()
    world.client.patch(f"/sessions/{session.id}/cancel", json={"reason": "ill"}, headers=cast.as_mentor)
    assert client.next()[1:] == ("free", block(booking))
    hours = {"hours": [{"weekday": 0, "startTime": "09:00", "endTime": "12:00"}]}
    world.client.put(f"/mentors/{cast.mentor.id}/hours", json=hours, headers=cast.as_mentor)
    assert client.next()[1:] == ("hours", {})
    client.close()


def test_busy_times_of_other_calendars_are_followed(streams: Streams, cast: Cast, engine: Engine) -> None:
    start = factories.this_hour() + timedelta(days=3)
    end = start + timedelta(hours=1)
    with engine.begin() as db:
        feed = factories.make_calendar_feed(db, cast.mentor, [(start, end)])
    client = streams.open(availability(cast), cast.as_stranger)
    shown = {"startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    assert client.next().data["busy"] == [shown]
    with engine.begin() as db:
        factories.read_calendar(db, feed, [])
    assert client.next()[1:] == ("hours", {})
    client.close()


def test_holds_and_their_ends_are_followed(streams: Streams, world: World, cast: Cast, engine: Engine) -> None:
    changes = {"bookingMode": "instant", "bufferMinutes": 15}
    world.client.patch(f"/listings/{cast.listing.id}", json=changes, headers=cast.as_mentor)
    start = factories.this_hour() + timedelta(days=3)
    client = streams.open(availability(cast), cast.as_stranger)
    client.next()

    def hold() -> str:
        body = {"startTime": start.isoformat(), "durationMinutes": 60}
        answer = world.client.post(f"/mentors/{cast.mentor.id}/holds", json=body, headers=cast.as_mentee)
        assert answer.status_code == 201
        return str(answer.json["id"])

    end = start + timedelta(minutes=75)
    kept = {"startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    free, busy = ("free", kept), ("busy", kept)
    held = hold()
    assert client.next()[1:] == busy
    # An own hold of the time is replaced.
    held = hold()
    assert [client.next()[1:] for _ in range(2)] == [free, busy]
    assert world.client.delete(f"/holds/{held}", headers=cast.as_mentee).status_code == 204
    assert client.next()[1:] == free
    held = hold()
    expire(engine, held)
    with engine.begin() as db:
        delete_expired_holds(db)
    assert [client.next()[1:] for _ in range(2)] == [busy, free]
    # Consumed by the holder's booking, which takes the same time.
    hold()
    body = cast.body(startTime=start.isoformat())
    assert world.client.post("/bookings", json=body, headers=cast.as_mentee).status_code == 202
    assert [client.next()[1:] for _ in range(3)] == [busy, free, busy]
    client.close()
    with engine.connect() as db:
        of_holds = events.c.type.in_([CalendarTaken.type, CalendarFreed.type])
        assert db.scalar(select(func.count()).where(of_holds, events.c.id == deliveries.c.event_id)) == 0


def test_time_off_ends_holds_and_changes_the_hours(streams: Streams, world: World, cast: Cast) -> None:
    start = factories.this_hour() + timedelta(days=3)
    body = {"startTime": start.isoformat(), "durationMinutes": 60}
    assert world.client.post(f"/mentors/{cast.mentor.id}/holds", json=body, headers=cast.as_mentee).status_code == 201
    client = streams.open(availability(cast), cast.as_stranger)
    assert client.next().data["busy"]
    away = {"startTime": start.isoformat(), "endTime": (start + timedelta(hours=2)).isoformat()}
    assert (
        world.client.post(f"/mentors/{cast.mentor.id}/time-off", json=away, headers=cast.as_mentor).status_code == 201
    )
    assert [client.next().name for _ in range(2)] == ["free", "hours"]
    client.close()


def test_seats_of_groups_are_followed_by_everyone(world: World, cast: Cast) -> None:
    key = "tpk_" + "0123456789abcdefABCDEFGH"
    with serving(World.on(world.engine, publishable_keys=(key,))) as streams:
        follow_seats(streams, world, cast, {"Authorization": f"Bearer {key}"})


def follow_seats(streams: Streams, world: World, cast: Cast, by_key: dict[str, str]) -> None:
    group = _group(world.engine, cast, capacity=2)
    path = f"/group-sessions/{group.id}"
    client = streams.open(availability(cast), cast.as_stranger)
    client.next()
    visitor = streams.open(availability(cast), by_key)
    visitor.next()

    def seats(capacity: int, taken: int, offered: int) -> tuple[str, dict[str, Any]]:
        about = {"groupSessionId": str(group.id), "capacity": capacity, "seatsTaken": taken, "seatsOffered": offered}
        return "group", about | {"full": taken + offered >= capacity}

    world.client.post(f"{path}/join", headers=cast.as_mentee)
    assert client.next()[1:] == visitor.next()[1:] == seats(2, 1, 0)
    world.client.patch(path, json={"capacity": 1}, headers=cast.as_mentor)
    assert client.next()[1:] == seats(1, 1, 0)
    world.client.post(f"{path}/waitlist", headers=cast.as_stranger)
    # One event for each change, as the group stands then: the seat was left, and offered to the next in line.
    world.client.post(f"{path}/leave", headers=cast.as_mentee)
    assert [client.next()[1:] for _ in range(2)] == [seats(1, 0, 1)] * 2
    world.client.delete(f"{path}/waitlist", headers=cast.as_stranger)
    assert client.next()[1:] == seats(1, 0, 0)
    for each in (client, visitor):
        each.close()


def test_people_follow_their_place_in_a_waiting_list(
    streams: Streams, world: World, cast: Cast, engine: Engine
) -> None:
    group = _group(engine, cast, capacity=1)
    path = f"/group-sessions/{group.id}"
    world.client.post(f"{path}/join", headers=cast.as_mentee)
    world.client.post(f"{path}/waitlist", headers=cast.as_stranger)
    clients = {who: streams.open("/streams/sessions", getattr(cast, f"as_{who}")) for who in ("stranger", "mentor")}
    for client in clients.values():
        client.next()
    world.client.post(f"{path}/leave", headers=cast.as_mentee)
    offered = world.client.post(f"{path}/waitlist", headers=cast.as_stranger).json
    assert offered["offer"]
    waiting, of_mentor = clients["stranger"], clients["mentor"]
    assert waiting.next()[1:] == ("waitlist", {"groupSessionId": str(group.id), **offered})
    # The offer lapses, as it does when someone else looks later.
    with engine.begin() as db:
        past = datetime.now(UTC) - timedelta(minutes=1)
        db.execute(update(waitlist_entries).values(offered_until=past))
    world.client.post(f"{path}/join", headers=cast.as_mentee)
    assert waiting.next()[1:] == ("waitlist", {"groupSessionId": str(group.id), "position": None, "offer": None})
    # The mentor hears of who has joined, and of no one's place in the line.
    assert of_mentor.next().data["type"] == "seat.joined"
    for client in clients.values():
        client.close()


def _group(engine: Engine, cast: Cast, *, capacity: int) -> Booking:
    """A group of the cast's mentor whose session exists."""
    with engine.begin() as db:
        start = factories.this_hour() + timedelta(days=3)
        group = factories.make_group(db, [], listing=cast.listing, start_time=start, capacity=capacity)
        actions.create(db, booking_id=group.id)
        return group


def expire(engine: Engine, hold_id: str) -> None:
    with engine.begin() as db:
        past = datetime.now(UTC) - timedelta(minutes=1)
        db.execute(update(person_busy).where(person_busy.c.hold_id == UUID(hold_id)).values(expires_at=past))


def test_both_parties_follow_their_sessions(streams: Streams, world: World, cast: Cast, scheduled: Session) -> None:
    path = f"/sessions/{scheduled.id}"
    clients = {
        who: streams.open("/api/streams/sessions", headers)
        for who, headers in (("mentor", cast.as_mentor), ("mentee", cast.as_mentee), ("stranger", cast.as_stranger))
    }
    for who, client in clients.items():
        listed = [each["id"] for each in client.next().data["items"]]
        assert listed == ([] if who == "stranger" else [str(scheduled.id)])
    world.client.patch(f"{path}/start", headers=cast.as_mentor)
    world.client.patch(f"{path}/complete", json={"rating": 2, "notes": "Read on"}, headers=cast.as_mentor)
    for who in ("mentor", "mentee"):
        types = [clients[who].next() for _ in range(2)]
        assert [each.data["type"] for each in types] == ["session.started", "session.completed"]
        shown = types[1].data["session"]
        assert (shown["rating"], shown["notes"]) == (2 if who == "mentor" else None, "Read on")
    for client in clients.values():
        client.close()


def test_participants_follow_their_group(streams: Streams, world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        group = factories.make_group_session(db, [cast.mentee, cast.stranger], listing=cast.listing)
    client = streams.open("/streams/sessions", cast.as_mentee)
    assert [each["id"] for each in client.next().data["items"]] == [str(group.id)]
    path = f"/sessions/{group.id}/cancel"
    assert world.client.patch(path, json={"reason": "I am ill."}, headers=cast.as_mentor).status_code == 200
    cancelled = client.next().data
    assert (cancelled["type"], cancelled["session"]["id"]) == ("session.cancelled", str(group.id))
    client.close()


def test_sessions_come_with_the_link_while_it_can_be_used(
    streams: Streams, world: World, cast: Cast, scheduled: Session
) -> None:
    path = f"/sessions/{scheduled.id}"
    link = world.client.get(path, headers=cast.as_mentee).json["joinUrl"]
    client = streams.open("/streams/sessions", cast.as_mentee)
    (listed,) = client.next().data["items"]
    world.client.patch(f"{path}/start", headers=cast.as_mentor)
    started = client.next().data["session"]
    world.client.patch(f"{path}/complete", headers=cast.as_mentor)
    completed = client.next().data["session"]
    assert link
    assert [each["joinUrl"] for each in (listed, started, completed)] == [link, link, None]
    client.close()


def test_a_client_cut_twenty_times_sees_each_change_once(world: World, cast: Cast, engine: Engine) -> None:
    with engine.begin() as db:
        sessions = [factories.make_session(db, listing=cast.listing, mentee=cast.mentee) for _ in range(CHANGES // 2)]
    writer = threading.Thread(target=hold_all, args=(engine, sessions))
    seen: list[tuple[str, str]] = []
    # The second process continues what the first one began.
    for half in range(2):
        with serving(world) as running:
            if not half:
                client = running.open("/streams/sessions", cast.as_mentee)
                last_id = client.next().id
                client.close()
                writer.start()
            for _ in range(CUTS // 2):
                client = running.open("/streams/sessions", cast.as_mentee, last_id)
                for _ in range(CHANGES // CUTS):
                    event = client.next()
                    seen.append((event.data["session"]["id"], event.data["type"]))
                    last_id = event.id
                client.close()
    writer.join(SECONDS)
    steps = ("session.started", "session.completed")
    assert seen == [(str(session.id), step) for session in sessions for step in steps]


def hold_all(engine: Engine, sessions: list[Session]) -> None:
    """Start and complete one session after the other, each step in a transaction of its own."""
    for session in sessions:
        with engine.begin() as db:
            started = factories.start_session(db, session)
        with engine.begin() as db:
            factories.complete_session(db, started)


def test_a_snapshot_later_than_the_last_look_is_known(world: World, cast: Cast, engine: Engine) -> None:
    async def play() -> list[bool]:
        hub = Hub(engine, state_of(world.app).settings)
        await hub.start()
        accepted(engine, cast)
        seen = await hub.read(snapshot_of)
        points: list[Position | Snapshot] = [seen, (seen.xmin - 1, LAST_SEQUENCE), (seen.xmax + 10**9, 1)]
        return [await hub.point_of(hub.id_of(each)) is not None for each in points]

    assert asyncio.run(play()) == [True, True, False]


def test_changes_that_no_stream_waits_for_are_not_all_read(world: World, cast: Cast, engine: Engine) -> None:
    async def play() -> None:
        hub = Hub(engine, state_of(world.app).settings, kept=2, page=2)
        await hub.start()
        for _ in range(20):
            accepted(engine, cast)
        await_others(engine)
        (last,) = await hub.read(lambda db: latest_changes(db, present_of(db).history, 1))
        with statements_of(engine) as made:
            following = asyncio.create_task(hub.follow())
            while hub.position != last.position:
                await asyncio.sleep(0.01)
            following.cancel()
        assert len(made.statements) < 20 / 2

    asyncio.run(asyncio.wait_for(play(), SECONDS))


def test_a_client_that_reads_no_longer_loses_its_place(world: World, cast: Cast, engine: Engine) -> None:
    hubs: list[Hub] = []

    def make_hub(engine: Engine, settings: Settings) -> Hub:
        hubs.append(Hub(engine, settings, silence_seconds=0.5))
        return hubs[0]

    with serving(world, make_hub) as streams, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", streams.port))
        head = "".join(f"{name}: {value}\r\n" for name, value in cast.as_mentee.items())
        client.sendall(f"GET {availability(cast)} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        eventually(lambda: hubs[0].streams, "the stream")
        about: dict[str, Any] = {
            "actor": "system",
            "occurred_at": datetime.now(UTC),
            "mentor_profile_id": cast.mentor.id,
        }
        with engine.begin() as db:
            record(db, *(AvailabilityChanged(**about, changed="hours", version=number) for number in range(1_000)))
        eventually(lambda: not hubs[0].streams, "the end of the stream")


def test_another_process_that_looks_later_repeats_no_change(
    streams: Streams, world: World, cast: Cast, engine: Engine
) -> None:
    with serving(world, partial(Hub, poll_seconds=1)) as behind:
        client = streams.open(availability(cast), cast.as_stranger)
        client.next()
        accepted(engine, cast)
        last_id = client.next().id
        client.close()
        client = behind.open(availability(cast), cast.as_stranger, last_id)
        second = accepted(engine, cast)
        assert client.next()[1:] == ("busy", block(second))
        client.close()


@pytest.mark.parametrize("rest", ["nonsense", "1", "1.2.3", "-1.-1", "9999999999.1", "9999999999:9999999999:"])
def test_an_unknown_position_is_reset(streams: Streams, cast: Cast, rest: str) -> None:
    client = streams.open("/streams/sessions", cast.as_mentee)
    history = str(client.next().id).partition(".")[0]
    client.close()
    client = streams.open("/streams/sessions", cast.as_mentee, f"{history}.{rest}")
    assert [client.next().name for _ in range(2)] == ["reset", "snapshot"]
    client.close()


@pytest.fixture
def restored(engine: Engine) -> Iterator[Callable[[], None]]:
    """Makes a database look like one that was restored from another cluster, whose transaction ids lay 50 ahead."""

    def restore() -> None:
        with engine.begin() as db, without_guards(db):
            ids = "CAST(CAST(CAST(pg_current_xact_id() AS text) AS bigint) + 50 AS text)"
            db.execute(text(f"UPDATE events SET xid = CAST({ids} AS xid8)"))
            db.execute(text("UPDATE clusters SET system_identifier = 1"))

    yield restore
    # The next tests have the same database.
    with engine.begin() as db:
        db.execute(text("DELETE FROM clusters"))
        settle(db)


def test_changes_from_another_cluster_are_no_news(
    world: World, cast: Cast, engine: Engine, restored: Callable[[], None]
) -> None:
    for _ in range(3):
        accepted(engine, cast)
    restored()
    with engine.begin() as db:
        settle(db)
    with serving(world) as running:
        client = running.open(availability(cast), cast.as_stranger)
        client.next()
        first = accepted(engine, cast)
        assert client.next()[1:] == ("busy", block(first))
        for _ in range(60):
            execute(engine, text("SELECT pg_current_xact_id()"))
        second = accepted(engine, cast)
        event = client.next()
        assert event[1:] == ("busy", block(second))
        client.close()
        third = accepted(engine, cast)
        client = running.open(availability(cast), cast.as_stranger, event.id)
        assert client.next()[1:] == ("busy", block(third)), "its own positions hold"
        client.close()


def test_streams_of_a_restored_database_begin_again_after_migrate(
    streams: Streams, cast: Cast, engine: Engine, restored: Callable[[], None]
) -> None:
    client = streams.open(availability(cast), cast.as_stranger)
    last_id = client.next().id
    with capture_logs() as lines:
        restored()
        with pytest.raises(AssertionError, match="ended"):
            client.next()
        refused = streams.open(availability(cast), cast.as_stranger, last_id)
        assert refused.response.getheader("Retry-After") == "1"
        assert refused.error() == (503, "unavailable")
        with engine.begin() as db:
            assert settle(db) == 2
            assert settle(db) is None
        is_back = lambda: streams.open(availability(cast), cast.as_stranger, last_id).response.status == 200  # noqa: E731
        eventually(is_back, "live updates after the migration")
    assert [line["event"] for line in lines if line["event"].startswith("streams.")] == [
        "streams.other_cluster",
        "streams.other_history",
    ]
    client = streams.open(availability(cast), cast.as_stranger, last_id)
    assert [client.next().name for _ in range(2)] == ["reset", "snapshot"]
    booking = accepted(engine, cast)
    assert client.next()[1:] == ("busy", block(booking))
    client.close()


def test_a_position_that_is_no_longer_kept_is_reset(world: World, cast: Cast, engine: Engine) -> None:
    with serving(world, partial(Hub, kept=2)) as running:
        client = running.open(availability(cast), cast.as_mentee)
        bookings = [accepted(engine, cast) for _ in range(4)]
        client.next()
        first = client.next()
        while client.next().data != block(bookings[-1]):
            pass
        client.close()
        client = running.open(availability(cast), cast.as_mentee, first.id)
        assert [client.next().name for _ in range(2)] == ["reset", "snapshot"]
        client.close()


def test_a_transaction_that_commits_late_is_not_passed_over(streams: Streams, cast: Cast, engine: Engine) -> None:
    client = streams.open(availability(cast), cast.as_stranger)
    client.next()
    with engine.begin() as late:
        draft = factories.make_booking(late, listing=cast.listing, mentee=cast.mentee)
        # Has its place in the order from here on, and commits after the other one, of another mentor.
        with engine.begin() as db:
            other = factories.accept_booking(db, factories.make_booking(db))
        booking = factories.accept_booking(late, draft)
    assert client.next()[1:] == ("busy", block(booking))
    assert other.mentor_profile_id != booking.mentor_profile_id
    client.close()


def test_what_a_mentor_attends_takes_their_time_without_its_buffers(
    streams: Streams, world: World, cast: Cast, engine: Engine
) -> None:
    start = factories.this_hour() + timedelta(days=3)
    with engine.begin() as db:
        other = factories.make_listing(db, cast.other_mentor, booking_mode="instant", buffer_minutes=15)
        group = factories.make_group(db, [], listing=other, start_time=start + timedelta(days=1), capacity=2)
        actions.create(db, booking_id=group.id)
    client = streams.open(availability(cast), cast.as_stranger)
    assert client.next().data["busy"] == []
    body = {"listingId": str(other.id), "startTime": start.isoformat()}
    booked = world.client.post("/bookings", json=body, headers=cast.as_mentor)
    assert booked.status_code == 202
    times = {name: booked.json[name] for name in ("startTime", "endTime")}
    assert client.next()[1:] == ("busy", times)
    seat = {"startTime": f"{group.start_time:%Y-%m-%dT%H:%M:%SZ}", "endTime": f"{group.end_time:%Y-%m-%dT%H:%M:%SZ}"}
    for step, name in (("join", "busy"), ("leave", "free")):
        path = f"/group-sessions/{group.id}/{step}"
        answer = world.client.post(path, json={} if step == "join" else {"reason": "Ill"}, headers=cast.as_mentor)
        assert answer.status_code == 200, answer.json
        assert client.next()[1:] == (name, seat)
    client.close()
    # A seat takes none of the group's mentor's time, which the group has.
    following = streams.open(f"/streams/availability?mentorProfileId={cast.other_mentor.id}", cast.as_stranger)
    assert len(following.next().data["busy"]) == 2
    following.close()
