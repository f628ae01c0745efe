"""A person's preferences: which kinds of notification they want on which channels, and unsubscribe links.

Only choices are stored; without one, the defaults of the kind hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy import Connection, ScalarSelect, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from models.notifications import Channel, notification_preferences
from models.people import users
from workflows.accounts.mailed_links import are_links_valid
from workflows.kernel.errors import Invalid, NotFound
from workflows.kernel.language import gettext_noop
from workflows.kernel.locks import lock_user
from workflows.notifications.kinds import KINDS, OFFERED

# By kind and channel, as they are written in a row: `session_created email`.
Choices = Mapping[str, bool]

NOTHING_TO_UNSUBSCRIBE = gettext_noop("There is nothing to unsubscribe from at this address.")
UNSUBSCRIBE_PURPOSE = "unsubscribe"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One kind on one channel of one person, who may switch it on and off."""

    user_id: UUID
    kind: str
    channel: Channel


@dataclass(frozen=True, kw_only=True)
class UnsubscribeLink:
    """An unsubscribe link: what it switches off, and the version that its user's links had when it was mailed."""

    choice: Choice
    links_version: int

    def to_text(self) -> str:
        return f"{self.choice.user_id.hex} {self.choice.channel} {self.choice.kind} {self.links_version}"

    @classmethod
    def from_text(cls, payload: object) -> UnsubscribeLink:
        """The link that a signed text holds.

        Raises:
            NotFound: its channel or kind does not exist or cannot be switched off, or it has no version.
        """
        try:
            user, channel, kind, version = str(payload).split(" ")
            choice = Choice(user_id=UUID(hex=user), kind=kind, channel=Channel(channel))
            link = cls(choice=choice, links_version=int(version))
        except ValueError as error:
            raise NotFound(NOTHING_TO_UNSUBSCRIBE) from error
        if not can_be_stopped(choice.kind, choice.channel):
            raise NotFound(NOTHING_TO_UNSUBSCRIBE)
        return link


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One kind, and whether it is wanted on each channel; `always` are channels that cannot be switched off."""

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
        """A checksum of all that can be seen, so that new kinds and defaults change it as well."""
        return crc32(repr([(item.kind, sorted(item.channels.items())) for item in self.items]).encode())


def is_wanted(choices: Choices, kind: str, channel: Channel, off: Collection[str] = ()) -> bool:
    """Whether a person with these choices gets notifications of a kind on a channel.

    Args:
        off: the kinds and channels that operators have switched off, written as in the choices.
    """
    known = KINDS[kind]
    if f"{kind} {channel}" in off:
        return False
    return channel in known.always or choices.get(f"{kind} {channel}", channel in known.channels)


def can_be_stopped(kind: str, channel: Channel) -> bool:
    return kind in KINDS and channel not in KINDS[kind].always


def is_stopped(kind: str, channel: Channel, *, wanted: bool | None) -> bool:
    """Whether a reader has switched a kind off on a channel; `wanted` is None where they made no choice."""
    return wanted is False and can_be_stopped(kind, channel)


def stopped_reason(kind: str, channel: Channel) -> str:
    """The reason for which a message of a kind is not sent to a reader who has switched it off."""
    return f"The reader has switched off the kind {kind} for {channel}."


def switched_off_reason(kind: str, channel: Channel) -> str:
    """The reason for which a message of a kind is sent to nobody."""
    return f"Operators have switched off the kind {kind} for {channel}."


def preferences_of(choices: Choices, off: Collection[str]) -> Preferences:
    return Preferences(
        items=[
            Preference(
                kind=kind,
                sentence=known.sentence,
                channels={channel: is_wanted(choices, kind, channel, off) for channel in Channel},
                always=known.always,
            )
            for kind, known in OFFERED.items()
        ]
    )


def choices_of() -> ScalarSelect[Any]:
    """A user's choices as a JSON object within a select from users, or null."""
    chosen = notification_preferences.c
    # Literals: as parameters they would have no known type.
    pair = chosen.kind.concat(literal_column("' '")).concat(func.format(literal_column("'%s'"), chosen.channel))
    return (
        select(func.jsonb_object_agg(pair, chosen.wanted))
        .where(chosen.user_id == users.c.id)
        .correlate(users)
        .scalar_subquery()
    )


