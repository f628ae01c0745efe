"""Tests of a mail server that is down, puts off or hangs: nothing but mail waits, and each mail goes out once."""

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from threading import Event, Thread

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, select, update

from cli.embedded import free_port
from infrastructure.wakeups import Publisher
from models.events import deliveries, events
from models.notifications import notifications
from tests.eventually import eventually
from tests.factories import make_booking, make_listing
from tests.integration.conftest import StoppableValkey
from tests.integration.harness import Harness, routes, without_guards
from tests.integration.test_mail_connections import Talk, talking
from tests.integration.test_mail_transport import IDENTITY, MailServer, a_mail, transport
from workers.outbound import RENEWAL_SECONDS, OutboundRunner
from workers.runner import DeliveryRunner
from workers.transports.protection import Breaker, Protected, Shares
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.events.delivery import DeliveryKey
from workflows.events.record import Wakeup
from workflows.events.subscriptions import load
from workflows.notifications.mails import Mail

REQUESTS = 6
FEW, MANY = 2, 8


class Post(Harness):
    """A harness whose mail really goes to a server."""

    def to(self, port: int, limits: SmtpLimits | None = None, renewal: float = RENEWAL_SECONDS) -> None:
        """Send mail to that port of this machine from now on, and pause but for a moment while it is unavailable."""
        server = SmtpTransport(f"smtp://127.0.0.1:{port}", IDENTITY, limits=limits or SmtpLimits())
        breaker = Breaker[Mail](name="mail server", age=lambda mail: mail.prepared_at - mail.written_at, min_pause=0.01)
        mail = Protected(server, Shares.of_one(MANY), destination=lambda _mail: "", breaker=breaker)
        routes_by_name = routes(mail=mail, http=self.http)
        self.deliverer = DeliveryRunner(self.transactions, load(), routes_by_name)
        self.deliverer._outbound = OutboundRunner(self.transactions, routes_by_name, renewal=renewal)

    def ask(self, count: int = REQUESTS) -> None:
        """So many requests, each of which notifies its mentor."""
        with self.transactions() as db:
            listing = make_listing(db)
            for _ in range(count):
                make_booking(db, listing=listing)

    def notify(self) -> None:
        for key in self._due():
            if key.effect != "mail.send":
                self.deliverer.deliver(key)

    def due_again(self) -> None:
        with self.engine.begin() as db:
            pending = deliveries.c.state == "pending", deliveries.c.effect == "mail.send"
            db.execute(update(deliveries).where(*pending).values(due_at=func.now(), lease_until=None))

    def mails(self, state: str) -> list[DeliveryKey]:
        query = select(deliveries.c.event_id, deliveries.c.target).where(
            deliveries.c.effect == "mail.send", deliveries.c.state == state
        )
        with self.engine.connect() as db:
            return [
                DeliveryKey(event_id=row.event_id, effect="mail.send", target=row.target) for row in db.execute(query)
            ]

    def notified(self) -> int:
        with self.engine.connect() as db:
            query = select(func.count()).where(notifications.c.channel == "in_app")
            return int(db.scalar(query) or 0)


@pytest.fixture
def post(harness: Harness) -> Post:
    return Post(harness.engine)


@contextmanager
def back_at(port: int) -> Iterator[MailServer]:
    handler = MailServer()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


def message_ids(handler: MailServer) -> Counter[str]:
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
    assert post.notified() == REQUESTS, "nothing but mail waits"
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
        assert post.notified() == REQUESTS
        assert {post.row(key).attempts for key in post.mails("pending")} == {1}
        assert handler.received == []
        handler.to_data = "250 2.0.0 OK"
        post.due_again()
        post.run_all()
        each_once(post, handler)


@dataclass
class Hanging(Talk):
    """Takes connections, and sends nothing over any of them until it is released."""

    let: Event = field(default_factory=Event)

    def serve(self, connection: socket.socket) -> None:
        self.connections.append([repr(connection)])
        self.let.wait(60)


