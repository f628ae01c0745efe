"""Every route is documented: its headers, its codes, its examples."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest
import schemathesis

from api.refusals import REFUSALS
from models.bookings import BookingStatus
from tests.application import codes_of, openapi_document, served_document, template_app
from tests.contract.permissions import CONTRACT, PERMISSIONS, ROUTES
from tests.contract.scene import PARAMETER
from workflows.events.event_types import announced_types
from workflows.webhooks.messages import example_message

# Of the document without the messages of webhooks, divided by its operations: 161 of them have 380 kB of 409.
OPERATION_LIMIT_BYTES = 2_500


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                yield path, method, operation


def headers_of(operation: dict[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}


def test_every_route_is_documented(document: dict[str, Any]) -> None:
    documented = {
        f"{method.upper()} {re.sub('{[^}]+}', '{}', path)}" for path, method, _operation in operations_of(document)
    }
    assert documented == CONTRACT


def test_the_document_is_valid_openapi() -> None:
    document = json.loads(served_document())
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(document).validate()


def test_a_step_by_post_is_an_alias_of_patch(document: dict[str, Any]) -> None:
    for path, method, operation in operations_of(document):
        patch = document["paths"][path].get("patch")
        assert operation.get("x-alias-of") == (patch["operationId"] if patch and method == "post" else None)


def test_to_name_another_person_is_documented_as_forbidden(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    schemas = {name for name, schema in known.items() if "studentId" in schema.get("properties", {})}
    naming = {
        path: set(operation["responses"])
        for path, _method, operation in operations_of(document)
        if schemas & set(re.findall(r"schemas/(\w+)", json.dumps(operation.get("requestBody", {}))))
    }
    assert {path for path, answers in naming.items() if "403" not in answers} == set()
    assert "/group-sessions/{booking_id}/join" in naming


def test_every_route_lists_its_codes(document: dict[str, Any]) -> None:
    accept = document["paths"]["/bookings/{booking_id}/accept"]["patch"]["responses"]
    refused = {"400", "401", "403", "404", "408", "409", "412", "413", "414", "415", "422", "429", "431", "500", "503"}
    assert set(accept) == {"200", "201", "202", *refused}
    assert set(codes_of(accept["409"])) == {"slot_taken", "outside_hours", "key_in_use"}
    start = document["paths"]["/sessions/{session_id}/start"]["post"]["responses"]
    assert {"invalid_transition", "too_early"} <= set(codes_of(start["400"]))
    assert {"not_found", "session_pending"} == set(codes_of(start["404"]))


def test_the_document_repeats_no_refusal() -> None:
    document = json.loads(served_document())
    for path, method, operation in operations_of(document):
        refusals = (answer for status, answer in operation["responses"].items() if status >= "400")
        assert all(answer.keys() == {"$ref"} for answer in refusals), (method, path)
    del document["webhooks"]
    for name in [each for each in document["components"]["schemas"] if each.endswith(("Message", "Event"))]:
        del document["components"]["schemas"][name]
    size = len(json.dumps(document, separators=(",", ":")))
    assert size <= OPERATION_LIMIT_BYTES * len(list(operations_of(document))), size


def test_a_schema_has_its_name_alone_and_an_enum_one_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    # apispec numbers the second schema of a name.
    assert [name for name in schemas if name[-1].isdigit()] == []
    assert "Error" not in schemas
    enums = Counter(tuple(values) for values in enums_of(json.loads(served_document())))
    assert enums[tuple(BookingStatus)] == 1
    assert schemas["Booking"]["properties"]["status"] == {"$ref": "#/components/schemas/BookingStatus"}
    assert [values for values, number in enums.items() if number > 1] == []


def enums_of(part: Any) -> Iterator[list[Any]]:
    """Every enum within a part of the document, but for the codes of refusals, which each route has of its own."""
    if isinstance(part, list):
        for each in part:
            yield from enums_of(each)
    elif isinstance(part, dict):
        if isinstance(part.get("enum"), list):
            yield part["enum"]
        for name, each in part.items():
            if not name.endswith("Refusal"):
                yield from enums_of(each)


def test_a_request_requires_nothing_that_may_be_null(document: dict[str, Any]) -> None:
    asked = {
        name
        for _path, _method, operation in operations_of(document)
        for name in re.findall(r"schemas/(\w+)", json.dumps(operation.get("requestBody", {})))
    }
    known = document["components"]["schemas"]
    required = {
        (name, field): known[name]["properties"][field] for name in asked for field in known[name].get("required", ())
    }
    assert required
    assert [of for of, schema in required.items() if "null" in json.dumps(schema)] == []


def test_an_answer_of_several_shapes_is_their_union(document: dict[str, Any]) -> None:
    for path, shapes in (
        ("/bookings", ["Booking", "BookedSession"]),
        ("/bookings/individual", ["IndividualBooking", "BookedIndividualSession"]),
    ):
        schema = document["paths"][path]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
        union = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert union == {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in shapes]}


def test_every_message_of_webhooks_is_typed(document: dict[str, Any]) -> None:
    schemas, components = document["components"]["schemas"], document["components"]
    assert set(document["webhooks"]) == {*announced_types(), "webhook.ping"}
    for event_type, item in document["webhooks"].items():
        schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
        _envelope, own = schemas[schema["$ref"].rpartition("/")[2]]["allOf"]
        assert own["properties"]["type"] == {"const": event_type}
        if event_type == "webhook.ping":
            continue
        message = example_message(event_type)
        validator = jsonschema_rs.validator_for({**schema, "components": components}, validate_formats=True)
        validator.validate(message)
        for field in message["data"]:
            without = {**message, "data": {name: value for name, value in message["data"].items() if name != field}}
            assert not validator.is_valid(without), (event_type, field)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("post", "/bookings", "not_bookable"),
        ("post", "/bookings/individual", "not_bookable"),
        ("post", "/sessions/book", "not_bookable"),
        ("post", "/mentors/{mentor_profile_id}/holds", "not_bookable"),
        ("post", "/imports", "unsupported_media_type"),
        ("get", "/unsubscribe/{signed}", "blocked"),
        ("post", "/unsubscribe/{signed}", "blocked"),
        ("get", "/act/{signed}", "blocked"),
        ("post", "/act/{signed}", "blocked"),
    ],
)
def test_a_refusal_that_no_declaration_implies_is_documented(
    document: dict[str, Any], method: str, path: str, code: str
) -> None:
    answers = document["paths"][path][method]["responses"]
    status = str(REFUSALS[code].status)
    assert status in answers
    assert code in codes_of(answers[status])


def test_every_refusal_has_its_codes_as_an_enum(document: dict[str, Any]) -> None:
    for path, method, operation in operations_of(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                codes = codes_of(answer)
                assert codes, (method, path, status)
                assert {REFUSALS[code].status for code in codes} == {int(status)}, (method, path)


def test_an_answer_names_the_answer_that_it_extends(document: dict[str, Any]) -> None:
    base, own = document["components"]["schemas"]["CancelledSession"]["allOf"]
    assert base == {"$ref": "#/components/schemas/Session"}
    assert own == {"type": "object", "properties": own["properties"], "required": ["fee", "refund"]}


def test_what_precedes_routes_is_documented_for_all(document: dict[str, Any]) -> None:
    for path, method, operation in operations_of(document):
        assert {"400", "408", "413", "414", "431"} <= set(operation["responses"]), (method, path)
        assert "417" not in operation["responses"]


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def methods_of(rule: str) -> set[str]:
    """The methods of an address, as `Allow` lists them."""
    own = {method for method, known in ROUTES if known == rule}
    return own | {"OPTIONS"} | ({"HEAD"} if "GET" in own else set())


@pytest.mark.parametrize("root", ["", "/api"])
def test_other_methods_of_a_path_are_405_with_allow(root: str) -> None:
    client = template_app().test_client()
    for rule in sorted({rule for _method, rule in ROUTES}):
        path = root + PARAMETER.sub(str(uuid4()), rule)
        allowed = methods_of(rule)
        assert set(client.options(path).headers["Allow"].split(", ")) == allowed, path
        for method in METHODS - allowed:
            answer = client.open(path, method=method)
            assert isinstance(answer.json, dict)
            assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed"), (method, path)
            assert set(answer.headers["Allow"].split(", ")) == allowed, (method, path)


def texts_of(schema: Any, components: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of texts within a schema, by the names of their fields."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type")
    if "string" in (kinds if isinstance(kinds, list) else [kinds]):
        yield name, schema
    for each in [*schema.get("anyOf", []), *schema.get("allOf", []), *schema.get("oneOf", [])]:
        yield from texts_of(each, components, name)
    for field, inner in schema.get("properties", {}).items():
        yield from texts_of(inner, components, field)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from texts_of(schema[part], components, name)


def test_texts_have_patterns_against_control_characters(document: dict[str, Any]) -> None:
    components, seen, open_ended = document["components"]["schemas"], 0, []
    for path, method, operation in operations_of(document):
        bodies = operation.get("requestBody", {}).get("content", {}).values()
        asked = [(each["name"], each["schema"]) for each in operation.get("parameters", []) if each["in"] == "query"]
        texts = [text for body in bodies for text in texts_of(body["schema"], components)]
        texts += [text for name, schema in asked for text in texts_of(schema, components, name)]
        for name, text in texts:
            if "enum" not in text and text.get("format") not in ("uuid", "date", "date-time", "email", "binary"):
                seen += 1
                pattern = re.compile(text.get("pattern", ""))
                if any(pattern.search(f"a{character}b") for character in "\0\x1b\x7f\u202e"):
                    open_ended.append((method, path, name))
    assert not open_ended
    assert seen > 50


def examples_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each body of a request or of a success in the document, by what it is."""
    for path, method, operation in operations_of(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for name in bodies.keys() & {"request", "200", "201", "202"}:
            for kind, content in bodies[name].get("content", {}).items():
                yield f"{method.upper()} {path}, {name}, {kind}", content


OF_FORMATS = {"uuid": str(uuid4()), "date-time": "2030-05-04T09:00:00Z", "date": "2030-05-04"}


def made_of_fields(schema: dict[str, Any], schemas: dict[str, Any], path: str = "") -> Any:
    """The example that tools make of the examples of a schema's fields.

    Raises:
        AssertionError: a field has none, and its type is one of which each tool makes something else.
    """
    if "$ref" in schema:
        schema = {**schemas[schema["$ref"].rpartition("/")[2]], **schema}
    if "example" in schema:
        return schema["example"]
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return made_of_fields(several[0], schemas, path)
    if "allOf" in schema:
        return {name: value for part in schema["allOf"] for name, value in made_of_fields(part, schemas, path).items()}
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object")
    if "array" in kinds:
        return [made_of_fields(schema["items"], schemas, path)]
    if "object" in kinds:
        fields = schema.get("properties", {})
        return {name: made_of_fields(each, schemas, f"{path}/{name}") for name, each in fields.items()}
    assert "boolean" in kinds or schema.get("format") in OF_FORMATS, f"{path} has no example"
    return True if "boolean" in kinds else OF_FORMATS[schema["format"]]


def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    unfit, components = [], document["components"]
    for name, content in examples_of(document):
        try:
            made = (
                content["example"] if "example" in content else made_of_fields(content["schema"], components["schemas"])
            )
        except AssertionError as missing:
            unfit.append(f"{name}: {missing}")
            continue
        validator = jsonschema_rs.validator_for({**content["schema"], "components": components}, validate_formats=True)
        unfit += [f"{name}: {each.instance_path} {each.message[:200]}" for each in validator.iter_errors(made)]
    assert not unfit, "\n".join(unfit)


def test_credentials_are_described(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"bearer", "userId", "mentorProfileId", "publishableKey"}
    # A client would send its token in the query of an address, which logs keep.
    assert [name for name, scheme in schemes.items() if scheme.get("in") == "query"] == []
    assert document["paths"]["/health/live"]["get"]["security"] == []
    assert {"bearer": []} in document["paths"]["/bookings"]["post"]["security"]
    open_routes = {f"{method} {path}" for (method, path), may in PERMISSIONS.items() if may["visitor"] == "yes"}
    by_key, by_query = set(), set()
    for path, method, operation in operations_of(document):
        route = f"{method.upper()} {re.sub('{[^}]+}', '{}', path)}"
        if {"publishableKey": []} in operation["security"]:
            by_key.add(route)
        if any((each["in"], each["name"]) == ("query", "key") for each in operation["parameters"]):
            by_query.add(route)
    assert by_key == by_query == open_routes


# One-click unsubscription (RFC 8058), forms of pages, and beacons: mail programs and browsers send no headers of ours.
WITHOUT_HEADERS = ("/payments/stripe", "/unsubscribe/{signed}", "/act/{signed}", "/component/telemetry")
# One per user, so that the path has no id.
ONES_OWN = ("/me", "/notification-preferences")


def test_every_change_documents_its_headers(document: dict[str, Any]) -> None:
    for path, method, operation in operations_of(document):
        if method != "get" and path not in WITHOUT_HEADERS:
            known = headers_of(operation)
            assert "Idempotency-Key" in known, (method, path)
            assert ("If-Match" in known) == ("{" in path or path in ONES_OWN), (method, path)
    for path, method in (("/bookings", "post"), ("/bookings/{booking_id}/accept", "patch")):
        assert "Prefer" in headers_of(document["paths"][path][method])


def test_versioned_resources_document_304(document: dict[str, Any]) -> None:
    read = {path for path, method, _operation in operations_of(document) if method == "get"}
    versioned = {path for path in read if "304" in document["paths"][path]["get"]["responses"]}
    one = re.compile(r"/(users|mentors|listings|bookings|sessions(/mentee|/mentor)?)/{\w+}")
    assert versioned >= {"/me", *filter(one.fullmatch, read)}
    assert all("If-None-Match" in headers_of(document["paths"][path]["get"]) for path in versioned)
    assert all("ETag" in document["paths"][path]["get"]["responses"]["200"]["headers"] for path in versioned)


def test_changes_document_the_headers_of_their_answers(document: dict[str, Any]) -> None:
    for path, method, operation in operations_of(document):
        if method != "get" and path not in WITHOUT_HEADERS:
            made = [answer for status, answer in operation["responses"].items() if status in ("200", "201", "202")]
            assert all({"ETag", "Idempotent-Replayed"} <= set(answer["headers"]) for answer in made), (method, path)
