"""The registry of effects: which follow from which event, found in `workflows/effects/` and in plug-ins."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property, partial
from importlib.metadata import entry_points
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from uuid import UUID

from sqlalchemy import Connection

from workflows.events import QUEUES
from workflows.events.delivery import DEFAULT_RETRY_POLICY, Delivery, RetryPolicy, SendResult
from workflows.events.event import Event
from workflows.events.event_types import event_types
from workflows.kernel.operator_policy import OperatorPolicy

PLUG_INS = "tutelage.effects"

Subscribed = TypeVar("Subscribed", bound=Callable[..., None])
M = TypeVar("M")


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A database effect: it runs in one transaction with its delivery's end."""

    name: str  # stored with every delivery and shown to operators; renaming it is a migration
    queue: str
    event: type[Event]  # the type of its events; `Event` for every type
    run: Callable[..., None]  # `(db, event, *, now)`, or `(db, event, target, *, now)` where there are targets
    due: Callable[[Any], datetime] | None = None  # when a timer is to run; None for at once
    targets: Callable[[Any], Iterable[str]] | None = None  # one delivery each; None for one delivery without a target
    policy: RetryPolicy = DEFAULT_RETRY_POLICY
    uses_operator_policy: bool = False  # whether `run` takes the operator's policy as `policy`
    # Whether it is to follow at all under the operator's policy; None for always.
    wanted: Callable[[OperatorPolicy], bool] | None = None
    deferred: bool = False  # whether all that it writes goes through `defer_write`: it then needs no savepoint
    # Whether it needs a transaction of its own, because it locks rows that effects of other subjects lock as well (a
    # mentor's, a bundle's). All others lock rows of their own booking or session only, or defer the write, so that many
    # of them share a transaction.
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class OutboundEffect(Generic[M]):
    """An outbound effect: it sends messages of type `M`. Its deliveries are recorded by other effects."""

    name: str
    queue: str
    transport: str  # the name of the transport, which `workers/` provides
    # `(db, deliveries) → messages` in the order of the deliveries, read together; an exception (`Cancel`, `Postpone` or
    # any other) for a message that cannot be sent.
    prepare: Callable[[Connection, Sequence[Delivery]], Sequence[M | Exception]]
    # `(db, delivery, message, sent)`, run in the transaction that writes the outcome; None for nothing.
    settle: Callable[[Connection, Delivery, M, SendResult], None] | None = None
    # `(delivery, message)`, whether `settle` does anything for a success; where it does not, the outcome is written
    # together with those of others.
    settles: Callable[[Delivery, M], bool] = lambda _delivery, _message: True
    # `(db, message)`, run instead where the transport has postponed the message; None for nothing.
    give_back: Callable[[Connection, M], None] | None = None
    # `(db, message)`, run in a transaction of its own once a success that `settles` is written: it may take long or
    # fail, and the message is not sent again for that. None for nothing.
    after_success: Callable[[Connection, M], None] | None = None
    # `(sent)`, whether a delivery that is given up after such an attempt ends as cancelled rather than dead, since no
    # operator could repair it.
    cancel_on_exhaustion: Callable[[SendResult], bool] = lambda _sent: False
    policy: RetryPolicy = DEFAULT_RETRY_POLICY
    # `(delivery, message, sent)`, when the delivery is due again after an attempt, be it a success or not: it stays
    # pending. None for deliveries that end. A defect of ours is tried again by `policy` all the same.
    repeat_at: Callable[[Delivery, M, SendResult], datetime] | None = None
    # `(effect, policy) → effect`, the effect under the operator's policy; None where it is the same.
    apply_policy: Callable[[OutboundEffect[M], OperatorPolicy], OutboundEffect[M]] | None = None


# The registry holds effects of every type of message: only an effect itself knows its own.
AnyOutboundEffect = OutboundEffect[Any]


def prepare_each(deliveries: Iterable[Delivery], prepare: Callable[[Delivery], M]) -> list[M | Exception]:
    """Prepare one after the other: the message, or the exception that prevented it."""
    prepared: list[M | Exception] = []
    for delivery in deliveries:
        try:
            prepared.append(prepare(delivery))
        except Exception as error:  # noqa: BLE001 - its outcome is written to the row
            prepared.append(error)
    return prepared


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """Deliveries of an outbound effect whose targets the statement that records an event finds in the database."""

    effect: AnyOutboundEffect  # the outbound effect
    # A SELECT of `event_id, effect, target, endpoint_id, queue, state, last_error, cancel_reason` by the events
    # `announced(event_id, type, mentor_profile_id)`.
    rows: str
    # The one endpoint that an event is for, or None for an event that endpoints subscribe to.
    directly_to: Callable[[Event], UUID | None]


