"""Tests of the times of a lease: whoever begins at the latest moment keeps it, even if its renewal fails once."""

from __future__ import annotations

import inspect

from models import engine
from workers.leases import AGAIN, EVERY, LEASE
from workers.outside import LATEST

LATE_THREADS = 2.0  # seconds, for whatever is not woken at once


def failing_seconds() -> float:
    """The longest that a statement can take to fail: waiting for a connection, making it, and being carried out."""
    made = engine.create("postgresql://nowhere.example/x")
    connecting = inspect.signature(engine.create).parameters["connect_timeout"].default
    statement = engine.TIMEOUTS["statement_timeout"]
    return float(made.pool.timeout() + connecting) + float(statement.removesuffix("s"))  # type: ignore[attr-defined]


def test_a_lease_outlasts_one_renewal_that_fails_whenever_its_sender_began() -> None:
    # Its alarm, and then the sleep of the thread that renews.
    first_try = LATEST + 2 * EVERY
    assert first_try + failing_seconds() + AGAIN + LATE_THREADS < LEASE.total_seconds()


def test_a_lease_that_is_being_renewed_outlasts_a_renewal_that_fails() -> None:
    assert EVERY + failing_seconds() + AGAIN + LATE_THREADS < LEASE.total_seconds()
