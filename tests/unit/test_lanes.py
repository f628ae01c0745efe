"""Tests of who gets a sender: whatever some endpoints do, the prompt ones are told, and nobody is shut out for good."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from workers.transports.lanes import Lanes, Pace, Shares

SHARES = Shares.of(32)


def known(lanes: Lanes, pace: Pace, count: int = 1) -> list[UUID]:
    """Endpoints of that pace by their last answers, with nothing on its way."""
    endpoints = [uuid4() for _ in range(count)]
    for endpoint in endpoints:
        entered = lanes.enter(endpoint, 0)
        assert entered is not None
        lanes.leave(endpoint, entered, 0, pace)
    return endpoints


def let_in(lanes: Lanes, endpoint: UUID, now: float, wanted: int = 100) -> int:
    """How many of so many messages to the endpoint may go."""
    return sum(lanes.enter(endpoint, now) is not None for _ in range(wanted))


@pytest.mark.parametrize(("pace", "most"), [(Pace.UNKNOWN, 4), (Pace.SLOW, 4), (Pace.PROMPT, 24)])
def test_one_endpoint_has_its_share_by_its_pace(pace: Pace, most: int) -> None:
    lanes = Lanes(SHARES)
    (endpoint,) = known(lanes, pace)
    assert let_in(lanes, endpoint, 1) == most


def test_when_prompt_endpoints_begin_to_hang_together_every_other_prompt_one_is_told_still() -> None:
    lanes = Lanes(SHARES)
    hanging = known(lanes, Pace.PROMPT, 5)
    others = known(lanes, Pace.PROMPT, 40)
    # All in the one second in which nobody can know.
    assert sum(let_in(lanes, endpoint, 1) for endpoint in hanging) == 24 + 4, "one each out of the reserve"
    for now in (1.5, 5, 14):
        assert [let_in(lanes, endpoint, now) for endpoint in hanging] == [0] * 5
        for other in others:
            entered = lanes.enter(other, now)
            assert entered is Pace.PROMPT
            assert lanes.enter(other, now) is None, "the reserve is for one each"
            lanes.leave(other, entered, now, Pace.PROMPT)


def test_a_new_endpoint_is_told_like_a_prompt_one_and_gets_no_more_before_it_answers() -> None:
    lanes = Lanes(SHARES)
    (prompt,) = known(lanes, Pace.PROMPT)
    assert let_in(lanes, prompt, 1) == 24
    for _ in range(8):
        assert let_in(lanes, uuid4(), 1) == 1


def test_all_slow_endpoints_together_take_a_quarter() -> None:
    lanes = Lanes(SHARES)
    slow = known(lanes, Pace.SLOW, 10)
    (prompt,) = known(lanes, Pace.PROMPT)
    assert sum(let_in(lanes, endpoint, 1) for endpoint in slow) == 8
    assert let_in(lanes, prompt, 1) == 16
    assert let_in(lanes, uuid4(), 1) == 1, "out of the reserve"


def test_who_lets_messages_wait_for_more_than_a_second_counts_as_slow_before_it_answers() -> None:
    lanes = Lanes(SHARES)
    (endpoint,) = known(lanes, Pace.PROMPT)
    assert let_in(lanes, endpoint, 1, wanted=3) == 3
    assert lanes.enter(endpoint, 2.1) is Pace.SLOW
    assert lanes.enter(endpoint, 2.2) is None, "four are on their way"


def test_every_answer_is_a_sign_of_life() -> None:
    lanes = Lanes(SHARES)
    (endpoint,) = known(lanes, Pace.PROMPT)
    for tenth in range(100):
        now = 1 + tenth / 10
        assert lanes.enter(endpoint, now) is Pace.PROMPT
        if tenth >= 5:
            lanes.leave(endpoint, Pace.PROMPT, now, Pace.PROMPT)


def test_a_failure_that_comes_at_once_is_not_slow() -> None:
    lanes = Lanes(SHARES)
    for endpoint in known(lanes, Pace.SLOW, 8):
        assert lanes.enter(endpoint, 1) is Pace.SLOW
    (failing,) = known(lanes, Pace.UNKNOWN)
    assert lanes.enter(failing, 1) is Pace.UNKNOWN, "others fill the lane of the slow"


def test_a_slow_endpoint_is_prompt_again_with_its_first_prompt_answer() -> None:
    lanes = Lanes(SHARES)
    (endpoint,) = known(lanes, Pace.SLOW)
    assert lanes.enter(endpoint, 1) is Pace.SLOW
    lanes.leave(endpoint, Pace.SLOW, 1.2, Pace.PROMPT)
    assert let_in(lanes, endpoint, 1.3) == 24


def test_when_all_have_come_to_their_end_all_senders_are_free() -> None:
    lanes = Lanes(SHARES)
    endpoints = [*known(lanes, Pace.SLOW, 3), *known(lanes, Pace.PROMPT, 3), uuid4()]
    gone = [(each, entered) for each in endpoints * 9 if (entered := lanes.enter(each, 1))]
    for each, entered in gone:
        lanes.leave(each, entered, 30, Pace.PROMPT)
    assert let_in(lanes, endpoints[0], 31) == 24


# WEBHOOK_THREADS is 4 at least.
@pytest.mark.parametrize("senders", [4, 5, 7, 8, 32, 256])
@pytest.mark.parametrize("pace", Pace)
def test_with_however_many_senders_everybody_may_send_one(senders: int, pace: Pace) -> None:
    lanes = Lanes(Shares.of(senders))
    (endpoint,) = known(lanes, pace)
    assert lanes.enter(endpoint, 0.5) is pace
