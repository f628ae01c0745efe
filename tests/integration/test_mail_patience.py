"""Tests of a mail server that takes its time over a mail it has: it is waited for, and is handed no second copy."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread

import pytest

from tests.eventually import eventually, stretched
from tests.integration.conftest import StoppableValkey
from tests.integration.harness import Harness
from tests.integration.test_mail_connections import Talk, talking
from tests.integration.test_mail_transport import a_mail, transport
from tests.integration.test_mail_trouble import Post
from workers.transports.smtp import SmtpLimits
from workers.wakeups import Publisher
from workflows.events.record import Wakeup

RFC_5321_AT_THE_FINAL_DOT = timedelta(minutes=10)


@dataclass
class Thinking(Talk):
    """Takes a mail, and thinks about it until it is let, or for so many seconds."""

    thinks: float = 60.0
    let: Event = field(default_factory=Event)

    def verdict(self, connection: socket.socket) -> None:
        """Think, and then answer."""
        self.let.wait(self.thinks)
        super().verdict(connection)


@pytest.fixture
def server() -> Iterator[Thinking]:
    """A server that scans what it is sent."""
    thinking = Thinking()
    with talking(thinking):
        yield thinking
        thinking.let.set()


@pytest.fixture
def hurried() -> SmtpLimits:
    """There are so many seconds until the server has the mail."""
    return SmtpLimits(handover=stretched(1.5))


def test_the_verdict_may_take_ten_minutes() -> None:
    assert timedelta(seconds=SmtpLimits().verdict) == RFC_5321_AT_THE_FINAL_DOT


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
    post.tell()
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


def test_a_stopping_worker_does_not_wait_for_a_verdict(
    harness: Harness, server: Thinking, stoppable_valkey: StoppableValkey, publisher: Publisher
) -> None:
    post = Post(harness.engine)
    post.ask(1)
    post.tell()
    (key,) = post.mails("pending")
    environment = {
        "TUTELAGE_ENV": "development",
        "DATABASE_URL": harness.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        "REDIS_URL": stoppable_valkey.server.url,
        "SMTP_URL": f"smtp+plain://127.0.0.1:{server.port}",
    }
    command = [sys.executable, "-m", "workers.worker", "notifications", "--threads", "8"]
    with subprocess.Popen(command, env=os.environ | environment) as worker:
        try:
            wakeup = Wakeup(**vars(key), queue="notifications", subject="booking", subject_id=key.event_id)
            publisher.publish([wakeup])
            eventually(lambda: server.connections and "data" in server.connections[0], "a mail that the server has")
        finally:
            worker.terminate()
        # Ten seconds for what can end by itself.
        assert worker.wait(stretched(30)) == 0
    row = post.row(key)
    assert (row.state, row.attempts, row.lease_until > row.now) == ("pending", 1, True)
    assert server.mails == 1