def test_a_hanging_server_holds_no_more_than_mails_share(post: Post) -> None:
    hanging = Hanging()
    with talking(hanging), ThreadPoolExecutor(2 * MANY) as worker:
        post.to(hanging.port)
        post.ask()
        post.notify()
        mails = [worker.submit(post.deliverer.deliver, key) for key in post.mails("pending") * 3]
        eventually(lambda: len(hanging.connections) == FEW, "mails that hang")
        eventually(lambda: sum(not mail.done() for mail in mails) == FEW, "the end of all others")
        # The same worker goes on telling people in the application meanwhile.
        post.ask()
        worker.submit(post.notify).result(timeout=30)
        assert post.notified() == 2 * REQUESTS
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
        if self.at == "greeting":
            self._hang()
        super().serve(connection)

    def verdict(self, connection: socket.socket) -> None:
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
        # A server that hangs before it has a mail is unavailable: no attempt is used up.
        ("greeting", True, [1] * REQUESTS),
        # A late answer is waited for.
        ("content", False, [1] * REQUESTS),
        # The mails that were lost with it are sent again.
        ("content", True, [1] * (REQUESTS - FEW) + [2] * FEW),
    ],
)
def test_each_mail_is_sent_once_after_a_server_hung(post: Post, at: str, dies: bool, attempts: list[int]) -> None:
    server = Recovering(at=at, dies=dies)
    with talking(server), ThreadPoolExecutor(REQUESTS) as worker:
        post.to(server.port)
        post.ask()
        post.notify()
        mails = [worker.submit(post.deliverer.deliver, key) for key in post.mails("pending")]
        eventually(lambda: server.hanging == FEW, "mails that hang")
        eventually(lambda: sum(not mail.done() for mail in mails) == FEW, "the end of all others")
        assert post.notified() == REQUESTS
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


@dataclass
class Thinking(Talk):
    """Takes a mail, and thinks about it until it is let, or for so many seconds."""

    thinks: float = 60.0
    let: Event = field(default_factory=Event)

    def verdict(self, connection: socket.socket) -> None:
        self.let.wait(self.thinks)
        super().verdict(connection)


@pytest.fixture
def server() -> Iterator[Thinking]:
    thinking = Thinking()
    with talking(thinking):
        yield thinking
        thinking.let.set()


@pytest.fixture
def hurried() -> SmtpLimits:
    """There are so many seconds until the server has the mail."""
    return SmtpLimits(handover=3.0)


def test_a_late_verdict_is_accepted(server: Thinking, hurried: SmtpLimits) -> None:
    server.thinks = hurried.handover + 1
    report = transport(server.port, hurried).send(a_mail())
    assert (report.error, report.status_code) == (None, 250)
    assert (server.mails, len(server.connections)) == (1, 1)


def test_every_mail_of_a_connection_has_the_same_time(server: Thinking, hurried: SmtpLimits) -> None:
    server.thinks = 0.0
    post = transport(server.port, hurried)
    assert post.send(a_mail()).error is None
    server.answers["mail"] = b" "
    report = post.send(a_mail())
    assert report.error == f"DeadlineExceeded: No complete answer within {hurried.handover:g} s."
    assert len(server.connections) == 1


def test_a_server_without_verdict_is_given_up(server: Thinking) -> None:
    report = transport(server.port, SmtpLimits(verdict=1.0)).send(a_mail())
    assert report.error == "DeadlineExceeded: No complete answer within 1 s."
    assert (report.permanent, report.unavailable) == (False, False), "it may have kept it"


