"""What follows from seeded events, at the time of the story: a worker would run it now, and count it today.

The same deliveries, claimed and marked done in the same way. What leaves the house (mails, webhooks) is left to the
workers, which find it by the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from workflows.events.catalogue import Event
from workflows.events.delivery import DeliveryKey
from workflows.events.record import drain_recorded, flush_deferred
from workflows.events.store import claim, mark_done
from workflows.events.subscriptions import Effect, load


@dataclass
class Follower:
    """Runs the effects of one story's events.

    Args:
        now: the present, UTC; a timer that is due later stays pending.
    """

    db: Connection
    now: datetime
    _timers: list[tuple[datetime, Effect, Event]] = field(default_factory=list)

    def follow(self) -> None:
        """Run what follows at once from everything recorded since the last call, and from what that records."""
        while events := drain_recorded(self.db).events:
            for event in events:
                for effect in load().of(type(event)):
                    self._run_or_remember(effect, event)
            flush_deferred(self.db)

    def run_timers(self) -> None:
        """At the end of the story: run those timers whose time has come meanwhile, in their order."""
        for due, effect, event in sorted(self._timers, key=lambda timer: timer[0]):
            if due <= self.now:
                self._run(effect, event, due)
        self._timers.clear()
        self.follow()

    def _run_or_remember(self, effect: Effect, event: Event) -> None:
        if effect.due is None:
            self._run(effect, event, event.occurred_at)
        else:
            self._timers.append((effect.due(event), effect, event))

    def _run(self, effect: Effect, event: Event, at: datetime) -> None:
        for target in effect.targets(event) if effect.targets else ("",):
            (delivery,) = claim(self.db, [DeliveryKey(event_id=event.id, effect=effect.name, target=target)])
            arguments = (target,) if effect.targets else ()
            effect.run(self.db, delivery.event, *arguments, now=at)
            mark_done(self.db, [delivery])
