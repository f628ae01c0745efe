"""Whatever a person asks, the answer and what follows are the same whether another person has things or not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.application import ApiResponse, World, openapi_document
from tests.contract.two_worlds import THEIR_ADDRESS, THEIR_KEY, Worlds, two_worlds

UNKNOWN = "0190a1b2-0000-7000-8000-00000000dead"
THEIRS, OWN = "their ", "own "
# Names of ids in queries and bodies that mean what other parameters of paths name.
KINDS = {
    "mentee_user_id": "user_id",
    "student_id": "user_id",
    "with_user_id": "user_id",
    "bundle_purchase_id": "bundle_id",
    "coach_id": "mentor_profile_id",
    "ta_id": "mentor_profile_id",
    "subject_id": "booking_id",
}
# What can be asked in a query besides ids.
TIMES = ["2020-01-01T00:00:00Z", "2030-05-04T09:00:00Z", "2040-01-01T00:00:00Z"]
DAYS = ["2020-01-01", "2030-05-04"]
HEADERS: dict[str, list[str]] = {
    "If-Match": ["*", '"1"', '"2"', '"none"'],
    "If-None-Match": ["*", '"1"'],
    "Idempotency-Key": [THEIR_KEY, "a key of mine"],
    "X-User-Id": [f"{THEIRS}user_id"],
    "Accept": ["text/csv"],
}


@dataclass(frozen=True)
class Asked:
    """A request in which ids are still names: `their booking_id`, `own booking_id`."""

    who: str
    method: str
    path: str
    ids: dict[str, str]
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    document = openapi_document()
    return [
        (method.upper(), path, _described(document, operations, operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters" and operation["security"] and "x-alias-of" not in operation
        # It would leave the requests after it without their caller.
        if (method, path) != ("delete", "/me")
    ]


def _described(document: dict[str, Any], path: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an operation, an example of its body, and the fields of that which name people and things."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    fields = document["components"]["schemas"].get(name, {}).get("properties", {})
    return {
        "parameters": [*path.get("parameters", []), *operation.get("parameters", [])],
        "example": content.get("example", {}),
        "names": [field for field in fields if field.endswith("Id") or field == "email"],
    }


OPERATIONS = _operations()


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def id_of(name: str) -> st.SearchStrategy[str]:
    """An id for a parameter or a field: mostly the other person's of that kind."""
    kind = KINDS.get(_snake(name), _snake(name))
    return st.sampled_from([f"{THEIRS}{kind}", f"{THEIRS}{kind}", f"{THEIRS}{kind}", f"{OWN}{kind}", UNKNOWN])


