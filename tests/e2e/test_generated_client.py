"""A Python client that is generated from the document, type-checked, and used for one life of a booking."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.running import Up
from tests.eventually import eventually
from tests.participants import register
from tests.receivers import http_receiver
from tests.speaking import Caller

LIFE = Path(__file__).parent / "generated_client_life.py"
SECONDS = 300


def test_a_generated_client_lives_one_whole_life(up: Up, tmp_path: Path) -> None:
    api = Caller(str(up.run()["api"]["url"]))
    _generate(api, tmp_path)
    cast = register(api, by_token=True)
    instant = {"title": "At once", "durationMinutes": 45, "price": {"amount": 4000, "currency": "USD"}}
    known = {
        "API": f"{api.base}/api",
        "LISTING": cast.listing_id,
        "INSTANT": cast.mentor.post("/listings", {**instant, "bookingMode": "instant"})["id"],
        "MENTOR": cast.mentor.identity["Authorization"].removeprefix("Bearer "),
        "MENTEE": cast.mentee.identity["Authorization"].removeprefix("Bearer "),
        "FIRST": cast.slot(),
    }
    cast.slot()
    known["SECOND"] = cast.slot()
    with http_receiver() as partner:
        endpoint = cast.mentor.post(
            "/webhook-endpoints", {"url": partner.url, "eventTypes": ["session.completed", "review.unlocked"]}
        )
        secret = cast.mentor.get(f"/webhook-endpoints/{endpoint['id']}/secret")["secret"]
        eventually(
            lambda: cast.mentor.get(f"/webhook-endpoints/{endpoint['id']}")["state"] == "active", "an active endpoint"
        )
        session = _run(tmp_path, "live", env=known)
        eventually(lambda: len(partner.requests) >= 3, "the webhooks")
        (message,) = [each for each in partner.verified(secret) if each["type"] == "session.completed"]
    _run(tmp_path, "review", session, env=known)
    assert _run(tmp_path, "read", input=json.dumps(message)) == session


def _generate(api: Caller, folder: Path) -> None:
    document, config = folder / "openapi.json", folder / "config.json"
    document.write_text(json.dumps(api.get("/openapi.json?aliases=no")))
    config.write_text(
        '{"post_hooks": [], "content_type_overrides": {"application/x-ndjson": "application/octet-stream"}}'
    )
    shutil.copy(LIFE, folder / "life.py")
    generator = Path(sys.executable).with_name("openapi-python-client")
    command: list[Path | str] = [generator, "generate", "--meta", "none", "--fail-on-warning", "--path", document]
    _checked([*command, "--config", config, "--output-path", folder / "client"], folder)
    # The whole client, and its use.
    _checked([sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null", "client", "life.py"], folder)


def _run(folder: Path, *part: str, **options: Any) -> str:
    said: str = _checked([sys.executable, "life.py", *part], folder, **options)
    return said.strip()


def _checked(command: list[Path | str], folder: Path, **options: Any) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
