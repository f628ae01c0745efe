"""What an application is made of besides its routes: settings, the database, the wakeups, and how many may wait."""

from __future__ import annotations

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app
from sqlalchemy import Engine

from config.sealing import Sealer
from config.settings import Settings
from workers.transactions import Transactions, WakeupSink
from workers.wakeups import WakeupQueue

NAME = "tutelage"
_FLUSH_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """State of one process, made after the fork, which neither connections nor threads survive."""

    settings: Settings
    engine: Engine
    wakeups: WakeupSink
    transactions: Transactions
    sealer: Sealer
    waiting_places: BoundedSemaphore

    def close(self) -> None:
        """Publish what is still to be nudged, and let go of the database."""
        if isinstance(self.wakeups, WakeupQueue):
            self.wakeups.flush(_FLUSH_SECONDS)
        self.engine.dispose()


def parts() -> Parts:
    """The state of the present request's application."""
    return parts_of(current_app)


def parts_of(app: Flask) -> Parts:
    """The state of an application."""
    return cast(Parts, app.extensions[NAME])
