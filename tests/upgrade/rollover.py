"""One upgrade and the way back, under the load of a market, and the look at everything afterwards."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import psycopg
from rich.console import Console
from rich.table import Table

from cli.plan import ROOT
from tests.api.streaming import Client as Stream
from tests.api.streaming import Event
from tests.booking_system import UNLIMITED, Offer, Tutelage
from tests.eventually import eventually
from tests.faults.checks import Check, check, wait_until_quiet
from tests.faults.clients import Client, Crowd, Life, Record, Unanswered
from tests.faults.day import show
from tests.faults.ledger import check_ledger
from tests.faults.market import Market, Trader, stripe_settings
from tests.load import Answer, Connection
from tests.receivers import HttpReceiver, http_receiver
from tests.stripe_stand_in import stripe_stand_in
from tests.upgrade.parts import Parts, parts_in
from tests.upgrade.release import Release, release_before
from workflows.streams.changes import SESSIONS

# As a proxy is to be set before the API: idle connections are kept for two seconds less than it drains.
DRAIN_SECONDS = 3
KEPT_SECONDS = DRAIN_SECONDS - 2
# No limit of a busy machine is to be taken for a failed request.
TIMEOUT_SECONDS = 60
QUIET_SECONDS = 120
# Each step goes on until so many further requests have been answered.
ANSWERS = 15
_SESSION_EVENTS = """
SELECT e.type, coalesce(e.data ->> 'session_id', b.session_id::text) FROM events e
LEFT JOIN bookings b ON b.id = (e.data ->> 'booking_id')::uuid
WHERE e.type = ANY(%s) AND e.data ->> 'mentor_profile_id' = %s
"""
_AGAIN = "SELECT effect || ' of ' || event_id || ': ' || attempts FROM deliveries WHERE state = 'done' AND attempts > 1"
_DEAD = "SELECT effect || ' of ' || event_id || ': ' || coalesce(last_error, '') FROM deliveries WHERE state = 'dead'"
_NEWER = "SELECT DISTINCT queue, effect FROM deliveries WHERE state = 'pending' AND effect <> ALL(%s)"


class KeptBriefly(Connection):
    """A connection of a proxy to the API, which it does not use again after it was idle for a while."""

    used_at = 0.0

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: object = None, *, expect: int = 0
    ) -> Answer:
        """As of any connection."""
        if time.monotonic() - self.used_at > KEPT_SECONDS:
            self.close()
        try:
            return super().request(method, path, headers, body, expect=expect)
        finally:
            self.used_at = time.monotonic()


@dataclass
class Paced(Trader):
    """A trader with a pause after each play."""

    pause_seconds: float = 0

    def next(self, number: int) -> None:
        """Play the play of this number."""
        super().next(number)
        time.sleep(self.pause_seconds)


class Follower(threading.Thread):
    """Follows a mentor's sessions, and comes back by the id of the last event when a stream ends."""

    def __init__(self, url: str, offer: Offer) -> None:
        super().__init__(daemon=True)
        self.heard: list[Event] = []
        self.connections = 0
        self._port, self._offer = urlsplit(url).port or 0, offer
        self._over = threading.Event()

    def run(self) -> None:
        last: dict[str, str] = {}
        while not self._over.is_set():
            try:
                stream = Stream(self._port, "/streams/sessions", self._offer.as_mentor | last)
            except (OSError, HTTPException):
                self._over.wait(0.1)
                continue
            self.connections += 1
            try:
                while not self._over.is_set():
                    event = stream.next()
                    self.heard.append(event)
                    last = {"Last-Event-ID": event.id} if event.id else last
            except (OSError, HTTPException, AssertionError):
                # The stream has ended: the next turn opens another one.
                continue
            finally:
                stream.close()

    def end(self) -> None:
        self._over.set()

    def sessions(self) -> Counter[tuple[str, str]]:
        """By type and session, the events that have arrived."""
        return Counter(
            (each.data["type"], each.data["session"]["id"]) for each in list(self.heard) if each.name == "session"
        )


@dataclass(frozen=True)
class Step:
    """A part of the upgrade, and what clients saw meanwhile."""

    name: str
    began: float
    ended: float
    failed: int


