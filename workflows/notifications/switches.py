"""Switches of the operators: on which channels a kind of notification is sent at all.

A channel that is on leaves people their choices and the kind its defaults; one that is off reaches nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, Text, cast, func, literal_column, select, true

from models.base import sql
from models.notifications import Channel, notification_kinds
from workflows.kernel.errors import Invalid, Stale
from workflows.kernel.records import Record
from workflows.notifications.kinds import KINDS, MAILED_ALWAYS, OFFERED

CHANNEL_NAMES = {Channel.EMAIL: "mail", Channel.PUSH: "push", Channel.IN_APP: "inApp"}
# An array of those that are off, as in a person's choices: `session_created email`.
SWITCHED_OFF = """ARRAY(
    SELECT switched.kind || ' ' || channel.name
    FROM notification_kinds switched
    CROSS JOIN LATERAL (
        VALUES ('email', switched.email), ('push', switched.push), ('in_app', switched.in_app)
    ) AS channel(name, is_on)
    WHERE NOT channel.is_on
)"""
_READ = sql(f"SELECT {SWITCHED_OFF} AS off")
_SWITCH = sql("""
INSERT INTO notification_kinds AS present (kind, email, push, in_app) VALUES (:kind, :mail, :push, :in_app)
ON CONFLICT (kind) DO UPDATE
SET email = excluded.email, push = excluded.push, in_app = excluded.in_app, changed_at = now(),
    version = present.version + 1
WHERE :any_version OR present.version = :version
RETURNING version
""")


@dataclass(frozen=True, kw_only=True)
class Switches(Record):
    """A kind, and whether each channel is on for it; version 0 while none was ever switched."""

    table = notification_kinds

    kind: str
    mail: bool
    push: bool
    in_app: bool
    version: int

    @property
    def sentence(self) -> str:
        return KINDS[self.kind].sentence

    @property
    def always(self) -> frozenset[Channel]:
        """The channels that cannot be switched off."""
        return KINDS[self.kind].always


def switched_off(db: Connection) -> frozenset[str]:
    """The kinds and channels that are off, as `session_created email`."""
    return frozenset(db.execute(_READ).scalar_one())


def switches_query(kind: str | BindParameter[str]) -> Select[Any]:
    """The switches of a kind; every channel is on where none was switched."""
    columns = notification_kinds.c
    named = select(cast(kind, Text).label("kind")).subquery()
    return (
        select(
            named.c.kind,
            func.coalesce(columns.email, true()).label("mail"),
            func.coalesce(columns.push, true()).label("push"),
            func.coalesce(columns.in_app, true()).label("in_app"),
            func.coalesce(columns.version, 0).label("version"),
        )
        .select_from(named.outerjoin(notification_kinds, columns.kind == named.c.kind))
        .where(named.c.kind.in_([literal_column(f"'{known}'") for known in (*OFFERED, *MAILED_ALWAYS)]))
    )


def all_switches(db: Connection) -> Sequence[Switches]:
    """The switches of every kind that is offered, in the order of their table."""
    stored = {row.kind: row for row in db.execute(select(notification_kinds))}
    return [
        Switches(kind=kind, mail=row.email, push=row.push, in_app=row.in_app, version=row.version)
        if (row := stored.get(kind))
        else Switches(kind=kind, mail=True, push=True, in_app=True, version=0)
        for kind in OFFERED
    ]


def switch_kind(
    db: Connection, *, switches: Switches, any_version: bool, mail: bool, push: bool, in_app: bool
) -> Switches:
    """Switch the channels of a kind.

    Raises:
        Invalid: a channel of it cannot be switched off.
        Stale: it has been switched since it was read.
    """
    kind = switches.kind
    if kind in MAILED_ALWAYS:
        raise Invalid(f"{kind} is always mailed, and only there: without that mail, nobody could confirm an address.")
    wanted = {Channel.EMAIL: mail, Channel.PUSH: push, Channel.IN_APP: in_app}
    if fixed := [channel for channel in switches.always if not wanted[channel]]:
        details = {CHANNEL_NAMES[channel]: ["cannot be switched off for this kind"] for channel in fixed}
        raise Invalid(f"{kind} cannot be switched off there; see details.", details=details)
    changed: dict[str, Any] = {"mail": mail, "push": push, "in_app": in_app}
    seen = {"kind": kind, "version": switches.version, "any_version": any_version}
    version = db.execute(_SWITCH, changed | seen).scalar_one_or_none()
    if version is None:
        raise Stale("kind of notification")
    return replace(switches, **changed, version=version)
