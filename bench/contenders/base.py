"""What every contender over HTTP offers: requests of a booking's life, its processes, and how much is still to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from bench.load import Connection
from bench.machine import ROOT

OFFERS = 32
# Far enough that no reminder of a measured session is due while it is measured.
FIRST_START_DAYS = 10
HOURS_A_DAY = 24
READY_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Offer:
    """A mentor with something to book, and a mentee who books only with them: no two bookings want one time."""

    mentor_id: str
    mentee_id: str
    listing_id: str = ""


@dataclass(frozen=True)
class Booking:
    """A booking of the load generator."""

    id: str
    offer: Offer
    session_id: str = ""


@dataclass
class Contender(ABC):
    """A running system with people in it.

    Attributes:
        name: as it stands in the report.
        url: of its HTTP server.
        database_url: for counting what is done.
        pids: the roots of its process trees by name.
        offers: who books what.
        slots: numbers of the times that have not been asked for; contenders on one database share them.
    """

    name: str
    url: str
    database_url: str
    pids: dict[str, int]
    offers: list[Offer] = field(default_factory=list)
    slots: Iterator[int] = field(default_factory=count)

    def next_slot(self) -> tuple[Offer, str]:
        """An offer and a time (RFC 3339) that is not yet booked; the offers take turns."""
        hours, place = divmod(next(self.slots), len(self.offers))
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + timedelta(days=FIRST_START_DAYS, hours=hours)
        return self.offers[place], start.isoformat()

    @abstractmethod
    def request(self, connection: Connection) -> Booking:
        """Ask for a booking: a draft."""

    @abstractmethod
    def accept(self, connection: Connection, booking: Booking) -> Booking:
        """Accept a draft."""

    @abstractmethod
    def find_session(self, connection: Connection, booking: Booking) -> str | None:
        """The id of the session of an accepted booking, once it can be read."""

    @abstractmethod
    def start(self, connection: Connection, booking: Booking) -> None:
        """Start the session."""

    @abstractmethod
    def complete(self, connection: Connection, booking: Booking) -> None:
        """Complete it."""

    @abstractmethod
    def read(self, connection: Connection, booking: Booking) -> None:
        """Read the booking."""

    def has_finished(self, lives: int) -> bool:
        """Whether every effect of so many whole lives since the start is done."""
        raise NotImplementedError(f"{self.name} has no effects.")

    def require_effects(self, lives: int) -> None:
        """Raise AssertionError when the effects of so many whole lives are not all there, now that it has finished."""
        raise NotImplementedError(f"{self.name} has no effects.")


@contextmanager
def process(
    words: Sequence[str], environment: Mapping[str, str], log: Path, *, stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program (`python -m …`) in a session of its own, with its output in a file; ended with the block."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(stop)
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def wait_for_http(url: str, path: str, program: subprocess.Popen[bytes], log: Path, *, status: int = 200) -> None:
    """Wait until a server answers this path with that status.

    Raises:
        RuntimeError: the program has ended, or does not answer in time; with the end of its log.
    """
    end = time.monotonic() + READY_SECONDS
    while True:
        connection = Connection(url)
        try:
            answered: object = connection.request("GET", path, {}).status
            if answered == status:
                return
        except OSError as error:
            answered = error
        finally:
            connection.close()
        if program.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{url}{path} does not answer ({answered}):\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.05)