def value_of(name: str, schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """A value of a parameter of the query."""
    if "enum" in schema:
        return st.sampled_from([str(each) for each in schema["enum"]])
    by_format = {"uuid": id_of(name), "date-time": st.sampled_from(TIMES), "date": st.sampled_from(DAYS)}
    return by_format.get(
        schema.get("format", ""), st.sampled_from(["1", "60", "true", f"{THEIRS}user_id", THEIR_ADDRESS])
    )


@st.composite
def bodies(draw: st.DrawFn, example: dict[str, Any], names: list[str]) -> Any:
    """The example without some fields, and with other ids or the other person's address."""
    changed = {name: value for name, value in example.items() if draw(st.integers(0, 9))}
    for name in names:
        if name == "email":
            changed[name] = draw(st.sampled_from([THEIR_ADDRESS, THEIR_ADDRESS.upper(), "new@example.org"]))
        elif draw(st.booleans()):
            changed[name] = draw(id_of(name))
    return changed


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """Any operation of the document, about the other person's things above all."""
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    parameters = operation["parameters"]
    ids = {
        each["name"]: "2030-05-04" if each["schema"].get("format") == "date" else draw(id_of(each["name"]))
        for each in parameters
        if each["in"] == "path"
    }
    query = {
        each["name"]: draw(value_of(each["name"], each["schema"]))
        for each in parameters
        if each["in"] == "query" and (each.get("required") or draw(st.integers(0, 3)) == 0)
    }
    headers = {name: draw(st.sampled_from(HEADERS[name])) for name in HEADERS if draw(st.integers(0, 5)) == 0}
    body = draw(bodies(operation["example"], operation["names"]))
    return Asked(draw(st.sampled_from(["mentee", "mentor", "other user"])), method, path, ids, query, headers, body)


@pytest.fixture(scope="module")
def worlds(worker_id: str, template_database: str) -> Iterator[Worlds]:
    """Both databases, which all requests of this module change alike."""
    with two_worlds(f"tutelage_worlds_{worker_id}", template_database) as made:
        yield made


def systematic() -> Iterator[Asked]:
    """Every operation by every caller, with all ids that it can be asked about the other person's."""
    for method, path, operation in OPERATIONS:
        named = {each["name"]: each for each in operation["parameters"] if each["in"] in ("path", "query")}
        ids = {name: _theirs(name) if _is_id(each) else "2030-05-04" for name, each in named.items()}
        query = {name: ids[name] for name, each in named.items() if each["in"] == "query" and _is_id(each)}
        example, names = operation["example"], operation["names"]
        bodies = [example, *({**example, name: _theirs(name)} for name in names)]
        for who, body in product(("mentee", "mentor", "other user"), bodies):
            yield Asked(who, method, path, ids, query, body=body)


def _is_id(parameter: dict[str, Any]) -> bool:
    return bool(parameter["schema"].get("format") == "uuid")


def _theirs(name: str) -> str:
    return THEIR_ADDRESS if name == "email" else f"{THEIRS}{KINDS.get(_snake(name), _snake(name))}"


def test_no_operation_shows_whether_another_person_has_things(worlds: Worlds) -> None:
    rows = worlds.rows()
    assert len(rows) == len(worlds.theirs) - 2, "a series and a hold have no table of their own"
    for asked in systematic():
        assert_equal_answers(worlds, asked)
    assert worlds.rows() == rows
    with_them, without = worlds.added()
    assert with_them == without


def test_no_request_shows_whether_another_person_has_things(worlds: Worlds, pytestconfig: pytest.Config) -> None:
    cases = settings(
        max_examples=pytestconfig.getoption("two_users_requests"),
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    rows = worlds.rows()

    def assert_nothing_differs(asked: Asked) -> None:
        assert_equal_answers(worlds, asked)
        with_them, without = worlds.added()
        assert with_them == without, asked
        assert worlds.rows() == rows, asked

    cases(given(requests())(assert_nothing_differs))()


def assert_equal_answers(worlds: Worlds, asked: Asked) -> None:
    first, second = (_answer(worlds, world, asked) for world in (worlds.with_them, worlds.without))
    seen, unseen = worlds.as_seen(first), worlds.as_seen(second)
    if seen != unseen:
        assert _is_documented(asked, first, second), f"{asked}\n{seen}\n{unseen}"


def _is_documented(asked: Asked, first: ApiResponse, second: ApiResponse) -> bool:
    """Whether the one difference is that a path names another person's thing: 403 where it is there, else 404."""
    named = any(name.startswith(THEIRS) for name in asked.ids.values())
    codes = [answer.json["code"] for answer in (first, second) if answer.status_code in (403, 404)]
    return named and codes == ["forbidden", "not_found"]


def _answer(worlds: Worlds, world: World, asked: Asked) -> ApiResponse:
    area = asked.path.split("/")[1]

    def resolved(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: resolved(each) for name, each in value.items()}
        if isinstance(value, str) and value.startswith((THEIRS, OWN)):
            whose = worlds.theirs if value.startswith(THEIRS) else worlds.own.ids
            kind = value.removeprefix(THEIRS).removeprefix(OWN)
            if whose is worlds.own.ids and f"{area} {kind}" in whose:
                kind = f"{area} {kind}"
            # What has no owner, such as a course, is the same for both.
            return str(whose.get(kind) or worlds.own.ids.get(kind) or UNKNOWN)
        return value

    return world.client.open(
        asked.path.format(**resolved(asked.ids)),
        method=asked.method,
        query_string=resolved(asked.query),
        headers=resolved(asked.headers) | worlds.callers[asked.who],
        json=resolved(asked.body) if asked.method != "GET" else None,
    )
