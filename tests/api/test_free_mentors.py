"""Mentors who have a free time: exactly those who have slots there, each with the first of these."""

import re
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, update

from config.limits import RateLimit
from models.catalog import listings
from tests import factories
from tests.api.conftest import Cast, Headers
from tests.application import World, as_mentor
from tests.statements import statements_of
from workflows.accounts.records import Mentor
from workflows.catalog.mentors import MAX_LISTINGS_SHOWN

DAY = timedelta(days=1)


def get(world: World, path: str, headers: Headers, **query: Any) -> Any:
    answer = world.client.get(f"{path}?{urlencode(query)}", headers=headers)
    assert answer.status_code == 200, answer.json
    return answer.json


def everyone(world: World, headers: Headers, **query: Any) -> list[dict[str, Any]]:
    """The items of all pages."""
    found: list[dict[str, Any]] = []
    page = get(world, "/mentors", headers, **query)
    found += page["items"]
    while page["nextCursor"]:
        page = get(world, "/mentors", headers, **query, cursor=page["nextCursor"])
        found += page["items"]
    return found


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ({"sort": "rating"}, 1),
        ({"sort": "next"}, 6),
        ({"include": "nextSlot"}, 6),
        ({"freeFrom": "2030-05-05T09:00:00Z", "freeTo": "2030-05-06T09:00:00Z"}, 6),
        ({"sort": "next", "include": "nextSlot"}, 11),
    ],
)
def test_each_search_of_slots_counts_as_five_more(
    engine: Engine, cast: Cast, query: dict[str, str], requests: int
) -> None:
    world = World.on(engine, redis_url="", rate_limit_caller=RateLimit(30, 60))
    answer = world.client.get(f"/mentors?{urlencode(query)}", headers=cast.as_mentee)
    assert answer.status_code == 200
    assert re.findall(r'"caller";r=(\d+)', answer.headers["RateLimit"]) == [str(30 - requests)]