class Subscriptions:
    """Every effect by its name, and the effects of each type of event."""

    def __init__(self) -> None:
        self.fan_out: FanOut | None = None
        self._effects: dict[str, Effect | AnyOutboundEffect] = {}
        self._unwanted: frozenset[str] = frozenset()
        self._of: dict[type[Event], tuple[Effect, ...]] = {}

    def add(self, effect: Effect | AnyOutboundEffect) -> None:
        """Register an effect; raises ValueError where its name is taken, or no worker consumes its queue."""
        if effect.name in self._effects:
            raise ValueError(f"There are two effects of the name {effect.name}.")
        if effect.queue not in QUEUES:
            raise ValueError(f"The effect {effect.name} asks for the queue {effect.queue}, which no worker consumes.")
        self._effects[effect.name] = effect
        self._of.clear()

    def with_policy(self, policy: OperatorPolicy) -> Subscriptions:
        chosen = Subscriptions()
        chosen.fan_out = self.fan_out
        for effect in self._effects.values():
            if isinstance(effect, Effect) and effect.uses_operator_policy:
                chosen.add(replace(effect, run=partial(effect.run, policy=policy)))
            elif isinstance(effect, OutboundEffect) and effect.apply_policy:
                chosen.add(effect.apply_policy(effect, policy))
            else:
                chosen.add(effect)
        chosen._unwanted = frozenset(
            each.name for each in self.database_effects() if each.wanted and not each.wanted(policy)
        )
        return chosen

    def named(self, name: str) -> Effect | AnyOutboundEffect | None:
        """The effect of that name, or None where a newer process wrote a name that this one does not know."""
        return self._effects.get(name)

    def of(self, event: type[Event]) -> tuple[Effect, ...]:
        """The database effects of events of that class, in the order of the names."""
        found = self._of.get(event)
        if found is None:
            wanted = (each for each in self.database_effects() if each.name not in self._unwanted)
            found = self._of[event] = tuple(each for each in wanted if issubclass(event, each.event))
        return found

    def all(self) -> list[Effect | AnyOutboundEffect]:
        return sorted(self._effects.values(), key=lambda effect: effect.name)

    def database_effects(self) -> list[Effect]:
        """The effects that run in the database, in the order of their names."""
        return [effect for effect in self.all() if isinstance(effect, Effect)]

    def outbound_effects(self) -> list[AnyOutboundEffect]:
        return [effect for effect in self.all() if isinstance(effect, OutboundEffect)]

    def pairs(self) -> list[tuple[Effect, str]]:
        """Every database effect with each type of event that it follows from."""
        types = event_types().items()
        return [
            (each, name) for each in self.database_effects() for name, event in types if issubclass(event, each.event)
        ]

    @cached_property
    def effect_catalogue(self) -> EffectCatalogue:
        """Every database effect that is known here, also those that the policy leaves out."""
        pairs = [f"{effect.name} {name}" for effect, name in self.pairs()]
        digest = hashlib.sha256("\n".join(pairs).encode()).digest()
        return EffectCatalogue(int.from_bytes(digest[:8], signed=True), tuple(pairs))


@dataclass(frozen=True)
class EffectCatalogue:
    """The effects that a writer of events knows, as `effect event_type`, and the number of exactly these."""

    id: int
    effects: tuple[str, ...]


class EffectOptions(TypedDict, total=False):
    """The optional fields of `Effect`, for `subscribe`."""

    due: Callable[[Any], datetime] | None
    targets: Callable[[Any], Iterable[str]] | None
    policy: RetryPolicy
    uses_operator_policy: bool
    wanted: Callable[[OperatorPolicy], bool] | None
    deferred: bool
    alone: bool


_found = Subscriptions()
# Process-wide and mutable: `create_app` and a worker's start set it once by `activate_policy`, and `record` reads it by
# `active_subscriptions`. Before that, and in commands that set nothing, it is every effect under no policy.
_active: list[Subscriptions] = []


def subscribe(
    event: type[Event], *, name: str, queue: str, **options: Unpack[EffectOptions]
) -> Callable[[Subscribed], Subscribed]:
    """Make the decorated function an effect of `event`."""

    def register(run: Subscribed) -> Subscribed:
        _found.add(Effect(name=name, queue=queue, event=event, run=run, **options))
        return run

    return register


def register_outbound(effect: OutboundEffect[M]) -> OutboundEffect[M]:
    _found.add(effect)
    return effect


def register_fan_out(how: FanOut) -> None:
    """Have the deliveries of an outbound effect written by the statement that records an event."""
    _found.fan_out = how


def activate_policy(policy: OperatorPolicy) -> Subscriptions:
    """Load the effects under the operator's policy; this process records by them from then on."""
    return activate(load().with_policy(policy))


def activate(known: Subscriptions) -> Subscriptions:
    """Have this process record by these effects."""
    _active[:] = [known]
    return known


def reset_policy() -> None:
    """Record by all effects again, as before `activate_policy`."""
    _active.clear()


def active_subscriptions() -> Subscriptions:
    """The effects by which this process records: all of them until `activate_policy`."""
    return _active[0] if _active else load()


@cache
def load() -> Subscriptions:
    """Find every effect, once: ours in `workflows/effects/`, then the plug-ins'."""
    package = importlib.import_module("workflows.effects")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for plug_in in entry_points(group=PLUG_INS):
        plug_in.load()
    return _found
