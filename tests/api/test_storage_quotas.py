"""How much one caller can have stored: rows of each kind, and the texts of bookings."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, Table, text

from models.availability import date_hours, time_off
from models.catalog import listings
from models.groups import group_session_templates
from tests.api.conftest import Cast, nothing_written, refusal
from tests.application import ApiClient, ApiResponse, World
from tests.queries import execute
from workflows.availability.dates import MAX_DATES
from workflows.catalog.listings import MAX_LISTINGS
from workflows.groups.templates import MAX_TEMPLATES
from workflows.sessions.time_off import MAX_TIME_OFF

Ask = Callable[[ApiClient, Cast, int], ApiResponse]


def fill(engine: Engine, table: Table, count: int) -> None:
    """So many copies of the only row of a table, each with an id or a date of its own."""
    own = {"id": "gen_random_uuid()", "day": "day - n"}
    names = [column.name for column in table.columns if column.computed is None]
    values = ", ".join(own.get(name, name) for name in names)
    copies = f"SELECT {values} FROM {table.name}, generate_series(1, {count}) AS n"
    execute(engine, text(f"INSERT INTO {table.name} ({', '.join(names)}) {copies}"))


def listing(client: ApiClient, cast: Cast, number: int) -> ApiResponse:
    offer = {"title": f"Advice {number}", "durationMinutes": 60, "price": {"amount": 1, "currency": "USD"}}
    return client.post("/listings", json=offer, headers=cast.as_other_mentor)


def template(client: ApiClient, cast: Cast, number: int) -> ApiResponse:
    weekly = {"title": f"Algebra {number}", "weekday": 0, "startTime": "09:00", "timeZone": "UTC"}
    seats = {"durationMinutes": 60, "capacity": 3, "price": {"amount": 1, "currency": "EUR"}}
    return client.post("/group-session-templates", json=weekly | seats, headers=cast.as_other_mentor)


def free_time(client: ApiClient, cast: Cast, number: int) -> ApiResponse:
    period = {"startTime": f"2090-05-04T09:00:{number:02}Z", "endTime": "2090-05-04T10:00:00Z"}
    return client.post(f"/mentors/{cast.other_mentor.id}/time-off", json=period, headers=cast.as_other_mentor)


def date(client: ApiClient, cast: Cast, number: int) -> ApiResponse:
    path = f"/mentors/{cast.other_mentor.id}/dates/2090-05-{number + 1:02}"
    return client.put(path, json={"hours": []}, headers=cast.as_other_mentor)


KINDS: dict[str, tuple[Table, int, Ask]] = {
    "listings": (listings, MAX_LISTINGS, listing),
    "templates": (group_session_templates, MAX_TEMPLATES, template),
    "times off": (time_off, MAX_TIME_OFF, free_time),
    "dates": (date_hours, MAX_DATES, date),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_mentor_are_bounded_also_in_a_race(engine: Engine, world: World, cast: Cast, kind: str) -> None:
    table, most, ask = KINDS[kind]
    execute(engine, text("TRUNCATE listings CASCADE"))
    assert ask(world.client, cast, 0).status_code in (200, 201)
    fill(engine, table, most - 2)
    start = Barrier(4, timeout=10)

    def ask_at_once(number: int) -> ApiResponse:
        start.wait()
        return ask(world.client, cast, number)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask_at_once, range(1, 5)))
    assert sorted(answer.status_code // 100 for answer in answers) == [2, 4, 4, 4]
    assert {refusal(answer) for answer in answers if answer.status_code > 299} == {(409, "quota_reached")}
    with nothing_written(engine):
        assert refusal(ask(world.client, cast, 9)) == (409, "quota_reached")


def test_what_has_hours_already_can_be_changed_at_the_quota(engine: Engine, client: ApiClient, cast: Cast) -> None:
    date(client, cast, 0)
    fill(engine, date_hours, MAX_DATES - 1)
    path = f"/mentors/{cast.other_mentor.id}/dates/2090-05-01"
    hours = {"hours": [{"startTime": "09:00", "endTime": "10:00"}]}
    assert client.put(path, json=hours, headers=cast.as_other_mentor).status_code == 200
    assert client.delete(path, headers=cast.as_other_mentor).status_code == 204
    assert date(client, cast, 5).status_code == 200


@pytest.mark.parametrize("field", ["metadata", "notes"])
def test_texts_of_a_day_s_bookings_are_bounded(engine: Engine, client: ApiClient, cast: Cast, field: str) -> None:
    small: dict[str, Any] = {"metadata": {"theirs": 1}}
    large: dict[str, Any] = {"metadata": {"theirs": "x" * 16_000}, "notes": "x" * 5_000}

    def book(headers: dict[str, str], **fields: Any) -> ApiResponse:
        return client.post("/bookings", json=cast.body(**fields), headers=headers)

    assert book(cast.as_mentee, **small).status_code == 201
    hexes = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 135000))"
    stored = f"NULL, notes = {hexes}" if field == "notes" else f"jsonb_build_object('x', {hexes})"
    execute(engine, text(f"UPDATE bookings SET metadata = {stored}"))
    refused = book(cast.as_mentee, **{field: large[field]})
    assert refusal(refused) == (429, "rate_limited")
    assert "Retry-After" in refused.headers
    # Small texts do not count, nor do another mentee's.
    assert book(cast.as_mentee, notes="Hello").status_code == 201
    assert book(cast.as_stranger, **{field: large[field]}).status_code == 201
    execute(engine, text("UPDATE bookings SET created_at = created_at - interval '25 hours'"))
    assert book(cast.as_mentee, **{field: large[field]}).status_code == 201
