"""The things that follow by themselves, each as something to expect: an effect, a mail, a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from cli.demonstration.client import Client
from cli.demonstration.scene import Expected, Scene, Seen
from cli.demonstration.show import RECEIVER, SMTP_SINK
from config.settings import settings
from workers.rules import operator_policy
from workflows.events.catalogue import Event
from workflows.events.subscriptions import load


class Effects:
    """What follows from one session, as `GET /sessions/{id}/effects` told it the last time."""

    def __init__(self, operator: Client, session_id: str) -> None:
        self._operator = operator
        self._path = f"/sessions/{session_id}/effects"
        self.items: list[dict[str, Any]] = []

    def refresh(self) -> None:
        """Ask again."""
        self.items = self._operator.get(self._path).body["items"]

    def expect_of(self, event: type[Event]) -> list[Expected]:
        """Every effect that runs at once when such an event has happened, plug-ins included.

        What the operator's choices leave out is never recorded: channels, where none is configured.
        """
        effects = [effect for effect in load().with_policy(operator_policy(settings())).of(event) if effect.due is None]
        return [self._expect(effect.name, event.type, worker_of(effect.name)) for effect in effects]

    def expect_all(self) -> Expected:
        """That nothing is left to do but timers."""

        def look() -> Seen | None:
            open_items = [item for item in self.items if not is_settled(item)]
            if open_items or not self.items:
                return None
            return Seen(monotonic(), f"all effects are done: {sum(item['state'] == 'done' for item in self.items)}")

        return Expected("Everything that follows from the session", "api", look, "sweep", self._describe_open)

    def _expect(self, effect: str, event: str, worker: str) -> Expected:
        def find() -> dict[str, Any] | None:
            return next((item for item in self.items if (item["effect"], item["event"]) == (effect, event)), None)

        def look() -> Seen | None:
            item = find()
            return Seen(monotonic(), f"{effect} is done, after {event}") if item and item["state"] == "done" else None

        return Expected(f"{effect} (after {event})", worker, look, worker, lambda: describe(find()))

    def _describe_open(self) -> str:
        return "; ".join(f"{item['effect']} {describe(item)}" for item in self.items if not is_settled(item))


def expect_mail(scene: Scene, address: str, reader: str) -> Expected:
    """One more mail to this address than there has been until now."""
    before = len(scene.mailbox.mails(address))

    def look() -> Seen | None:
        fresh = scene.mailbox.mails(address)[before:]
        return Seen(fresh[0].at, f"a mail to the {reader}: “{fresh[0].subject}”") if fresh else None

    return Expected(f"A mail to the {reader}", SMTP_SINK, look, "worker-notifications")


def expect_webhook(scene: Scene, event_type: str, subject_id: str) -> Expected:
    """A message of this type about this booking, session or endpoint."""

    def look() -> Seen | None:
        messages = [each for each in scene.receiver.messages() if each.type == event_type]
        found = next((message for message in messages if message.is_about(subject_id)), None)
        return Seen(found.at, f"the webhook {event_type}, its signature verified") if found else None

    return Expected(f"The webhook {event_type}", RECEIVER, look, "worker-webhooks")


def worker_of(effect: str) -> str:
    """The process that runs an effect."""
    found = load().named(effect)
    return f"worker-{found.queue}" if found else "(unknown)"


def is_timer(item: Mapping[str, Any]) -> bool:
    """Whether an effect waits for its time, and not for another attempt."""
    later = datetime.fromisoformat(item["dueAt"]) > datetime.now(UTC)
    return bool(item["state"] == "pending" and item["attempts"] == 0 and later)


def is_settled(item: dict[str, Any]) -> bool:
    """Whether there is nothing to wait for."""
    return item["state"] == "done" or is_timer(item)


def describe(item: dict[str, Any] | None) -> str:
    """Where an effect stands, for somebody who asks why it has not happened."""
    if item is None:
        return "it was never recorded"
    error = f", the last with {item['lastError']}" if item.get("lastError") else ""
    return f"it is {item['state']} after {item['attempts']} attempts{error}"
