"""Tests of the pauses that the operator has chosen for webhooks: when a message is tried again, and when it is dead."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.endpoints import NO, announced, attempts_kept, listening, send_one
from tests.integration.harness import Harness
from workflows.effects.messages import SEND_MAIL
from workflows.events.subscriptions import load
from workflows.operator_policy import OperatorPolicy


def test_a_message_is_tried_by_the_operators_pauses_and_is_dead_after_the_last(harness: Harness) -> None:
    strict = Harness(harness.engine, load().with_policy(OperatorPolicy(webhook_retry_schedule=(60,))))
    partner = listening(strict)
    key = send_one(strict, partner, NO)
    row = strict.row(key)
    assert timedelta(seconds=48 - 1) < row.due_at - row.now < timedelta(seconds=72)
    assert announced(strict, "webhook_endpoint.exhausted") == []
    strict.make_due(key)
    strict.deliverer.deliver(key)
    assert (strict.row(key).state, attempts_kept(strict, key)) == ("dead", ["retry", "dead"])
    assert len(announced(strict, "webhook_endpoint.exhausted")) == 1


def test_other_effects_keep_their_own() -> None:
    chosen = load().with_policy(OperatorPolicy(webhook_retry_schedule=(60,)))
    assert chosen.named("mail.send") == SEND_MAIL