@dataclass
class Upgrade:
    """A system of the release before with a market, and the release that follows."""

    system: Tutelage
    market: Market
    parts: Parts
    before: Release
    after: Release
    inbox: HttpReceiver
    console: Console
    steps: list[Step] = field(default_factory=list)

    def play(
        self, clients: int, *, seconds: float = 0, pause_seconds: float = 0, seed: int = 0, statement: str = ""
    ) -> bool:
        """Upgrade and go back while so many clients play, print what came of it, and look at everything.

        Args:
            seconds: for how long they play at least between the steps.
            pause_seconds: of each client after each play.
            seed: decides on the order of the parts.
            statement: what is run in the database after the migrations: a defect of an upgrade, to be found.
        Returns:
            Whether no request failed, and nothing is missing or doubled.
        """
        alone, random = Record(), Random(seed)
        follower = Follower(self.parts.fronts["streams"].url, self.system.offers[0])
        follower.start()
        eventually(lambda: follower.heard, "the first event of a stream")
        examples = self._example(alone)
        crowd = Crowd(self.system, clients, make=self._trading(pause_seconds))
        with self._step(crowd.record, "the release before", seconds):
            pass
        with self._step(crowd.record, "its schema is migrated", seconds):
            self.after.output(self.after.argv("tutelage", "migrate"), self.parts.settings)
            self._execute(statement)
        for release in (self.after, self.before):
            names = self.parts.names(self.before)
            names += [name for name in self.parts.names(self.after) if name not in names]
            with self._step(crowd.record, f"all parts become {release.name}", seconds):
                self.parts.roll(release, random.sample(names, len(names)))
            if release is self.after:
                examples += self._example(alone)
        record = crowd.stop()
        quiet = self._become_quiet()
        found = self._heard(follower)
        follower.end()
        self.parts.end()
        record.lives += alone.lives
        record.wrong += alone.wrong
        return self._show(record, follower, [quiet, found, *self._checks(record, examples)])

    def _trading(self, pause_seconds: float) -> Callable[[Record], Trader]:
        def make(record: Record) -> Trader:
            connection = KeptBriefly(self.system.url, timeout_seconds=TIMEOUT_SECONDS)
            return Paced(self.system, record, connection, self.market, pause_seconds=pause_seconds)

        return make

    def _example(self, record: Record) -> list[Life]:
        """A life that is played by one release alone; none where it fails."""
        client = Client(self.system, record, KeptBriefly(self.system.url, timeout_seconds=TIMEOUT_SECONDS))
        try:
            return [client.live()]
        except Unanswered as error:
            record.wrong.append(str(error))
            return []
        finally:
            client.connection.close()

    @contextmanager
    def _step(self, record: Record, name: str, seconds: float) -> Iterator[None]:
        """A step, and what clients do after it until the next one."""
        began, failed = time.monotonic(), sum(record.retries.values()) + len(record.wrong)
        yield
        answered, until = len(record.answered_at), time.monotonic() + seconds
        eventually(
            lambda: time.monotonic() > until and len(record.answered_at) >= answered + ANSWERS,
            f"further answers after: {name}",
            seconds=seconds + QUIET_SECONDS,
        )
        now_failed = sum(record.retries.values()) + len(record.wrong)
        self.steps.append(Step(name, began, time.monotonic(), now_failed - failed))

    def _execute(self, statement: str) -> None:
        if statement:
            with psycopg.connect(self.system.database_url, autocommit=True) as db:
                db.execute(statement.encode())

    def _become_quiet(self) -> Check:
        """Wait until all is done: effects that the release before does not know wait for the next upgrade."""
        since, url = time.monotonic(), self.system.database_url
        known = sorted(self.before.effects(self.parts.settings))
        with psycopg.connect(url, autocommit=True) as db:
            newer = db.execute(_NEWER, [known]).fetchall()
        unknown, queues = {effect for _queue, effect in newer}, {queue for queue, _effect in newer}
        took, owed = wait_until_quiet(url, since, seconds=QUIET_SECONDS, without=unknown)
        if queues:
            self.console.print(f"Left for the next upgrade: {', '.join(sorted(unknown))}.")
            self.parts.roll(self.after, [f"worker-{queue}" for queue in sorted(queues)])
            _took, still_owed = wait_until_quiet(url, time.monotonic(), seconds=QUIET_SECONDS)
            owed += still_owed
        return Check(f"all is done {took:.1f} s after the end of the load", 1, owed)

    def _heard(self, follower: Follower) -> Check:
        """Whether a stream has told of each change once."""
        with psycopg.connect(self.system.database_url, autocommit=True) as db:
            rows = db.execute(_SESSION_EVENTS, [list(SESSIONS), self.system.offers[0].mentor_id]).fetchall()
        expected = Counter((str(type_), str(session)) for type_, session in rows)
        until = time.monotonic() + QUIET_SECONDS
        while (expected - follower.sessions()) and time.monotonic() < until:
            time.sleep(0.05)
        heard = follower.sessions()
        wrong = [
            f"{key}: {heard[key]} times, and not {expected[key]}"
            for key in expected | heard
            if heard[key] != expected[key]
        ]
        names = Counter(each.name for each in follower.heard)
        wrong += [f"{names[name]} {name}" for name, most in (("snapshot", 1), ("reset", 0)) if names[name] > most]
        return Check("a stream tells of each change once", expected.total(), wrong)

    def _checks(self, record: Record, examples: list[Life]) -> Iterator[Check]:
        failed = [f"{count} × {why}" for why, count in record.retries.items()]
        yield Check("no request fails", len(record.answered_at), failed)
        yield Check("no part fails or logs an error", len(self.parts.started), self.parts.wrong)
        arrived = Counter(each.headers["webhook-id"] for each in self.inbox.requests)
        yield Check("a webhook arrives once", len(arrived), [f"{key}: {n} ×" for key, n in arrived.items() if n > 1])
        with psycopg.connect(self.system.database_url, autocommit=True) as db:
            yield Check("an effect runs once", 1, [row[0] for row in db.execute(_AGAIN)])
            yield Check("no delivery is dead", 1, [row[0] for row in db.execute(_DEAD)])
            yield from check_ledger(db, self.market, len(record.wrong))
        listings = [offer.listing_id for offer in self.system.offers]
        mail = self.system.data_dir / "mail"
        yield from check(self.system.database_url, record, examples, listings, self.inbox, mail)
        ended = len(self.market.ledger.payments) + len(record.lives)
        yield Check("plays came to their end", ended, [] if ended else ["none"])

    def _show(self, record: Record, follower: Follower, checks: list[Check]) -> bool:
        title = f"From {self.before.name} to {self.after.name} and back"
        table = Table("step", "seconds", "answers", "longest pause s", "failed requests", title=title)
        moments = sorted(record.answered_at)
        for step in self.steps:
            within = [moment for moment in moments if step.began <= moment <= step.ended]
            pauses = [later - earlier for earlier, later in pairwise([step.began, *within, step.ended])]
            row = (f"{step.ended - step.began:.1f}", str(len(within)), f"{max(pauses):.2f}", str(step.failed))
            table.add_row(step.name, *row)
        self.console.print(table)
        ledger = self.market.ledger
        self.console.print(
            f"{len(record.completed)} lives, {len(ledger.payments)} payments, {len(ledger.bookings)} bookings,"
            f" {len(ledger.seats)} groups, {len(self.inbox.requests)} webhooks; {len(self.parts.started)} processes;"
            f" the stream was opened {follower.connections} times."
        )
        return show(checks, self.console, title="After the upgrade and the way back")


