"""Deliveries as operators, mentors and owners of endpoints are shown them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    ScalarSelect,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from models.base import Timestamp, enum_literal, is_one_of, sql
from models.events import DeliveryState, deliveries, delivery_attempts, events
from models.webhooks import deleted_webhook_endpoints, webhook_endpoints
from workflows.events.delivery import DeliveryStatus
from workflows.events.retention import OUTCOMES
from workflows.events.rows import IS_WEBHOOK, text_array
from workflows.kernel.paging import NEWEST_EVENT_FIRST, Page


def is_given_up(subject_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a delivery of an event about the subject has ended without being done."""
    ended = is_one_of(deliveries.c.state, (DeliveryState.DEAD, DeliveryState.CANCELLED))
    of_event = select(deliveries.c.id).where(deliveries.c.event_id == events.c.id, ended)
    return exists().where(events.c.subject_id == subject_id, of_event.exists())


def _status(delivery: Any) -> list[ColumnElement[Any]]:
    event = (events.c.type.label("event_type"), events.c.subject_type, events.c.subject_id)
    return [*(delivery[field.name] for field in fields(DeliveryStatus) if field.name in delivery), *event]


def _of_last_attempt(delivery: Any, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    attempts = delivery_attempts.c
    same = [attempts[name] == delivery[name] for name in ("event_id", "effect", "target")]
    return select(column).where(*same).order_by(attempts.attempt.desc()).limit(1).scalar_subquery()


def _error_class(delivery: Any) -> ColumnElement[Any]:
    # A reason to wait or to cancel that replaced the last attempt's error in the row has none of its classes.
    of_attempt = case((delivery_attempts.c.error == delivery.last_error, delivery_attempts.c.error_class))
    return func.coalesce(delivery.cancel_reason, _of_last_attempt(delivery, of_attempt))


def _webhook_status(delivery: Any, endpoint: Any) -> list[ColumnElement[Any]]:
    return [
        *_status(delivery),
        delivery.endpoint_id,
        endpoint.state.label("endpoint_state"),
        endpoint.mentor_profile_id,
        case(
            (delivery.duration_ms.is_not(None), delivery.status_code),
            else_=_of_last_attempt(delivery, delivery_attempts.c.status_code),
        ).label("last_status_code"),
        _error_class(delivery).label("last_error_class"),
    ]


# Endpoints, also those that are deleted, which have no state.
_ENDPOINTS_EVER = union_all(
    select(webhook_endpoints.c.id, webhook_endpoints.c.mentor_profile_id, webhook_endpoints.c.state),
    select(
        deleted_webhook_endpoints.c.id,
        deleted_webhook_endpoints.c.mentor_profile_id,
        cast(null(), webhook_endpoints.c.state.type),
    ),
).subquery("endpoints_ever")
_STATUS = select(*_status(deliveries.c)).join_from(deliveries, events, events.c.id == deliveries.c.event_id)
_WEBHOOK_STATUS = (
    select(*_webhook_status(deliveries.c, _ENDPOINTS_EVER.c))
    .join_from(deliveries, events, events.c.id == deliveries.c.event_id)
    .join(_ENDPOINTS_EVER, _ENDPOINTS_EVER.c.id == deliveries.c.endpoint_id, isouter=True)
    # Of one id: spelled so that the index over all webhook deliveries cannot serve.
    .where(deliveries.c.effect + literal_column("''") == literal_column("'webhooks.send'"))
)
# The attempt that succeeded is in the delivery's own row.
_ATTEMPTS = sql("""
SELECT attempt, outcome, error, error_class, status_code, response, duration_ms, created_at FROM delivery_attempts
WHERE event_id = :event_id AND effect = 'webhooks.send' AND target = :target
UNION ALL
SELECT attempts, 'done', NULL, NULL, status_code, response, duration_ms, done_at FROM deliveries
WHERE event_id = :event_id AND effect = 'webhooks.send' AND target = :target AND duration_ms IS NOT NULL
ORDER BY attempt DESC
LIMIT :limit
""").columns(created_at=Timestamp)
# Deliveries to browsers, chat channels and endpoints are private: operators see them all, an endpoint's owner its own.
_OF_SUBJECTS = _STATUS.where(
    events.c.subject_id == any_(bindparam("subject_ids", type_=ARRAY(Uuid))),
    or_(
        bindparam("all", type_=Boolean),
        deliveries.c.effect.not_in(["webhooks.send", "push.send", "channels.send"]),
        deliveries.c.endpoint_id.in_(
            select(webhook_endpoints.c.id).where(
                webhook_endpoints.c.mentor_profile_id == bindparam("mentor_profile_id", type_=Uuid)
            )
        ),
    ),
).order_by(events.c.sequence, deliveries.c.effect, deliveries.c.target)


def status_query(delivery_id: UUID) -> Select[Any]:
    """The status of one delivery, as `DeliveryStatus`."""
    return _STATUS.where(deliveries.c.id == delivery_id)


def statuses_by_id_query(first: UUID, last: UUID) -> Select[Any]:
    """The first two statuses in a range of ids, both ends included: enough to tell whether there is exactly one."""
    return _STATUS.where(deliveries.c.id.between(first, last)).order_by(deliveries.c.id).limit(2)


@dataclass(frozen=True)
class Failures:
    """Deliveries of one effect that are dead, or that wait after a failed attempt."""

    effect: str
    state: DeliveryState
    number: int
    last_error: str | None  # of the delivery that is due last


def failures(db: Connection) -> list[Failures]:
    """Dead deliveries and those that wait after a failed attempt, by effect."""
    row = deliveries.c
    # A delivery that was postponed without an attempt waits for its turn, and has not failed.
    waits = and_(row.state == DeliveryState.PENDING, row.attempts > 0, row.last_error.is_not(None))
    errors = func.array_agg(aggregate_order_by(row.last_error, row.due_at.desc()), type_=ARRAY(Text))
    found = db.execute(
        select(row.effect, row.state, func.count().label("number"), errors[1].label("last_error"))
        .where(or_(row.state == DeliveryState.DEAD, waits))
        .group_by(row.effect, row.state)
        .order_by(row.effect, row.state)
    )
    return [Failures(**each._mapping) for each in found]


def count_by_queue(db: Connection, delivery_ids: Iterable[UUID]) -> dict[str, int]:
    """How many of these deliveries each queue has."""
    row = deliveries.c
    ours = row.id.in_(list(delivery_ids))
    counts = select(row.queue, func.count()).where(ours).group_by(row.queue).order_by(row.queue)
    return {queue: number for queue, number in db.execute(counts)}


def statuses_query(
    page: Page, *, state: DeliveryState | None = None, effect: str | None = None, subject_id: UUID | None = None
) -> Select[Any]:
    """Those in a state, of an effect or of one subject's events, or all; the newest events first."""
    query = _STATUS if state is None else _STATUS.where(deliveries.c.state == enum_literal(state))
    query = query if effect is None else query.where(deliveries.c.effect == effect)
    query = query if subject_id is None else query.where(events.c.subject_id == subject_id)
    return NEWEST_EVENT_FIRST.select_page(query, page, deliveries.c.event_id, deliveries.c.id)


def statuses_of_subjects(
    db: Connection, subject_ids: Sequence[UUID], *, everything: bool, mentor_profile_id: UUID | None
) -> list[DeliveryStatus]:
    """The deliveries of all events about these subjects, in the order of the events; also those deleted by retention.

    Args:
        everything: whether those are among them that are operators' business alone.
        mentor_profile_id: whose webhook endpoints' deliveries are among them in any case.
    """
    values = {"subject_ids": list(subject_ids), "all": everything, "mentor_profile_id": mentor_profile_id}
    statuses = [DeliveryStatus.of(row) for row in db.execute(_OF_SUBJECTS, values)]
    deleted = [_ended(row._mapping) for row in db.execute(OUTCOMES, {"subject_ids": text_array(subject_ids)})]
    if deleted:
        statuses = sorted([*deleted, *statuses], key=lambda each: (each.event_id, each.effect, each.target))
    return statuses


def _ended(row: RowMapping) -> DeliveryStatus:
    """A delivery that retention has deleted, whose outcome was kept."""
    state = DeliveryState(row["state"])
    done_at = row["ended_at"] if state is DeliveryState.DONE else None
    values = {"state": state, "due_at": row["ended_at"], "done_at": done_at, "last_error": None}
    return DeliveryStatus.of_values(dict(row) | values)


def webhook_status_query(delivery_id: UUID) -> Select[Any]:
    """One webhook delivery, with its last attempt and its endpoint, unless that is deleted."""
    return _WEBHOOK_STATUS.where(deliveries.c.id == delivery_id)


def attempts_of_webhook(db: Connection, event_id: UUID, target: str, *, limit: int) -> Sequence[Row[Any]]:
    """The latest attempts of one webhook delivery, the last one first."""
    return db.execute(_ATTEMPTS, {"event_id": event_id, "target": target, "limit": limit}).all()


def webhook_statuses_query(
    page: Page,
    *,
    mentor_profile_id: UUID | None = None,
    endpoint_id: UUID | None = None,
    of_any_owner: bool = False,
    state: DeliveryState | None = None,
) -> Select[Any]:
    """The deliveries to a mentor's endpoints, or for None to the operators'; the newest events first.

    Args:
        endpoint_id: to this endpoint alone, also when it is deleted.
        of_any_owner: to endpoints of every owner.
        state: deliveries in this state alone.
    """
    endpoints = webhook_endpoints if endpoint_id is None else _ENDPOINTS_EVER
    wanted = [] if of_any_owner else [endpoints.c.mentor_profile_id == mentor_profile_id]
    if endpoint_id is not None:
        wanted.append(endpoints.c.id == endpoint_id)
    of_one = select(deliveries).where(IS_WEBHOOK, deliveries.c.endpoint_id == endpoints.c.id)
    if state is not None:
        of_one = of_one.where(deliveries.c.state == enum_literal(state))
    # A page of each endpoint by the index, and then the first of them all: never a whole history to be sorted.
    of_one = NEWEST_EVENT_FIRST.select_page(of_one, page, deliveries.c.event_id, deliveries.c.id)
    newest = of_one.correlate(endpoints).lateral("newest")
    return (
        select(*_webhook_status(newest.c, endpoints.c))
        .select_from(endpoints.join(newest, true()).join(events, events.c.id == newest.c.event_id))
        .where(*wanted)
        .order_by(newest.c.event_id.desc(), newest.c.id.desc())
        .limit(page.limit + 1)
    )
