"""Which notifications a person wants by which channel: what they chose, and otherwise what the kind says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, literal_column, select

from models.notifications import Channel, notification_preferences
from models.people import users
from workflows.notifications.kinds import KINDS

# By kind and channel, as they are written in a row: `session_created email`.
Choices = Mapping[str, bool]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a person may switch on and off: one kind by one channel."""

    user_id: UUID
    kind: str
    channel: Channel


def wanted(choices: Choices, kind: str, channel: Channel) -> bool:
    """Whether somebody who chose that is to hear of a kind by a channel.

    Raises:
        KeyError: there is no such kind.
    """
    known = KINDS[kind]
    return channel in known.always or choices.get(f"{kind} {channel}", channel in known.channels)


def choices_of(user_id: ColumnElement[Any] = users.c.id) -> ScalarSelect[Any]:
    """A user's choices as a JSON object within a select from users, or null."""
    chosen = notification_preferences.c
    # Literals: as parameters they would be of no known type.
    pair = chosen.kind.concat(literal_column("' '")).concat(func.format(literal_column("'%s'"), chosen.channel))
    return (
        select(func.jsonb_object_agg(pair, chosen.wanted))
        .where(chosen.user_id == user_id)
        .correlate(users)
        .scalar_subquery()
    )
