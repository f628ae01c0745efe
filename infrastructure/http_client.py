"""HTTP client for URLs chosen by users: pinned to checked addresses, with a deadline, reading little."""

import logging
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache, partial
from http.client import HTTPException, IncompleteRead
from ipaddress import ip_address
from time import monotonic
from typing import Any
from urllib.parse import urljoin

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ClosedPoolError, HTTPError
from urllib3.response import BaseHTTPResponse

from infrastructure.network import (
    MAX_ADDRESSES,
    AnySocket,
    ConnectFailed,
    DeadlineExceeded,
    DnsResolver,
    HostNotFound,
    OpenSockets,
    Resolver,
    ResponseTooLong,
    connect,
    seconds_left,
    tls_context,
    try_each,
)
from models.events import ErrorClass
from workflows.kernel.address import Address, AddressRefused, Destination, Network, read_address, require_reachable
from workflows.kernel.errors import Invalid
from workflows.webhooks.headers import HeaderRefused

# urllib3 would write receivers' data into the log.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

# Head and body together; the rest is not read.
RESPONSE_LIMIT_BYTES = 64 * 1024
KEPT_BODY_BYTES = 4096
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 3
# Servers that close idle connections do so after 5 s at the earliest, nearly all of them; ours are closed before.
IDLE_SECONDS = 4.0
MAX_POOLS = 128
MAX_IDLE_PER_POOL = 32
# Bound on the names whose last responding address is remembered.
MAX_REMEMBERED_NAMES = 1000

MAX_RETRY_AFTER = timedelta(days=1)
MAX_RETRY_AFTER_DIGITS = 10
STATUSES_WITH_RETRY_AFTER = (429, 503)

_UNTRUSTED = "TLS: the certificate is not signed by an authority that is trusted here."
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_CERTIFICATE_ERRORS = {
    9: "TLS: the certificate is not valid yet.",
    10: "TLS: the certificate has expired.",
    18: _UNTRUSTED,
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: "TLS: the certificate is not valid for this host.",
    64: "TLS: the certificate is not valid for this host.",
}


@dataclass(frozen=True)
class HttpLimits:
    """Time-outs in seconds, and the size of a response."""

    connect: float = 5.0  # for looking up the name, and then for connecting
    deadline: float = 15.0  # for everything together, to the end of the response
    idle: float = IDLE_SECONDS  # after which a connection carries no further message
    response_bytes: int = RESPONSE_LIMIT_BYTES  # of a response, head and body together
    kept_bytes: int = KEPT_BODY_BYTES  # of the body after a POST


