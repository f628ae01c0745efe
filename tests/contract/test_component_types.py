"""Tests of the component's types of the API, which openapi-typescript makes of the OpenAPI document.

They need the packages of `component/`, which `make component` installs.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.plan import ROOT
from tests.application import served_document

TOOL = ROOT / "component/api-types"
COMMAND = TOOL / "node_modules/.bin/openapi-typescript"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the component's packages are not installed")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_bytes(served_document())
    return file


def test_the_types_are_those_of_the_document(document: Path, tmp_path: Path) -> None:
    made = tmp_path / "generated.ts"
    subprocess.run(["node", TOOL / "generate.js", document, made], check=True)
    assert made.read_text() == (ROOT / "component/src/api/generated.ts").read_text(), "run `make api-types`"


def test_the_whole_document_can_be_taken(document: Path, tmp_path: Path) -> None:
    made = tmp_path / "whole.ts"
    subprocess.run([COMMAND, document, "--output", made], check=True, capture_output=True)
    assert "acceptBooking: {" in made.read_text()
