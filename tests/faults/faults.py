"""The faults: each part of a running system killed, stopped, emptied or cut off, in an order that a seed decides."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from threading import Timer
from typing import Protocol

import psutil
import redis

from cli.run_file import read_run
from tests.eventually import eventually
from tests.faults.proxy import Proxy
from tests.load import Connection
from tests.processes import family, kill_all
from tests.small_disk import SmallDisk
from tests.stripe_stand_in import StripeStandIn
from workflows.events import QUEUES

WORKERS = tuple(f"worker-{queue}" for queue in QUEUES)
PAUSES_BETWEEN_SECONDS = (1.0, 6.0)
SERVERS = ("postgres", "redis")
SERVER_STOPPED_SECONDS = (2.0, 12.0)
# PostgreSQL loses commits that nobody waited for: leases are committed so.
CRASHES_OF_POSTGRES = frozenset(
    {"kill postgres", "kill postgres' first process", "kill one of postgres' processes", "fill the disk"}
)
DELAYED_BY_SECONDS = (0.02, 0.3)
NETWORK_SECONDS = (1.0, 8.0)
# A connection that is half open is told of it in the end, as by the reset of a host that has forgotten it.
HALF_OPEN_SECONDS = (2.0, 20.0)
# Beyond a database lease: what a worker then goes on with may be another's.
WORKER_STOPPED_SECONDS = (1.0, 25.0)
# How often a fault does not wait for the end of the one before, and how long others wait at most.
AMID_TROUBLE = 0.25
ANSWERS_WITHIN_SECONDS = 60
ANSWERS_POLL_SECONDS = 0.2
# Of one fault: by how much the market goes on before it, and again after it, and how long each may take.
STEP = int(os.environ.get("FAULT_STEP", "8"))
STEP_SECONDS = 120 + STEP


@dataclass(frozen=True)
class Fault:
    """A fault that was made: what, when it began and when it ended, on the monotonic clock."""

    name: str
    at: float
    until: float
    breaks_leases: bool = False  # whether messages that were on their way may be sent again at once


class MakesFaults(Protocol):
    """Makes faults while clients play."""

    @property
    def hidden(self) -> int:
        """How many answers of commits were hidden."""
        ...

    @property
    def ends_leases(self) -> bool:
        """Whether a lease from before a fault that breaks leases is made to end, instead of being waited for."""
        ...

    def make(self, seconds: float) -> Iterator[Fault]:
        """Make faults for about so long."""
        ...


@dataclass
class Once:
    """Makes one fault, amid a played market.

    Attributes:
        change: makes it, and returns when it has ended.
        progress: a number that grows while the market is played: by STEP before the fault, and again afterwards.
        breaks_leases: whether messages that were on their way may be sent again at once: their leases are lost, or
            their time is made to pass.
    """

    name: str
    change: Callable[[], object]
    progress: Callable[[], int]
    breaks_leases: bool = False
    hidden = 0
    ends_leases = True

    def make(self, seconds: float) -> Iterator[Fault]:
        """Make it once the market goes on; `seconds` is how long that, and what comes after it, may take."""
        self._await_progress(seconds)
        began = time.monotonic()
        self.change()
        yield Fault(self.name, began, time.monotonic(), self.breaks_leases)
        self._await_progress(seconds)

    def _await_progress(self, seconds: float) -> None:
        wanted = self.progress() + STEP
        eventually(lambda: self.progress() >= wanted, f"progress to {wanted}", seconds=seconds)


@dataclass
class Faults:
    """Makes faults in a system, its servers, and what is between them."""

    data_dir: Path  # of its programs
    servers_dir: Path  # of PostgreSQL and Valkey
    seed: int  # decides on their order and durations
    proxies: Mapping[str, Proxy]  # before each server
    stand_in: StripeStandIn
    disk: SmallDisk | None = None  # of the servers; None where it does not become full
    only: str = ""  # a part of the names of all kinds that are made
    # The shortest and the longest pause between two faults.
    pauses_seconds: tuple[float, float] = PAUSES_BETWEEN_SECONDS
    longest_seconds: float = 60  # that a fault lasts
    _random: Random = field(init=False)
    _timers: list[Timer] = field(default_factory=list)
    ends_leases = False

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    @property
    def hidden(self) -> int:
        return self.proxies["postgres"].hidden

    def make(self, seconds: float) -> Iterator[Fault]:
        """Make one fault after the other for so long, each kind once before any comes again."""
        kinds = {name: make for name, make in self._kinds().items() if self.only in name}
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
                yield Fault(name, began, max(time.monotonic(), began + lasts), name in CRASHES_OF_POSTGRES)
            time.sleep(self._random.uniform(*self.pauses_seconds))
        for timer in self._timers:
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

        def stopped(part: str, seconds: tuple[float, float]) -> Callable[[], float]:
            return lambda: self._stop(self._pid(part), self._random.uniform(*seconds))

        return {
            **{f"kill {part}": killed(part) for part in (*WORKERS, "sweep", "maintain", "postgres", "redis")},
            **{f"stop {part}": stopped(part, WORKER_STOPPED_SECONDS) for part in WORKERS},
            **{f"stop {part}": stopped(part, SERVER_STOPPED_SECONDS) for part in SERVERS},
            **{
                f"{name} {server}": partial(make, server)
                for name, make in self._between().items()
                for server in SERVERS
            },
            **({"fill the disk": partial(self._fill, self.disk)} if self.disk else {}),
            "hide commits of postgres": self._hide_commits,
            "stripe loses and refuses": self._trouble_stripe,
            "kill api and its processes": killed("api"),
            "kill api's first process": lambda: _kill([psutil.Process(self._pid("api"))]),
            "kill one process of the api": self._kill_api_worker,
            "kill postgres' first process": lambda: _kill([psutil.Process(self._pid("postgres"))]),
            "kill one of postgres' processes": self._kill_backend,
            "FLUSHALL": self._flush_valkey,
        }

    def _between(self) -> dict[str, Callable[[str], float]]:
        return {
            "delay": self._delay,
            "black hole before": self._swallow,
            "half-open": self._strand,
            "cut": self._cut,
        }

    def _pid(self, part: str) -> int:
        for folder in (self.data_dir, self.servers_dir):
            run = read_run(folder)
            assert run is not None, "nothing runs any more"
            for entry in run["processes"]:
                if entry["name"] == part:
                    return int(entry["pid"])
        raise LookupError(part)

    def _delay(self, server: str) -> float:
        proxy = self.proxies[server]
        proxy.delay_seconds = self._random.uniform(*DELAYED_BY_SECONDS)

        def end() -> None:
            proxy.delay_seconds = 0

        return self._later(self._random.uniform(*NETWORK_SECONDS), end)

    def _swallow(self, server: str) -> float:
        proxy = self.proxies[server]
        proxy.swallow(True)
        return self._later(self._random.uniform(*NETWORK_SECONDS), partial(proxy.swallow, False))

    def _strand(self, server: str) -> float:
        proxy = self.proxies[server]
        proxy.strand()
        return self._later(self._random.uniform(*HALF_OPEN_SECONDS), partial(proxy.cut, stranded=True))

    def _cut(self, server: str) -> float:
        self.proxies[server].cut()
        return 0

    def _fill(self, disk: SmallDisk) -> float:
        disk.fill()

        def end() -> None:
            # Filled twice, it is emptied once.
            with suppress(FileNotFoundError):
                disk.empty()

        return self._later(self._random.uniform(*NETWORK_SECONDS), end)

    def _hide_commits(self) -> float:
        self.proxies["postgres"].commits_to_hide += self._random.randint(1, 10)
        return 0

    def _trouble_stripe(self) -> float:
        self.stand_in.troubles.extend(self._random.choices([500, 429, "lose", None], k=6))
        return 0

    def _kill_api_worker(self) -> float:
        children = psutil.Process(self._pid("api")).children()
        return _kill([self._random.choice(children)]) if children else 0

    def _kill_backend(self) -> float:
        children = psutil.Process(self._pid("postgres")).children()
        # PostgreSQL names its processes by what they do.
        backends = [each for each in children if "127.0.0.1" in " ".join(each.cmdline())]
        return _kill([self._random.choice(backends)]) if backends else 0

    def _flush_valkey(self) -> float:
        with (
            suppress(redis.RedisError),
            redis.Redis.from_url(self.proxies["redis"].address, socket_timeout=2) as client,
        ):
            client.flushall()
        return 0

    def _stop(self, pid: int, seconds: float) -> float:
        # A forked part's own processes go on otherwise.
        processes = family(pid)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return self._later(seconds, partial(_resume, processes))

    def _later(self, seconds: float, end: Callable[[], object]) -> float:
        seconds = min(seconds, self.longest_seconds)
        timer = Timer(seconds, end)
        timer.start()
        self._timers.append(timer)
        return seconds


def _kill(processes: Iterable[psutil.Process]) -> float:
    kill_all(processes)
    return 0


def _resume(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        # It may have been killed meanwhile.
        with suppress(psutil.NoSuchProcess):
            process.resume()