@dataclass(frozen=True)
class HttpResponse:
    """The receiver's response; `body` is the beginning of the body after a POST, and all of it after a GET."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> str | None:
        return self.headers.get("retry-after")


class TooManyRedirects(HTTPException):
    """The redirects exceed the limit."""


class ConnectionDied(OSError):
    """A kept connection was closed before the whole message was sent."""


class _Connection(HTTPConnection):
    """HTTP connection to a checked address, without name resolution and without a proxy.

    urllib3 sets `timeout` to the time left for a request, before connecting or sending and before reading. The socket
    keeps it as an absolute deadline.
    """

    sock: AnySocket | None

    def __init__(self, *args: Any, limits: HttpLimits, sockets: OpenSockets, **kwargs: Any) -> None:
        self._until = 0.0
        self._limits = limits
        self._sockets = sockets
        self._used = 0.0
        super().__init__(*args, **kwargs)

    @property
    def timeout(self) -> float:
        """Seconds left until the deadline."""
        return seconds_left(self._until)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._until = monotonic() + seconds
        # The first time is before there is a socket at all.
        if (sock := getattr(self, "sock", None)) is not None:
            sock.until = self._until

    @property
    def is_connected(self) -> bool:
        """Whether it may carry another message: alive, as far as is known, and not idle for too long."""
        return monotonic() - self._used < self._limits.idle and super().is_connected

    def _new_conn(self) -> socket.socket:
        # Where urllib3's own SOCKS connections connect in another way, too (2.6 to 2.8). Its public interface would
        # look the host up once more, without a bound and after the address was checked.
        return connect(ip_address(self.host), self.port, seconds=self._limits.connect, until=self._until)

    def connect(self) -> None:
        """Connect, and agree on TLS where the scheme is https."""
        try:
            super().connect()
        except (ssl.SSLError, DeadlineExceeded, ConnectFailed):
            raise
        except OSError as error:
            seconds_left(self._until)
            raise ConnectFailed(f"TLS with {self.host}: {error}") from error
        assert self.sock is not None
        self.sock.until = self._until
        self._sockets.add(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        kept = self.sock is not None
        try:
            super().request(*args, **kwargs)
        except (DeadlineExceeded, ConnectFailed):
            raise
        except OSError as error:
            if kept:
                raise ConnectionDied("It had died while it was idle.") from error
            raise
        finally:
            self._used = monotonic()
            if self.sock is not None:
                self.sock.allowance = self._limits.response_bytes


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment] # urllib3 types its own protocol


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # type: ignore[assignment] # as above


@cache
def _system_tls_context() -> ssl.SSLContext:
    """TLS context of all clients in a process: reading the system's authorities takes 20 ms and 1 MB.

    Other code has its own contexts: where OpenSSL cannot check names, urllib3 does, and switches that off in a context.
    """
    return tls_context()


class HttpClient:
    """HTTP client for URLs of partners: pinned to a checked address, with a deadline, reading little.

    Threads may share it. Connections are kept by urllib3, keyed by scheme, host, pinned IP and port.

    Args:
        allowed: networks that may be reached besides the public internet.
        ca_file: authorities to trust instead of the system's.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        resolver: Resolver | None = None,
        limits: HttpLimits = HttpLimits(),
        ca_file: str | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._resolver = resolver or DnsResolver()
        self._limits = limits
        self._read = lru_cache(1024)(read_address)
        self._sockets = OpenSockets()
        self._responded: dict[tuple[str, int], Address] = {}
        tls = tls_context(ca_file) if ca_file else _system_tls_context()
        self._pools = PoolManager(MAX_POOLS, maxsize=MAX_IDLE_PER_POOL, timeout=limits.deadline, ssl_context=tls)
        ours: Any = {"limits": limits, "sockets": self._sockets}
        classes: Any = {"http": partial(_Pool, **ours), "https": partial(_TlsPool, **ours)}
        self._pools.pool_classes_by_scheme = classes

    def destination_of(self, url: str) -> Destination:
        """Check a URL by today's rules, which may have changed since it was stored; raises Invalid with the reason."""
        return self._read(url, self._allowed)

    def post(self, destination: Destination, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Post the body, and read the beginning of the response, whatever its status. No redirect is followed.

        Raises:
            OSError: AddressRefused, HostNotFound, ConnectFailed, ssl.SSLError, DeadlineExceeded, or a connection that
                broke.
            HTTPException: the response is no HTTP.
        """
        until = monotonic() + self._limits.deadline
        return self._within(until, lambda: self._request("POST", destination, headers, body, until))

    def get(self, url: str, headers: Mapping[str, str], *, redirects: int = MAX_REDIRECTS) -> HttpResponse:
        """Get the whole resource, following a few redirects; each address is checked.

        Args:
            redirects: how many; with 0, the response may be a redirect.

        Raises:
            Invalid: the URL, or one of a redirect, is not allowed.
            OSError: as for `post`, and ResponseTooLong.
            HTTPException: the response is no HTTP, or redirected too often.
        """
        until = monotonic() + self._limits.deadline

        def follow() -> HttpResponse:
            address = url
            for _ in range(redirects + 1):
                destination = self.destination_of(address)
                named = {"host": destination.authority, **headers}
                response = self._request("GET", destination, named, None, until)
                location = response.headers.get("location")
                if not redirects or response.status not in REDIRECTS or location is None:
                    return response
                address = _redirected(destination, location)
            raise TooManyRedirects(f"The server redirected more than {redirects} times.")

        return self._within(until, follow)

    def _within(self, until: float, request: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return request()
        except (OSError, HTTPException, HTTPError) as error:
            if isinstance(error, DeadlineExceeded) or monotonic() >= until:
                raise DeadlineExceeded(f"No complete answer within {self._limits.deadline:g} s.") from error
            raise

    def close(self) -> None:
        """Close idle connections, and shut down those in use."""
        self._pools.clear()
        self._sockets.shut_down()

    def _request(
        self, method: str, destination: Destination, headers: Mapping[str, str], body: bytes | None, until: float
    ) -> HttpResponse:
        first, *others = self._addresses(destination, until)
        address, response = try_each(
            [first, *others], lambda each: (each, self._request_to(each, method, destination, headers, body, until))
        )
        if address != first:
            self._remember(destination, address)
        return response

    def _addresses(self, destination: Destination, until: float) -> Sequence[Address]:
        """The addresses of a name at this moment, every one checked; the one that responded last comes first."""
        found: Sequence[Address]
        if destination.literal is not None:
            found = [destination.literal]
        else:
            found = self._resolver.addresses(destination.host, min(self._limits.connect, seconds_left(until)))
        for address in found:
            require_reachable(address, destination.scheme, destination.port, self._allowed)
        if len(found) == 1:
            return found
        last = self._responded.get((destination.host, destination.port))
        return sorted(found, key=lambda address: address != last)[:MAX_ADDRESSES]

    def _remember(self, destination: Destination, address: Address) -> None:
        if len(self._responded) >= MAX_REMEMBERED_NAMES:
            self._responded.clear()
        self._responded[destination.host, destination.port] = address

    def _request_to(
        self,
        address: Address,
        method: str,
        destination: Destination,
        headers: Mapping[str, str],
        body: bytes | None,
        until: float,
    ) -> HttpResponse:
        while True:
            # Looked up each time: a pool that made room for others is closed for good.
            pool = self._pools.connection_from_host(
                str(address), destination.port, destination.scheme, {"server_hostname": destination.host}
            )
            try:
                response = pool.urlopen(
                    method,
                    destination.target,
                    body=body,
                    headers=headers,
                    timeout=Timeout(total=seconds_left(until)),
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
                try:
                    return _read(response, self._limits.kept_bytes) if method == "POST" else _read_all(response)
                except ValueError as error:
                    # `http.client` raises it for a chunk of a negative size.
                    raise HTTPException("The response has a chunk of a negative size.") from error
            except HTTPError as error:
                cause = _cause_of(error)
                if not isinstance(cause, ConnectionDied):
                    raise cause from error
                # Another one, and in the end a new one, takes the message.


def _redirected(destination: Destination, location: str) -> str:
    try:
        return urljoin(destination.url, location)
    except ValueError as error:
        raise Invalid("The server redirected to what is no address.") from error


def _read(response: BaseHTTPResponse, kept_bytes: int) -> HttpResponse:
    body_start = b""
    try:
        body_start = response.read(kept_bytes)
        # Read to its end, the connection is good for another message.
        response.read(RESPONSE_LIMIT_BYTES)
    except HTTPError as error:
        if not isinstance(_cause_of(error), ResponseTooLong):
            raise
    return HttpResponse(response.status, response.headers, body_start)


def _read_all(response: BaseHTTPResponse) -> HttpResponse:
    # In parts: `http.client` reserves memory for all that it is asked for, and a server may promise any length.
    parts = iter(lambda: response.read(RESPONSE_LIMIT_BYTES), b"")
    return HttpResponse(response.status, response.headers, b"".join(parts))


def _cause_of(error: HTTPError) -> Exception:
    """The error that urllib3 has wrapped."""
    if isinstance(error, ClosedPoolError):
        return ConnectionDied("Its pool made room for others.")
    for cause in error.args:
        if isinstance(cause, IncompleteRead):
            return ConnectionError("The answer ended too early.")
        if isinstance(cause, OSError | HTTPException):
            return cause
    return HTTPException(type(error).__name__)


def describe(error: Exception) -> tuple[ErrorClass, str]:
    """The class of a failed attempt, and the sentence that the partner may read."""
    match error:
        case DeadlineExceeded():
            return ErrorClass.TIMEOUT, str(error)
        case Invalid() | AddressRefused():
            return ErrorClass.REFUSED_ADDRESS, "The address is not allowed."
        case HeaderRefused():
            return ErrorClass.HEADER, "The endpoint's headers cannot be sent."
        case HostNotFound():
            return ErrorClass.DNS, "The host was not found."
        case ConnectFailed():
            return ErrorClass.CONNECT, "The connection could not be made."
        case ssl.SSLCertVerificationError():
            return ErrorClass.TLS, _CERTIFICATE_ERRORS.get(error.verify_code, "TLS: the certificate is not valid.")
        case ssl.SSLError():
            return ErrorClass.TLS, "TLS: no secure connection could be agreed on."
        case TooManyRedirects():
            return ErrorClass.REDIRECT, str(error)
        case HTTPException() if not isinstance(error, ConnectionError):
            return ErrorClass.PROTOCOL, "The answer was not HTTP."
        case _:
            return ErrorClass.PROTOCOL, "The connection ended before an answer was complete."


def log_detail(error: Exception) -> str:
    """The error for the operator's log: its type and reason, without the receiver's text."""
    if isinstance(error, HTTPException) and not isinstance(error, ConnectionError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"


def parse_retry_after(status: int, value: str | None, *, now: datetime) -> timedelta | None:
    """Read the header Retry-After (RFC 9110, section 10.2.3), seconds or a date; at most a day, None if malformed.

    Args:
        now: by the database's clock, which a date is compared with.
    """
    if status not in STATUSES_WITH_RETRY_AFTER or value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        # Longer than any time is, and too long for int to read.
        pause = timedelta(seconds=int(value)) if len(value) < MAX_RETRY_AFTER_DIGITS else MAX_RETRY_AFTER
    else:
        try:
            pause = parsedate_to_datetime(value) - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(pause, timedelta()), MAX_RETRY_AFTER)
