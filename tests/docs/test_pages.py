"""Tests of the pages themselves: links lead somewhere, pictures can be read, nothing is of one machine alone."""

import re
from pathlib import Path

import pytest

from cli.plan import ROOT
from tests.docs.pages import DOCS, PAGES, README, anchors, links, name_of, prose

PICTURES = sorted(DOCS.rglob("*.svg"))
# `package/module.py`: `name`, `name`
NAMED_IN_MODULE = re.compile(r"`((?:\w+/)+\w+\.py)`: (`[\w.]+`(?:, `[\w.]+`)*)")
# A home or mount of a developer's machine, and the addresses of package indexes.
OF_ONE_MACHINE = re.compile(r"/(?:work|root|home|tmp|Users|mnt)/|index-url|pypi\.org|simple/")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_anchor_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} names a heading that is not there"


def test_every_page_and_picture_can_be_reached_from_the_readme() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        page = waiting.pop()
        relative = [link.partition("#")[0] for link in links(page) if not link.startswith("https://")]
        for target in {(page.parent / path).resolve() for path in relative if path} - reached:
            reached.add(target)
            waiting += [target] if target.suffix == ".md" else []
    assert {*PAGES, *PICTURES} <= reached


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_in_a_module_is_there(page: Path) -> None:
    for path, names in NAMED_IN_MODULE.findall(prose(page)):
        source = (ROOT / path).read_text()
        for name in re.findall(r"[\w.]+", names):
            defined = (re.search(rf"\b(?:def|class) {part}\b", source) for part in name.split("."))
            assert name in source or all(defined), f"{path} has no {name}"


@pytest.mark.parametrize("page", [*PAGES, *PICTURES], ids=name_of)
def test_no_page_speaks_of_one_machine_or_index(page: Path) -> None:
    assert not OF_ONE_MACHINE.findall(page.read_text())
