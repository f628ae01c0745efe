"""Effects of the queue `webhooks` that read mentors' outside calendars, each again and again by one delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.events import ErrorClass
from workflows.availability.feed_reading import (
    FEEDS_TO_READ,
    CalendarCopy,
    FeedRequest,
    keep_answer,
    keep_failure,
    pause_after,
    request_for,
    schedule_anew,
)
from workflows.events.delivery import Cancel, Delivery, Postpone, SendResult
from workflows.events.event_types import CalendarFeedScheduled
from workflows.events.record import follow_up
from workflows.events.subscriptions import OutboundEffect, prepare_each, register_outbound, subscribe
from workflows.kernel.operator_policy import DEFAULT_POLICY, OperatorPolicy

# Whether the profile is active again.
INACTIVE_PAUSE = timedelta(hours=1)


def prepare_requests(
    db: Connection, deliveries: Sequence[Delivery], *, policy: OperatorPolicy = DEFAULT_POLICY
) -> list[FeedRequest | Exception]:
    """The request for each calendar, with all calendars read at once."""
    ids = [delivery.event.subject_id for delivery in deliveries]
    found = {row.id: row for row in db.execute(FEEDS_TO_READ, {"ids": ids})}
    return prepare_each(deliveries, lambda delivery: _request(delivery, found, policy))


def _request(delivery: Delivery, found: Mapping[UUID, Row[Any]], policy: OperatorPolicy) -> FeedRequest:
    """The request for one calendar.

    Raises:
        Cancel: it has been removed, or is read by the delivery of another event.
        Postpone: its mentor is not active.
    """
    feed = found.get(delivery.event.subject_id)
    if feed is None:
        raise Cancel("The calendar has been removed.", ErrorClass.DELETED)
    if feed.scheduled_by != delivery.event.id:
        raise Cancel("A later delivery reads this calendar.")
    if not feed.active:
        raise Postpone(delivery.now + INACTIVE_PAUSE, "The mentor is not active.")
    return request_for(feed, policy=policy, now=delivery.now)


def next_fetch_at(delivery: Delivery, request: FeedRequest, sent: SendResult) -> datetime:
    failed = sent.error is not None
    return delivery.now + pause_after(request, failed=failed, retry_after=sent.retry_after)


def settle_request(db: Connection, delivery: Delivery, request: FeedRequest, sent: SendResult) -> None:
    """Keep the times of the answer, or the reason why there is none."""
    assert isinstance(delivery.event, CalendarFeedScheduled)
    if sent.error_class is ErrorClass.INTERNAL:
        # A defect of ours, which is tried again by the policy of the effect.
        return
    times: dict[str, datetime] = {"next_fetch_at": next_fetch_at(delivery, request, sent), "now": delivery.now}
    if sent.error is None:
        assert sent.content is None or isinstance(sent.content, CalendarCopy)
        keep_answer(db, request, sent.content, **times)
    else:
        keep_failure(db, request, sent.error, **times)
    schedule_anew(db, delivery.event, **times)


def with_calendar_policy(effect: OutboundEffect[FeedRequest], policy: OperatorPolicy) -> OutboundEffect[FeedRequest]:
    return replace(effect, prepare=partial(prepare_requests, policy=policy))


READ_CALENDAR = register_outbound(
    OutboundEffect(
        name="calendars.read",
        queue="webhooks",
        transport="calendars",
        prepare=prepare_requests,
        settle=settle_request,
        repeat_at=next_fetch_at,
        apply_policy=with_calendar_policy,
    )
)


@subscribe(CalendarFeedScheduled, name="calendars.start", queue="webhooks", due=lambda event: event.fetch_at)
def start_reading(db: Connection, event: CalendarFeedScheduled, *, now: datetime) -> None:
    """Begin to read a calendar; its delivery stays pending, and is due again and again."""
    follow_up(db, event, READ_CALENDAR, [""])
