"""A process that is killed keeps what it counted, and nobody believes any more what it said about itself."""

from __future__ import annotations

import psutil
import pytest

from tests.cast import Cast
from tests.eventually import eventually, stretched
from tests.faults.sufferer import Sufferer
from tests.scraping import Figures

ATTEMPTS = "tutelage_delivery_duration_seconds_count"


def scraped(sufferer: Sufferer) -> Figures:
    """What Prometheus would read now."""
    answer = sufferer.api("GET", "/metrics")
    assert answer.status == 200
    return Figures.of(answer.body.decode())


@pytest.mark.parametrize("part", ["worker-sessions", "api"])
def test_a_killed_process_leaves_its_counts_and_takes_its_gauges(sufferer: Sufferer, cast: Cast, part: str) -> None:
    booking = cast.request()
    cast.mentor("PATCH", f"/bookings/{booking}/accept")
    sufferer.await_sessions([booking])
    eventually(lambda: scraped(sufferer).total(ATTEMPTS, effect="sessions.create", outcome="done"), "the count")
    before = scraped(sufferer)
    killed = [sufferer.pid(part), *(child.pid for child in psutil.Process(sufferer.pid(part)).children())]
    sufferer.kill(part)
    eventually(lambda: sufferer.pid(part) not in killed and sufferer.is_ready(), "its return", seconds=stretched(30))

    grown = scraped(sufferer).since(before)
    counters = [name for name, kind in grown.kinds.items() if kind == "counter"]
    assert min(value for (name, _labels), value in grown.samples.items() if name in counters) >= 0
    assert grown.total(ATTEMPTS, effect="sessions.create", outcome="done") >= 0
    left = {int(file.stem.rpartition("_")[2]) for file in (sufferer.system.data_dir / "metrics").glob("gauge_*.db")}
    assert not left & set(killed)
