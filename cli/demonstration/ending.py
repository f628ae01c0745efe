"""The end: the table of events and effects, the invariants, where everything is, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import urllib3
from rich import box
from rich.table import Table

from cli.demonstration.client import Client
from cli.demonstration.expecting import Effects, is_timer, worker_of
from cli.demonstration.failure import DemoFailed
from cli.demonstration.scene import Expected, Scene, Seen
from cli.invariants import findings_table
from workflows.invariants import Finding

STYLES = {"done": "green", "dead": "bold red", "pending": "yellow", "cancelled": "yellow"}

ADDRESSES = """
  API         {api}
  API docs    {api}/api/docs
  Flower      {flower}
"""
NEXT = """What to do next
  make demo KEEP=1    play it again, and leave everything running to look around
  make up             run the system (in another data folder: make up ARGS='--data-dir elsewhere')
  tutelage seed       fill a running system with mentors, mentees and bookings
  tutelage token      a token for calls of your own: tutelage token --operator"""
KEPT = """Everything is left running. Press Ctrl-C to stop.
  As the mentee:  tutelage token --user {mentee}
  As the mentor:  tutelage token --user {mentor} --mentor {profile}
  Another shell:  tutelage seed --data-dir {data}"""


def effects_table(effects: Effects) -> Table:
    """What followed from the session, and from the booking before it, event by event."""
    table = Table(title="What followed from what", box=box.SIMPLE_HEAD)
    for heading in ("Event and effects", "Done by", "State", "After"):
        table.add_column(heading, no_wrap=True)
    for event, items in groupby(effects.items, key=itemgetter("event")):
        table.add_row(event, style="bold")
        for item in items:
            table.add_row(f"  {item['effect']}", worker_of(item["effect"]), _state(item), _after(item))
    return table


def _state(item: Mapping[str, Any]) -> str:
    state = "timer" if is_timer(item) else str(item["state"])
    tries = f" ({item['attempts']} attempts)" if item["attempts"] > 1 else ""
    return f"[{STYLES.get(state, 'cyan')}]{state}{tries}[/]"


def _after(item: Mapping[str, Any]) -> str:
    due = datetime.fromisoformat(item["dueAt"])
    if item["doneAt"] is None:
        return f"{due:%d %b %H:%M}"
    took = datetime.fromisoformat(item["doneAt"]) - due
    return f"{took.total_seconds() * 1000:,.0f} ms"


def check_invariants(scene: Scene, operator: Client) -> None:
    """Ask for violations, and show what was asked.

    Raises:
        DemoFailed: something that must always be true is not, and has not become so within the patience.
    """
    found: dict[str, Any] = {}

    def look() -> Seen | None:
        answer = operator.get("/operations/invariants")
        found.update(answer.body)
        return Seen(answer.sent_at + answer.milliseconds / 1000, "every invariant holds") if found["ok"] else None

    def violated() -> str:
        return ", ".join(f"{item['name']} {item['violations']} times" for item in found["items"] if item["violations"])

    began = operator.get("/operations/invariants").sent_at
    scene.show.act("What must always be true")
    expected = Expected("A look without violations of the invariants", "api", look, "maintain", violated)
    try:
        scene.await_all([expected], since=began)
    finally:
        findings = [
            Finding(
                name=item["name"],
                meaning=item["name"].replace("_", " "),
                violations=item["violations"],
                sample=[str(example) for example in item["sample"]],
            )
            for item in found.get("items", [])
        ]
        scene.show.table(findings_table(findings))


def check_page(scene: Scene, url: str, name: str, process: str) -> None:
    """Whether a page that people are sent to is there."""
    try:
        response = scene.http.request("GET", url, timeout=scene.patience, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise DemoFailed(f"{name} does not answer at {url}: {error}", process=process) from error
    if response.status != 200:
        raise DemoFailed(f"{name} answered {response.status} at {url}.", process=process)
    scene.show.step(f"{name} is served", by=process)
