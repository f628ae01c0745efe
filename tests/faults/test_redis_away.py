"""Redis is gone, hung or emptied: decisions are answered as fast as before, and what follows from them comes."""

from statistics import quantiles

from tests.eventually import eventually
from tests.faults.system_under_test import Figures, SystemUnderTest
from tests.participants import Participants

ACCEPTS = 30
# An accept that waited for Redis would take its time-outs of half a second and more.
SLOWER_AT_MOST = 3.0
ALWAYS_FAST_ENOUGH_SECONDS = 0.1
NEVER_SLOWER_SECONDS = 0.4
ATTEMPTS_TO_RECONNECT = 4


def test_accepts_are_fast_while_redis_is_killed_and_sessions_follow(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    before, _ = _accepts(cast)
    processes = sut.system.run["processes"]
    said = sut.log("worker-sessions").count("Cannot connect")
    sut.valkey.kill()
    away, bookings = _accepts(cast)
    # Long enough away for a worker to grow tired of asking.
    eventually(
        lambda: sut.log("worker-sessions").count("Cannot connect") >= said + ATTEMPTS_TO_RECONNECT,
        "the worker's attempts to reconnect",
    )
    # Nothing that follows from a decision runs without Redis, whatever the sweep does.
    assert sut.sessions_of(bookings) == 0
    sut.valkey.bring_back()
    figures("seconds from the return to all sessions", sut.await_sessions(bookings))
    _compare(before, away, figures)
    # No process ended because of it.
    assert sut.system.run["processes"] == processes


def test_accepts_are_fast_while_redis_hangs_and_sessions_follow(
    sut: SystemUnderTest, cast: Participants, figures: Figures
) -> None:
    before, _ = _accepts(cast)
    said = sut.log("sweep").count("sweep.trouble")
    sut.valkey.stop_answering()
    try:
        away, bookings = _accepts(cast)
        # Long enough away for time-outs to pass.
        eventually(lambda: sut.log("sweep").count("sweep.trouble") > said, "the sweep's trouble")
        assert sut.sessions_of(bookings) == 0
    finally:
        sut.valkey.answer_again()
    figures("seconds from the return to all sessions", sut.await_sessions(bookings))
    _compare(before, away, figures)


def test_wakeups_that_redis_forgot_are_made_up_for(sut: SystemUnderTest, cast: Participants) -> None:
    with sut.stopped("worker-sessions"), sut.valkey.client() as client:
        # The first message goes to the stopped worker's own connection; those behind it wait in the list.
        bookings = [_accept(cast)[1] for _ in range(5)]
        eventually(lambda: client.llen("sessions"), "messages in the list")
        client.flushall()
        assert sut.sessions_of(bookings) == 0
    sut.await_sessions(bookings)


def _accept(cast: Participants) -> tuple[float, str]:
    booking = cast.request()
    answer = cast.mentor("PATCH", f"/bookings/{booking}/accept")
    assert answer.status == 202, answer
    return answer.seconds, booking


def _accepts(cast: Participants) -> tuple[list[float], list[str]]:
    """The durations of many accepts in seconds, and the bookings."""
    accepted = [_accept(cast) for _ in range(ACCEPTS)]
    return [seconds for seconds, _ in accepted], [booking for _, booking in accepted]


def _compare(before: list[float], away: list[float], figures: Figures) -> None:
    usual, present = (quantiles(durations, n=20) for durations in (before, away))
    for name, ventiles in (("before", usual), ("away", present)):
        figures(f"p50 {name} (s)", ventiles[9])
        figures(f"p95 {name} (s)", ventiles[18])
    assert present[9] < max(usual[9] * SLOWER_AT_MOST, ALWAYS_FAST_ENOUGH_SECONDS)
    assert present[18] < max(usual[18] * SLOWER_AT_MOST, NEVER_SLOWER_SECONDS)
