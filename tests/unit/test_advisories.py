"""Tests of looking for known vulnerabilities: a find fails, and no network does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.advisories import main

FOUND = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["2.0"]}


def answer(*advisories: dict[str, Any]) -> str:
    return json.dumps({"dependencies": [{"name": "some", "version": "1.0", "vulns": list(advisories)}]})


@pytest.mark.parametrize(
    ("output", "ignored", "code", "sentence"),
    [
        (answer(), {}, 0, "no known vulnerability in 1 packages"),
        (answer(FOUND), {}, 1, "some 1.0 has PYSEC-2026-1 (CVE-2026-1), corrected in 2.0"),
        (answer(FOUND), {"PYSEC-2026-1": "not reachable"}, 0, "no known vulnerability"),
        (answer(), {"PYSEC-2026-1": "not reachable"}, 1, "ignored and no longer found"),
        (None, {}, 0, "skipped"),
        ("", {}, 0, "skipped"),
        ("ERROR: no route to host", {}, 0, "skipped"),
    ],
)
def test_a_known_vulnerability_fails_and_no_network_does_not(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    output: str | None,
    ignored: dict[str, str],
    code: int,
    sentence: str,
) -> None:
    assert main(lambda _command, _seconds: output, stamp=tmp_path / "stamp", ignored=ignored) == code
    assert sentence in capsys.readouterr().out


def test_a_lock_is_looked_up_once_a_day(tmp_path: Path) -> None:
    asked: list[object] = []

    def audit(command: object, _seconds: float) -> str:
        asked.append(command)
        return answer()

    assert [main(audit, stamp=tmp_path / "stamp") for _ in range(3)] == [0, 0, 0]
    assert len(asked) == 1
