"""Tests of user-supplied text: it is always one line."""

import sys

import pytest

from workflows.kernel.text import one_line

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
BREAKS = sorted({line[-1] for line in EVERY_CHARACTER.splitlines(keepends=True)[:-1]})


@pytest.mark.parametrize("end", [*BREAKS, "\r\n", "\x00", "\x1b", "\x7f", "\x9f", "\t", "\u3000", " \n\n "])
def test_every_line_end_becomes_one_blank(end: str) -> None:
    assert one_line(f"{end}Ada{end}Lovelace{end}") == "Ada Lovelace"


@pytest.mark.parametrize("words", ["", "Ada", "Ünï 你好 👩‍👩‍👧‍👦", "=?utf-8?q?x?="])
def test_other_text_stays_as_it_is(words: str) -> None:
    assert one_line(words) == words
