"""Flower beside the whole system: tasks by the names of their effects, and the queues."""

import json
from functools import partial

import pytest
import urllib3

from tests.cli.running import FLOWER_LOGIN, Up
from tests.eventually import eventually
from tests.participants import Participants, register
from tests.speaking import Caller
from workflows.events import QUEUES


@pytest.fixture(scope="module")
def flower(up: Up) -> str:
    """Flower's address, once it has seen a life that was played."""
    address = str(up.run()["flower"]["url"])
    eventually(lambda: len(_workers(address)) == len(QUEUES), "all workers in Flower's list")
    cast = register(Caller(str(up.run()["api"]["url"])), by_token=True)
    # A worker that is listed may not have been asked for events yet: it tells of tasks from then on.
    eventually(partial(_sees_a_life, address, cast), "a life that Flower has seen")
    return address


def _sees_a_life(address: str, cast: Participants) -> bool:
    accepted = cast.mentor("PATCH", f"/bookings/{cast.request()}/accept")
    assert accepted.status == 202
    return all(name in _names(address, name) for name in ("sessions.create", "notifications.session_created"))


def _get(url: str, **fields: str) -> urllib3.BaseHTTPResponse:
    headers = urllib3.make_headers(basic_auth=FLOWER_LOGIN)
    return urllib3.request("GET", url, fields=fields, headers=headers, retries=False, timeout=10)


def _workers(address: str) -> list[dict[str, object]]:
    answer = _get(f"{address}/workers", json="1")
    assert answer.status == 200
    return [worker for worker in json.loads(answer.data)["data"] if worker["status"]]


def _names(address: str, search: str) -> set[str]:
    columns = {"draw": "1", "start": "0", "length": "100", "order[0][column]": "0", "columns[0][data]": "name"}
    answer = _get(f"{address}/tasks/datatable", **columns, **{"search[value]": search, "order[0][dir]": "asc"})
    assert answer.status == 200
    return {task["name"] for task in json.loads(answer.data)["data"]}


def test_tasks_are_listed_by_the_names_of_their_effects(flower: str) -> None:
    eventually(lambda: "sessions.create" in _names(flower, "sessions.create"), "the session's task")
    eventually(
        lambda: any(name.startswith("notifications.") for name in _names(flower, "notifications")),
        "a notification's task",
    )
    assert "deliveries.run" not in _names(flower, "")


def test_the_page_of_the_broker_shows_the_queues(flower: str) -> None:
    def shown() -> str:
        page = _get(f"{flower}/broker")
        assert page.status == 200
        return page.data.decode()

    eventually(lambda: all(queue in shown() for queue in QUEUES), "the queues, which Flower asks the workers for")
