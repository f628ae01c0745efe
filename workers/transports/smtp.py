"""Mail over SMTP: kept connections, absolute deadlines, and results in the server's own words."""

import smtplib
import socket
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from selectors import EVENT_READ, DefaultSelector
from threading import Lock
from time import monotonic

from config.mail_server import MailServer, Security, mail_server
from infrastructure.network import (
    MAX_ADDRESSES,
    AnySocket,
    DeadlineExceeded,
    DeadlineSocket,
    DnsResolver,
    OpenSockets,
    connect,
    seconds_left,
    tls_context,
    try_each,
)
from models.events import ErrorClass
from workers.transports import Renew, Transport, no_lease
from workers.transports.mail import MailIdentity, as_sent
from workflows.events.delivery import SendResult
from workflows.notifications.mails import Mail

CLOSING = 421
# Refusals of our login or of everything at the moment, not of the mail.
SERVER_WIDE = frozenset({CLOSING, 530, 535, 538})
MAX_IDLE_CONNECTIONS = 32


@dataclass(frozen=True)
class SmtpLimits:
    """Time-outs in seconds, and how many mails a connection carries.

    Args:
        handover: everything until the server has the mail.
        connect: looking up the server's name, and then connecting, each.
        verdict: the server's answer to the mail, counted from the final dot: the server may scan the mail for long
            before, and a sender that has hung up meanwhile sends a second copy (RFC 5321, section 4.5.3.2.6).
        renewal: how often a lease is renewed meanwhile.
        alive: the answer to RSET on an idle connection, or another one is opened.
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


class _NoVerdict(OSError):
    """The server has the mail and has not answered."""


@dataclass(eq=False)
class SmtpConnection:
    """Connection that has greeted, speaks TLS where it must, and has logged in where there are credentials."""

    server: smtplib.SMTP
    opened: float = field(default_factory=monotonic)
    used: float = 0.0
    mails: int = 0

    @property
    def socket(self) -> AnySocket:
        assert isinstance(self.server.sock, AnySocket)
        return self.server.sock

    def is_alive(self, seconds: float) -> bool:
        """Reset the server's state, and see whether it answers in time."""
        self.socket.until = monotonic() + seconds
        try:
            return self.server.rset()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def close(self) -> None:
        """Send QUIT without waiting for the answer, and close."""
        with suppress(OSError, smtplib.SMTPException):
            self.server.putcmd("quit")
        self.server.close()

    def wait_for_verdict(self, limits: SmtpLimits, renew: Renew) -> tuple[int, bytes]:
        """The answer to the mail, waited for by `select`, so that the lease can be renewed meanwhile."""
        until = self.socket.until = monotonic() + limits.verdict
        renew()
        try:
            with DefaultSelector() as selector:
                selector.register(self.socket, EVENT_READ)
                while not selector.select(min(limits.renewal, seconds_left(until))):
                    renew()
            # The answer's first byte is there. The rest must come before the lease ends, which is no longer renewed.
            self.socket.until = min(until, monotonic() + limits.handover)
            return self.server.getreply()
        except (DeadlineExceeded, smtplib.SMTPServerDisconnected) as error:
            if _is_late(error):
                raise _NoVerdict from error
            raise


class SmtpConnectionPool:
    """Pool of kept SMTP connections to one server; the one that was used last is taken first, so that others age."""

    def __init__(self, server: MailServer, limits: SmtpLimits) -> None:
        self._server = server
        self._limits = limits
        self._resolver = DnsResolver()
        self._tls = tls_context()
        self._lock = Lock()
        self._idle: deque[SmtpConnection] = deque()
        self._sockets = OpenSockets()

    def acquire(self, until: float) -> SmtpConnection:
        """A kept connection that works, or a new one.

        Raises:
            OSError: the server cannot be reached, or its certificate is not valid.
            SMTPException: it refuses us.
        """
        while (connection := self._pop()) is not None:
            if monotonic() - connection.used < self._limits.idle and connection.is_alive(self._limits.alive):
                return connection
            connection.close()
        return self._open(until)

    def release(self, connection: SmtpConnection, *, keep: bool) -> None:
        """Keep a connection for the next mail, if it is good for one."""
        now = connection.used = monotonic()
        fresh = connection.mails < self._limits.mails and now - connection.opened < self._limits.age
        with self._lock:
            if keep and fresh and connection.server.sock is not None and len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        while (connection := self._pop()) is not None:
            connection.close()
        self._sockets.shut_down()

    def _pop(self) -> SmtpConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _open(self, until: float) -> SmtpConnection:
        # Alone, smtplib would look the name up without a bound and restart the time-out with each read. Given a
        # connected socket, it does the rest by its public commands, but for `starttls`, which knows no name to verify.
        server = smtplib.SMTP(local_hostname=_own_name())
        server.sock = self._connect(until)
        try:
            if self._server.security is Security.TLS:
                self._secure(server, until)
            self._sockets.add(server.sock)
            code, text = server.getreply()
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            self._log_in(server, until)
        except BaseException:
            server.close()
            raise
        return SmtpConnection(server)

    def _connect(self, until: float) -> DeadlineSocket:
        addresses = self._resolver.addresses(self._server.host, self._limits.connect)[:MAX_ADDRESSES]
        seconds = self._limits.connect / len(addresses)
        opened = try_each(addresses, lambda each: connect(each, self._server.port, seconds=seconds, until=until))
        _keep_alive(opened)
        return opened

    def _secure(self, server: smtplib.SMTP, until: float) -> None:
        assert server.sock is not None
        server.sock.settimeout(seconds_left(until))
        secured = self._tls.wrap_socket(server.sock, server_hostname=self._server.host)
        assert isinstance(secured, AnySocket)
        secured.until = until
        server.sock = secured

    def _log_in(self, server: smtplib.SMTP, until: float) -> None:
        server.ehlo_or_helo_if_needed()
        security = self._server.security
        # Where TLS is required, nothing more is sent to a server that does not offer it.
        if security is Security.STARTTLS or (security is Security.OFFERED and server.has_extn("starttls")):
            if not server.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("The mail server offers no STARTTLS.")
            code, text = server.docmd("starttls")
            if code != 220:
                raise smtplib.SMTPResponseException(code, text)
            self._secure(server, until)
            assert server.sock is not None
            self._sockets.add(server.sock)
            # Data received before TLS is no longer valid (RFC 3207, section 4.2).
            server.file = None
            server.esmtp_features = {}
            server.ehlo()
        if self._server.user is not None:
            server.login(self._server.user, self._server.password)


