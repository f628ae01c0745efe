"""Whatever the document allows, and much that it does not: no 500, and every answer as documented."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Cast
from tests.application import World, template_app
from tests.contract.permissions import CONTRACT
from workflows.bookings.booking import Booking
from workflows.bundles.bundle import Bundle
from workflows.catalog.courses import Course
from workflows.catalog.products import Product
from workflows.reviews.review import Review
from workflows.sessions.session import Session


class Switch:
    """A WSGI application that is another one: at first for the document alone, then each test's own."""

    def __init__(self) -> None:
        self.application = template_app()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.application(environ, start_response)


SWITCH = Switch()
SCHEMA = schemathesis.openapi.from_wsgi("/api/openapi.json", SWITCH)
SCHEMA.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SHAPE = {"statusCode", "error", "message", "code", "requestId"}


@SCHEMA.given(
    who=st.sampled_from(["mentee", "mentor", "operator"]),
    real=st.sampled_from([True, True, False]),
    keyed=st.booleans(),
)
@SCHEMA.parametrize()
@settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_request_gets_a_documented_answer(
    case: Case[Any],
    who: str,
    real: bool,
    keyed: bool,
    world: World,
    cast: Cast,
    draft: Booking,
    scheduled: Session,
    reviewed: Review,
    course: Course,
    product: Product,
    bundle: Bundle,
) -> None:
    SWITCH.application = world.app
    ids: dict[str, Any] = {
        "booking_id": draft.id,
        "session_id": scheduled.id,
        "listing_id": cast.listing.id,
        "user_id": cast.mentee.id,
        "mentor_profile_id": cast.mentor.id,
        "review_id": reviewed.id,
        "course_id": course.id,
        "product_id": product.id,
        "bundle_id": bundle.id,
    }
    if case.path.endswith("/answer"):
        ids["session_id"] = reviewed.session_id
    if real:
        case.path_parameters = {name: str(ids.get(name, value)) for name, value in (case.path_parameters or {}).items()}
        if isinstance(case.body, dict) and "listingId" in case.body:
            case.body["listingId"] = str(cast.listing.id)
        if isinstance(case.body, dict) and "courseId" in case.body:
            case.body["courseId"] = str(course.id)
        if isinstance(case.body, dict) and "productId" in case.body:
            case.body["productId"] = str(bundle.product_id)
    headers = dict(getattr(cast, f"as_{who}"))
    for name in ("Authorization", "X-User-Id", "X-Mentor-Profile-Id", *([] if keyed else ["Idempotency-Key"])):
        if case.headers:
            case.headers.pop(name, None)
    if case.path == "/act/{signed}":
        # Refusals are pages for those who do not ask for JSON.
        headers["Accept"] = "application/json"
    answer = case.call(headers=headers)
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400:
        assert set(answer.json()) - {"details"} == SHAPE
        assert answer.json()["statusCode"] == answer.status_code


def test_the_document_speaks_of_nothing_but_operations() -> None:
    assert len(list(SCHEMA.get_all_operations())) == len(CONTRACT)
