"""Tests of the operators' own channels: told of what they asked for, by addresses that settings alone hold."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import select

from config.settings import NOTICE_KINDS
from models.events import deliveries
from tests.factories import accept_booking, make_booking
from tests.integration.harness import Harness
from tests.integration.receivers import HttpReceiver, http_receiver
from workers.rules import name_of
from workers.transports.apprise import AppriseTransport
from workflows.effects.messages import Notice
from workflows.events.subscriptions import load
from workflows.notifications.kinds import OPERATOR_NOTICES
from workflows.notifications.texts import Words, compose
from workflows.operator_policy import OperatorPolicy

SECRET = "T00-very-secret"


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    """A service that Apprise posts to."""
    with http_receiver() as receiver:
        receiver.status = 200
        yield receiver


def url_of(service: HttpReceiver) -> str:
    """Its address, as Apprise has it."""
    return f"{service.url.replace('http://', 'json://')}/{SECRET}"


def notice(channel: str) -> Notice:
    """Something to be told."""
    return Notice(delivery_id=uuid4(), channel=channel, words=Words("Session booked", "Session 7."))


def test_a_notice_reaches_its_channel_alone(service: HttpReceiver) -> None:
    url = url_of(service)
    transport = AppriseTransport([url, "json://127.0.0.1:1/other"])
    assert transport.send(notice(name_of(url))).error is None
    (request,) = service.requests
    assert request.path.startswith(f"/{SECRET}")
    told = json.loads(request.body)
    assert (told["title"], told["message"]) == ("Session booked", "Session 7.")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_no_log_and_no_error_holds_an_address(
    service: HttpReceiver, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    url = url_of(service)
    transport = AppriseTransport([url])
    service.status = 500
    with caplog.at_level(level):
        report = transport.send(notice(name_of(url)))
    assert report.error == "JSON did not take the notice."
    assert not report.permanent
    assert SECRET not in caplog.text
    assert SECRET not in name_of(url)


def test_a_channel_removed_from_the_settings_gets_nothing() -> None:
    report = AppriseTransport([]).send(notice("0123456789abcdef"))
    assert report.error == "The operators no longer have this channel."


def test_an_address_that_nobody_knows_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="APPRISE_URLS holds an address") as refused:
        AppriseTransport([f"pigeon://{SECRET}"])
    assert SECRET not in str(refused.value)


def with_policy(harness: Harness, **policy: object) -> Harness:
    """The same harness, with an operator policy."""
    return Harness(harness.engine, load().with_policy(OperatorPolicy(**policy)))  # type: ignore[arg-type]


def test_channels_get_the_chosen_notices_without_names(harness: Harness) -> None:
    telling = with_policy(harness, notice_channels=("chat", "sms"), notice_kinds=frozenset({"session_created"}))
    with telling.transactions() as db:
        accept_booking(db, make_booking(db, title="Private matters"))
    telling.run_all()
    assert {told.channel for told in telling.channels.received} == {"chat", "sms"}
    for told in telling.channels.received:
        assert told.words.title == "Session booked"
        for private in ("Ada", "Grace", "Private matters", "@example.org"):
            assert private not in told.words.body


def test_a_cancellation_says_by_whom_and_what_it_costs() -> None:
    event = SimpleNamespace(
        session_id=7,
        mentor_profile_id=8,
        start_time=datetime(2030, 5, 4, 9, tzinfo=UTC),
        cancelled_by="mentee",
        late=True,
        fee_amount=2000,
        refund_amount=2000,
        currency="USD",
    )
    said = compose("notice_session_cancelled", event=event)
    assert said.title == "Session cancelled by the mentee"
    assert "Saturday, 4 May 2030, 09:00 (UTC)" in said.body
    assert "A late cancellation. Fee: USD 20.00. Refund: USD 20.00." in said.body


def test_without_channels_or_wishes_nobody_is_told(harness: Harness) -> None:
    for policy in ({}, {"notice_channels": ("chat",)}, {"notice_kinds": frozenset(OPERATOR_NOTICES)}):
        with harness.transactions() as db:
            accept_booking(db, make_booking(db))
        with_policy(harness, **policy).run_all()
    with harness.engine.connect() as db:
        assert "channels.send" not in set(db.scalars(select(deliveries.c.effect)))


def test_the_settings_know_every_kind_of_notice() -> None:
    assert set(NOTICE_KINDS) == set(OPERATOR_NOTICES)