def test_a_lease_is_renewed_while_a_verdict_is_awaited(harness: Harness, server: Thinking) -> None:
    post = Post(harness.engine)
    post.to(server.port, SmtpLimits(renewal=0.05), renewal=0.0)
    post.ask(1)
    post.notify()
    (key,) = post.mails("pending")
    sending = Thread(target=post.deliverer.deliver, args=(key,))
    sending.start()
    first = eventually(lambda: post.row(key).lease_until, "a lease")
    eventually(lambda: server.connections and server.connections[0].count("data"), "a mail that the server has")
    # Longer than the lease that it was taken with: renewed again and again, it never ends.
    eventually(lambda: post.row(key).lease_until > first + timedelta(seconds=0.5), "a lease that was renewed")
    row = post.row(key)
    assert (row.attempts, row.nudge_at) == (1, row.lease_until)
    post.deliverer.deliver(key)
    server.let.set()
    sending.join(20)
    row = post.row(key)
    assert (row.state, row.attempts, row.lease_until) == ("done", 1, None)
    assert server.mails == 1


@contextmanager
def worker_of(post: Post, valkey: StoppableValkey, server: Talk, threads: int = 8) -> Iterator[subprocess.Popen[bytes]]:
    """The real worker of the queue, which is asked to stop at the end."""
    environment = {
        "TUTELAGE_ENV": "development",
        "DATABASE_URL": post.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "REDIS_URL": valkey.server.url,
        "SMTP_URL": f"smtp+plain://127.0.0.1:{server.port}",
    }
    command = [sys.executable, "-m", "workers.command", "notifications", "--threads", str(threads)]
    with subprocess.Popen(command, env=os.environ | environment) as worker:
        try:
            yield worker
        finally:
            worker.terminate()
            worker.wait(60)


def wake_up(publisher: Publisher, *keys: DeliveryKey) -> None:
    for key in keys:
        wakeup = Wakeup(**vars(key), queue="notifications", subject="booking", subject_id=key.event_id)
        publisher.publish([wakeup])


def test_a_stopping_worker_does_not_wait_for_a_verdict(
    harness: Harness, server: Thinking, stoppable_valkey: StoppableValkey, publisher: Publisher
) -> None:
    post = Post(harness.engine)
    post.ask(1)
    post.notify()
    (key,) = post.mails("pending")
    with worker_of(post, stoppable_valkey, server) as worker:
        wake_up(publisher, key)
        eventually(lambda: server.connections and "data" in server.connections[0], "a mail that the server has")
    # Ten seconds for mails that can end in time.
    assert worker.returncode == 0
    row = post.row(key)
    assert (row.state, row.attempts, row.lease_until > row.now) == ("pending", 1, True)
    assert server.mails == 1


@dataclass
class PromptOnce(Hanging):
    """Takes one mail at once, and then hangs."""

    patience: int = 1
    hanging: list[socket.socket] = field(default_factory=list)

    def serve(self, connection: socket.socket) -> None:
        if self.mails == 0:
            Talk.serve(self, connection)
            return
        self.hanging.append(connection)
        super().serve(connection)

    def is_left(self, connection: socket.socket) -> bool:
        """Whether the client has given up; it says nothing before it is greeted."""
        try:
            return connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False


def test_notifications_in_the_application_pass_a_mail_server_that_hangs(
    harness: Harness, stoppable_valkey: StoppableValkey, publisher: Publisher
) -> None:
    post, server = Post(harness.engine), PromptOnce()
    with talking(server):
        post.ask(1)
        post.notify()
        with worker_of(post, stoppable_valkey, server, threads=32):
            wake_up(publisher, *post.mails("pending"))
            eventually(lambda: post.mails("done"), "a mail that was taken at once")
            post.ask(40)
            post.notify()
            wake_up(publisher, *post.mails("pending"))
            eventually(lambda: server.hanging, "mails that hang")
            post.ask(20)
            wake_up(publisher, *(key for key in post._due() if key.effect != "mail.send"))
            eventually(lambda: post.notified() == 1 + 40 + 20, "notifications in the application")
            # Nobody has waited for a mail to end, be it by its deadline.
            assert not any(map(server.is_left, server.hanging))
            server.let.set()
    assert server.mails == 1
