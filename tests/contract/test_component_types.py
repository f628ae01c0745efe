"""Test of the component's types of the API, which openapi-typescript makes of the OpenAPI document."""

import subprocess
from pathlib import Path

import pytest

from cli.plan import ROOT
from tests.application import served_document


@pytest.mark.node
def test_the_types_are_those_of_the_document(tmp_path: Path) -> None:
    document, made = tmp_path / "openapi.json", tmp_path / "generated.ts"
    document.write_bytes(served_document())
    subprocess.run(["node", ROOT / "component/api-types/generate.js", document, made], check=True)
    assert made.read_text() == (ROOT / "component/src/api/generated.ts").read_text(), "run `make api-types`"


@pytest.mark.node
def test_the_whole_document_can_be_taken(tmp_path: Path) -> None:
    document, made = tmp_path / "openapi.json", tmp_path / "whole.ts"
    document.write_bytes(served_document())
    tool = ROOT / "component/api-types/node_modules/.bin/openapi-typescript"
    subprocess.run([tool, document, "--output", made], check=True, capture_output=True)
    assert "acceptBooking: {" in made.read_text()
