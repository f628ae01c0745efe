"""Tests of a mail server that is down, puts off or hangs: nothing but mail waits, and each mail goes out once."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from threading import Event

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, select, update

from cli.embedded import free_port
from models.events import deliveries, events
from models.notifications import notifications
from tests.eventually import eventually
from tests.factories import make_booking, make_listing
from tests.integration.harness import Harness, routes, without_guards
from tests.integration.test_mail_connections import Talk, talking
from tests.integration.test_mail_transport import IDENTITY, MailServer
from workers.outbound import OutboundRunner
from workers.runner import DeliveryRunner
from workers.transports.protection import Breaker, Protected, Shares
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.effects.messages import Mail
from workflows.events.delivery import DeliveryKey
from workflows.events.subscriptions import load

REQUESTS = 6
FEW, MANY = 2, 8


class Post(Harness):
    """A harness whose mail really goes to a server."""

    def to(self, port: int, limits: SmtpLimits | None = None, **how: float) -> None:
        """Send mail to that port of this machine from now on, and pause but for a moment while it is unavailable."""
        server = SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY, limits=limits or SmtpLimits())
        breaker = Breaker[Mail](name="mail server", written_at=lambda mail: mail.written_at, min_pause=0.01)
        mail = Protected(server, Shares.of_one(MANY), destination=lambda _mail: "", breaker=breaker)
        ways = routes(mail=mail, http=self.http)
        self.deliverer = DeliveryRunner(self.transactions, load(), ways)
        self.deliverer._outbound = OutboundRunner(self.transactions, ways, **how)

    def ask(self, count: int = REQUESTS) -> None:
        """So many requests, each of which is told to its mentor."""
        with self.transactions() as db:
            listing = make_listing(db)
            for _ in range(count):
                make_booking(db, listing=listing)

    def tell(self) -> None:
        """Do all that is due but send mails."""
        for key in self._due():
            if key.effect != "mail.send":
                self.deliverer.deliver(key)

    def due_again(self) -> None:
        """Let every pause be over."""
        with self.engine.begin() as db:
            pending = deliveries.c.state == "pending", deliveries.c.effect == "mail.send"
            db.execute(update(deliveries).where(*pending).values(due_at=func.now(), lease_until=None))

    def mails(self, state: str) -> list[DeliveryKey]:
        """The mails in that state."""
        query = select(deliveries.c.event_id, deliveries.c.target).where(
            deliveries.c.effect == "mail.send", deliveries.c.state == state
        )
        with self.engine.connect() as db:
            return [
                DeliveryKey(event_id=row.event_id, effect="mail.send", target=row.target) for row in db.execute(query)
            ]

    def told(self) -> int:
        """How many notifications there are in the application."""
        with self.engine.connect() as db:
            query = select(func.count()).where(notifications.c.channel == "in_app")
            return int(db.scalar(query) or 0)


@pytest.fixture
def post(harness: Harness) -> Post:
    """That harness."""
    return Post(harness.engine)


@contextmanager
def back_at(port: int) -> Iterator[MailServer]:
    """A mail server at that port."""
    handler = MailServer()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


def message_ids(handler: MailServer) -> Counter[str]:
    """How often each mail arrived, by its Message-ID."""
    return Counter(message_from_bytes(raw, policy=policy.default)["Message-ID"] for raw in handler.received)


def each_once(post: Post, handler: MailServer) -> None:
    """Every mail went out once, under the name of its delivery."""
    assert message_ids(handler) == Counter(f"<{post.row(key).id}@tutelage.example>" for key in post.mails("done"))
    assert len(handler.received) == REQUESTS
    assert post.mails("pending") == []


def test_a_server_that_is_down_costs_no_attempt(post: Post) -> None:
    port = free_port()
    post.to(port)
    post.ask()
    for _ in range(5):
        post.run_all()
        post.due_again()
    assert post.told() == REQUESTS, "nothing but mail waits"
    assert [post.row(key).attempts for key in post.mails("pending")] == [0] * REQUESTS
    assert all("The mail server is unavailable: Conn" in post.row(key).last_error for key in post.mails("pending"))
    with back_at(port) as handler:

        def work() -> bool:
            post.due_again()
            post.run_all()
            return not post.mails("pending")

        eventually(work, "all mails sent")
        each_once(post, handler)


def test_a_postponed_mail_keeps_its_message_id(post: Post) -> None:
    port = free_port()
    with back_at(port) as handler:
        handler.to_data = "451 4.3.0 Try again later"
        post.to(port)
        post.ask()
        post.run_all()
        assert post.told() == REQUESTS
        assert {post.row(key).attempts for key in post.mails("pending")} == {1}
        assert handler.received == []
        handler.to_data = "250 2.0.0 OK"
        post.due_again()
        post.run_all()
        each_once(post, handler)


@dataclass
class Hanging(Talk):
    """Takes connections, and says nothing over any of them until it is let."""

    let: Event = field(default_factory=Event)

    def serve(self, connection: socket.socket) -> None:
        """Wait."""
        self.connections.append([repr(connection)])
        self.let.wait(60)


def test_a_hanging_server_holds_no_more_than_mails_share(post: Post) -> None:
    hanging = Hanging()
    with talking(hanging), ThreadPoolExecutor(2 * MANY) as worker:
        post.to(hanging.port)
        post.ask()
        post.tell()
        mails = [worker.submit(post.deliverer.deliver, key) for key in post.mails("pending") * 3]
        eventually(lambda: len(hanging.connections) == FEW, "mails that hang")
        eventually(lambda: sum(not mail.done() for mail in mails) == FEW, "the end of all others")
        # The same worker goes on telling people in the application meanwhile.
        post.ask()
        worker.submit(post.tell).result(timeout=30)
        assert post.told() == 2 * REQUESTS
        assert len(hanging.connections) == FEW
        assert sum(not mail.done() for mail in mails) == FEW
        hanging.let.set()
    assert {post.row(key).attempts for key in post.mails("pending")} == {0}


@dataclass
class Recovering(Talk):
    """Hangs at one step until it is back: at its greeting, or when it has a mail; `dies` loses what it then had."""

    at: str = "greeting"
    dies: bool = False
    back: Event = field(default_factory=Event)
    hanging: int = 0

    def serve(self, connection: socket.socket) -> None:
        """Greet, perhaps late."""
        if self.at == "greeting":
            self._hang()
        super().serve(connection)

    def verdict(self, connection: socket.socket) -> None:
        """Answer, perhaps late."""
        if self.at == "content":
            self._hang()
        super().verdict(connection)

    def _hang(self) -> None:
        if not self.back.is_set():
            self.hanging += 1
            self.back.wait(60)
            if self.dies:
                raise ConnectionResetError


@pytest.mark.parametrize(
    ("at", "dies", "attempts"),
    [
        # Whoever hangs before it has a mail is away: no attempt is used up.
        ("greeting", True, [1] * REQUESTS),
        # Who answers late after all is waited for.
        ("content", False, [1] * REQUESTS),
        # What was lost with it is sent again.
        ("content", True, [1] * (REQUESTS - FEW) + [2] * FEW),
    ],
)
def test_each_mail_is_sent_once_after_a_server_hung(post: Post, at: str, dies: bool, attempts: list[int]) -> None:
    server = Recovering(at=at, dies=dies)
    with talking(server), ThreadPoolExecutor(REQUESTS) as worker:
        post.to(server.port)
        post.ask()
        post.tell()
        mails = [worker.submit(post.deliverer.deliver, key) for key in post.mails("pending")]
        eventually(lambda: server.hanging == FEW, "mails that hang")
        eventually(lambda: sum(not mail.done() for mail in mails) == FEW, "the end of all others")
        assert post.told() == REQUESTS
        server.back.set()
        for mail in mails:
            mail.result(timeout=30)

        def work() -> bool:
            post.due_again()
            post.run_all()
            return not post.mails("pending")

        eventually(work, "all mails sent")
    sent = post.mails("done")
    assert sorted(post.row(key).attempts for key in sent) == attempts
    names = Counter(message_from_bytes(raw, policy=policy.default)["Message-ID"] for raw in server.contents)
    assert names == Counter(f"<{post.row(key).id}@tutelage.example>" for key in sent)
    assert len(names) == REQUESTS


def test_a_reminders_mail_is_dated_when_it_was_written(
    post: Post,
) -> None:
    port = free_port()
    post.to(port)
    post.ask(1)
    long_ago = func.now() - timedelta(days=30)
    with post.engine.begin() as db, without_guards(db):
        db.execute(update(events).values(occurred_at=long_ago))
    post.run_all()
    (key,) = post.mails("pending")
    assert post.row(key).attempts == 0
    with back_at(port) as handler:
        post.to(port)
        post.due_again()
        post.run_all()
        (raw,) = handler.received
    date = message_from_bytes(raw, policy=policy.default)["Date"].datetime
    assert abs(date - datetime.now(UTC)) < timedelta(hours=1)
