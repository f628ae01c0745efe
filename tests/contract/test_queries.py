"""Every query parameter that the document names, alone and in pairs, asked by several kinds of callers: never a 500."""

from itertools import combinations, cycle, product
from typing import Any

import pytest

from tests.api.conftest import Cast
from tests.application import World, as_user, bearer, openapi_document
from workflows.sessions.records import Session

# What is asked besides the values that the document enumerates: nothing, the edges of types and zones, and nonsense.
ODD = ["", "0", "-1", "true", "null", "\x00", "\U0001f600", "9" * 30, "0001-01-01", "9999-12-31T23:59:59.999999-14:00"]
SAMPLES = {
    "uuid": "0190a1b2-0000-7000-8000-00000000dead",
    "date": "2026-03-29",
    "date-time": "2026-03-29T02:30:00Z",
}


def queries() -> list[tuple[str, list[dict[str, Any]]]]:
    """Every path that is read and takes a query, with the parameters of it."""
    return [
        (path, taken)
        for path, item in openapi_document()["paths"].items()
        if "get" in item
        for taken in [[each for each in item["get"].get("parameters", []) if each.get("in") == "query"]]
        if taken
    ]


def usual(parameter: dict[str, Any]) -> list[str]:
    schema = parameter["schema"]
    return [str(each) for each in schema.get("enum", [])] or [SAMPLES.get(schema.get("format", ""), "1")]


@pytest.mark.usefixtures("draft", "reviewed")
@pytest.mark.parametrize(("path", "parameters"), queries())
def test_no_query_is_a_defect(
    world: World, cast: Cast, scheduled: Session, path: str, parameters: list[dict[str, Any]]
) -> None:
    callers = {
        "mentee": cast.as_mentee,
        "mentor": cast.as_mentor,
        "mentor as a user": as_user(cast.mentor.user_id),
        "operator": cast.as_operator,
        "unknown user": bearer({"sub": SAMPLES["uuid"]}),
    }
    filled = path.replace("{mentor_profile_id}", str(cast.mentor.id)).replace("{session_id}", str(scheduled.id))
    by_every: list[dict[str, Any]] = [{}] + [{one["name"]: value} for one in parameters for value in usual(one)]
    by_one = [{one["name"]: value} for one in parameters for value in ODD]
    by_one += [
        {one["name"]: usual(one)[0], other["name"]: usual(other)[0]} for one, other in combinations(parameters, 2)
    ]
    # In a round of nine, so that one and the same of the ten values is asked by another caller each time.
    in_turn = cycle([*callers, *reversed(callers)][:-1])
    for who, query in [*product(callers, by_every), *zip(in_turn, by_one, strict=False)]:
        answer = world.client.get(filled, query_string=query, headers=callers[who])
        assert answer.status_code < 500, f"{who} asks {filled} for {query}: {answer.text}"
        if who == "unknown user":
            # A publishable key beside a token is a second credential.
            refused = (400,) if "key" in query else (401, 404)
            assert answer.status_code in refused, f"{filled} for {query}: {answer.text}"
