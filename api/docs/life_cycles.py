"""The life cycles of bookings and sessions: the steps that their state machines have, each with who takes it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from models.bookings import BOOKING_TRANSITIONS, BookingStatus
from models.sessions import SESSION_TRANSITIONS, SessionStatus

Status = TypeVar("Status", bound=StrEnum)


def _table(
    transitions: Mapping[Status, frozenset[Status]], first: Mapping[Status, str], who: Mapping[Status, str]
) -> str:
    """The steps as a table. A state of which nobody said who takes the step to it is a KeyError, at once.

    Args:
        first: the states in which something begins, and by whose doing.
        who: takes the step to a state.
    """
    steps = [(before, after) for before, follow in transitions.items() for after in transitions if after in follow]
    begun = [f"| (none) | `{state}` | {whose} |" for state, whose in first.items()]
    rows = [*begun, *(f"| `{before}` | `{after}` | {who[after]} |" for before, after in steps)]
    return "\n".join(["| from | to | who |", "|---|---|---|", *rows])


def _final(transitions: Mapping[Status, frozenset[Status]]) -> str:
    *others, last = (f"`{state}`" for state, follow in transitions.items() if not follow)
    return f"{', '.join(others)} and {last} are final"


_BOOKING_STEPS = _table(
    BOOKING_TRANSITIONS,
    first={
        BookingStatus.DRAFT: "the mentee's request",
        BookingStatus.ACCEPTED: "the mentee's request for a listing whose `bookingMode` is `instant`",
    },
    who={
        BookingStatus.ACCEPTED: "the mentor",
        BookingStatus.DECLINED: "the mentor",
        BookingStatus.CANCELLED: "the mentee; or a durable task, for a request that nobody has decided in time",
    },
)
_SESSION_STEPS = _table(
    SESSION_TRANSITIONS,
    first={SessionStatus.SCHEDULED: "the task that follows the acceptance of a booking"},
    who={
        SessionStatus.IN_PROGRESS: "mentee or mentor, from `earlyStartMinutes` of the listing before the start time on",
        SessionStatus.COMPLETED: "**the mentor alone**",
        SessionStatus.CANCELLED: "mentee, mentor or operator, by the listing's cancellation policy",
    },
)

OF_BOOKINGS = f"""The decision about a mentor's time.

{_BOOKING_STEPS}

{_final(BOOKING_TRANSITIONS)}; any other step is refused with 400 `invalid_transition`."""

OF_SESSIONS = f"""The meeting that an accepted booking becomes: exactly one, created by a durable task and by no route.

{_SESSION_STEPS}

{_final(SESSION_TRANSITIONS)}; no step is skipped, none leads back, and any other one is refused with 400
`invalid_transition`. Start and end are the booking's and never change. Only the two parties and operators see a
session. Until the task has run, its parties get 404 `session_pending` with `Retry-After: 1`, and everybody else 404
`not_found`."""
