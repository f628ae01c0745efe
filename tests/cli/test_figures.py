"""Tests of the folder in which the parts keep what they count: empty at each start, and nobody else's."""

from __future__ import annotations

import stat
from pathlib import Path

from cli.figures import figures_folder, prepare_figures
from cli.processes import PARTS, Place
from cli.supervise import render


def test_what_an_earlier_run_has_counted_is_forgotten(tmp_path: Path) -> None:
    prepare_figures(tmp_path)
    (figures_folder(tmp_path) / "counter_7.db").touch()
    prepare_figures(tmp_path)
    assert list(figures_folder(tmp_path).iterdir()) == []
    assert stat.S_IMODE(figures_folder(tmp_path).stat().st_mode) == 0o700


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    place = Place(host="127.0.0.1", api_port=1, flower_port=2, data_dir=tmp_path / "50 % of it, or more")
    said = render(PARTS, place, tmp_path / "socket")
    named = [line for line in said.splitlines() if line.startswith("environment=")]
    assert set(named) == {f'environment=PROMETHEUS_MULTIPROC_DIR="{tmp_path}/50 %% of it, or more/metrics"'}
    assert len(named) == sum(part.reloads for part in PARTS)
