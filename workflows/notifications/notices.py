"""Notices for the operators' own channels, a chat for instance: what happened, by ids and times, and nobody's name."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from workflows.events.catalogue import Event, SessionCancelled, SessionCreated, WebhookEndpointDisabled
from workflows.events.record import follow_up
from workflows.operator_policy import OperatorPolicy
from workflows.outside.send_notice import SEND_NOTICE

# What operators can be told of, by the names that APPRISE_KINDS knows.
NOTICES: dict[str, type[Event]] = {
    "session_created": SessionCreated,
    "session_cancelled": SessionCancelled,
    "webhook_endpoint_disabled": WebhookEndpointDisabled,
}


def hear_of(event: type[Event]) -> Callable[[OperatorPolicy], bool]:
    """Whether the operator has channels and wants to hear of such events by them, asked of what they have chosen."""
    kind = next(name for name, known in NOTICES.items() if known is event)
    return lambda policy: bool(policy.notice_channels) and kind in policy.notice_kinds


def tell_operators(db: Connection, event: Event, *, policy: OperatorPolicy) -> None:
    """One notice per channel, if the operator wants to hear of this."""
    kind = next(name for name, known in NOTICES.items() if isinstance(event, known))
    if kind in policy.notice_kinds:
        follow_up(db, event, SEND_NOTICE, policy.notice_channels)
