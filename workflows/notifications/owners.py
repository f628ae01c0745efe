"""Notify the owner of a webhook endpoint: its mentor as anybody else, the operators by mail."""

from __future__ import annotations

from sqlalchemy import Connection

from workflows.events.catalogue import WebhookEndpointEvent
from workflows.events.record import follow_up
from workflows.notifications.endpoint_news import news_of
from workflows.notifications.notify import tell
from workflows.notifications.people import person_of
from workflows.outside.send_mail import OPERATORS, SEND_MAIL


def notify_owner(db: Connection, event: WebhookEndpointEvent) -> None:
    """Tell the owner once per channel, however often this runs; of an endpoint that is gone nobody is told."""
    news = news_of(db, event)
    if news is None:
        return
    if news.owner_user_id is None:
        follow_up(db, event, SEND_MAIL, [OPERATORS])
    else:
        tell(db, event, kind=news.kind, letters=[(person_of(db, news.owner_user_id), news.words)])
