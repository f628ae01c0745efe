"""Tests of the times of a lease: what began at the latest moment is settled, or renewed, before its lease is over."""

from infrastructure.http_client import HttpLimits
from workers.calendar_expansion import MAX_SECONDS
from workers.outbound import LATEST_START_SECONDS, LEASE, RENEWAL_SECONDS
from workers.transports.calendars import LIMITS
from workers.transports.smtp import SmtpLimits

LATE_THREADS_SECONDS = 2.0


def test_a_webhook_is_settled_within_its_lease() -> None:
    assert LATEST_START_SECONDS + HttpLimits().deadline + LATE_THREADS_SECONDS < LEASE.total_seconds()


def test_a_calendar_is_read_and_expanded_within_its_lease() -> None:
    reading = LIMITS.deadline + MAX_SECONDS
    assert LATEST_START_SECONDS + reading + LATE_THREADS_SECONDS < LEASE.total_seconds()


def test_a_mail_server_has_a_mail_within_its_lease() -> None:
    assert LATEST_START_SECONDS + SmtpLimits().handover + LATE_THREADS_SECONDS < LEASE.total_seconds()


def test_a_lease_that_is_being_renewed_outlasts_its_renewal() -> None:
    # Asked just before it was due, and again when it was; a renewal may take all the time that failing takes.
    renewed = RENEWAL_SECONDS + SmtpLimits().renewal
    assert renewed < LEASE.total_seconds()
    assert SmtpLimits().renewal > RENEWAL_SECONDS
