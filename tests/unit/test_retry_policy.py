"""Tests of how often something is tried again, and after how long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from workflows.events.delivery import DEFAULT_RETRY_POLICY, HOUR, WEBHOOK_RETRY_POLICY, RetryPolicy


@pytest.mark.parametrize(
    ("policy", "attempts", "hours"),
    [
        # Effects: eight attempts over about a day.
        (DEFAULT_RETRY_POLICY, 8, 24),
        # Webhooks: ten attempts over about 75 hours.
        (WEBHOOK_RETRY_POLICY, 10, 75),
    ],
)
def test_policies_have_the_attempts_and_hours_of_the_design(policy: RetryPolicy, attempts: int, hours: float) -> None:
    assert policy.attempts == attempts
    assert sum(policy.pauses) / HOUR == pytest.approx(hours, abs=1)


@pytest.mark.parametrize("policy", [DEFAULT_RETRY_POLICY, WEBHOOK_RETRY_POLICY])
def test_pauses_only_grow(policy: RetryPolicy) -> None:
    assert list(policy.pauses) == sorted(policy.pauses)


@pytest.mark.parametrize("attempt", range(1, 8))
def test_each_pause_stays_within_its_jitter(attempt: int) -> None:
    planned = DEFAULT_RETRY_POLICY.pauses[attempt - 1]
    pauses = [DEFAULT_RETRY_POLICY.pause_after(attempt) for _ in range(200)]
    assert all(timedelta(seconds=planned * 0.8) <= pause <= timedelta(seconds=planned * 1.2) for pause in pauses)
    assert len(set(pauses)) > 100, "failures that come together should not come back together"


def test_there_is_no_pause_after_the_last_attempt() -> None:
    assert DEFAULT_RETRY_POLICY.pause_after(7) is not None
    assert DEFAULT_RETRY_POLICY.pause_after(8) is None
    assert DEFAULT_RETRY_POLICY.pause_after(9) is None


def test_a_policy_without_pauses_tries_once() -> None:
    assert RetryPolicy(()).attempts == 1
    assert RetryPolicy(()).pause_after(1) is None


def test_without_jitter_a_pause_is_exact() -> None:
    assert RetryPolicy((7,), jitter=0).pause_after(1) == timedelta(seconds=7)
