"""Connections to the mail server: opened as SMTP_URL says, kept for the next mails, and not for ever."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any

from config.mail_server import MailServer, Security
from workers.transports.watchdog import WATCHDOG

REPLY_SECONDS = 30.0
# A server that has a mail may scan it for long before it says that it keeps it, and whoever has hung up meanwhile hands
# it a second copy: RFC 5321, section 4.5.3.2.6.
VERDICT_SECONDS = 600.0
# A connection that waited has to say something quickly, or another one is opened.
STILL_THERE_SECONDS = 2.0
# Servers hang up on who says nothing for minutes, and on who stays too long or sends too much.
IDLE_SECONDS = 20.0
AGE_SECONDS = 300.0
MAILS = 100
KEPT = 32


class _Smtp(smtplib.SMTP):
    """Is patient with a server that has a mail, and says when that is so and for how many seconds.

    Keeps a second handle on its connection: the first changes hands during the TLS handshake, and in between a deadline
    could not cut it off.
    """

    line: socket.socket | None = None
    handed_over: Callable[[float], None] = staticmethod(lambda _seconds: None)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        _keep_alive(opened)
        self.line = opened.dup()
        return opened

    def send(self, s: Any) -> None:
        """Send a command, which is text, or the whole of a mail with its final dot, which is bytes."""
        super().send(s)
        if isinstance(s, bytes) and self.sock is not None:
            self.sock.settimeout(VERDICT_SECONDS)
            self.handed_over(VERDICT_SECONDS)

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Hand a mail over, and wait for what the server says to it."""
        try:
            return super().data(msg)
        finally:
            if self.sock is not None:
                self.sock.settimeout(REPLY_SECONDS)

    def close(self) -> None:
        """Close both handles."""
        super().close()
        if self.line is not None:
            self.line.close()


class _SmtpOverTls(smtplib.SMTP_SSL, _Smtp):
    """The same, over TLS from the first byte."""


@dataclass
class Line:
    """A connection that has greeted, speaks TLS where it must, and has logged in where that is wanted."""

    server: _Smtp
    opened: float = field(default_factory=monotonic)
    mails: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether it may be used for another mail."""
        return self.server.sock is not None and self.mails < MAILS and monotonic() - self.opened < AGE_SECONDS

    def is_still_there(self) -> bool:
        """Ask the server, and let it forget whatever was begun."""
        assert self.server.sock is not None
        try:
            self.server.sock.settimeout(STILL_THERE_SECONDS)
            code, _said = self.server.rset()
            self.server.sock.settimeout(REPLY_SECONDS)
        except (OSError, smtplib.SMTPException):
            return False
        return code == 250

    def leave(self) -> None:
        """Say goodbye without waiting for an answer."""
        # Whoever is gone already needs no goodbye.
        with suppress(OSError, smtplib.SMTPException):
            if self.server.sock is not None:
                self.server.putcmd("quit")
        self.server.close()


class Lines:
    """The connections that wait for a next mail; threads share them.

    Args:
        server: whom to connect to.
        tls: how to know that it is really that server.
    """

    def __init__(self, server: MailServer, tls: ssl.SSLContext) -> None:
        self._server = server
        self._tls = tls
        self._lock = Lock()
        self._idle: deque[tuple[float, Line]] = deque()
        self._clearing = False

    def take(self, in_use: Callable[[_Smtp], None]) -> Line:
        """A connection that works: one that waited, or a new one; it is the caller's now.

        Args:
            in_use: told of every connection before anything is said over it, so that a deadline can cut it off.

        Raises:
            OSError: the server cannot be reached, or is not who it should be.
            SMTPException: it wants nothing of us.
        """
        while (line := self._pop()) is not None:
            in_use(line.server)
            if line.is_still_there():
                return line
            line.leave()
        return self._open(in_use)

    def give(self, line: Line) -> None:
        """Keep a connection for the next mail, if it is good for one."""
        with self._lock:
            kept = line.is_fresh and len(self._idle) < KEPT
            if kept:
                self._idle.append((monotonic(), line))
            starts, self._clearing = kept and not self._clearing, self._clearing or kept
        if not kept:
            line.leave()
        if starts:
            WATCHDOG.after(IDLE_SECONDS, self._clear_out)

    def close(self) -> None:
        """Let go of all that wait."""
        for line in self._idle_since(monotonic()):
            line.leave()

    def _pop(self) -> Line | None:
        with self._lock:
            # The one that was used last: those that are not needed any more grow old.
            return self._idle.pop()[1] if self._idle else None

    def _open(self, in_use: Callable[[_Smtp], None]) -> Line:
        server = self._new()
        in_use(server)
        try:
            code, said = server.connect(self._server.host, self._server.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, said)
            self._log_in(server)
        except BaseException:
            server.close()
            raise
        return Line(server)

    def _new(self) -> _Smtp:
        if self._server.security is Security.TLS:
            server: _Smtp = _SmtpOverTls(local_hostname=_own_name(), timeout=REPLY_SECONDS, context=self._tls)
        else:
            server = _Smtp(local_hostname=_own_name(), timeout=REPLY_SECONDS)
        # By which its certificate is checked; smtplib takes it from the constructor alone, which would connect.
        server._host = self._server.host  # type: ignore[attr-defined]
        return server

    def _log_in(self, server: _Smtp) -> None:
        server.ehlo_or_helo_if_needed()
        security = self._server.security
        # Where it is wanted, a server that does not offer it is told nothing: `starttls` raises.
        if security is Security.STARTTLS or (security is Security.OFFERED and server.has_extn("starttls")):
            server.starttls(context=self._tls)
            server.ehlo()
        if self._server.user is not None:
            server.login(self._server.user, self._server.password)

    def _clear_out(self) -> None:
        for line in self._idle_since(monotonic() - IDLE_SECONDS):
            line.leave()
        with self._lock:
            goes_on = self._clearing = bool(self._idle)
        if goes_on:
            WATCHDOG.after(IDLE_SECONDS / 2, self._clear_out)

    def _idle_since(self, moment: float) -> list[Line]:
        with self._lock:
            old = [line for since, line in self._idle if since <= moment]
            self._idle = deque(entry for entry in self._idle if entry[0] > moment)
        return old


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
