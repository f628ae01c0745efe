"""Tests of the end of a bundle's validity: what is left expires once, a notice comes a week before, both move."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from models.bundles import bundle_entries
from models.events import deliveries, events
from models.notifications import notifications
from tests import factories
from tests.integration.harness import Harness
from tests.queries import execute, scalars
from workflows.bundles.adjust import adjust
from workflows.bundles.records import Bundle, bundle_query
from workflows.kernel.operator_policy import DEFAULT_POLICY
from workflows.privacy.deletion import delete_account

WEEK = timedelta(days=7)


def bought(harness: Harness, *, days: int | None = 30, ago: timedelta = timedelta(0), **product: Any) -> Bundle:
    with harness.transactions() as db:
        at = datetime.now(UTC) - ago
        return factories.make_bundle(db, at=at, valid_days=days, **product)


def present(harness: Harness, bundle: Bundle) -> Bundle:
    return Bundle.of(execute(harness.engine, bundle_query(bundle.id)).one())


def moves(harness: Harness, bundle: Bundle) -> list[tuple[str, int, int]]:
    query = select(bundle_entries).where(bundle_entries.c.bundle_purchase_id == bundle.id)
    with harness.engine.connect() as db:
        return [
            (str(row.kind), row.credits, row.balance) for row in db.execute(query.order_by(bundle_entries.c.sequence))
        ]


def happened(harness: Harness, bundle: Bundle, of: str) -> list[dict[str, Any]]:
    query = select(events.c.data).where(events.c.subject_id == bundle.id, events.c.type == of)
    return list(scalars(harness.engine, query.order_by(events.c.sequence)))


def titles(harness: Harness, kind: str) -> list[str]:
    query = select(notifications.c.title).where(notifications.c.kind == kind, notifications.c.channel == "in_app")
    return list(scalars(harness.engine, query))


def due(harness: Harness, effect: str) -> list[datetime]:
    query = select(deliveries.c.due_at).where(deliveries.c.effect == effect, deliveries.c.state == "pending")
    return sorted(scalars(harness.engine, query))


def validity_events(harness: Harness, bundle: Bundle) -> list[UUID]:
    query = select(events.c.id).where(events.c.subject_id == bundle.id, events.c.type == "bundle.validity_set")
    return list(scalars(harness.engine, query.order_by(events.c.sequence)))


def set_validity(harness: Harness, bundle: Bundle, valid_to: datetime | None) -> None:
    with harness.transactions() as db:
        adjust(
            db,
            actor=factories.OPERATOR,
            bundle=bundle,
            reason="Goodwill",
            changes={"valid_to": valid_to},
            any_version=True,
            now=datetime.now(UTC),
        )


def test_what_is_left_expires_at_the_end(harness: Harness) -> None:
    bundle = bought(harness, ago=timedelta(days=30))
    assert due(harness, "bundles.expire") == [bundle.valid_to]
    harness.run_all()
    assert moves(harness, bundle) == [("purchase", 5, 5), ("expire", -5, 0)]
    assert present(harness, bundle).closed_at is not None
    (event,) = happened(harness, bundle, "bundle.expired")
    assert (event["status"], event["expired_sessions"], event["remaining_sessions"]) == ("expired", 5, 0)
    assert titles(harness, "bundle_expired") == ["Your bundle for Linear algebra I has expired"]


def test_a_bundle_of_the_future_is_left_alone(harness: Harness) -> None:
    bundle = bought(harness)
    assert bundle.valid_to is not None
    assert due(harness, "bundles.expire") == [bundle.valid_to]
    assert due(harness, "notifications.bundle_expiring") == [bundle.valid_to - WEEK]
    harness.run_all()
    assert moves(harness, bundle) == [("purchase", 5, 5)]
    assert titles(harness, "bundle_purchased") == ["Your bundle for Linear algebra I is ready"]


def test_a_bundle_without_end_has_no_timers(harness: Harness) -> None:
    bundle = bought(harness, days=None)
    assert validity_events(harness, bundle) == []
    assert due(harness, "bundles.expire") == []


@pytest.mark.parametrize("days", [None, 30])
def test_what_is_left_goes_with_its_account(harness: Harness, days: int | None) -> None:
    bundle = bought(harness, days=days)
    with harness.transactions() as db:
        delete_account(db, user_id=bundle.mentee_user_id, cancel=True, now=datetime.now(UTC), policy=DEFAULT_POLICY)
    harness.run_all()
    assert moves(harness, bundle) == [("purchase", 5, 5), ("expire", -5, 0)]
    assert len(happened(harness, bundle, "bundle.expired")) == 1
    assert titles(harness, "bundle_expired") == []
    assert due(harness, "notifications.bundle_expired") == []


def test_a_used_up_bundle_expires_without_a_notice(harness: Harness) -> None:
    bundle = bought(harness, session_count=1)
    with harness.transactions() as db:
        factories.make_paid_booking(db, bundle)
    for effect in ("bundles.expire", "notifications.bundle_expiring"):
        harness.make_due(harness.key(effect))
    harness.run_all()
    assert moves(harness, bundle) == [("purchase", 1, 1), ("spend", -1, 0)]
    (event,) = happened(harness, bundle, "bundle.expired")
    assert event["expired_sessions"] == 0
    assert titles(harness, "bundle_exhausted") == ["Your bundle for Linear algebra I is used up"]
    assert titles(harness, "bundle_expired") == titles(harness, "bundle_expiring") == []


def test_the_owner_is_notified_a_week_before(harness: Harness) -> None:
    bundle = bought(harness, ago=timedelta(days=23))
    harness.run_all()
    assert titles(harness, "bundle_expiring") == ["Your bundle for Linear algebra I expires in 7 days"]
    assert moves(harness, bundle) == [("purchase", 5, 5)]


@pytest.mark.parametrize(("days", "notices"), [(7, 0), (8, 1)])
def test_only_a_validity_of_over_a_week_has_a_notice(harness: Harness, days: int, notices: int) -> None:
    bought(harness, days=days)
    assert len(due(harness, "notifications.bundle_expiring")) == notices


def test_an_extension_moves_expiry_and_notice(harness: Harness) -> None:
    bundle = bought(harness)
    assert bundle.valid_to is not None
    later = bundle.valid_to + timedelta(days=10)
    set_validity(harness, bundle, later)
    assert due(harness, "bundles.expire") == [bundle.valid_to, later]
    first, second = validity_events(harness, bundle)
    for effect in ("notifications.bundle_expiring", "bundles.expire"):
        harness.make_due(harness.key(effect, first))
    harness.run_all()
    assert titles(harness, "bundle_expiring") == []
    assert present(harness, bundle).remaining_sessions == 5
    for effect in ("notifications.bundle_expiring", "bundles.expire"):
        harness.make_due(harness.key(effect, second))
        harness.run_all()
    assert len(titles(harness, "bundle_expiring")) == 1
    assert present(harness, bundle).remaining_sessions == 0


def test_an_end_set_back_and_forth_expires_once(harness: Harness) -> None:
    bundle = bought(harness)
    assert bundle.valid_to is not None
    set_validity(harness, bundle, bundle.valid_to + WEEK)
    set_validity(harness, bundle, bundle.valid_to)
    for event_id in validity_events(harness, bundle):
        harness.make_due(harness.key("bundles.expire", event_id))
    harness.run_all()
    assert len(happened(harness, bundle, "bundle.expired")) == 1


def test_a_bundle_freed_of_its_end_never_expires(harness: Harness) -> None:
    bundle = bought(harness)
    set_validity(harness, bundle, None)
    (event_id,) = validity_events(harness, bundle)
    harness.make_due(harness.key("bundles.expire", event_id))
    harness.run_all()
    assert happened(harness, bundle, "bundle.expired") == []
    assert present(harness, bundle).remaining_sessions == 5


def test_an_extended_bundle_can_be_spent_and_expires_again(harness: Harness) -> None:
    bundle = bought(harness, ago=timedelta(days=30))
    harness.run_all()
    with harness.transactions() as db:
        later = datetime.now(UTC) + timedelta(days=3)
        changes = {"valid_to": later}
        now = datetime.now(UTC)
        adjust(
            db, actor=factories.OPERATOR, bundle=bundle, reason="x", credits=2, changes=changes, any_version=True,
            now=now,
        )  # fmt: skip
        factories.make_paid_booking(db, bundle)
    harness.make_due(harness.key("bundles.expire", validity_events(harness, bundle)[-1]))
    harness.run_all()
    assert moves(harness, bundle)[-3:] == [("adjust", 2, 2), ("spend", -1, 1), ("expire", -1, 0)]
    assert [event["expired_sessions"] for event in happened(harness, bundle, "bundle.expired")] == [5, 1]
