"""Outcomes written together: whoever has one while another's is being written waits, and goes along with the next."""

from __future__ import annotations

from threading import Event, Lock

from workers.transactions import Transactions
from workflows.events import store
from workflows.events.delivery import Key
from workflows.events.store import Success

MOST = 100


class _Entry:
    def __init__(self, success: Success) -> None:
        self.success = success
        self.called = Event()
        self.leads = False
        self.written = False
        self.error: Exception | None = None


class Ledger:
    """Writes successes by as few statements as their number allows, and none later than it must."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._lock = Lock()
        self._waiting: list[_Entry] = []
        self._busy = False

    def done(self, success: Success) -> bool:
        """Write it, with those of other threads; False when its row is held by somebody, or is no longer ours.

        Raises:
            SQLAlchemyError: the database did not take it.
        """
        entry = _Entry(success)
        with self._lock:
            self._waiting.append(entry)
            entry.leads, self._busy = not self._busy, True
        if not entry.leads:
            entry.called.wait()
        if entry.leads:
            self._write()
        if entry.error is not None:
            raise entry.error
        return entry.written

    def _write(self) -> None:
        """Write for all who wait, and let the first of those who came meanwhile write next."""
        with self._lock:
            entries, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            written = self._written(entries)
        except Exception as error:  # noqa: BLE001 - raised again by everybody whose outcome it was
            for entry in entries:
                entry.error = error
        else:
            for entry in entries:
                entry.written = entry.success.delivery.key in written
        finally:
            self._hand_over()
            for entry in entries:
                entry.called.set()

    def _written(self, entries: list[_Entry]) -> set[Key]:
        with self._transactions.each_by_itself() as db:
            return store.done_outbound(db, [entry.success for entry in entries])

    def _hand_over(self) -> None:
        with self._lock:
            self._busy = bool(self._waiting)
            if self._busy:
                self._waiting[0].leads = True
                self._waiting[0].called.set()
