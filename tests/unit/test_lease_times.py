"""Tests of the times of a lease: what began at the latest moment is settled, or renewed, before its lease is over."""

from __future__ import annotations

import inspect

from models import engine
from workers.outbound import LATEST_START_SECONDS, LEASE, RENEWAL_SECONDS
from workers.transports.http import HttpLimits
from workers.transports.smtp import SmtpLimits

LATE_THREADS = 2.0  # seconds, for whatever is not woken at once


def failing_seconds() -> float:
    """The longest that a statement can take to fail: waiting for a connection, making it, and being carried out."""
    made = engine.create("postgresql://nowhere.example/x")
    connecting = inspect.signature(engine.create).parameters["connect_timeout"].default
    statement = engine.TIMEOUTS["statement_timeout"]
    return float(made.pool.timeout() + connecting) + float(statement.removesuffix("s"))  # type: ignore[attr-defined]


def test_a_webhook_is_settled_within_its_lease() -> None:
    assert LATEST_START_SECONDS + HttpLimits().deadline + LATE_THREADS < LEASE.total_seconds()


def test_a_mail_server_has_a_mail_within_its_lease() -> None:
    assert LATEST_START_SECONDS + SmtpLimits().handover + LATE_THREADS < LEASE.total_seconds()


def test_a_lease_that_is_being_renewed_outlasts_its_renewal() -> None:
    # Asked just before it was due, and again when it was; a renewal may take all the time that failing takes.
    renewed = RENEWAL_SECONDS + SmtpLimits().renewal
    assert renewed < LEASE.total_seconds()
    assert SmtpLimits().renewal > RENEWAL_SECONDS
