"""Whatever the document allows, and much that it does not, as every kind of caller: each answer is as documented."""

from typing import Any

import pytest
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection
from sqlalchemy import Engine

from tests.contract.fuzzing import ROLES, SCHEMA, Stage, settings_of_run, without_own_headers
from tests.contract.permissions import CONTRACT
from tests.contract.scene import Scene

PAGES = ("/act/{signed}", "/unsubscribe/{signed}")


@pytest.fixture
def stage(engine: Engine, kept_scene: tuple[Scene, str]) -> Stage:
    return Stage.on(engine, kept_scene)


@SCHEMA.given(who=st.sampled_from(ROLES), real=st.sampled_from([True, True, False]), keyed=st.booleans())
@SCHEMA.parametrize()
@settings_of_run(max_examples=2)
def test_any_request_gets_a_documented_answer(case: Case[Any], who: str, real: bool, keyed: bool, stage: Stage) -> None:
    # What was malformed in the path or the headers alone is so no more, where these are replaced.
    mended = case.meta is not None and any(
        case.meta.is_negative_at(place) for place in (ParameterLocation.PATH, ParameterLocation.HEADER)
    )
    if real:
        stage.fit_path(case)
        stage.fit_body(case)
    headers = dict(stage.headers(who))
    if who != "none":
        without_own_headers(case)
    if not keyed:
        without_own_headers(case, "Idempotency-Key")
    if case.path in PAGES:
        # Refusals are pages for those who do not ask for JSON.
        headers["Accept"] = "application/json"
    answer = case.call(headers=headers)
    case.validate_response(answer, headers=headers, excluded_checks=[negative_data_rejection] if mended else [])


def test_the_document_speaks_of_nothing_but_operations() -> None:
    assert len(list(SCHEMA.get_all_operations())) == len(CONTRACT)
