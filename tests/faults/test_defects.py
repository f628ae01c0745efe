"""Deliberate defects are of the present code, and a day of faults that has one of them is found to be wrong."""

from __future__ import annotations

import ast
import io
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.day import a_day
from tests.faults.defects import DEFECTS

# One in the suite; `make faults DEFECT=name` plays any of them.
PLAYED = "refund-without-ledger"
SEED, SECONDS, CLIENTS, MENTORS = 26, 6, 3, 11


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


# Starting two systems takes minutes on a busy machine.
@pytest.mark.timeout(600)
def test_a_day_with_a_defect_is_found_to_be_wrong(tmp_path: Path) -> None:
    said = io.StringIO()
    with a_day(tmp_path, SEED, MENTORS, Console(file=said, width=140), defect=PLAYED) as day:
        assert not day.suffer(SECONDS, CLIENTS)
    assert "is not sent back" in said.getvalue()