@contextmanager
def an_upgrade(folder: Path, database_url: str, redis_url: str, mentors: int, console: Console) -> Iterator[Upgrade]:
    """A system of the release before, with a market of so many mentors.

    Args:
        folder: for its mails, logs, and the tree of the release before.
        database_url: of an empty database.
    Raises:
        NoReleaseBefore: it is not in this copy of the repository, or needs an environment of its own.
    """
    before, after = release_before(folder / "before"), Release("this version", ROOT)
    with stripe_stand_in() as stand_in, http_receiver() as inbox:
        settings = {
            **UNLIMITED,
            **stripe_settings(stand_in),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "MAIL_FOLDER": str(folder / "mail"),
            "IDENTITY_HEADERS": "open",
            "API_DRAIN_SECONDS": str(DRAIN_SECONDS),
        }
        with parts_in(folder / "logs", settings) as parts:
            before.output(before.argv("tutelage", "migrate"), settings)
            parts.roll(before, parts.names(before))
            system = Tutelage("Tutelage", parts.fronts["api"].url, database_url, {}, data_dir=folder)
            market = Market(system, stand_in, 0, database_url=database_url, timeout_seconds=TIMEOUT_SECONDS)
            # Only releases since revision 0121 know of refunds that fail after Stripe has taken them.
            market.fails_refunds = False
            market.open(mentors)
            system.add_endpoint(inbox.url)
            yield Upgrade(system, market, parts, before, after, inbox, console)
