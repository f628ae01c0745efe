"""Deliberate defects are of the present code: `make faults DEFECT=name` plays a day with one, which it must find."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.defects import DEFECTS


@pytest.mark.parametrize("name", [name for name, defect in DEFECTS.items() if defect.module])
def test_a_defect_is_other_words_of_a_module(name: str) -> None:
    defect = DEFECTS[name]
    spec = find_spec(defect.module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text()
    spoilt = defect.spoil(source)
    assert spoilt != source
    ast.parse(spoilt)
