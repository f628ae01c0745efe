"""Leases of what is on its way: renewed while its sender lives, so that a receiver may take longer than a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Lock, Thread
from time import monotonic, sleep

import structlog

from workers.transactions import Transactions
from workers.transports.watchdog import WATCHDOG
from workflows.events import outside
from workflows.events.delivery import Delivery, Key

log = structlog.get_logger(__name__)

# A sender that dies is waited for so long; what it had is sent by another one then.
LEASE = timedelta(seconds=45)
# Nearly everything has arrived before its lease is ever renewed.
EVERY = 10.0  # seconds
# No transport talks for longer, a mail server's ten minutes included: who does hangs by a defect of ours.
LONGEST = 660.0  # seconds


class Leases:
    """Renews the leases of what takes its time, all by one statement, in a thread that is there only as long as they.

    Args:
        clock: seconds, steadily.
    """

    def __init__(self, transactions: Transactions, clock: Callable[[], float] = monotonic) -> None:
        self._transactions = transactions
        self._clock = clock
        self._lock = Lock()
        self._late: dict[Key, tuple[Delivery, float]] = {}
        self._renewing = False

    @contextmanager
    def kept(self, delivery: Delivery) -> Iterator[None]:
        """Nobody else takes that delivery, which is leased, for the time of the block."""
        alarm = WATCHDOG.after(EVERY, partial(self._keep, delivery, self._clock() + LONGEST))
        try:
            yield
        finally:
            alarm.call_off()
            with self._lock:
                self._late.pop(delivery.key, None)

    def _keep(self, delivery: Delivery, until: float) -> None:
        with self._lock:
            self._late[delivery.key] = delivery, until
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
            try:
                with self._transactions.each_by_itself() as db:
                    outside.renew(db, late, LEASE)
            except Exception as error:  # noqa: BLE001 - while the database is away, nobody else takes them either
                log.warning("leases.not_renewed", deliveries=len(late), error=type(error).__name__)
            sleep(EVERY)

    def _found(self) -> list[Delivery]:
        """What is still on its way; when it is nothing, whoever comes later is renewed by a new thread."""
        now = self._clock()
        with self._lock:
            self._late = {key: (each, until) for key, (each, until) in self._late.items() if now < until}
            self._renewing = bool(self._late)
            return [delivery for delivery, _until in self._late.values()]
