"""Tests that .env.example lists every setting, and nothing that is none."""

from __future__ import annotations

import re

from cli.plan import ROOT

# Read by Flower itself, and by docker-compose.yml.
BESIDES = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}


def test_every_setting_stands_in_the_example() -> None:
    read = r'(?:env\.\w+|_[a-z_]+)\((?:env, )?\s*"([A-Z_]+)"'
    settings = set(re.findall(read, (ROOT / "config" / "settings.py").read_text()))
    listed = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert settings
    assert len(listed) == len(set(listed))
    assert set(listed) == settings | BESIDES