class SmtpTransport(Transport[Mail]):
    """Transport of mail, each over a connection of its own while it is sent.

    Args:
        url: an SMTP_URL; see `config.mail_server`.

    Raises:
        ValueError: the URL names no mail server.
    """

    def __init__(self, url: str, identity: MailIdentity, *, limits: SmtpLimits = SmtpLimits()) -> None:
        self._identity = identity
        self._limits = limits
        self._pool = SmtpConnectionPool(mail_server(url), limits)

    def send(self, mail: Mail, renew: Renew = no_lease) -> SendResult:
        """Send the mail; a 5xx answer to it is final.

        An error before the server accepts commands for the mail is reported as `unavailable`; a connection that breaks
        later may do so because of the mail.
        """
        sender, recipient, content, international = as_sent(mail, self._identity)
        until = monotonic() + self._limits.handover
        try:
            connection = self._pool.acquire(until)
        except (OSError, smtplib.SMTPException) as error:
            return replace(_failed(error, self._limits.handover), permanent=False, unavailable=True)
        keep = False
        try:
            connection.mails += 1
            connection.socket.until = until
            code, text = _hand_over(connection.server, sender, recipient, content, international)
            is_expected = code == 354
            if is_expected:
                connection.server.send(content)
                code, text = connection.wait_for_verdict(self._limits, renew)
            # After a refusal the connection is still good, unless the server closes it. A success before the content
            # was sent is the response to an earlier command: all later responses would be shifted as well.
            keep = code != CLOSING and (is_expected or code >= 400)
        except _NoVerdict as error:
            return _failed(error, self._limits.verdict)
        except (OSError, smtplib.SMTPException) as error:
            # No refusal is raised here, although smtplib gives an answer that is too long for it the code 500.
            return replace(_failed(error, self._limits.handover), permanent=False)
        finally:
            self._pool.release(connection, keep=keep)
        return SendResult(status_code=code) if is_expected and code == 250 else _refused(code, text)

    def close(self) -> None:
        self._pool.close()


def _hand_over(
    server: smtplib.SMTP, sender: str, recipient: str, content: bytes, international: bool
) -> tuple[int, bytes]:
    """Announce a mail; returns the first answer that refuses it, or 354 when its content is expected."""
    options = [f"size={len(content)}"] if server.has_extn("size") else []
    if international:
        if not server.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("The mail server takes no addresses beyond ASCII.")
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    code, text = server.mail(sender, options)
    if code == 250:
        code, text = server.rcpt(recipient)
    return server.docmd("data") if code in (250, 251) else (code, text)


def _is_late(error: Exception) -> bool:
    # smtplib wraps every error of a connection.
    return any(isinstance(each, DeadlineExceeded | TimeoutError | _NoVerdict) for each in (error, error.__context__))


def _failed(error: Exception, seconds: float) -> SendResult:
    if _is_late(error):
        sentence = f"DeadlineExceeded: No complete answer within {seconds:g} s."
        return SendResult(error=sentence, error_class=ErrorClass.TIMEOUT)
    match error:
        case smtplib.SMTPResponseException():
            return _refused(error.smtp_code, error.smtp_error)
        case smtplib.SMTPException():
            error_class = ErrorClass.PROTOCOL
        case ssl.SSLError():
            error_class = ErrorClass.TLS
        case _:
            error_class = ErrorClass.CONNECT
    return SendResult(error=f"{type(error).__name__}: {error}", error_class=error_class)


def _refused(code: int, text: bytes | str) -> SendResult:
    answer = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return SendResult(
        error=f"The mail server answered {code}: {answer}",
        error_class=ErrorClass.STATUS,
        permanent=500 <= code < 600 and code not in SERVER_WIDE,
        # smtplib returns -1 for an answer that it cannot parse.
        status_code=code if code > 0 else None,
        unavailable=code in SERVER_WIDE,
    )


def _keep_alive(connection: socket.socket) -> None:
    """Notice within a minute that the other machine is gone, however long an answer may take."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Where the system has these options; elsewhere its defaults are hours, and the deadline comes first.
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@cache
def _own_name() -> str:
    # Looked up once: it may ask the network.
    return socket.getfqdn()
