"""A person's preferences: which kinds of notification they want by which channels. Only choices are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from models.notifications import Channel, notification_preferences
from models.people import users
from workflows.errors import Invalid, NotFound
from workflows.notifications.choices import Choice, Choices, choices_of, wanted
from workflows.notifications.kinds import KINDS, OFFERED
from workflows.notifications.unsubscribe import NOTHING, can_be_stopped


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One kind, and whether it is wanted by each channel; `always` are those that nobody can switch off."""

    kind: str
    sentence: str
    channels: dict[Channel, bool]
    always: frozenset[Channel]


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """All kinds that are offered, in the order of their table."""

    items: Sequence[Preference]

    @property
    def version(self) -> int:
        """A number that changes with whatever can be seen of them: new kinds and defaults change them, too."""
        return crc32(repr([(item.kind, sorted(item.channels.items())) for item in self.items]).encode())


def preferences_of(choices: Choices) -> Preferences:
    """What somebody who made these choices hears of."""
    return Preferences(
        items=[
            Preference(
                kind=kind,
                sentence=known.sentence,
                channels={channel: wanted(choices, kind, channel) for channel in Channel},
                always=known.always,
            )
            for kind, known in OFFERED.items()
        ]
    )


def choices_for_change(db: Connection, user_id: UUID) -> Choices:
    """A user's stored choices; whoever else wants to change them waits until this transaction has ended."""
    query = select(choices_of().label("choices")).where(users.c.id == user_id)
    # In a statement of its own: what is read must be younger than the lock.
    db.execute(select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True))
    return db.execute(query).scalar_one() or {}


def choose(db: Connection, *, user_id: UUID, before: Choices, wishes: Mapping[str, Mapping[Channel, bool]]) -> Choices:
    """Replace all choices: whatever is not among the wishes is as its kind says from now on.

    Args:
        before: the choices as they are stored.
        wishes: by kind, and by channel.

    Raises:
        Invalid: there is no such kind, or it cannot be switched off by that channel.
    """
    wished = {f"{kind} {channel}": on for kind, channels in wishes.items() for channel, on in channels.items()}
    _check(wishes)
    # A choice that was taken back stays, as the default: so it is known that it has been another.
    after = {pair: wanted(wished, *_read(pair)) for pair in {**before, **wished} if _read(pair)[0] in KINDS}
    rows = [
        {"user_id": user_id, "kind": kind, "channel": channel, "wanted": on}
        for pair, on in after.items()
        if on != before.get(pair, wanted({}, *_read(pair)))
        for kind, channel in [_read(pair)]
    ]
    _write(db, rows)
    return after


def switch_off(db: Connection, choice: Choice) -> None:
    """Stop one kind by one channel, however often this is asked.

    Raises:
        NotFound: there is no such person, no such kind, or it cannot be switched off.
    """
    person = select(users.c.id).where(users.c.id == choice.user_id)
    if not can_be_stopped(choice.kind, choice.channel) or db.execute(person).one_or_none() is None:
        raise NotFound(NOTHING)
    _write(db, [{"user_id": choice.user_id, "kind": choice.kind, "channel": choice.channel, "wanted": False}])


def _write(db: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(notification_preferences).values(rows)
    chosen = notification_preferences.c
    db.execute(
        statement.on_conflict_do_update(
            index_elements=[chosen.user_id, chosen.kind, chosen.channel],
            set_={"wanted": statement.excluded.wanted},
            # What stays as it is keeps the time since when it is so.
            where=chosen.wanted != statement.excluded.wanted,
        )
    )


def _check(wishes: Mapping[str, Mapping[Channel, bool]]) -> None:
    reasons = [f"There is no kind {kind}." for kind in wishes if kind not in OFFERED]
    reasons += [
        f"{kind} cannot be switched off here."
        for kind, channels in wishes.items()
        for channel, on in channels.items()
        if kind in OFFERED and not on and channel in OFFERED[kind].always
    ]
    if reasons:
        raise Invalid("These preferences cannot be had; see details.", details={"items": reasons})


def _read(pair: str) -> tuple[str, Channel]:
    kind, _, channel = pair.partition(" ")
    return kind, Channel(channel)
