"""Times in the visitor's zone, on the days on which its clocks change."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.live import Live, Stage
from tests.browser.visit import Visit, stamp

HOUR = timedelta(hours=1)
# The mentor's zone has no such days, so that only the visitor's count.
MENTOR_ZONE = "Asia/Kolkata"


def next_changes(zone: ZoneInfo) -> dict[int, date]:
    """The next days of the zone that have 23 and 25 hours, by their hours; from next week on."""
    found: dict[int, date] = {}
    day = datetime.now(zone).date() + timedelta(days=7)
    while len(found) < 2:
        hours = (midnight(day + timedelta(days=1), zone) - midnight(day, zone)) // HOUR
        if hours != 24:
            found.setdefault(hours, day)
        day += timedelta(days=1)
    return found


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


@pytest.fixture(params=["Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    return ZoneInfo(request.param)


@pytest.fixture
def look(zone: ZoneInfo) -> dict[str, Any]:
    return {"timezone_id": zone.key}


@pytest.fixture
def stage(live: Live) -> Stage:
    return Stage.make(live, zone=MENTOR_ZONE, opens="00:00", closes="24:00")


def test_the_select_shows_the_zone_that_counts(visit: Visit, stage: Stage, zone: ZoneInfo) -> None:
    visit.open(stage.instant, lang="en-GB")
    select = visit.page.locator(".zone select")
    first = visit.page.locator("[part~=slot]").first
    expect(first).to_be_visible()
    for chosen in (MENTOR_ZONE, "Asia/Tokyo", "Australia/Sydney", zone.key):
        select.select_option(chosen)
        expect(select).to_have_value(chosen)
        # The near one, with its offset.
        expect(select.locator(":scope > option:checked")).to_have_count(1)
        start = datetime.fromisoformat(str(first.get_attribute("data-start")))
        assert first.inner_text().strip() == f"{start.astimezone(ZoneInfo(chosen)):%H:%M}"


@pytest.mark.parametrize("hours", [23, 25])
def test_a_day_of_changing_clocks_has_its_hours(visit: Visit, stage: Stage, zone: ZoneInfo, hours: int) -> None:
    day = next_changes(zone)[hours]
    visit.page.clock.install(time=midnight(day, zone) - timedelta(days=2, hours=3))
    visit.open(stage.instant, lang="en-GB")
    visit.show_day(day)
    slots = visit.page.locator("[part~=slot]")
    expect(slots).to_have_count(hours)
    shown = [(str(each.get_attribute("data-start")), each.inner_text().strip()) for each in slots.all()]
    # Half an hour past each hour: the mentor's zone is so far off.
    starts = [midnight(day, zone) + timedelta(minutes=30) + number * HOUR for number in range(hours)]
    assert [start for start, _label in shown] == [stamp(start) for start in starts]
    clocks = [f"{start.astimezone(zone):%H:%M}" for start in starts]
    assert [label.split()[0].zfill(5) for _start, label in shown] == clocks
    # A time that comes twice is told apart.
    assert len({label for _start, label in shown}) == hours
    twice = [clock for clock, times in Counter(clocks).items() if times == 2]
    assert len(twice) == (hours == 25)
    chosen = starts[clocks.index(twice[0]) + 1] if twice else starts[2]
    visit.slot(chosen).click()
    visit.primary.click()
    visit.expect_booked()
    assert [start for _id, _status, start in stage.bookings_of(stage.mentee)] == [chosen]
