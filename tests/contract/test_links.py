"""Sequences of requests that follow the document's links through life cycles, as every kind of caller."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import seed
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case
from schemathesis.errors import FailureGroup
from sqlalchemy import Engine

from tests.contract.fuzzing import SCHEMA, Stage, settings_of_run
from tests.contract.scene import Scene

# Tried in turn until one may: whether a caller may is settled before the body is read.
IN_TURN = ("mentee", "mentor", "operator")
# The life cycle alone, so that a few sequences get to its end.
LIFE_CYCLE = ("createBooking", "acceptBooking", "getSession", "startSession", "completeSession", "createReview")
Play = Callable[..., Counter[tuple[str, int]]]


def machine_of(schema: Any) -> Any:
    """The state machine of the document's links; made by those who play it, since every process reads this module."""
    machine = schema.as_state_machine()
    for rule in machine.root_rules:
        # A sequence begins with what needs nothing to be there, not with the decision on a booking that is made up.
        if "_id_" in rule:
            delattr(machine, rule)
    return machine


@pytest.fixture
def play(engine: Engine, kept_scene: tuple[Scene, str]) -> Play:
    return partial(play_on, engine, kept_scene)


def play_on(
    engine: Engine, kept_scene: tuple[Scene, str], machine: Any, number: int, **brief: int
) -> Counter[tuple[str, int]]:
    """Play the sequences of a seed, and count how often each operation was answered with each status."""
    reached: Counter[tuple[str, int]] = Counter()
    failures: list[FailureGroup] = []

    class Journey(machine):
        """One sequence, on a stage of its own."""

        def setup(self) -> None:
            self.stage = Stage.on(engine, kept_scene)

        def before_call(self, case: Case[Any]) -> None:
            self.stage.let_succeed(case)

        def call(self, case: Case[Any], **_options: Any) -> Any:
            others = ("none", "other user") if case.path_parameters else ("none",)
            for self.role in (*others, *IN_TURN):
                answer = case.call(headers=self.stage.headers(self.role))
                reached[case.operation.definition.raw["operationId"], answer.status_code] += 1
                if self.role in IN_TURN and answer.status_code != 403:
                    return answer
                self.require_documented(answer, case, None)
            return answer

        def validate_response(self, response: Any, case: Case[Any], *_more: Any, **_options: Any) -> None:
            self.require_documented(response, case, self.recorder)
            self.stage.follow_up()

        def require_documented(self, answer: Any, case: Case[Any], recorder: Any) -> None:
            try:
                case.validate_response(answer, headers=self.stage.headers(self.role), recorder=recorder)
            except FailureGroup as failure:
                failures.append(failure)
                raise

    # The next requests depend on the application's answers, which Hypothesis takes for a fault of the strategy.
    with suppress(FlakyStrategyDefinition):
        seed(number)(Journey).run(settings=settings_of_run(**brief))
    assert not failures, failures[0]
    return reached


# How each step of a life is answered that succeeds. Sequences are random, so that a few rounds may end before the last.
STEPS = {("createBooking", 201), ("acceptBooking", 202), ("startSession", 200), ("completeSession", 200)}
MAX_ROUNDS = 40


def test_links_lead_through_the_life_cycle(play: Play, first_seed: int) -> None:
    machine = machine_of(SCHEMA.include(operation_id=list(LIFE_CYCLE)))
    reached: Counter[tuple[str, int]] = Counter()
    for number in range(first_seed, first_seed + MAX_ROUNDS):
        reached += play(machine, number, max_examples=3, stateful_step_count=16)
        if reached.keys() >= STEPS:
            break
    assert reached.keys() >= STEPS, sorted(reached)
    assert {401, 403, 404} <= {status for _operation, status in reached}


def test_links_lead_from_everything_that_is_made(play: Play, first_seed: int) -> None:
    machine = machine_of(SCHEMA)
    succeeded: set[str] = set()
    for number in range(first_seed, first_seed + MAX_ROUNDS):
        reached = play(machine, number, max_examples=3, stateful_step_count=6)
        succeeded |= {operation for operation, status in reached if status < 300}
        if len(succeeded) > 10:
            break
    assert len(succeeded) > 10, sorted(succeeded)
