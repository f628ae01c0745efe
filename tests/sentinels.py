"""Sentinels: they watch a Valkey, and name a replica of it once it is lost."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import redis

from cli.embedded import EmbeddedServer, free_port, valkey_binary

NAME, PASSWORD = "bookings", "of the sentinels"


@dataclass(frozen=True)
class Sentinel:
    """A running sentinel, which asks for PASSWORD."""

    port: int
    process: subprocess.Popen[bytes]

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=PASSWORD, socket_timeout=5)

    def master(self) -> int:
        """The port of the Valkey that takes changes."""
        with self.client() as asked:
            found: Any = asked.sentinel_get_master_addr_by_name(NAME)
        return int(found[1])


@contextmanager
def sentinels(folder: Path, master: EmbeddedServer, number: int = 1, *, login: str = "") -> Iterator[list[Sentinel]]:
    """So many sentinels, of which more than half must agree.

    Args:
        login: the password of the Valkey and its replicas; empty for none.
    """
    with ExitStack() as stack:
        started = []
        for port in [free_port() for _ in range(number)]:
            place = folder / f"sentinel-{port}"
            place.mkdir()
            file = place / "sentinel.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {place}\n"
                f"sentinel monitor {NAME} 127.0.0.1 {urlsplit(master.url).port} {number // 2 + 1}\n"
                f"sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 10000\n"
                f"requirepass '{PASSWORD}'\nsentinel sentinel-pass '{PASSWORD}'\n"
                + (f"sentinel auth-pass {NAME} '{login}'\n" if login else "")
            )
            with (place / "log").open("wb") as log:
                process = subprocess.Popen([valkey_binary(), file, "--sentinel"], stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(Sentinel(port, process))
        yield started


def sentinel_url(ports: list[int], login: str = "") -> str:
    """The REDIS_URL of a Valkey that sentinels at these ports know."""
    places = ";".join(f"sentinel://127.0.0.1:{port}" for port in ports)
    with_login = places.replace("//", f"//:{quote(login)}@", 1) if login else places
    return f"{with_login}/0?master_name={NAME}&sentinel_password={quote(PASSWORD)}"
