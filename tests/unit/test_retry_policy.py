"""Tests of how often something is tried again, and after how long."""

from datetime import timedelta

import pytest

from workflows.events.delivery import DEFAULT_RETRY_POLICY, WEBHOOK_RETRY_POLICY, RetryPolicy
from workflows.kernel.operator_policy import HOUR


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
    assert list(policy.pauses) == sorted(policy.pauses)
    assert sum(policy.pauses) / HOUR == pytest.approx(hours, abs=1)


@pytest.mark.parametrize("attempt", range(1, 8))
def test_each_pause_stays_within_its_jitter(attempt: int) -> None:
    planned = DEFAULT_RETRY_POLICY.pauses[attempt - 1]
    pauses = [DEFAULT_RETRY_POLICY.pause_after(attempt) for _ in range(200)]
    least, most = timedelta(seconds=planned * 0.8), timedelta(seconds=planned * 1.2)
    assert all(pause is not None and least <= pause <= most for pause in pauses)
    assert len(set(pauses)) > 100, "failures that come together should not come back together"


@pytest.mark.parametrize("pauses", [(), (7,), (7, 8)])
def test_there_is_a_pause_after_each_attempt_but_the_last(pauses: tuple[float, ...]) -> None:
    policy = RetryPolicy(pauses, jitter=0)
    planned = [timedelta(seconds=pause) for pause in pauses]
    assert [policy.pause_after(attempt + 1) for attempt in range(policy.attempts + 1)] == [*planned, None, None]
