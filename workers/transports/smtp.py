"""Mail over SMTP: over kept connections, within absolute deadlines, and reported in the server's own words."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock
from time import monotonic

from config.mail_server import Security, mail_server
from models.events import ErrorClass
from workers.transports.letterhead import Letterhead
from workers.transports.mail import as_sent
from workers.transports.resolver import Resolver
from workers.transports.sockets import (
    MAX_ADDRESSES,
    AnySocket,
    ConnectFailed,
    DeadlineExceeded,
    DeadlineSocket,
    OpenSockets,
    connect,
    tls_context,
)
from workers.transports.transport import Renew, Transport, no_lease
from workflows.events.delivery import SendResult
from workflows.outside.send_mail import Mail

CLOSING = 421
# Whatever they answer: not to us, or not now. That says nothing of the mail.
SERVER_WIDE = frozenset({CLOSING, 530, 535, 538})
MAX_IDLE_CONNECTIONS = 32


@dataclass(frozen=True)
class SmtpLimits:
    """How long things may take, in seconds, and for how many mails a connection is good.

    Args:
        handover: everything until the server has the mail.
        connect: looking up the server's name, and then connecting, each.
        verdict: what the server says to the mail, counted from the final dot: it may scan it for long before, and a
            sender that has hung up meanwhile hands it a second copy (RFC 5321, section 4.5.3.2.6).
        renewal: how often a lease is renewed meanwhile.
        alive: what a connection that waited has to say something in, or another one is opened.
        idle, age, mails: after which servers hang up.
    """

    handover: float = 30.0
    connect: float = 30.0
    verdict: float = 600.0
    renewal: float = 15.0
    alive: float = 2.0
    idle: float = 20.0
    age: float = 300.0
    mails: int = 100


@dataclass(eq=False)
class _Connection:
    """A connection that has greeted, speaks TLS where it must, and has logged in where that is wanted."""

    server: smtplib.SMTP
    opened: float = field(default_factory=monotonic)
    used: float = 0.0
    mails: int = 0

    @property
    def socket(self) -> AnySocket:
        """What it talks over."""
        assert isinstance(self.server.sock, AnySocket)
        return self.server.sock

    def is_alive(self, seconds: float) -> bool:
        """Ask the server, and let it forget whatever was begun."""
        self.socket.until = monotonic() + seconds
        try:
            code, _said = self.server.rset()
        except (OSError, smtplib.SMTPException):
            return False
        return code == 250

    def leave(self) -> None:
        """Say goodbye without waiting for an answer."""
        # To one that is gone already there is nothing to be said.
        with suppress(OSError, smtplib.SMTPException):
            self.server.putcmd("quit")
        self.server.close()


class SmtpTransport(Transport[Mail]):
    """Sends mails, a connection for each at a time.

    Args:
        url: an SMTP_URL; see `config.mail_server`.
        letterhead: what all mails share.

    Raises:
        ValueError: the URL names no mail server.
    """

    def __init__(
        self,
        url: str,
        letterhead: Letterhead,
        *,
        limits: SmtpLimits = SmtpLimits(),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._letterhead = letterhead
        self._server = mail_server(url)
        self._limits = limits
        self._resolver = resolver or Resolver()
        self._tls = tls or tls_context()
        self._lock = Lock()
        self._idle: deque[_Connection] = deque()
        self._sockets = OpenSockets()

    def send(self, mail: Mail, renew: Renew = no_lease) -> SendResult:
        """Hand the mail to the server; where it refuses this mail by a 5xx answer that is final, all else may pass.

        What goes wrong before the server listens to the mail is reported as `unavailable`; a connection that breaks off
        later may do so because of the mail.
        """
        sender, to, content, international = as_sent(mail, self._letterhead)
        until = monotonic() + self._limits.handover
        try:
            connection = self._acquire(until)
        except (OSError, smtplib.SMTPException) as error:
            return replace(_failed(error, self._limits.handover), permanent=False, unavailable=True)
        keep = False
        try:
            code, text = self._transact(connection, sender, to, content, international, until, renew)
            # A refusal is no reason to part, unless the server says so itself.
            keep = code != CLOSING
        except _NoVerdict as error:
            return _failed(error, self._limits.verdict)
        except (OSError, smtplib.SMTPException) as error:
            return _failed(error, self._limits.handover)
        finally:
            self._release(connection, keep=keep)
        return SendResult(status_code=code) if code == 250 else _answered(code, text)

    def close(self) -> None:
        """Let go of the connections that wait for a next mail, and shut down those in use."""
        with self._lock:
            waiting, self._idle = self._idle, deque()
        for connection in waiting:
            connection.leave()
        self._sockets.shut_down()

    def _transact(
        self,
        connection: _Connection,
        sender: str,
        to: str,
        content: bytes,
        international: bool,
        until: float,
        renew: Renew,
    ) -> tuple[int, bytes]:
        """Go through one mail's commands; returns the first answer that refuses it, or what comes of it."""
        server, line = connection.server, connection.socket
        connection.mails += 1
        line.until = until
        options = [f"size={len(content)}"] if server.has_extn("size") else []
        if international:
            if not server.has_extn("smtputf8"):
                raise smtplib.SMTPNotSupportedError("The mail server takes no addresses beyond ASCII.")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
        code, text = server.mail(sender, options)
        if code == 250:
            code, text = server.rcpt(to)
        if code not in (250, 251):
            return code, text
        code, text = server.docmd("data")
        if code != 354:
            return code, text
        server.send(content)
        line.until = monotonic() + self._limits.verdict
        line.waiting, line.pause = renew, self._limits.renewal
        try:
            renew()
            return server.getreply()
        except smtplib.SMTPServerDisconnected as error:
            if _is_late(error):
                raise _NoVerdict from error
            raise
        finally:
            line.waiting = None

    def _acquire(self, until: float) -> _Connection:
        """A connection that works: one that waited, or a new one.

        Raises:
            OSError: the server cannot be reached, or is not who it should be.
            SMTPException: it wants nothing of us.
        """
        while (connection := self._pop()) is not None:
            fresh = monotonic() - connection.used < self._limits.idle
            if fresh and connection.is_alive(self._limits.alive):
                return connection
            connection.leave()
        return self._open(until)

    def _release(self, connection: _Connection, *, keep: bool) -> None:
        """Keep a connection for the next mail, if it is good for one."""
        now = connection.used = monotonic()
        fresh = connection.mails < self._limits.mails and now - connection.opened < self._limits.age
        with self._lock:
            if keep and fresh and connection.server.sock is not None and len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.leave()

    def _pop(self) -> _Connection | None:
        with self._lock:
            # The one that was used last: those that are not needed any more grow old.
            return self._idle.pop() if self._idle else None

    def _open(self, until: float) -> _Connection:
        server = smtplib.SMTP(local_hostname=_own_name())
        opened: AnySocket = self._connected(until)
        try:
            if self._server.security is Security.TLS:
                opened = self._secured(opened, until)
            server.sock = opened
            self._sockets.add(opened)
            code, said = server.getreply()
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            self._log_in(server, opened)
        except BaseException:
            server.close()
            opened.close()
            raise
        return _Connection(server)

    def _connected(self, until: float) -> DeadlineSocket:
        addresses = self._resolver.addresses(self._server.host, self._limits.connect)[:MAX_ADDRESSES]
        for number, address in enumerate(addresses, start=1):
            try:
                seconds = self._limits.connect / len(addresses)
                opened = connect(address, self._server.port, seconds=seconds, until=until)
            except ConnectFailed:
                if number == len(addresses):
                    raise
            else:
                _keep_alive(opened)
                return opened
        raise ConnectFailed("The name has no addresses.")

    def _secured(self, opened: AnySocket, until: float) -> AnySocket:
        opened.settimeout(max(until - monotonic(), 0.001))
        secured = self._tls.wrap_socket(opened, server_hostname=self._server.host)
        assert isinstance(secured, AnySocket)
        secured.until = until
        return secured

    def _log_in(self, server: smtplib.SMTP, opened: AnySocket) -> None:
        server.ehlo_or_helo_if_needed()
        security = self._server.security
        # Where it is wanted, a server that does not offer it is told nothing.
        if security is Security.STARTTLS or (security is Security.OFFERED and server.has_extn("starttls")):
            if not server.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("The mail server offers no STARTTLS.")
            code, said = server.docmd("starttls")
            if code != 220:
                raise smtplib.SMTPResponseException(code, said)
            server.sock = self._secured(opened, opened.until)
            self._sockets.add(server.sock)
            # What was said in the clear counts no more (RFC 3207, section 4.2).
            server.file = None
            server.esmtp_features = {}
            server.ehlo()
        if self._server.user is not None:
            server.login(self._server.user, self._server.password)


