"""Leases of what is on its way: renewed while its sender lives, so that a receiver may take longer than a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock, Thread
from time import monotonic, sleep

import structlog

from workers.transactions import Transactions
from workers.transports.watchdog import WATCHDOG
from workflows.events import store
from workflows.events.delivery import Delivery

log = structlog.get_logger(__name__)

# A sender that dies is waited for so long; what it had is sent by another one then.
LEASE = timedelta(seconds=45)
# Nearly everything has arrived before its lease is ever renewed. Whoever began at the latest moment is renewed for the
# first time up to twice this later, since the thread may sleep; one try may fail, by all the time that it can take, and
# the next is in time for the lease all the same.
EVERY = 5.0  # seconds
AGAIN = 1.0  # seconds, after a try that failed
# No transport talks for longer, a mail server's ten minutes included: who does hangs by a defect of ours.
LONGEST = 660.0  # seconds


@dataclass(frozen=True, eq=False)
class _Leased:
    """A delivery in a sender's hands. Equal to no other: its row may be in somebody else's hands by now."""

    delivery: Delivery
    until: float


class Leases:
    """Renews the leases of what takes its time, all by one statement, in a thread that is there only as long as they.

    Args:
        clock: seconds, steadily.
    """

    def __init__(self, transactions: Transactions, clock: Callable[[], float] = monotonic) -> None:
        self._transactions = transactions
        self._clock = clock
        self._lock = Lock()
        self._late: set[_Leased] = set()
        self._renewing = False

    @contextmanager
    def kept(self, delivery: Delivery) -> Iterator[None]:
        """Nobody else takes that delivery, which is leased, for the time of the block."""
        leased = _Leased(delivery, self._clock() + LONGEST)
        alarm = WATCHDOG.after(EVERY, partial(self._keep, leased))
        try:
            yield
        finally:
            alarm.call_off()
            with self._lock:
                self._late.discard(leased)

    def _keep(self, leased: _Leased) -> None:
        with self._lock:
            self._late.add(leased)
            starts, self._renewing = not self._renewing, True
        if starts:
            self._start()

    def _start(self) -> None:
        try:
            Thread(target=self._renew_all, name="leases", daemon=True).start()
        except RuntimeError:
            # The machine has no thread left; whoever comes next tries again.
            with self._lock:
                self._renewing = False
            raise

    def _renew_all(self) -> None:
        while late := self._found():
            sleep(EVERY if self._renewed(late) else AGAIN)

    def _renewed(self, late: list[Delivery]) -> bool:
        try:
            with self._transactions.each_by_itself() as db:
                store.renew(db, late, LEASE)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is time for another try
            log.warning("leases.not_renewed", deliveries=len(late), error=type(error).__name__)
            return False
        return True

    def _found(self) -> list[Delivery]:
        """What is still on its way; when it is nothing, whoever comes later is renewed by a new thread."""
        now = self._clock()
        with self._lock:
            self._late = {leased for leased in self._late if now < leased.until}
            self._renewing = bool(self._late)
            return [leased.delivery for leased in self._late]
