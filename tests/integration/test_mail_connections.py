"""Tests of connections to the mail server: kept, checked, closed in time, and never in the clear where TLS is due."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import pytest

from tests.eventually import eventually
from tests.integration.test_mail_transport import IDENTITY, a_mail
from workers.transports.smtp import SmtpLimits, SmtpTransport
from workflows.notifications.texts import Words

Answer = Callable[["Talk", str], bytes]


@dataclass
class Talk:
    """A mail server that keeps the commands of each connection and gives configured answers."""

    port: int = 0
    connections: list[list[str]] = field(default_factory=list)
    mails: int = 0
    # The connection that it has kept.
    contents: list[bytes] = field(default_factory=list)
    # Its answers to commands, where not the usual ones.
    answers: dict[str, bytes] = field(default_factory=dict)
    # How many mails a connection may send before the server hangs up without a word.
    patience: int = 1000
    offers: bytes = b"250 mail.example\r\n"

    def serve(self, connection: socket.socket) -> None:
        commands: list[str] = []
        self.connections.append(commands)
        connection.sendall(self.answers.get("greeting", b"220 mail.example\r\n"))
        lines = connection.makefile("rb")
        taken = 0
        for line in lines:
            command = line.split()[0].decode().lower() if line.split() else ""
            commands.append(command)
            if command == "quit":
                return
            # Looked up once: as soon as it is sent, the test may take it back.
            answer = self.answers.get(command)
            connection.sendall(answer or self._usual(command))
            if command == "data" and answer is None:
                content = _content_of(lines)
                if content is None:
                    return
                self.mails += 1
                taken += 1
                self.verdict(connection)
                self.contents.append(content)
                if taken >= self.patience:
                    return

    def verdict(self, connection: socket.socket) -> None:
        connection.sendall(self.answers.get("content", b"250 kept\r\n"))

    def _usual(self, command: str) -> bytes:
        return {"ehlo": self.offers, "data": b"354 go on\r\n"}.get(command, b"250 ok\r\n")


def _content_of(lines: Iterator[bytes]) -> bytes | None:
    """A mail up to its final dot; None where the connection ends before."""
    content: list[bytes] = []
    for line in lines:
        if line == b".\r\n":
            return b"".join(content)
        content.append(line)
    return None


@contextmanager
def talking(talk: Talk) -> Iterator[None]:
    """Let it listen for the time of the block, with a thread per connection."""
    stop = Event()
    open_now: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            talk.serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(32) as threads:
        talk.port = server.getsockname()[1]
        server.settimeout(0.05)

        def accept() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _address = server.accept()
                    open_now.append(connection)
                    threads.submit(serve, connection)

        accepting = Thread(target=accept)
        accepting.start()
        try:
            yield
        finally:
            stop.set()
            accepting.join()
            for connection in open_now:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[Talk]:
    talk = Talk()
    with talking(talk):
        yield talk


def to(server: Talk, **limits: float) -> SmtpTransport:
    """The transport to that server, with long deadlines, since the machine may be busy."""
    patient: dict[str, Any] = {"alive": 30.0} | limits
    return SmtpTransport(f"smtp://127.0.0.1:{server.port}", IDENTITY, limits=SmtpLimits(**patient))


@pytest.fixture
def transport(server: Talk) -> Iterator[SmtpTransport]:
    transport = to(server)
    yield transport
    transport.close()


def test_many_mails_go_over_one_connection(server: Talk, transport: SmtpTransport) -> None:
    for _ in range(5):
        assert transport.send(a_mail()).error is None
    assert (server.mails, len(server.connections)) == (5, 1)
    assert server.connections[0].count("ehlo") == 1


def test_keepalive_detects_a_dead_machine_within_a_minute(server: Talk) -> None:
    transport = to(server)
    assert transport.send(a_mail()).error is None
    (connection,) = transport._pool._sockets._open
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    idle, interval, count = (
        connection.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    assert idle + interval * count <= 60
    transport.close()


def test_threads_have_connections_of_their_own(server: Talk, transport: SmtpTransport) -> None:
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(lambda _number: transport.send(a_mail()), range(40)))
    assert {report.error for report in reports} == {None}
    assert server.mails == 40
    assert 1 <= len(server.connections) <= 4


@pytest.mark.parametrize(
    ("limit", "value", "mails"), [("mails", 2, [2, 2, 1]), ("age", 0.0, [1] * 5), ("idle", 0.0, [1] * 5)]
)
def test_a_connection_is_closed_at_its_limits(server: Talk, limit: str, value: float, mails: list[int]) -> None:
    transport = to(server, **{limit: value})
    for _ in range(5):
        assert transport.send(a_mail()).error is None
    assert [commands.count("data") for commands in server.connections] == mails
    assert "quit" in server.connections[0]


def test_a_server_that_hung_up_meanwhile_is_called_again(server: Talk, transport: SmtpTransport) -> None:
    server.patience = 1
    for _ in range(3):
        assert transport.send(a_mail()).error is None
    assert (server.mails, len(server.connections)) == (3, 3)


@pytest.mark.parametrize("said", [b"421 4.4.2 Too long idle\r\n", b"nonsense\r\n", b"500 What?\r\n"])
def test_a_connection_that_is_not_well_is_not_used_again(server: Talk, transport: SmtpTransport, said: bytes) -> None:
    assert transport.send(a_mail()).error is None
    server.answers["rset"] = said
    assert transport.send(a_mail()).error is None
    assert (server.mails, len(server.connections)) == (2, 2)


def test_a_silent_kept_connection_is_replaced_quickly(server: Talk) -> None:
    transport = to(server, alive=0.1)
    assert transport.send(a_mail()).error is None
    server.answers["rset"] = b" "
    assert transport.send(a_mail()).error is None
    assert (server.mails, len(server.connections)) == (2, 2)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("rcpt", b"550 5.1.1 No such user\r\n"),
        ("rcpt", b"451 4.7.1 Greylisted\r\n"),
        ("mail", b"452 4.3.1 Later\r\n"),
        ("data", b"554 5.7.1 Not wanted\r\n"),
        ("content", b"554 5.7.1 Not wanted\r\n"),
    ],
)
def test_a_refusal_is_no_reason_to_part(server: Talk, transport: SmtpTransport, command: str, said: bytes) -> None:
    server.answers[command] = said
    report = transport.send(a_mail())
    assert report.status_code == int(said[:3])
    assert (report.permanent, report.unavailable) == (said.startswith(b"5"), False)
    del server.answers[command]
    assert transport.send(a_mail()).error is None
    assert len(server.connections) == 1


def test_no_mail_is_sent_that_is_accepted_before_its_content(server: Talk, transport: SmtpTransport) -> None:
    # The server sends two responses to MAIL, so that each later command gets the response to the command before it.
    server.answers["mail"] = b"250 ok\r\n250 ok\r\n"
    report = transport.send(a_mail())
    assert (report.error, report.permanent, report.unavailable) == ("The mail server answered 250: ok", False, False)
    del server.answers["mail"]
    assert transport.send(a_mail()).error is None
    assert (server.mails, len(server.connections)) == (1, 2)


@pytest.mark.parametrize("command", ["mail", "data", "content"])
def test_an_answer_that_is_too_long_to_read_ends_no_mail(server: Talk, transport: SmtpTransport, command: str) -> None:
    server.answers[command] = b"250 " + b"x" * 10_000 + b"\r\n"
    report = transport.send(a_mail())
    assert (report.error is None, report.permanent, report.unavailable) == (False, False, False)
    del server.answers[command]
    assert transport.send(a_mail()).error is None
    assert len(server.connections) == 2


def test_a_connection_that_the_server_ends_is_closed(server: Talk, transport: SmtpTransport) -> None:
    server.answers["content"] = b"421 4.3.2 Shutting down\r\n"
    assert transport.send(a_mail()).status_code == 421
    del server.answers["content"]
    assert transport.send(a_mail()).error is None
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("greeting", b"554 No SMTP service here\r\n"),
        ("ehlo", b"554 Not today\r\n"),
        ("auth", b"535 5.7.8 Authentication credentials invalid\r\n"),
        ("auth", b"454 4.7.0 Temporary authentication failure\r\n"),
        ("mail", b"530 5.7.0 Authentication required\r\n"),
        ("rcpt", b"535 5.7.8 Authentication credentials invalid\r\n"),
        ("data", b"538 5.7.11 Encryption required\r\n"),
        ("mail", b"421 4.3.2 Shutting down\r\n"),
    ],
)
def test_a_server_wide_refusal_counts_against_no_mail(server: Talk, command: str, said: bytes) -> None:
    server.offers = b"250-mail.example\r\n250 AUTH PLAIN\r\n"
    server.answers |= {"auth": b"235 Welcome\r\n", "helo": b"554 Not today\r\n", command: said}
    report = SmtpTransport(f"smtp://user:secret@127.0.0.1:{server.port}", IDENTITY).send(a_mail())
    assert (report.permanent, report.unavailable, report.status_code) == (False, True, int(said[:3]))
    assert server.mails == 0


def test_a_connection_that_breaks_within_a_mail_costs_an_attempt(server: Talk, transport: SmtpTransport) -> None:
    # It hangs up on what it was sent, without a word.
    server.answers["content"], server.patience = b"", 1
    report = transport.send(a_mail())
    assert report.error is not None
    assert (report.permanent, report.unavailable, report.status_code) == (False, False, None)


def test_a_server_without_required_starttls_gets_nothing(server: Talk) -> None:
    server.offers = b"250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n"
    transport = SmtpTransport(f"smtp+starttls://user:secret@127.0.0.1:{server.port}", IDENTITY)
    report = transport.send(a_mail())
    assert report.error is not None
    assert not report.permanent
    assert server.mails == 0
    assert set(server.connections[0]) <= {"ehlo", "starttls", "quit"}


def test_a_dripping_server_is_cut_off_within_a_mail(server: Talk) -> None:
    server.answers["rcpt"] = b"250-and\r\n" * 3
    transport = to(server, handover=0.5)
    report = transport.send(a_mail())
    assert report.error == "DeadlineExceeded: No complete answer within 0.5 s."
    assert (report.permanent, report.unavailable, server.mails) == (False, False, 0)


def test_a_stop_ends_what_waits_for_a_server(server: Talk) -> None:
    server.answers["mail"] = b"250-wait\r\n"
    transport = to(server)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(transport.send, a_mail())
        eventually(lambda: server.connections and server.connections[0][-1:] == ["mail"], "a mail on its way")
        transport.close()
        report = sending.result(20)
    assert report.error is not None
    assert not report.permanent


def test_a_mail_with_dots_arrives_as_it_was_written(server: Talk, transport: SmtpTransport) -> None:
    assert transport.send(a_mail(words=Words("Dots", ".\n\n..two\n\nend"))).error is None
    (content,) = server.contents
    assert b"\r\n..\r\n" in content
    assert b"\r\n...two\r\n" in content


def test_an_address_beyond_ascii_needs_a_server_that_takes_it(server: Talk, transport: SmtpTransport) -> None:
    mail = a_mail(to_address="ada@bücher.example")
    report = transport.send(mail)
    assert report.error is not None
    assert "beyond ASCII" in report.error
    server.offers = b"250-mail.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
    assert to(server).send(mail).error is None
    assert "ada@bücher.example".encode() in server.contents[0]
