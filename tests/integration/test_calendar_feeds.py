"""Tests of reading outside calendars: from real servers, by one delivery that stays, into the times of a mentor."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, text, update
from structlog.testing import capture_logs

from config.sealing import Sealer
from infrastructure.http_client import HttpClient, HttpLimits
from models.availability import booking_rules, calendar_feeds, outside_busy
from models.base import metadata
from models.calendar import person_busy
from models.events import deliveries, events
from models.people import email_changes, mentor_profiles, users
from models.sessions import sessions
from tests import factories
from tests.integration.endpoints import listening, messages
from tests.integration.harness import Harness, without_guards
from tests.receivers import HttpReceiver, dripping, http_receiver, talker
from workers.transports.calendars import LIMITS, CalendarTransport
from workflows.accounts.email_change import confirm_email_change, confirmable, request_email_change
from workflows.accounts.records import Mentor
from workflows.availability.dates import CalendarOwner, calendar_owner_query
from workflows.availability.expansion import expand
from workflows.availability.feeds import CalendarFeed, add_feed, feed_query, remove_feed
from workflows.availability.intervals import Occurrences
from workflows.bookings.direct import WantedListing
from workflows.bookings.holds import hold
from workflows.events.delivery import DEFAULT_RETRY_POLICY, DeliveryKey

SEALER = Sealer(["a passphrase of the tests"])
LOOPBACK = [ip_network("127.0.0.0/8")]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECRET_PATH = "/private-8f2c9/basic.ics"
START = factories.this_hour() + 3 * DAY


def entry(start: datetime = START, *lines: str, uid: str = "lunch@elsewhere", stamp: str = "20260101T000000Z") -> str:
    """A VEVENT of an hour."""
    times = (f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + HOUR:%Y%m%dT%H%M%SZ}")
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"DTSTAMP:{stamp}", *times, *lines, "END:VEVENT", ""])


def calendar(*entries: str) -> bytes:
    """An iCalendar file."""
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{''.join(entries)}END:VCALENDAR\r\n".encode()


class Reading:
    """A mentor with one outside calendar, the server that has it, and the worker that reads it."""

    def __init__(self, engine: Engine, server: HttpReceiver, *, limits: HttpLimits = LIMITS) -> None:
        self.engine, self.server = engine, server
        self.expanded = 0
        transport = CalendarTransport(SEALER, HttpClient(LOOPBACK, limits=limits), self._expand)
        self.harness = Harness(engine, calendars=transport)
        with engine.begin() as db:
            self.mentor: Mentor = factories.make_mentor(db)
        self.feed_id = self.add(server.url + SECRET_PATH)

    def _expand(self, *wanted: Any) -> Occurrences:
        # Not in a process of its own, which takes longer to start; other tests have that.
        self.expanded += 1
        return expand(*wanted)

    def add(self, url: str) -> UUID:
        with self.engine.begin() as db:
            owner = CalendarOwner.of(db.execute(calendar_owner_query(self.mentor.id)).one())
            named: dict[str, Any] = {
                "url": url,
                "name": None,
                "seal": SEALER.seal,
                "allowed": LOOPBACK,
                "now": datetime.now(UTC),
            }
            return add_feed(db, actor=factories.acting_mentor(self.mentor), mentor=owner, **named).id

    def serve(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.server.body, self.server.status = body, status
        self.server.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def read(self) -> None:
        """Read all that is due, or would be later."""
        with self.engine.begin() as db, without_guards(db):
            db.execute(update(deliveries).where(deliveries.c.state == "pending").values(due_at=func.now() - MINUTE))
        for effect in ("calendars.start", "calendars.read"):
            for key in self.pending(effect):
                self.harness.deliverer.deliver(key)

    def pending(self, effect: str = "calendars.read") -> list[DeliveryKey]:
        of_effect = (deliveries.c.effect == effect, deliveries.c.state == "pending")
        query = select(deliveries.c.event_id, deliveries.c.effect, deliveries.c.target).where(*of_effect)
        with self.engine.connect() as db:
            return [DeliveryKey(**row._mapping) for row in db.execute(query)]

    def delivery(self) -> Any:
        (key,) = self.pending()
        return self.harness.row(key)

    @property
    def feed(self) -> CalendarFeed:
        with self.engine.connect() as db:
            return CalendarFeed.of(db.execute(feed_query(self.mentor.id, self.feed_id)).one())

    @property
    def row(self) -> Any:
        with self.engine.connect() as db:
            return db.execute(select(calendar_feeds).where(calendar_feeds.c.id == self.feed_id)).one()

    def change(self, **values: Any) -> None:
        with self.engine.begin() as db:
            db.execute(update(calendar_feeds).where(calendar_feeds.c.id == self.feed_id).values(**values))

    def refuse_stale(self) -> None:
        with self.engine.begin() as db:
            db.execute(booking_rules.insert().values(mentor_profile_id=self.mentor.id, stale_calendars="refuse"))

    @property
    def busy(self) -> list[tuple[datetime, datetime]]:
        with self.engine.connect() as db:
            found = db.scalars(select(outside_busy.c.busy).order_by(outside_busy.c.busy))
            return [(each.lower, each.upper) for each in found]

    @property
    def announced(self) -> list[str]:
        changed = select(events.c.data["changed"].astext).where(events.c.type == "availability.changed")
        with self.engine.connect() as db:
            return list(db.scalars(changed.order_by(events.c.sequence)))


@pytest.fixture
def reading(engine: Engine) -> Iterator[Reading]:
    with http_receiver() as server:
        made = Reading(engine, server)
        made.serve(calendar(entry()))
        yield made


def test_a_calendar_is_read_and_read_again_later(reading: Reading) -> None:
    assert (reading.feed.status, reading.busy, reading.announced) == ("pending", [], [])
    reading.read()
    assert (reading.feed.status, reading.feed.last_error) == ("fresh", None)
    assert reading.busy == [(START, START + HOUR)]
    assert reading.announced == ["calendars"]
    delivery = reading.delivery()
    assert (delivery.attempts, delivery.last_error, delivery.lease_until) == (0, None, None)
    assert delivery.due_at == reading.feed.next_fetch_at
    assert 13 * MINUTE < delivery.due_at - delivery.now < 17 * MINUTE
    (request,) = reading.server.requests
    assert request.path == SECRET_PATH
    assert request.headers["host"] == reading.server.url.removeprefix("http://")
    assert request.headers["accept-encoding"] == "identity"


def test_a_success_ends_the_count_of_our_own_failures(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_args: object, **_named: object) -> None:
        raise KeyError("a defect of ours")

    reading.read()
    for _ in range(DEFAULT_RETRY_POLICY.attempts + 1):
        with monkeypatch.context() as broken:
            broken.setattr("workflows.effects.calendars.request_for", defect)
            reading.read()
        reading.read()
    delivery = reading.delivery()
    assert (delivery.state, delivery.attempts) == ("pending", DEFAULT_RETRY_POLICY.attempts + 1)
    assert delivery.last_error is None


def test_what_has_not_changed_is_not_sent_again(reading: Reading) -> None:
    reading.serve(calendar(entry()), etag='"v1"', last_modified="Sat, 21 Nov 2026 10:00:00 GMT")
    reading.read()
    reading.serve(b"", 304)
    before = reading.row
    reading.read()
    again = reading.server.requests[-1].headers
    assert (again["if-none-match"], again["if-modified-since"]) == ('"v1"', "Sat, 21 Nov 2026 10:00:00 GMT")
    assert reading.busy == [(START, START + HOUR)]
    assert (reading.expanded, reading.announced) == (1, ["calendars"])
    assert reading.row.fetched_at > before.fetched_at
    assert reading.row.stale_at > before.stale_at
    assert (reading.row.etag, reading.row.last_error) == ('"v1"', None)


def test_equal_content_with_another_stamp_changes_nothing(reading: Reading) -> None:
    reading.read()
    reading.serve(calendar(entry(stamp="20260202T000000Z")))
    reading.read()
    assert (reading.expanded, reading.announced) == (1, ["calendars"])


def test_changes_of_a_calendar_take_the_place_of_its_times(reading: Reading) -> None:
    kept, gone, new = (START + number * DAY for number in range(3))
    reading.serve(calendar(entry(kept), entry(gone, uid="2")))
    reading.read()
    reading.serve(calendar(entry(kept), entry(new, uid="2"), entry(new + HOUR, uid="3")))
    reading.read()
    assert reading.busy == [(kept, kept + HOUR), (new, new + 2 * HOUR)]
    assert reading.announced == ["calendars"] * 2
    # Past times do not matter.
    reading.serve(calendar(entry(kept), entry(new, uid="2"), entry(new + HOUR, uid="3"), entry(START - 4 * DAY)))
    reading.read()
    assert reading.announced == ["calendars"] * 2


def test_another_zone_of_the_mentor_shifts_whole_days(reading: Reading) -> None:
    day = f"{START:%Y%m%d}"
    whole = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:{day}\r\nEND:VEVENT\r\n"
    reading.serve(calendar(whole), etag='"v1"')
    reading.read()
    midnight = START.replace(hour=0)
    assert reading.busy == [(midnight, midnight + DAY)]
    with reading.engine.begin() as db:
        db.execute(update(mentor_profiles).values(time_zone="Asia/Tokyo"))
    reading.read()
    # The whole calendar is asked for, although it has not changed.
    assert "if-none-match" not in reading.server.requests[-1].headers
    assert reading.busy == [(midnight - 9 * HOUR, midnight + 15 * HOUR)]


def test_the_window_moves_on_with_the_months(reading: Reading) -> None:
    reading.serve(calendar(entry()), etag='"v1"')
    reading.read()
    reading.change(busy_until=reading.row.busy_until - 31 * DAY)
    reading.read()
    assert "if-none-match" not in reading.server.requests[-1].headers
    assert reading.expanded == 2
    assert reading.row.busy_until > START + 365 * DAY


FAILURES: dict[str, tuple[Callable[[Reading], Any], str]] = {
    "an error": (lambda reading: reading.serve(b"no", 500), "The server answered 500."),
    "a wrong address": (lambda reading: reading.serve(b"no", 404), "The server answered 404."),
    "nothing new of nothing known": (lambda reading: reading.serve(b"", 304), "The server answered 304."),
    "a page to log in": (lambda reading: reading.serve(b"<html>Log in</html>"), "The answer is not an iCalendar file."),
    "an end too early": (lambda reading: reading.serve(calendar(entry())[:90]), "The answer is not an iCalendar file."),
    "a compressed answer": (
        lambda reading: reading.serve(b"\x1f\x8b", content_encoding="gzip"),
        "The answer is compressed, although that was not asked for.",
    ),
    "a redirect in circles": (
        lambda reading: reading.serve(b"", 302, location=SECRET_PATH),
        "The server redirected more than 3 times.",
    ),
    "a redirect into a network": (
        lambda reading: reading.serve(b"", 302, location="http://10.0.0.1/calendar.ics"),
        "The address is not allowed.",
    ),
    "a redirect to a file": (
        lambda reading: reading.serve(b"", 302, location="file:///etc/passwd"),
        "The address is not allowed.",
    ),
    "a redirect to no address": (
        lambda reading: reading.serve(b"", 302, location="https://[secret.ics"),
        "The address is not allowed.",
    ),
    "too much": (lambda reading: reading.serve(b"x" * 3_000_000), "The calendar is larger than 10 MB."),
    "a recurrence of each minute": (
        lambda reading: reading.serve(calendar(entry(START, "RRULE:FREQ=MINUTELY"))),
        "The calendar repeats an event every second or minute.",
    ),
    "a server that is away": (lambda reading: _gone(reading), "The connection could not be made."),
}


def _gone(reading: Reading) -> None:
    reading.change(sealed_url=SEALER.seal("http://127.0.0.1:1/secret.ics"))


@pytest.mark.parametrize("failure", FAILURES)
def test_a_calendar_that_cannot_be_read_keeps_its_last_copy(engine: Engine, failure: str) -> None:
    fail, sentence = FAILURES[failure]
    with http_receiver() as server:
        reading = Reading(engine, server, limits=HttpLimits(response_bytes=2_000_000))
        reading.serve(calendar(entry()))
        reading.read()
        reading.change(content_digest=None, busy_until=None)
        fail(reading)
        with capture_logs() as logs:
            reading.read()
        assert reading.feed.last_error == sentence
        assert (reading.busy, reading.feed.status) == ([(START, START + HOUR)], "fresh")
        assert (reading.row.failures, reading.announced) == (1, ["calendars"])
        assert SECRET_PATH not in str(logs)
        assert "secret.ics" not in str(logs)
        # It is tried again, and no attempt is counted.
        assert (reading.delivery().attempts, reading.delivery().last_error) == (0, None)


def test_pauses_grow_while_a_calendar_cannot_be_read(reading: Reading) -> None:
    reading.serve(b"", 503)
    pauses = []
    for _ in range(9):
        reading.read()
        delivery = reading.delivery()
        pauses.append(delivery.due_at - delivery.now)
    for number, pause in enumerate(pauses[:6]):
        assert 0.85 < pause / (2**number * 15 * MINUTE) < 1.15
    assert DAY - MINUTE < pauses[-1] < DAY + MINUTE
    reading.serve(b"", 503, retry_after=str(20 * 3600))
    reading.change(failures=0)
    reading.read()
    delivery = reading.delivery()
    assert 19 * HOUR < delivery.due_at - delivery.now < 21 * HOUR
    reading.serve(calendar(entry()))
    reading.read()
    assert (reading.row.failures, reading.feed.last_error, reading.feed.status) == (0, None, "fresh")


def test_a_server_that_drips_is_left_after_the_deadline(engine: Engine) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nBEGIN:VCALENDAR\r\n"
    with talker(dripping(head, b"X")) as port, http_receiver() as server:
        reading = Reading(engine, server, limits=HttpLimits(deadline=0.5))
        reading.change(sealed_url=SEALER.seal(f"http://127.0.0.1:{port}/secret.ics"))
        reading.read()
        assert reading.feed.last_error == "No complete answer within 0.5 s."


@pytest.mark.parametrize("length", [10**12, 2**62, 2**70])
@pytest.mark.parametrize("framing", ["content-length: {}", "transfer-encoding: chunked\r\n\r\n{:x}"])
def test_no_memory_is_reserved_for_what_a_server_promises(engine: Engine, framing: str, length: int) -> None:
    def promise(connection: socket.socket, _stop: object) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing.format(length)}\r\n\r\nBEGIN:VCALENDAR".encode())
        connection.shutdown(socket.SHUT_WR)

    with talker(promise) as port, http_receiver() as server:
        reading = Reading(engine, server)
        reading.change(sealed_url=SEALER.seal(f"http://127.0.0.1:{port}/secret.ics"))
        reading.read()
        assert reading.feed.last_error == "The connection ended before an answer was complete."


def test_redirects_are_followed_to_the_calendar(reading: Reading) -> None:
    with http_receiver() as elsewhere:
        elsewhere.status, elsewhere.body = 200, calendar(entry())
        reading.serve(b"", 301, location=f"{elsewhere.url}/moved.ics")
        reading.read()
        assert [request.path for request in elsewhere.requests] == ["/moved.ics"]
    assert reading.busy == [(START, START + HOUR)]


def test_our_own_sessions_that_come_back_are_left_out(reading: Reading) -> None:
    with reading.engine.begin() as db:
        listing = factories.make_listing(db, reading.mentor)
        session = factories.make_session(db, listing=listing)
    own = entry(session.start_time, uid=str(session.booking_id))
    # Another application may name its entries like that, too.
    other = entry(START + 300 * DAY, uid="3fe0ff2f-7e6c-4cb0-9f43-3a2b8a5f8c11")
    reading.serve(calendar(own, other))
    reading.read()
    assert reading.busy == [(START + 300 * DAY, START + 300 * DAY + HOUR)]


def test_accepted_sessions_stay_whatever_a_calendar_has(reading: Reading) -> None:
    with reading.engine.begin() as db:
        session = factories.make_session(db, listing=factories.make_listing(db, reading.mentor))
    reading.serve(calendar(entry(session.start_time)))
    reading.read()
    assert reading.busy == [(session.start_time, session.start_time + HOUR)]
    with reading.engine.connect() as db:
        assert db.scalars(select(sessions.c.status)).all() == ["scheduled"]


def test_holds_at_a_busy_time_end(reading: Reading) -> None:
    with reading.engine.begin() as db:
        factories.make_listing(db, reading.mentor)
        for start in (START, START + 5 * HOUR):
            hold(
                db,
                actor=factories.acting_user(factories.make_user(db)),
                wanted=WantedListing(mentor_profile_id=reading.mentor.id, duration_minutes=60),
                start_time=start,
                now=datetime.now(UTC),
                minutes=5,
                max_holds=3,
            )
    reading.read()
    with reading.engine.connect() as db:
        assert db.scalars(select(person_busy.c.held_start)).all() == [START + 5 * HOUR]


def test_what_the_mentor_has_declined_does_not_count(reading: Reading) -> None:
    with reading.engine.connect() as db:
        email = db.scalars(select(users.c.email)).one()
    declined = entry(START + DAY, f"ATTENDEE;PARTSTAT=DECLINED:mailto:{email}", uid="2")
    reading.serve(calendar(entry(), declined))
    reading.read()
    assert reading.busy == [(START, START + HOUR)]


def test_a_mentor_who_is_not_active_is_not_read(reading: Reading) -> None:
    with reading.engine.begin() as db:
        db.execute(update(mentor_profiles).values(active=False))
    with capture_logs() as logged:
        reading.read()
    assert reading.server.requests == []
    assert [line["log_level"] for line in logged if line["event"] == "delivery.postponed"] == ["debug"]
    delivery = reading.delivery()
    assert 50 * MINUTE < delivery.due_at - delivery.now <= HOUR
    with reading.engine.begin() as db:
        db.execute(update(mentor_profiles).values(active=True))
    reading.read()
    assert reading.busy == [(START, START + HOUR)]


def change_address(reading: Reading) -> None:
    user_id = reading.mentor.user_id
    with reading.engine.begin() as db:
        actor, now = factories.acting_mentor(reading.mentor), datetime.now(UTC)
        request_email_change(db, actor=actor, user_id=user_id, email="new@example.org", now=now)
        change_id = db.execute(select(email_changes.c.id).where(email_changes.c.user_id == user_id)).scalar_one()
        confirm_email_change(db, actor=actor, change=confirmable(db, change_id, user_id=user_id, now=now), now=now)


@pytest.mark.parametrize("meanwhile", [False, True])
def test_what_was_declined_follows_a_new_mail_address(reading: Reading, meanwhile: bool) -> None:
    def change_meanwhile(*wanted: Any) -> Occurrences:
        change_address(reading)
        return expand(*wanted)

    harness = reading.harness
    reading.serve(calendar(entry(START, "ATTENDEE;PARTSTAT=DECLINED:mailto:new@example.org")), etag='"v1"')
    if meanwhile:
        transport = CalendarTransport(SEALER, HttpClient(LOOPBACK), change_meanwhile)
        reading.harness = Harness(reading.engine, calendars=transport)
    reading.read()
    assert reading.busy == [(START, START + HOUR)]
    if not meanwhile:
        change_address(reading)
    reading.harness = harness
    reading.read()
    assert "if-none-match" not in reading.server.requests[-1].headers
    assert reading.busy == []


def test_a_removed_calendar_frees_its_times_and_is_left(reading: Reading) -> None:
    reading.read()
    with reading.engine.begin() as db:
        actor = factories.acting_mentor(reading.mentor)
        remove_feed(db, actor=actor, feed=reading.feed, now=datetime.now(UTC))
    assert (reading.busy, reading.announced) == ([], ["calendars"] * 2)
    reading.read()
    assert (len(reading.server.requests), reading.pending()) == (1, [])


def test_an_answer_for_a_removed_calendar_is_dropped(reading: Reading) -> None:
    def remove_meanwhile(*wanted: Any) -> Occurrences:
        with reading.engine.begin() as db:
            actor = factories.acting_mentor(reading.mentor)
            remove_feed(db, actor=actor, feed=reading.feed, now=datetime.now(UTC))
        return expand(*wanted)

    transport = CalendarTransport(SEALER, HttpClient(LOOPBACK), remove_meanwhile)
    reading.harness = Harness(reading.engine, calendars=transport)
    reading.read()
    assert (reading.busy, reading.announced) == ([], [])


def test_after_a_week_another_event_keeps_a_calendar_read(reading: Reading) -> None:
    reading.read()
    (before,) = reading.pending()
    with reading.engine.begin() as db, without_guards(db):
        db.execute(text("UPDATE events SET occurred_at = occurred_at - interval '8 days'"))
    reading.read()
    requests = len(reading.server.requests)
    reading.read()
    # The old one ends, and the new one reads.
    assert reading.harness.row(before).state == "cancelled"
    (after,) = reading.pending()
    assert after.event_id != before.event_id
    assert len(reading.server.requests) == requests + 1
    assert reading.row.scheduled_by == after.event_id


def test_a_mentor_who_refuses_stale_calendars_hears_of_both_turns(reading: Reading) -> None:
    reading.refuse_stale()
    reading.read()
    assert reading.announced == ["calendars"]
    reading.serve(b"", 500)
    reading.read()
    assert reading.announced == ["calendars"]
    # Between the attempt before and the next one it becomes stale.
    now = datetime.now(UTC)
    reading.change(stale_at=now - HOUR, attempted_at=now - 2 * HOUR)
    for _ in range(2):
        reading.read()
        assert (reading.feed.status, reading.announced) == ("stale", ["calendars"] * 2)
    reading.serve(calendar(entry()))
    reading.read()
    assert (reading.feed.status, reading.announced) == ("fresh", ["calendars"] * 3)


def test_webhooks_of_one_wakeup_do_not_wait_for_a_calendar(reading: Reading) -> None:
    sent_before: list[int] = []

    def look_at_webhooks(*wanted: Any) -> Occurrences:
        sent_before.append(len(reading.harness.http.received))
        return expand(*wanted)

    transport = CalendarTransport(SEALER, HttpClient(LOOPBACK), look_at_webhooks)
    reading.harness = Harness(reading.engine, calendars=transport)
    (start,) = reading.pending("calendars.start")
    reading.harness.deliverer.deliver(start)
    (webhook,) = messages(reading.harness, listening(reading.harness))
    reading.harness.deliverer.deliver(*reading.pending(), webhook)
    assert sent_before == [1]


def test_a_reader_that_died_is_followed_by_another(reading: Reading) -> None:
    (start,) = reading.pending("calendars.start")
    reading.harness.deliverer.deliver(start)
    (key,) = reading.pending()
    # As after a kill: leased, and the lease over.
    reading.harness.change(key, attempts=1, lease_until=func.now() - MINUTE)
    reading.harness.deliverer.deliver(key)
    assert reading.busy == [(START, START + HOUR)]
    # The attempt that was cut off stays counted, so that a calendar that kills its reader each time ends.
    assert reading.delivery().attempts == 1


def test_a_late_reader_changes_nothing(reading: Reading) -> None:
    def overtaken(*wanted: Any) -> Occurrences:
        (key,) = reading.pending()
        reading.harness.change(key, attempts=7)
        return expand(*wanted)

    reading.harness = Harness(reading.engine, calendars=CalendarTransport(SEALER, HttpClient(LOOPBACK), overtaken))
    reading.read()
    assert (reading.busy, reading.announced, reading.feed.status) == ([], [], "pending")


def test_a_lost_key_is_a_defect_and_no_failure_of_a_calendar(reading: Reading) -> None:
    reading.change(sealed_url=Sealer(["another passphrase"]).seal("https://calendar.example/"))
    reading.read()
    assert (reading.feed.last_error, reading.row.failures) == (None, 0)
    assert (reading.delivery().attempts, reading.server.requests) == (1, [])
    assert "UnsealError" in reading.delivery().last_error


def test_an_address_is_stored_nowhere_in_the_clear(reading: Reading) -> None:
    reading.read()
    with reading.engine.connect() as db:
        for table in metadata.sorted_tables:
            rows = db.execute(text(f"SELECT row_to_json(t)::text FROM {table.name} AS t")).scalars().all()
            assert not [row for row in rows if "private-8f2c9" in row], table.name
    assert "private" not in repr(reading.feed)