def lock_choices(db: Connection, user_id: UUID) -> Choices:
    """A user's stored choices, locked until the end of the transaction."""
    query = select(choices_of().label("choices")).where(users.c.id == user_id)
    # In a statement of its own: what is read must be younger than the lock.
    lock_user(db, user_id)
    return db.execute(query).scalar_one() or {}


def replace_choices(
    db: Connection, *, user_id: UUID, before: Choices, wanted: Mapping[str, Mapping[Channel, bool]]
) -> Choices:
    """Replace all choices; a kind or channel that is not named goes back to its default.

    Raises:
        Invalid: there is no such kind, or it cannot be switched off on that channel.
    """
    _require_offered(wanted)
    chosen = {f"{kind} {channel}": on for kind, channels in wanted.items() for channel, on in channels.items()}
    # A choice that was taken back stays as a row with the default, which keeps since when it is so.
    after = {pair: is_wanted(chosen, *_split(pair)) for pair in {**before, **chosen} if _split(pair)[0] in KINDS}
    rows = [
        {"user_id": user_id, "kind": kind, "channel": channel, "wanted": on}
        for kind, channels in switched_channels(before, after).items()
        for channel, on in channels.items()
    ]
    _write(db, rows)
    return after


def switched_channels(before: Choices, after: Choices) -> dict[str, dict[Channel, bool]]:
    """The channels that choices switch on and off, by kind; without an earlier choice, its default counts."""
    found: dict[str, dict[Channel, bool]] = {}
    for pair, on in after.items():
        kind, channel = _split(pair)
        if on != before.get(pair, is_wanted({}, kind, channel)):
            found.setdefault(kind, {})[channel] = on
    return found


def switch_off(db: Connection, choice: Choice) -> None:
    """Stop one kind on one channel; idempotent.

    Raises:
        NotFound: there is no such person or kind, or it cannot be switched off.
    """
    person = select(users.c.id).where(users.c.id == choice.user_id, users.c.erased_at.is_(None))
    if not can_be_stopped(choice.kind, choice.channel) or db.execute(person).one_or_none() is None:
        raise NotFound(NOTHING_TO_UNSUBSCRIBE)
    _write(db, [{"user_id": choice.user_id, "kind": choice.kind, "channel": choice.channel, "wanted": False}])


def require_valid_link(db: Connection, link: UnsubscribeLink, *, lock: bool) -> None:
    """Refuse an unsubscribe link that was mailed to a former address, or ended by its user.

    Args:
        lock: whether to keep it valid until the end of the transaction, which unsubscribes.

    Raises:
        NotFound: it has ended.
    """
    if not are_links_valid(db, link.choice.user_id, link.links_version, lock=lock):
        raise NotFound(NOTHING_TO_UNSUBSCRIBE)


def _write(db: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(notification_preferences).values(rows)
    chosen = notification_preferences.c
    db.execute(
        statement.on_conflict_do_update(
            index_elements=[chosen.user_id, chosen.kind, chosen.channel],
            set_={"wanted": statement.excluded.wanted},
            # An unchanged row keeps its updated_at.
            where=chosen.wanted != statement.excluded.wanted,
        )
    )


def _require_offered(wanted: Mapping[str, Mapping[Channel, bool]]) -> None:
    reasons = [f"There is no kind {kind}." for kind in wanted if kind not in OFFERED]
    reasons += [
        f"{kind} cannot be switched off for {channel}."
        for kind, channels in wanted.items()
        for channel, on in channels.items()
        if kind in OFFERED and not on and channel in OFFERED[kind].always
    ]
    if reasons:
        raise Invalid("These preferences are not possible; see details.", details={"items": reasons})


def _split(pair: str) -> tuple[str, Channel]:
    kind, _, channel = pair.partition(" ")
    return kind, Channel(channel)