class _NoVerdict(OSError):
    """The server has the mail, and has not said what comes of it."""


def _is_late(error: Exception) -> bool:
    # smtplib makes every error of a connection its own.
    return any(isinstance(each, DeadlineExceeded | TimeoutError | _NoVerdict) for each in (error, error.__context__))


def _failed(error: Exception, seconds: float) -> SendResult:
    if _is_late(error):
        said = f"DeadlineExceeded: No complete answer within {seconds:g} s."
        return SendResult(error=said, error_class=ErrorClass.TIMEOUT)
    match error:
        case smtplib.SMTPResponseException():
            return _answered(error.smtp_code, error.smtp_error)
        case smtplib.SMTPException():
            error_class = ErrorClass.PROTOCOL
        case ssl.SSLError():
            error_class = ErrorClass.TLS
        case _:
            error_class = ErrorClass.CONNECT
    return SendResult(error=f"{type(error).__name__}: {error}", error_class=error_class)


def _answered(code: int, text: bytes | str) -> SendResult:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return SendResult(
        error=f"The mail server answered {code}: {said}",
        error_class=ErrorClass.STATUS,
        permanent=500 <= code < 600 and code not in SERVER_WIDE,
        # -1 is what smtplib makes of nonsense.
        status_code=code if code > 0 else None,
        unavailable=code in SERVER_WIDE,
    )


def _keep_alive(connection: socket.socket) -> None:
    """Notice within a minute that the other machine is gone, however long an answer may take."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Where the system lets one say so; elsewhere it takes its usual hours, and the deadline is sooner.
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@cache
def _own_name() -> str:
    # To be looked up once: it may ask the network.
    return socket.getfqdn()
