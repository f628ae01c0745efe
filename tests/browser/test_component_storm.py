"""An open calendar while many times are taken and given back: it stays right, and answers people at once."""

import itertools
import json
import os
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories
from tests.application import as_user
from tests.browser.live import Live, Stage, tomorrow
from tests.browser.visit import Visit
from tests.eventually import eventually
from tests.speaking import Caller

# STORM_CHANGES=500 STORM_SECONDS=60 measures.
CHANGES = int(os.environ.get("STORM_CHANGES", "80"))
SECONDS = float(os.environ.get("STORM_SECONDS", "8"))
LONGEST_TASK_MS = 100
DAYS = 2
# At most three holds of a person, of whom each makes few requests a minute.
PEOPLE, HELD_AT_ONCE = 24, 20
CHANGES_BETWEEN_CLICKS = 10

WATCH = """
window.gaps = [];
window.answers = [];
let last = 0;
const frame = (now) => { if (last) gaps.push(now - last); last = now; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
new PerformanceObserver((list) => answers.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: "event", durationThreshold: 16 });
"""


@pytest.fixture
def variant() -> str:
    return "realtime"


@pytest.fixture
def stage(live: Live) -> Stage:
    return Stage.make(live, opens="00:00", closes="24:00")


@pytest.fixture
def crowd(stage: Stage) -> list[Caller]:
    with stage.live.engine.begin() as db:
        return [stage.live.caller(as_user(factories.make_user(db))) for _ in range(PEOPLE)]


def changes(stage: Stage, crowd: list[Caller], held: deque[tuple[Caller, str]]) -> Iterator[None]:
    """Change what is free, one time after the other, without end: take a time, and later give it back."""
    starts = [start for day in days() for start in stage.slots(day)]
    # Neighbours are not taken one after the other, so that both days are full of holes.
    chosen = itertools.cycle(starts[::3] + starts[1::3] + starts[2::3])
    for person, start in zip(itertools.cycle(crowd), chosen, strict=False):
        body = {"startTime": start.isoformat(), "durationMinutes": 60}
        held.append((person, person.post(f"/mentors/{stage.mentor.id}/holds", body)["id"]))
        yield
        if len(held) > HELD_AT_ONCE:
            give_back(held)
            yield


def give_back(held: deque[tuple[Caller, str]]) -> None:
    person, hold_id = held.popleft()
    assert person("DELETE", f"/holds/{hold_id}").status == 204


def days() -> list[date]:
    return [tomorrow() + timedelta(days=number) for number in range(DAYS)]


def difference(visit: Visit, stage: Stage) -> dict[str, list[datetime]]:
    """Times that the page offers wrongly, and those that are missing there."""
    found: dict[str, list[datetime]] = {"wrong": [], "missing": []}
    for day in days():
        visit.show_day(day)
        offered = visit.page.locator("[part~=slot]:not([aria-disabled])")
        shown = {datetime.fromisoformat(at) for at in offered.evaluate_all("all => all.map(at => at.dataset.start)")}
        free = set(stage.slots(day))
        found["wrong"] += sorted(shown - free)
        found["missing"] += sorted(free - shown)
    return found


def await_right(visit: Visit, stage: Stage) -> None:
    """Until the page offers what is free, and nothing else."""
    found: dict[str, list[datetime]] = {}

    def look() -> bool:
        found.update(difference(visit, stage))
        return not any(found.values())

    try:
        eventually(look, "the calendar that is right", seconds=30)
    except AssertionError as error:
        error.add_note(f"wrong: {[*map(str, found['wrong'])]}, missing: {[*map(str, found['missing'])]}")
        raise


def longest_tasks(trace: bytes) -> list[float]:
    """Milliseconds of the processor that the page's longest tasks took, the longest first."""
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    of_pages = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        each["tdur"] / 1000
        for each in events
        if each["name"] == "ThreadControllerImpl::RunTask" and "tdur" in each and (each["pid"], each["tid"]) in of_pages
    ]
    return sorted(tasks, reverse=True)


def click_a_day(page: Page, number: int) -> None:
    free = page.locator("[part~=day]:not([aria-disabled])")
    free.nth(number % min(DAYS, free.count())).click()


@pytest.mark.timeout(600)
def test_a_storm_of_changes_leaves_the_calendar_right(
    visit: Visit, stage: Stage, crowd: list[Caller], browser: Browser
) -> None:
    page, held = visit.page, deque[tuple[Caller, str]]()
    page.add_init_script(WATCH)
    visit.open(stage.instant)
    expect(page.locator("[part~=connection]")).to_contain_text("Live")
    visit.show_day()
    is_traced = browser.browser_type.name == "chromium"
    if is_traced:
        browser.start_tracing(page=page, categories=["toplevel"])
    page.evaluate("() => { gaps.length = answers.length = 0; }")
    began = time.monotonic()
    for number, _change in enumerate(itertools.islice(changes(stage, crowd, held), CHANGES)):
        if number % CHANGES_BETWEEN_CLICKS == 0:
            click_a_day(page, number // CHANGES_BETWEEN_CLICKS)
        # The pace of the changes.
        time.sleep(max(0, began + number * SECONDS / CHANGES - time.monotonic()))
    took = time.monotonic() - began
    gaps, answers = page.evaluate("() => [gaps, answers]")
    tasks = longest_tasks(browser.stop_tracing()) if is_traced else [0.0]
    await_right(visit, stage)
    while held:
        give_back(held)
    await_right(visit, stage)
    late = Counter(gap > 100 for gap in gaps)[True]
    print(
        f"\n{CHANGES} changes in {took:.1f} s; {len(gaps)} frames, {late} over 100 ms, the longest {max(gaps):.0f} ms"
    )
    print(f"the longest tasks by processor time: {', '.join(f'{each:.0f} ms' for each in tasks[:5])}")
    print(f"the slowest answer to a click: {max(answers, default=0):.0f} ms")
    assert tasks[0] < LONGEST_TASK_MS
