"""A burst of lives: a minute after its end nothing is due for long, and fresh accepts did not wait for it."""

import time
from dataclasses import dataclass, field

import psycopg

from tests.booking_system import Tutelage
from tests.faults.checks import Check
from tests.faults.clients import Crowd, Record

CLIENTS = 16
AFTERWARDS_SECONDS = 60
DUE_AT_MOST_SECONDS = 30
SESSION_WITHIN_SECONDS = 2
POLL_SECONDS = 0.5
_OLDEST = """
SELECT count(*), coalesce(extract(epoch FROM max(now() - due_at)), 0)::float8
FROM deliveries WHERE state = 'pending' AND due_at <= now()
"""


@dataclass
class Burst:
    """What came of it."""

    lives: int
    seconds: float  # from its first request to its last answer
    drained_seconds: float  # from its end until nothing was due, or a minute had passed
    oldest_seconds: float  # for how long the oldest delivery was due then
    slowest_session_seconds: float  # of the accepts that were sent one by one, meanwhile and afterwards
    fresh: int  # how many those were
    wrong: list[str] = field(default_factory=list)

    def checks(self) -> list[Check]:
        """Whether it kept its promises."""
        late = [f"{self.oldest_seconds:.1f} s"] if self.oldest_seconds > DUE_AT_MOST_SECONDS else []
        slow = self.slowest_session_seconds > SESSION_WITHIN_SECONDS
        return [
            Check("requests of the burst are answered as they should be", self.lives, self.wrong),
            Check(f"a minute later nothing is due for {DUE_AT_MOST_SECONDS} s", 1, late),
            Check(
                f"fresh accepts have their session within {SESSION_WITHIN_SECONDS} s",
                self.fresh,
                [f"{self.slowest_session_seconds:.2f} s"] if slow else [],
            ),
        ]


def play_burst(system: Tutelage, lives: int) -> Burst:
    """Play so many lives at once, and one after the other meanwhile and until all that follows from them is done."""
    began = time.monotonic()
    fresh = Crowd(system, 1)
    record = Crowd(system, CLIENTS, lives).wait()
    ended = time.monotonic()
    # What the single client does is due all the time, but never for long.
    end = ended + AFTERWARDS_SECONDS
    while (oldest := _oldest(system.database_url)) > 1 and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    drained = time.monotonic()
    single: Record = fresh.stop()
    return Burst(
        lives=len(record.lives),
        seconds=ended - began,
        drained_seconds=drained - ended,
        oldest_seconds=oldest,
        slowest_session_seconds=max((life.session_seconds or 0 for life in single.lives), default=0),
        fresh=len(single.lives),
        wrong=[*record.wrong, *single.wrong],
    )


def _oldest(database_url: str) -> float:
    with psycopg.connect(database_url, autocommit=True) as db:
        row = db.execute(_OLDEST).fetchone()
    return float(row[1]) if row else 0
