"""Tests of which effect follows from which event; tests/docs/test_tables.py keeps the names, which are stored."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import read_settings
from workers.routes import routes_of
from workflows.events import QUEUES
from workflows.events.event import Event
from workflows.events.event_types import BookingAccepted, SessionCompleted, SessionCreated, WebhookPinged
from workflows.events.subscriptions import Effect, OutboundEffect, Subscriptions, load
from workflows.kernel.operator_policy import OperatorPolicy


def test_all_effects_but_two_have_the_usual_attempts() -> None:
    effects: list[Any] = [*load().database_effects(), *load().outbound_effects()]
    attempts = {effect.name: effect.policy.attempts for effect in effects}
    assert {name: count for name, count in attempts.items() if count != 8} == {"push.send": 7, "webhooks.send": 10}


def test_each_set_of_effects_has_a_catalogue_id() -> None:
    catalogue = load().effect_catalogue
    assert "reviews.unlock session.completed" in catalogue.effects
    assert {pair.partition(" ")[0] for pair in catalogue.effects} == {
        effect.name for effect in load().database_effects()
    }
    known = Subscriptions()
    known.add(an_effect("a"))
    assert known.effect_catalogue.id not in (catalogue.id, Subscriptions().effect_catalogue.id)
    assert load().with_policy(OperatorPolicy()).effect_catalogue == catalogue


def test_an_effect_of_every_event_follows_from_each() -> None:
    known = Subscriptions()
    known.add(an_effect("a"))
    assert [effect.name for effect in known.of(BookingAccepted)] == ["a"]
    assert [effect.name for effect in known.of(WebhookPinged)] == ["a"]


@pytest.mark.parametrize(
    ("chosen", "follows"),
    [
        (OperatorPolicy(), False),
        (OperatorPolicy(notice_channels=("chat",)), False),
        (OperatorPolicy(notice_kinds=frozenset({"session_created"})), False),
        (OperatorPolicy(notice_channels=("chat",), notice_kinds=frozenset({"session_created"})), True),
    ],
)
def test_channel_effects_follow_the_operators_policy(chosen: OperatorPolicy, follows: bool) -> None:
    assert (
        "channels.session_created" in {each.name for each in load().with_policy(chosen).of(SessionCreated)}
    ) is follows


def test_only_expiries_reminders_and_gathered_changes_are_timers() -> None:
    timers = [effect.name for effect in load().database_effects() if effect.due]
    assert timers == [
        "bookings.expire",
        "bookings.remind",
        "bundles.expire",
        "calendars.start",
        "notifications.bundle_expiring",
        "notifications.session_reminder",
        "payments.lapse",
        "sessions.expire_proposal",
        "waitlist.close",
        "waitlist.close_moved",
        "waitlist.expire",
        "webhooks.availability",
    ]


def test_effects_that_take_the_policy_are_given_it() -> None:
    asked: list[OperatorPolicy] = []

    def run(_db: object, _event: object, *, now: object, policy: OperatorPolicy) -> None:
        del now
        asked.append(policy)

    known = Subscriptions()
    known.add(replace(an_effect("a"), run=run, uses_operator_policy=True))
    known.add(an_effect("b"))
    chosen = OperatorPolicy(reminder_minutes=(5,))
    told = known.with_policy(chosen)
    for effect in told.database_effects():
        effect.run(None, None, now=None)
    assert asked == [chosen]
    assert told.named("b") is known.named("b")
    assert [effect.name for effect in load().database_effects() if effect.uses_operator_policy] == [
        *("channels.session_cancelled", "channels.session_created", "channels.webhook_endpoint_disabled"),
        *("imports.run", "payments.lapse", "sessions.create", "sessions.remind_moved", "waitlist.expire"),
    ]


def an_effect(name: str) -> Effect:
    """An effect that does nothing."""
    return Effect(name=name, queue="reviews", event=Event, run=lambda *_args, **_kwargs: None)


def test_two_effects_of_one_name_are_refused_in_a_sentence() -> None:
    known = Subscriptions()
    known.add(an_effect("a"))
    with pytest.raises(ValueError, match="There are two effects of the name a"):
        known.add(replace(an_effect("a"), event=SessionCompleted))


def test_a_queue_without_a_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="asks for the queue elsewhere, which no worker consumes"):
        Subscriptions().add(replace(an_effect("a"), queue="elsewhere"))


def test_an_unknown_effect_name_is_no_error() -> None:
    assert load().named("reviews.celebrate") is None


def test_every_transport_of_an_effect_has_a_route(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_FOLDER", str(tmp_path))
    for queue in QUEUES:
        routes = routes_of([queue], read_settings(), load())
        assert set(routes) == {effect.transport for effect in load().outbound_effects() if effect.queue == queue}
        for route in routes.values():
            route.transport.close()


@pytest.mark.parametrize(("queue", "transport"), [("reviews", "pigeon"), ("webhooks", "mail")])
def test_an_effect_without_a_transport_is_refused(queue: str, transport: str) -> None:
    known = Subscriptions()
    known.add(OutboundEffect(name="partner.send", queue=queue, transport=transport, prepare=lambda _db, _found: []))
    with pytest.raises(ValueError, match=f"partner.send asks for the transport {transport}, which workers of"):
        routes_of([queue], read_settings(), known)
