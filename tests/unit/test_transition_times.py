"""Tests of the histograms: their bounds, averages and percentiles."""

from bisect import bisect_right
from types import SimpleNamespace
from typing import Any

import pytest

from workflows.analytics.transition_times import BOUNDS, Transition, histograms_of


def rows(transition: Transition, *seconds: float) -> list[Any]:
    """The rows that the database would hold after these times."""
    found: dict[int, Any] = {}
    for each in seconds:
        ms = int(each * 1000)
        bucket = bisect_right(BOUNDS[transition], ms)
        row = found.setdefault(bucket, SimpleNamespace(transition=transition, bucket=bucket, held=0, milliseconds=0))
        row.held += 1
        row.milliseconds += ms
    return list(found.values())


def histogram(transition: Transition, *seconds: float) -> Any:
    return next(each for each in histograms_of(rows(transition, *seconds)) if each.transition is transition)


def test_every_transition_has_a_histogram_even_an_empty_one() -> None:
    found = histograms_of([])
    assert [each.transition for each in found] == list(Transition)
    assert {(each.count, each.average_seconds, each.percentile(0.5)) for each in found} == {(0, None, None)}
    assert [len(each.buckets) for each in found] == [len(BOUNDS[each.transition]) + 1 for each in found]


def test_the_ends_are_open_but_for_nothing_itself() -> None:
    length, delay = histogram(Transition.LENGTH), histogram(Transition.START_DELAY)
    assert (length.buckets[0].from_seconds, length.buckets[-1].to_seconds) == (0, None)
    assert (delay.buckets[0].from_seconds, delay.buckets[0].to_seconds) == (None, -600)


def test_the_average_is_exact() -> None:
    assert histogram(Transition.LENGTH, 60, 120, 240).average_seconds == 140
    assert histogram(Transition.START_DELAY, -60, 30).average_seconds == -15


@pytest.mark.parametrize(
    ("seconds", "share", "estimate"),
    [
        # Ten times between 45 and 60 minutes are taken to be spread evenly.
        ([3000] * 10, 0.5, 3150),
        ([3000] * 10, 0.99, 3591),
        # Half of them below half an hour, the other half above eight hours, of which no more is known.
        ([1000] * 5 + [40_000] * 5, 0.5, 1800),
        ([1000] * 5 + [40_000] * 5, 0.9, 28_800),
    ],
)
def test_a_percentile_is_estimated_within_its_bucket(seconds: list[float], share: float, estimate: float) -> None:
    assert histogram(Transition.LENGTH, *seconds).percentile(share) == estimate
