"""Addresses of the servers: DATABASE_URL as libpq reads it, REDIS_URL of a Redis or of its sentinels, BROKER_URL."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from redis import Redis

_DATABASE_FORM = (
    "DATABASE_URL must read postgresql://user:password@host:port/name, or be another address that libpq takes"
)
# As SQLAlchemy writes it.
_WITH_DRIVER = re.compile(r"\A(postgres(?:ql)?)\+\w+(?=://)")
# libpq's messages quote what they refuse, up to the whole address with its password.
_QUOTED = re.compile(r'("[^"]")|:? *"(?!.").*', re.DOTALL)
_REDIS_FORM = (
    "REDIS_URL must read redis://user:password@host:port/number, rediss:// of the same form, redis+socket:///path, or"
    " sentinel://host:port;sentinel://host:port/number?master_name=name"
)
_BROKER_FORM = (
    "BROKER_URL must read amqp://user:password@host:port/virtual-host, several of them with semicolons between for the"
    " hosts of a cluster, or one amqps:// of the same form"
)
_TLS_PARAMETERS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_SENTINEL_PARAMETERS = ("master_name", "sentinel_username", "sentinel_password")
_CERT_REQUIREMENTS = ("required", "optional", "none")
_PARAMETERS = {
    "redis": (),
    "rediss": _TLS_PARAMETERS,
    "sentinel": _SENTINEL_PARAMETERS,
    "redis+socket": ("virtual_host",),
}
_BROKER_PARAMETERS = {"amqp": (), "amqps": tuple(name for name in _TLS_PARAMETERS if name != "ssl_check_hostname")}
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
_MAX_PORT = 65_535
SENTINEL_SECONDS = 0.5


def database_address(given: str) -> str:
    """DATABASE_URL in a form that libpq takes: an URL, of several hosts and ports too, or `host=… dbname=…`.

    Raises:
        ValueError: libpq would not take it; the message quotes nothing of it.
    """
    address = _WITH_DRIVER.sub(r"\1", given.strip())
    # Few processes that read settings without a database need its library.
    psycopg = import_module("psycopg")
    try:
        parameters = import_module("psycopg.conninfo").conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        if "://" in address and not re.match("postgres(ql)?://", address):
            raise ValueError(f"{_DATABASE_FORM}.") from None
        complaint = _QUOTED.sub(r"\1", str(error)).strip()
        raise ValueError(f"{_DATABASE_FORM}: {complaint}.") from None
    hosts = str(parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    ports = str(parameters.get("port") or "").split(",")
    if not all(not port or (port.isdecimal() and 0 < int(port) <= _MAX_PORT) for port in ports):
        raise ValueError(f"{_DATABASE_FORM}: a port is a number from 1 to {_MAX_PORT}.")
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"{_DATABASE_FORM}: it has {len(ports)} ports for {len(hosts)} hosts.")
    return address


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """REDIS_URL, taken apart."""

    # Without their parameters; several of sentinels, the first with user, password and number of the Redis.
    urls: tuple[str, ...]
    # How the server is verified, in the words of redis-py; empty without TLS.
    tls: dict[str, Any] = field(default_factory=dict)
    master_name: str | None = None  # under which sentinels know the Redis; None for the address of a Redis itself
    # `username` and `password` of the sentinels themselves.
    sentinel_login: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def sentinels(self) -> list[tuple[str, int]]:
        parts = [urlsplit(url) for url in self.urls]
        return [(str(each.hostname), each.port or 26_379) for each in parts]

    @property
    def login(self) -> dict[str, Any]:
        """User, password and number of the Redis behind sentinels, in the words of redis-py."""
        first = urlsplit(self.urls[0])
        given = {"username": unquote(first.username or ""), "password": unquote(first.password or "")}
        return {name: value for name, value in given.items() if value} | {"db": int(first.path.strip("/") or 0)}

    def sentinel_options(self) -> dict[str, Any]:
        """How sentinels are asked, in the words of redis-py."""
        # One that does not answer is not asked again before the others: redis-py would try it for seconds.
        from redis.backoff import NoBackoff  # noqa: PLC0415 - few of those that read settings need it
        from redis.retry import Retry  # noqa: PLC0415

        limits = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
        return {**limits, "retry": Retry(NoBackoff(), 0), **self.sentinel_login}


def redis_address(given: str) -> RedisAddress:
    """REDIS_URL, taken apart.

    Raises:
        ValueError: it is none, has a parameter that is not known, or names a file that cannot be read.
    """
    try:
        parts = [urlsplit(each.strip()) for each in given.split(";")]
        usable = all(each.port != 0 for each in parts)
    except ValueError:
        usable = False
    schemes = {each.scheme for each in parts} if usable else set()
    scheme = schemes.pop() if len(schemes) == 1 else ""
    if scheme not in _PARAMETERS or (len(parts) > 1 and scheme != "sentinel"):
        raise ValueError(f"{_REDIS_FORM}.")
    if scheme == "redis+socket":
        return RedisAddress(urls=(given.strip(),))
    query = {name: value for each in parts for name, value in parse_qsl(each.query, keep_blank_values=True)}
    _require_known("REDIS_URL", scheme, query, _PARAMETERS[scheme])
    number = next((path for each in parts if (path := each.path.strip("/"))), "")
    if number and not number.isdecimal():
        raise ValueError(f"{_REDIS_FORM}.")
    if scheme != "sentinel":
        url = parts[0]._replace(query="", fragment="").geturl()
        return RedisAddress(urls=(url,), tls=_tls("REDIS_URL", query) if scheme == "rediss" else {})
    if not query.get("master_name") or not all(each.hostname for each in parts):
        raise ValueError(f"{_REDIS_FORM}.")
    login = next((user for each in parts if (user := each.netloc.rpartition("@")[0])), "")
    places = [each.netloc.rpartition("@")[2] for each in parts]
    first = f"sentinel://{login}{'@' if login else ''}{places[0]}/{number}"
    return RedisAddress(
        urls=(first, *(f"sentinel://{place}" for place in places[1:])),
        master_name=query["master_name"],
        sentinel_login={
            name: query[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in query
        },
    )


def is_amqp(broker_url: str) -> bool:
    """Whether a broker is a RabbitMQ, or else the Redis of REDIS_URL."""
    return broker_url.startswith("amqp")


def broker_address(given: str) -> tuple[str, dict[str, Any]]:
    """BROKER_URL without its parameters, and its TLS options in the words of py-amqp; empty without TLS.

    Raises:
        ValueError: it is none, has a parameter that is not known, or names a file that cannot be read.
    """
    try:
        parts = [urlsplit(each.strip()) for each in given.split(";")]
        usable = all(each.port != 0 and each.hostname for each in parts)
    except ValueError:
        usable = False
    schemes = {each.scheme for each in parts} if usable else set()
    scheme = schemes.pop() if len(schemes) == 1 else ""
    if scheme not in _BROKER_PARAMETERS or (len(parts) > 1 and scheme == "amqps"):
        raise ValueError(f"{_BROKER_FORM}.")
    query = {name: value for each in parts for name, value in parse_qsl(each.query, keep_blank_values=True)}
    _require_known("BROKER_URL", scheme, query, _BROKER_PARAMETERS[scheme])
    url = ";".join(each._replace(query="", fragment="").geturl() for each in parts)
    if scheme == "amqp":
        return url, {}
    found = _tls("BROKER_URL", query)
    files = {name: found[f"ssl_{name}"] for name in ("ca_certs", "certfile", "keyfile") if f"ssl_{name}" in found}
    if found["ssl_cert_reqs"] == "none":
        return url, {"cert_reqs": ssl.CERT_NONE, **files}
    # py-amqp compares the certificate with this name, and with none without it.
    return url, {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts[0].hostname, **files}


def redis_client(redis_url: str, **options: Any) -> Redis:
    """A client of the Redis that a REDIS_URL names, through its sentinels where there are some.

    Args:
        options: of redis-py, such as `socket_timeout`.
    """
    from redis import Redis  # noqa: PLC0415
    from redis.sentinel import Sentinel  # noqa: PLC0415

    address = redis_address(redis_url)
    if address.master_name is None:
        url = address.urls[0].replace("redis+socket://", "unix://", 1)
        return Redis.from_url(url, **address.tls, **options)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.sentinels, sentinel_kwargs=address.sentinel_options(), **options
    )
    client: Redis = sentinel.master_for(address.master_name, **address.login)  # type: ignore[no-untyped-call]
    return client


def _require_known(variable: str, scheme: str, query: Mapping[str, str], parameters: Sequence[str]) -> None:
    for name in query:
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise ValueError(f"{variable} has the unknown parameter {name}; {scheme}:// takes: {known}.")


def _tls(variable: str, query: Mapping[str, str]) -> dict[str, Any]:
    """TLS options in the words of redis-py: verified, unless the address turns that off."""
    found: dict[str, Any] = {"ssl_cert_reqs": "required", **query}
    if found["ssl_cert_reqs"] not in _CERT_REQUIREMENTS:
        raise ValueError(f"{variable}: ssl_cert_reqs is one of {', '.join(_CERT_REQUIREMENTS)}.")
    found["ssl_check_hostname"] = (
        found.get("ssl_check_hostname", "true").lower() != "false" and found["ssl_cert_reqs"] != "none"
    )
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in found and not os.access(found[name], os.R_OK):
            raise ValueError(f"{variable}: the file of {name}, {found[name]}, cannot be read.")
    return found
