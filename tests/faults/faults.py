"""The faults: each part of a running system killed, stopped or emptied, in an order that a seed decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Timer

import psutil
import redis

from cli.run_file import read_run
from tests.load import Connection
from tests.processes import family, kill_all
from workflows.events import QUEUES

WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
PAUSES_BETWEEN_SECONDS = (1.0, 6.0)
VALKEY_STOPPED_SECONDS = (2.0, 6.0)
# Beyond a database lease: what a worker then goes on with may be another's.
WORKER_STOPPED_SECONDS = (1.0, 25.0)
# How often a fault does not wait for the end of the one before, and how long others wait at most.
AMID_TROUBLE = 0.25
ANSWERS_WITHIN_SECONDS = 60
ANSWERS_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Fault:
    """A fault that was made: what, when it began and when it ended, on the monotonic clock."""

    name: str
    at: float
    until: float


@dataclass
class Faults:
    """Makes faults in the system of a data folder."""

    data_dir: Path
    seed: int  # decides on their order and durations
    redis_url: str  # of the Valkey
    # Kills it and has it started again; None where the system's own manager starts it again.
    kill_valkey: Callable[[], None] | None = None
    valkey_pid: Callable[[], int] | None = None  # its process; None for the system's own
    leave_out: Sequence[str] = ()  # kinds of faults that are not made
    # The shortest and the longest pause between two faults.
    pauses_seconds: tuple[float, float] = PAUSES_BETWEEN_SECONDS
    _random: Random = field(init=False)
    _stopped: list[Timer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def make(self, seconds: float) -> Iterator[Fault]:
        """Make one fault after the other for so long, each kind once before any comes again."""
        kinds = {name: make for name, make in self._kinds().items() if name not in self.leave_out}
        deck: list[str] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not deck:
                deck = self._random.sample(list(kinds), len(kinds))
            name, began = deck.pop(), time.monotonic()
            # Under load most of the time, and now and then into the trouble of the one before.
            if self._random.random() > AMID_TROUBLE:
                self._wait_until_answering(min(began + ANSWERS_WITHIN_SECONDS, end))
                began = time.monotonic()
            # What is just being started again cannot be killed.
            with suppress(psutil.NoSuchProcess):
                lasts = kinds[name]()
                yield Fault(name, began, max(time.monotonic(), began + lasts))
            time.sleep(self._random.uniform(*self.pauses_seconds))
        for timer in self._stopped:
            timer.join()

    def _wait_until_answering(self, end: float) -> None:
        run = read_run(self.data_dir)
        assert run is not None, "nothing runs any more"
        while time.monotonic() < end:
            connection = Connection(run["api"]["url"])
            with suppress(OSError):
                if connection.request("GET", "/health/ready", {}).status == 200:
                    return
            connection.close()
            time.sleep(ANSWERS_POLL_SECONDS)

    def _kinds(self) -> dict[str, Callable[[], float]]:
        """By kind, the function that causes the fault; it returns for how many seconds the fault lasts."""

        def killed(part: str) -> Callable[[], float]:
            return lambda: _kill(family(self._pid(part)))

        return {
            **{f"kill {part}": killed(part) for part in (*WORKERS, "sweep", "maintain", "postgres")},
            "kill api and its processes": killed("api"),
            "kill api's first process": lambda: _kill([psutil.Process(self._pid("api"))]),
            "kill one process of the api": self._kill_api_worker,
            "kill postgres' first process": lambda: _kill([psutil.Process(self._pid("postgres"))]),
            "kill one of postgres' processes": self._kill_backend,
            "kill valkey": self._kill_valkey,
            "FLUSHALL": self._flush_valkey,
            "stop valkey for a while": self._stop_valkey,
            "stop a worker for a while": self._stop_worker,
        }

    def _pid(self, part: str) -> int:
        run = read_run(self.data_dir)
        assert run is not None, "nothing runs any more"
        pid: int = next(entry["pid"] for entry in run["processes"] if entry["name"] == part)
        return pid

    def _kill_api_worker(self) -> float:
        children = psutil.Process(self._pid("api")).children()
        return _kill([self._random.choice(children)]) if children else 0

    def _kill_backend(self) -> float:
        children = psutil.Process(self._pid("postgres")).children()
        # PostgreSQL names its processes by what they do.
        backends = [each for each in children if "127.0.0.1" in " ".join(each.cmdline())]
        return _kill([self._random.choice(backends)]) if backends else 0

    def _kill_valkey(self) -> float:
        if self.kill_valkey is None:
            return _kill(family(self._pid("redis")))
        self.kill_valkey()
        return 0

    def _flush_valkey(self) -> float:
        with suppress(redis.RedisError), redis.Redis.from_url(self.redis_url, socket_timeout=2) as client:
            client.flushall()
        return 0

    def _stop_valkey(self) -> float:
        pid = self.valkey_pid() if self.valkey_pid else self._pid("redis")
        return self._stop(pid, self._random.uniform(*VALKEY_STOPPED_SECONDS))

    def _stop_worker(self) -> float:
        part = self._random.choice(WORKERS)
        return self._stop(self._pid(part), self._random.uniform(*WORKER_STOPPED_SECONDS))

    def _stop(self, pid: int, seconds: float) -> float:
        process = psutil.Process(pid)
        process.suspend()
        timer = Timer(seconds, _resume, [process])
        timer.start()
        self._stopped.append(timer)
        return seconds


def _kill(processes: Iterable[psutil.Process]) -> float:
    kill_all(processes)
    return 0


def _resume(process: psutil.Process) -> None:
    # It may have been killed meanwhile.
    with suppress(psutil.NoSuchProcess):
        process.resume()
