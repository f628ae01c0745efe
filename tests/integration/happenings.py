"""Lives told by their events alone, at moments that a test chooses: what analytics counts is told by nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from models.sessions import session_id_of
from workflows.events import catalogue
from workflows.events.catalogue import Event
from workflows.events.record import record

HOUR = timedelta(hours=1)
A_MONDAY = datetime(2026, 5, 4, 10, tzinfo=UTC)


def at(text: str) -> datetime:
    """A moment, written with its zone."""
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass
class Life:
    """One booking's life with a mentor, of whom and of whose course alone there must be rows."""

    db: Connection
    mentor_profile_id: UUID
    course_id: UUID | None = None
    mentee_user_id: UUID | None = field(default_factory=uuid4)
    start_time: datetime = A_MONDAY
    length: timedelta = HOUR
    booking_id: UUID = field(default_factory=uuid4)

    def booking(self, kind: str, when: datetime) -> None:
        """`requested`, `accepted`, `declined` or `cancelled`."""
        event = catalogue.event_types()[f"booking.{kind}"]
        of = "individual" if self.mentee_user_id else "group"
        told = {"listing_id": uuid4(), "kind": of, "status": kind, "session_id": None, "version": 1}
        self._happens(event, when, **self._parties(), **self._times(), **told)

    def session(self, kind: str, when: datetime, **besides: Any) -> None:
        """`created`, `started`, `completed` or `cancelled`."""
        event = catalogue.event_types()[f"session.{kind}"]
        told = {"session_id": session_id_of(self.booking_id), "status": kind, "version": 1, **besides}
        self._happens(event, when, **self._parties(), **self._times(), **told)

    def call_off(self, when: datetime, *, late: bool) -> None:
        """The session is cancelled, inside its policy's window or before."""
        money = {"fee_amount": 0, "refund_amount": 0, "currency": "USD"}
        self.session("cancelled", when, cancelled_by="mentee", cancellation_type="other", late=late, **money)

    def seat(self, kind: str, when: datetime) -> None:
        """`joined` or `left`."""
        event = catalogue.event_types()[f"seat.{kind}"]
        told = {"listing_id": uuid4(), "user_id": uuid4(), "capacity": 8, "seats_taken": 1}
        parties = {name: value for name, value in self._parties().items() if name != "mentee_user_id"}
        self._happens(event, when, **parties, **self._times(), **told)

    def review(self, when: datetime) -> None:
        """A mentee reviews the session."""
        told = {"review_id": uuid4(), "session_id": session_id_of(self.booking_id)}
        parties = {"mentor_profile_id": self.mentor_profile_id, "mentee_user_id": self.mentee_user_id or uuid4()}
        self._happens(catalogue.ReviewSubmitted, when, **parties, **told)

    def _parties(self) -> dict[str, Any]:
        names = ("booking_id", "mentor_profile_id", "mentee_user_id", "course_id")
        return {name: getattr(self, name) for name in names}

    def _times(self) -> dict[str, datetime]:
        return {"start_time": self.start_time, "end_time": self.start_time + self.length}

    def _happens(self, event: type[Event], when: datetime, **told: Any) -> None:
        record(self.db, event(actor="system", occurred_at=when, **told))
