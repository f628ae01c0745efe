"""Expected results of a step of the demo: effects, mails, webhooks, and no work left."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from cli.demonstration.run import RECEIVER, SMTP_SINK, Client, DemoRun, Expected, Seen
from config.settings import settings
from infrastructure.operator_policy import operator_policy
from workflows.events.event import Event
from workflows.events.subscriptions import load


class Effects:
    """The effects of one session, as `GET /sessions/{id}/effects` listed them the last time."""

    def __init__(self, operator: Client, session_id: str) -> None:
        self._operator = operator
        self._path = f"/sessions/{session_id}/effects"
        self.items: list[dict[str, Any]] = []

    def refresh(self) -> None:
        self.items = self._operator.get(self._path).body["items"]

    def expect_of(self, event: type[Event]) -> list[Expected]:
        """Every effect that such an event starts at once, plug-ins included.

        Effects that the operator has not configured are never recorded, e.g. channels. The same holds for effects with
        targets in some events alone, such as the waiting list of a group.
        """
        effects = load().with_policy(operator_policy(settings())).of(event)
        at_once = [effect for effect in effects if effect.due is None and effect.targets is None]
        return [self._expect(effect.name, event.type, f"worker-{effect.queue}") for effect in at_once]

    def expect_all(self) -> Expected:
        """No delivery is left but timers."""

        def look() -> Seen | None:
            if self._open_items() or not self.items:
                return None
            return Seen(monotonic(), f"all effects are done: {sum(item['state'] == 'done' for item in self.items)}")

        def describe_open() -> str:
            return "; ".join(f"{item['effect']} {_describe(item)}" for item in self._open_items())

        return Expected("Everything that follows from the session", "api", look, "sweep", describe_open)

    def _open_items(self) -> list[dict[str, Any]]:
        return [item for item in self.items if item["state"] != "done" and not _is_timer(item)]

    def _expect(self, effect: str, event: str, worker: str) -> Expected:
        def find() -> dict[str, Any] | None:
            return next((item for item in self.items if (item["effect"], item["event"]) == (effect, event)), None)

        def look() -> Seen | None:
            item = find()
            return Seen(monotonic(), f"{effect} is done, after {event}") if item and item["state"] == "done" else None

        return Expected(f"{effect} (after {event})", worker, look, worker, lambda: _describe(find()))


def _is_timer(item: Mapping[str, Any]) -> bool:
    """Whether an effect waits for its time and not for another attempt."""
    later = datetime.fromisoformat(item["dueAt"]) > datetime.now(UTC)
    return bool(item["state"] == "pending" and item["attempts"] == 0 and later)


def _describe(item: Mapping[str, Any] | None) -> str:
    if item is None:
        return "it was never recorded"
    error = f", the last with {item['lastError']}" if item.get("lastError") else ""
    return f"it is {item['state']} after {item['attempts']} attempts{error}"


def expect_mail(run: DemoRun, address: str, reader: str) -> Expected:
    """Expect one more mail to this address."""
    before = len(run.mailbox.mails(address))

    def look() -> Seen | None:
        fresh = run.mailbox.mails(address)[before:]
        return Seen(fresh[0].at, f"a mail to the {reader}: “{fresh[0].subject}”") if fresh else None

    return Expected(f"A mail to the {reader}", SMTP_SINK, look, "worker-notifications")


def expect_webhook(run: DemoRun, event_type: str, subject_id: str) -> Expected:
    """A message of this type about this booking, session or endpoint."""

    def look() -> Seen | None:
        messages = [each for each in run.receiver.messages if each.content["type"] == event_type]
        found = next((each for each in messages if subject_id in each.content["data"].values()), None)
        return Seen(found.at, f"the webhook {event_type}, its signature verified") if found else None

    return Expected(f"The webhook {event_type}", RECEIVER, look, "worker-webhooks")
