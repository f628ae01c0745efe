"""Tests of the settings of the transports: malformed ones are refused at the start, and no secret is quoted."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from config.settings import NOTICE_KINDS, SettingsError, read_settings
from config.vapid import new_private_key, vapid
from workers.worker import TRANSPORTS
from workflows.events.subscriptions import load

KEY = new_private_key()
NAMES = ("SMTP_URL", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT", "APPRISE_URLS", "APPRISE_KINDS", "TEMPLATES_FOLDER")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in NAMES:
        os.environ.pop(name, None)
    monkeypatch.chdir(tmp_path)


def test_nothing_is_pushed_and_operators_have_no_channels_by_default() -> None:
    settings = read_settings()
    assert (settings.vapid_private_key, settings.apprise_urls, settings.templates_folder) == (None, (), None)
    assert settings.apprise_kinds == NOTICE_KINDS
    assert vapid(settings.vapid_private_key, settings.vapid_subject) is None


def test_channels_are_separated_by_blanks() -> None:
    os.environ["APPRISE_URLS"] = "json://a.example/x,y  slack://b/c/d"
    assert read_settings().apprise_urls == ("json://a.example/x,y", "slack://b/c/d")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SMTP_URL": "mail.example"}, "SMTP_URL must read"),
        ({"SMTP_URL": "smtp+plain://user:secret@relay"}, "SMTP_URL must not send a password as plain text"),
        ({"VAPID_PRIVATE_KEY": KEY}, "VAPID_SUBJECT must say where you can be reached"),
        ({"VAPID_PRIVATE_KEY": KEY, "VAPID_SUBJECT": "operators"}, "VAPID_SUBJECT must say"),
        (
            {"VAPID_PRIVATE_KEY": "secret", "VAPID_SUBJECT": "mailto:o@x.example"},
            "VAPID_PRIVATE_KEY must hold",
        ),
        ({"VAPID_PRIVATE_KEY": "A" * 43, "VAPID_SUBJECT": "mailto:o@x.example"}, "VAPID_PRIVATE_KEY must be random"),
        ({"VAPID_PRIVATE_KEY": KEY * 2, "VAPID_SUBJECT": "mailto:o@x.example"}, "VAPID_PRIVATE_KEY must be a key"),
        ({"APPRISE_KINDS": "session_created,lottery_won"}, "APPRISE_KINDS"),
    ],
)
def test_a_malformed_setting_is_refused_in_a_sentence(environment: dict[str, str], sentence: str) -> None:
    os.environ.update(environment)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert sentence in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_generated_key_can_be_used() -> None:
    made = CliRunner().invoke(main, ["vapid", "--subject", "mailto:o@x.example"])
    assert made.exit_code == 0
    lines = dict(line.split("=", 1) for line in made.output.splitlines() if not line.startswith("#"))
    os.environ.update(lines)
    settings = read_settings()
    known = vapid(settings.vapid_private_key, settings.vapid_subject)
    assert known is not None
    assert known.public_key in made.output
    assert lines["VAPID_PRIVATE_KEY"] not in repr(known)
    assert CliRunner().invoke(main, ["vapid", "--subject", "me"]).exit_code == 2


def test_every_transport_of_an_effect_has_a_route(tmp_path: Path) -> None:
    os.environ["MAIL_FOLDER"] = str(tmp_path)
    for queue, module in TRANSPORTS.items():
        routes = importlib.import_module(module).routes(read_settings())
        assert set(routes) == {effect.transport for effect in load().outbound_effects() if effect.queue == queue}
        for route in routes.values():
            route.transport.close()
