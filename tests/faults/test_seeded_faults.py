"""A day of the market under faults in an order that a seed decides: `make faults` for minutes, here for seconds."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.day import a_day

SEED = 25
SECONDS = 15
# More faults than in as many seconds of the long form, and shorter ones.
PAUSES_SECONDS = (0.3, 1.5)
LONGEST_SECONDS = 6
CLIENTS = 3
# Each has a part of the day of their own.
MENTORS = 11


# Starting two systems takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_given_twice_on_a_day_of_faults(tmp_path: Path) -> None:
    with a_day(tmp_path, SEED, MENTORS, Console(width=140)) as day:
        day.faults.pauses_seconds, day.faults.longest_seconds = PAUSES_SECONDS, LONGEST_SECONDS
        assert day.suffer(SECONDS, CLIENTS)
