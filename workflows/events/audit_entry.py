"""New audit entries: what they hold, and the statement that writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from workflows.events.event import Event

OK = "ok"
FORBIDDEN = "forbidden"

# A part of other statements too. `:entries` is a list of `NewEntry.as_json()`.
INSERT_ENTRIES = """
INSERT INTO audit_entries (
    id, occurred_at, actor, action, subject_type, subject_id, result,
    method, route, address_hash, request_id, reason, data, count
)
SELECT entry.id, entry.occurred_at, entry.actor, entry.action, entry.subject_type, entry.subject_id, entry.result,
       entry.method, entry.route, decode(entry.address_hash, 'hex'), entry.request_id, entry.reason, entry.data,
       entry.count
FROM jsonb_to_recordset(:entries) AS entry(
    id uuid, occurred_at timestamptz, actor text, action text, subject_type text, subject_id uuid, result text,
    method text, route text, address_hash text, request_id text, reason text, data jsonb, count integer
)
"""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The request or command that asks for a change."""

    method: str | None = None  # of the HTTP request; `CLI` for a command
    route: str | None = None  # the rule of the route, never the path; the name of the command
    address_hash: bytes | None = None  # a keyed hash of the client's address, 16 bytes
    # As in the response and the log lines, or a keyed hash of one that might identify a person.
    request_id: str | None = None


NOWHERE = Origin()


@dataclass(frozen=True, kw_only=True)
class NewEntry:
    """An entry to be written."""

    origin: Origin
    occurred_at: datetime
    actor: str
    # What was done or refused, as `subject.past` such as `review.hidden`; a stable name, since people filter by it.
    action: str
    subject_type: str | None
    subject_id: UUID | None
    result: str = OK  # `ok`, or the code of the refusal
    reason: str | None = None  # as an operator gave it
    data: dict[str, Any] | None = None  # further details as JSON; ids, never names or mail addresses
    count: int = 1  # how many equal refusals it stands for

    def about_event(self, events: Iterable[Event]) -> NewEntry | None:
        """The entry, with the subject of an event of its kind where it has none yet; None where none is."""
        if self.subject_id is not None:
            return self
        ids = (event.subject_id for event in events if event.subject == self.subject_type)
        found = next(ids, None)
        return None if found is None else replace(self, subject_id=found)

    def as_json(self) -> dict[str, object]:
        """An item of `:entries`, under a new id."""
        origin = self.origin
        return {
            "id": str(uuid7()),
            "occurred_at": self.occurred_at.isoformat(),
            "actor": self.actor,
            "action": self.action,
            "subject_type": self.subject_type,
            "subject_id": self.subject_id and str(self.subject_id),
            "result": self.result,
            "method": origin.method,
            "route": origin.route,
            "address_hash": origin.address_hash and origin.address_hash.hex(),
            "request_id": origin.request_id,
            "reason": self.reason,
            "data": self.data or {},
            "count": self.count,
        }
