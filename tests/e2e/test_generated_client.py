"""A Python and a TypeScript client, made of the document, type-checked, and used for one life of a booking each."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.plan import ROOT
from config.settings import settings
from tests.cli.running import Up
from tests.docs.pages import DOCS, blocks
from tests.eventually import eventually
from tests.participants import register
from tests.receivers import http_receiver
from tests.speaking import Caller

LIFE = Path(__file__).parent / "generated_client_life"
PACKAGES = ROOT / "component/node_modules"
TOOLS = ROOT / "component/api-types/node_modules/.bin"
SECONDS = 300
# The files that docs/integrate.md leaves to the marketplace.
OWN = {
    "lib/sign-in.ts": """export const signedIn = async () =>
  ({ id: process.env.MENTEE_ID, name: "Ada Lovelace", email: process.env.MENTEE_EMAIL });""",
    "lib/events.ts": """import type { Message } from "./tutelage";
export const messages: Message[] = [];
export const store = async (message: Message) => void messages.push(message);""",
    "package.json": "{}",
}


def test_a_generated_python_client_lives_one_whole_life(up: Up, tmp_path: Path) -> None:
    api = Caller(str(up.run()["api"]["url"]))
    _generate_python(api, tmp_path)
    _live(api, lambda *part, **options: _checked([sys.executable, "life.py", *part], tmp_path, **options))


@pytest.mark.node
def test_generated_types_and_the_routes_of_the_page_live_one_whole_life(up: Up, tmp_path: Path) -> None:
    api = Caller(str(up.run()["api"]["url"]))
    _generate_typescript(api, tmp_path)
    _live(api, lambda *part, **options: _checked(["node", "life.js", *part], tmp_path, **options))


def _live(api: Caller, run: Callable[..., str]) -> None:
    cast = register(api, by_token=True)
    instant = {"title": "At once", "durationMinutes": 45, "price": {"amount": 4000, "currency": "USD"}}
    known = {
        **os.environ,
        "API": api.base,
        "LISTING": cast.listing_id,
        "INSTANT": cast.mentor.post("/listings", {**instant, "bookingMode": "instant"})["id"],
        "MENTOR": cast.mentor.identity["Authorization"].removeprefix("Bearer "),
        "MENTEE": cast.mentee.identity["Authorization"].removeprefix("Bearer "),
        "MENTEE_ID": cast.mentee_user_id,
        "MENTEE_EMAIL": cast.addresses[1],
        "JWT_SECRET": str(settings().jwt_secret),
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
        session = run("live", env=known).strip()
        eventually(lambda: len(partner.requests) >= 3, "the webhooks")
        told = zip(partner.requests, partner.verified(secret), strict=True)
        (request,) = [each for each, message in told if message["type"] == "session.completed"]
    run("review", session, env=known)
    webhook = json.dumps({"headers": request.headers, "body": request.body.decode()})
    assert run("read", env={**known, "WEBHOOK_SECRET": secret}, input=webhook).strip() == session


def _document(api: Caller, folder: Path) -> Path:
    document = folder / "openapi.json"
    document.write_text(json.dumps(api.get("/openapi.json?aliases=no")))
    return document


def _generate_python(api: Caller, folder: Path) -> None:
    document, config = _document(api, folder), folder / "config.json"
    # Lines of JSON are sent as they are.
    config.write_text(
        '{"post_hooks": [], "content_type_overrides": {"application/x-ndjson": "application/octet-stream"}}'
    )
    shutil.copy(LIFE.with_suffix(".py"), folder / "life.py")
    generator = Path(sys.executable).with_name("openapi-python-client")
    command: list[Path | str] = [generator, "generate", "--meta", "none", "--fail-on-warning", "--path", document]
    _checked([*command, "--config", config, "--output-path", folder / "client"], folder)
    generated = {file.stem for file in (folder / "client" / "api").glob("*/*.py")} - {"__init__"}
    operations = [each for path in api.get("/openapi.json")["paths"].values() for each in path.values()]
    assert len(generated) == sum("operationId" in each and "x-alias-of" not in each for each in operations)
    # The whole client, and its use, once.
    once = ["--config-file", os.devnull, "--cache-dir", os.devnull]
    _checked([sys.executable, "-m", "mypy", "--strict", *once, "client", "life.py"], folder)


def _generate_typescript(api: Caller, folder: Path) -> None:
    """The types, the page's files under the names in their first lines, and beside them what the page leaves out."""
    named = {block.splitlines()[0].removeprefix("// "): block for block in blocks(DOCS / "integrate.md", "ts")}
    for name, content in {**named, **OWN, "life.ts": LIFE.with_suffix(".ts").read_text()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "node_modules").symlink_to(PACKAGES)
    options: list[Path | str] = ["--default-non-nullable", "false", "--output", folder / "lib/api.ts"]
    _checked([TOOLS / "openapi-typescript", _document(api, folder), *options], folder)
    strictly = ["--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--types", "node"]
    _checked([TOOLS / "tsc", *strictly, "life.ts"], folder)


def _checked(command: list[Path | str], folder: Path, **options: Any) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)
