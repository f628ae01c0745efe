"""Quotas of messages that an owner has sent by hand, and of the endpoints that an owner makes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from uuid_utils.compat import uuid7

from models.quotas import quota_usage
from models.webhooks import EndpointState
from tests.api.conftest import Cast, refusal
from tests.api.partner import DONE, Partner
from tests.application import ApiResponse, World
from tests.queries import execute
from workflows.kernel.errors import RateLimited
from workflows.kernel.quotas import HOUR, Quota, forget_unused_quotas, use_quota

LIMITS = {"webhook_pings_per_hour": 3, "webhook_resends_per_hour": 3, "webhook_recoveries_per_hour": 3}


@pytest.fixture
def partner(engine: Engine, cast: Cast) -> Partner:
    """An active endpoint that has been pinged once, as it was made."""
    return Partner.of(World.on(engine, **LIMITS), cast.as_mentor)


def asked(partner: Partner, what: str) -> ApiResponse:
    """The answer to asking for one of them."""
    if what == "resend":
        return partner.client.post(f"/webhook-deliveries/{partner.told(DONE)}/resend", headers=partner.headers)
    bodies: dict[str, Any] = {
        "ping": {},
        "example": {"eventType": "session.created"},
        "recover": {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()},
    }
    return partner.client.post(f"{partner.path}/{what}", json=bodies[what], headers=partner.headers)


def pass_time(engine: Engine, interval: str) -> None:
    execute(engine, text(f"UPDATE quota_usage SET used_until = used_until - interval '{interval}'"))


@pytest.mark.parametrize("what", ["ping", "example", "recover", "resend"])
def test_messages_by_hand_have_a_quota_per_endpoint(partner: Partner, engine: Engine, what: str) -> None:
    assert [asked(partner, what).status_code for _ in range(3)] == [202] * 3
    refused = asked(partner, what)
    assert refusal(refused) == (429, "rate_limited")
    assert 1100 < int(refused.headers["Retry-After"]) <= 1200
    other = Partner.of(World.on(engine, **LIMITS), partner.headers, url="https://other.example")
    assert asked(other, what).status_code == 202
    pass_time(engine, "20 minutes")
    assert [asked(partner, what).status_code for _ in range(2)] == [202, 429]
    pass_time(engine, "2 hours")
    assert [asked(partner, what).status_code for _ in range(4)] == [202, 202, 202, 429]


def test_pings_examples_and_new_addresses_count_together(partner: Partner) -> None:
    assert asked(partner, "ping").status_code == asked(partner, "example").status_code == 202

    def moved(number: int) -> ApiResponse:
        url = {"url": f"https://partner.example/{number}"}
        return partner.client.patch(partner.path, json=url, headers=partner.headers)

    assert moved(1).status_code == 200
    assert refusal(moved(2)) == refusal(asked(partner, "ping")) == (429, "rate_limited")
    # Nothing has changed, and what sends nothing is possible.
    shown = partner.client.get(partner.path, headers=partner.headers).json
    assert shown["url"] == "https://partner.example/1"
    same = {"url": shown["url"], "description": "Mine"}
    assert partner.client.patch(partner.path, json=same, headers=partner.headers).status_code == 200


def test_refused_requests_use_nothing_up(partner: Partner) -> None:
    partner.becomes(EndpointState.PAUSED)
    assert [asked(partner, "example").status_code for _ in range(5)] == [409] * 5
    partner.becomes(EndpointState.ACTIVE)
    assert [asked(partner, "example").status_code for _ in range(4)] == [202, 202, 202, 429]


def test_a_race_does_not_pass_a_quota(partner: Partner) -> None:
    start = Barrier(8, timeout=10)

    def ask() -> int:
        start.wait()
        return asked(partner, "ping").status_code

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ask) for _ in range(8)]
        assert sorted(each.result() for each in found) == [202] * 3 + [429] * 5


def test_who_waited_for_another_use_is_not_refused_by_the_time_before_it(engine: Engine) -> None:
    quota, subject = Quota("webhook_endpoint.ping", 3, HOUR, "Too many."), uuid7()
    with engine.connect() as first, engine.begin() as later:
        began = first.execute(select(func.now())).scalar_one()
        assert later.execute(select(func.now())).scalar_one() > began
        for _ in range(2):
            use_quota(later, quota, subject)
        later.commit()
        use_quota(first, quota, subject)
        with pytest.raises(RateLimited):
            use_quota(first, quota, subject)


def test_no_quota_is_no_limit(engine: Engine, cast: Cast) -> None:
    partner = Partner.of(World.on(engine, **dict.fromkeys(LIMITS, 0)), cast.as_mentor)
    assert {asked(partner, "ping").status_code for _ in range(70)} == {202}


def test_endpoints_are_created_so_often_a_day(world: World, cast: Cast, engine: Engine) -> None:
    def create(headers: dict[str, str]) -> ApiResponse:
        body = {"url": "https://partner.example/in", "eventTypes": ["*"]}
        return world.client.post("/webhook-endpoints", json=body, headers=headers)

    for headers in (cast.as_mentor, cast.as_operator):
        first = create(headers)
        assert first.status_code == 201
        assert world.client.delete(first.headers["Location"], headers=headers).status_code == 204
        execute(engine, text("UPDATE quota_usage SET used_until = now() + interval '1 day'"))
        assert refusal(create(headers)) == (429, "rate_limited")
    assert create(cast.as_other_mentor).status_code == 201
    pass_time(engine, "15 minutes")
    assert create(cast.as_mentor).status_code == 201


def test_unused_quotas_are_forgotten(partner: Partner, engine: Engine) -> None:
    asked(partner, "ping")
    with engine.begin() as db:
        assert not forget_unused_quotas(db)
        kinds = select(quota_usage.c.kind).order_by("kind")
        assert list(db.scalars(kinds)) == ["webhook_endpoint.created", "webhook_endpoint.ping"]
    pass_time(engine, "30 minutes")
    with engine.begin() as db:
        assert forget_unused_quotas(db, limit=1)
        assert not forget_unused_quotas(db, limit=2)
        assert not list(db.scalars(kinds))


def test_no_more_is_forgotten_at_once_than_asked(engine: Engine) -> None:
    with engine.begin() as db:
        rows = "SELECT 'webhook_endpoint.ping', gen_random_uuid(), now() - interval '1 day' FROM generate_series(1, 20)"
        db.execute(text(f"INSERT INTO quota_usage (kind, subject_id, used_until) {rows}"))
        # A plan that looks for the rows once more for each row that it may delete.
        db.execute(text("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"))
        db.execute(text("SET LOCAL enable_hashagg = off; SET LOCAL enable_sort = off; SET LOCAL enable_material = off"))
        assert forget_unused_quotas(db, limit=5)
        assert db.scalar(select(func.count()).select_from(quota_usage)) == 15
