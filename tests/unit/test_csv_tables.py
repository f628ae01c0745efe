"""Tests of cells in CSV: no text is a formula in a spreadsheet, whichever separator it splits the table by."""

import csv
import re
from io import StringIO

import pytest

from api.routes.csv_tables import cell

# Texts that a spreadsheet takes for formulas, once the white space before them is gone.
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d", "\uff0b", " =", "\t=", "\r+", "\n-"])
@pytest.mark.parametrize("before", ["", "Ada;", "Ada; ", ";", "Ada|", "Ada\t", "Ada\r", "Ada\n", "Ada;;", "=1;"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_text_is_a_formula(before: str, first: str, separator: str) -> None:
    table = StringIO()
    csv.writer(table).writerow(["Grace", cell(f"{before}{first}HYPERLINK(1)"), 5])
    # Quotes within a cell that does not begin with one mean nothing to a reader of another separator.
    for line in re.split("[\r\n]", table.getvalue()):
        for found in line.split(separator):
            assert not FORMULA.match(found.strip('"')), found


def test_other_texts_and_numbers_are_as_they_were() -> None:
    for text in ("Ada Lovelace", "a=b", "1; 2", "C++; C", "", "Anne-Marie", "x @ y", "'tis"):
        assert cell(text) == text
    assert (cell(-5), cell(None)) == (-5, None)
    assert cell("=1") == "'=1"