def mentors_with_random_calendars(world: World, cast: Cast, random: Random, count: int) -> list[Mentor]:
    made = []
    with world.engine.begin() as db:
        for _ in range(count):
            mentor = factories.make_mentor(db)
            made.append(mentor)
            for minutes in random.sample([30, 60, 90], random.randint(0, 2)):
                listing = factories.make_listing(
                    db, mentor, duration_minutes=minutes, min_notice_minutes=random.choice([0, 2700]), buffer_minutes=10
                )
                start = factories.this_hour() + timedelta(days=2, hours=random.randint(0, 40))
                mentee = random.choice([cast.mentee, cast.stranger])
                booking = factories.make_booking(db, listing=listing, mentee=mentee, start_time=start)
                if random.random() < 0.3:
                    factories.accept_booking(db, booking)
    for mentor in random.sample(made, count // 2):
        hours = {
            "timeZone": random.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
            "hours": [{"weekday": day, "startTime": "09:00", "endTime": "11:30"} for day in random.sample(range(7), 3)],
        }
        answer = world.client.put(f"/mentors/{mentor.id}/hours", headers=as_mentor(mentor), json=hours)
        assert answer.status_code == 200
    return made


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("duration", [None, 60])
def test_who_is_free_has_slots_and_the_first_equals(world: World, cast: Cast, seed: int, duration: int | None) -> None:
    random = Random(seed)
    mentors = mentors_with_random_calendars(world, cast, random, 12)
    start = factories.this_hour() + timedelta(days=2, hours=random.randint(0, 30), minutes=random.choice([0, 7]))
    end = start + timedelta(hours=random.choice([1, 6, 30]))
    of_duration = {} if duration is None else {"durationMinutes": duration}
    stretch = {"freeFrom": start.isoformat(), "freeTo": end.isoformat(), **of_duration, "limit": 5}
    found = {each["id"]: each["nextSlot"] for each in everyone(world, cast.as_mentee, **stretch)}
    expected = {}
    for mentor in [*mentors, cast.mentor, cast.other_mentor]:
        query = urlencode({"from": start.isoformat(), "to": end.isoformat(), **of_duration})
        slots = world.client.get(f"/mentors/{mentor.id}/slots?{query}", headers=cast.as_mentee)
        if slots.status_code == 200 and slots.json["items"]:
            expected[str(mentor.id)] = (slots.json["items"][0]["startTime"], slots.json["items"][0]["endTime"])
    assert expected
    assert {id: (slot["startTime"], slot["endTime"]) for id, slot in found.items()} == expected


def test_a_page_is_read_by_a_fixed_number_of_statements(world: World, cast: Cast) -> None:
    start = factories.this_hour() + DAY
    query = {"freeFrom": start.isoformat(), "freeTo": (start + DAY).isoformat(), "include": "listings,nextSlot"}
    seen = []
    for count in (1, 6):
        mentors_with_random_calendars(world, cast, Random(count), count)
        with statements_of(world.engine) as made:
            get(world, "/mentors", cast.as_mentee, **query)
        seen.append(len(made.statements))
    assert seen[0] == seen[1] <= 8


def test_listings_and_slots_come_along_where_they_are_asked_for(world: World, cast: Cast) -> None:
    (plain,) = [each for each in get(world, "/mentors", cast.as_mentee)["items"] if each["id"] == str(cast.mentor.id)]
    assert not plain.keys() & {"listings", "nextSlot"}
    items = get(world, "/mentors", cast.as_mentee, include="listings,nextSlot", sort="rating")["items"]
    more = {each["id"]: each for each in items}
    (listed,) = more[str(cast.mentor.id)]["listings"]
    assert listed == world.client.get(f"/listings/{cast.listing.id}", headers=cast.as_mentee).json
    assert more[str(cast.mentor.id)]["nextSlot"]["listingId"] == str(cast.listing.id)
    assert (more[str(cast.other_mentor.id)]["listings"], more[str(cast.other_mentor.id)]["nextSlot"]) == ([], None)
    only = get(world, "/mentors", cast.as_mentee, include="listings", q="grace")["items"]
    assert only
    assert not any("nextSlot" in each for each in only)


def test_the_shortest_and_cheapest_listings_come_along(world: World, cast: Cast) -> None:
    prices = Random(7).sample(range(1000, 9000), MAX_LISTINGS_SHOWN + 5)
    with world.engine.begin() as db:
        db.execute(update(listings).values(active=False))
        for price in prices:
            factories.make_listing(db, cast.mentor, duration_minutes=60, price_amount=price)
        factories.make_listing(db, cast.mentor, duration_minutes=30, price_amount=99_000)
        factories.make_listing(db, cast.other_mentor, duration_minutes=90)
    found = {
        each["id"]: each["listings"] for each in get(world, "/mentors", cast.as_mentee, include="listings")["items"]
    }
    first = [99_000, *sorted(prices)[: MAX_LISTINGS_SHOWN - 1]]
    assert [each["price"]["amount"] for each in found[str(cast.mentor.id)]] == first
    assert len(found[str(cast.other_mentor.id)]) == 1


def test_a_hundred_listings_count_as_one_more_request(engine: Engine, cast: Cast) -> None:
    world = World.on(engine, redis_url="", rate_limit_caller=RateLimit(30, 60))
    with world.engine.begin() as db:
        for _ in range(10):
            mentor = factories.make_mentor(db)
            for price in range(1000, 1000 + MAX_LISTINGS_SHOWN):
                factories.make_listing(db, mentor, price_amount=price)
    answer = world.client.get("/mentors?include=listings&limit=10", headers=cast.as_mentee)
    assert sum(len(each["listings"]) for each in answer.json["items"]) == 10 * MAX_LISTINGS_SHOWN
    assert re.findall(r'"caller";r=(\d+)', answer.headers["RateLimit"]) == ["27"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"freeFrom": "2030-05-04T09:00:00Z"}, "freeTo"),
        ({"freeTo": "2030-05-04T09:00:00Z"}, "freeFrom"),
        ({"freeFrom": "2030-05-04T09:00:00Z", "freeTo": "2030-05-04T09:00:00Z"}, "to"),
        ({"freeFrom": "2030-05-04T09:00:00Z", "freeTo": "2031-05-04T09:00:00Z"}, "to"),
        ({"freeFrom": "2030-05-04T09:00:00Z", "freeTo": "2020-05-04T09:00:00Z"}, "to"),
        ({"freeFrom": "2999-12-31T23:59:59Z", "freeTo": "1900-01-01T00:00:00Z"}, "to"),
        ({"freeFrom": "1900-01-01T00:00:00Z", "freeTo": "2999-12-31T23:59:59Z"}, "to"),
        ({"freeFrom": "2030-05-04T09:00:00Z", "freeTo": "2030-05-05T09:00:00Z", "sort": "price"}, "sort"),
        ({"include": "reviews"}, "include"),
    ],
)
def test_an_unusable_stretch_is_refused(world: World, cast: Cast, query: dict[str, str], field: str) -> None:
    with statements_of(world.engine) as made:
        answer = world.client.get(f"/mentors?{urlencode(query)}", headers=cast.as_mentee)
    assert (answer.status_code, list(answer.json["details"])) == (400, [field])
    # No calendar has been read for it.
    assert not any("outside_busy" in statement for statement in made.statements)
