"""Tests of the page that partners build on: its code takes what is really signed, its numbers and lists are true."""

import json
import re
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from models.events import ErrorClass
from models.webhooks import ENDPOINT_TRANSITIONS, EndpointState, Signing
from tests.docs import event_table
from tests.docs.pages import DOCS, blocks, table
from tests.signing import sign, sign_with_each
from workflows.events.delivery import WEBHOOK_RETRY_POLICY
from workflows.webhooks.secrets import new_secret, verifier_of

PAGE = DOCS / "webhooks.md"
ID = "01a1fd8d-6ec2-7010-8a44-97ab5cf5cfd6"
MESSAGE = {"id": ID, "type": "session.completed", "data": {"said": "año, 100 %, $HOME"}}
BODY = json.dumps(MESSAGE, ensure_ascii=False).encode()
SECONDS = {"s": 1, "min": 60, "h": 3600}
NODE = shutil.which("node")
BASH = shutil.which("bash") or "bash"
NODE_DRIVER = """
const { secret, headers, body } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify({function}(secret, headers, Buffer.from(body, "base64"))));
"""
BASH_DRIVER = """
is_ours "$secret" "$id" "$timestamp" "$signature" message.json && cat message.json
"""

# Reads one message by the page's own code; None when that refuses it.
Reader = Callable[[Path, str, dict[str, str], bytes], Any]


def python(_folder: Path, secret: str, headers: dict[str, str], body: bytes) -> Any:
    try:
        return _python()["read"](secret, headers, body)
    except WebhookVerificationError:
        return None


def ed25519(_folder: Path, secret: str, headers: dict[str, str], body: bytes) -> Any:
    try:
        return _python()["read_ed25519"](verifier_of(secret), headers, body)
    except ValueError:
        return None


def javascript(_folder: Path, secret: str, headers: dict[str, str], body: bytes) -> Any:
    return _node("read", secret, headers, body)


def javascript_ed25519(_folder: Path, secret: str, headers: dict[str, str], body: bytes) -> Any:
    return _node("readEd25519", verifier_of(secret), headers, body)


def bash(folder: Path, secret: str, headers: dict[str, str], body: bytes) -> Any:
    (folder / "message.json").write_bytes(body)
    given = {name: headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
    return _said([BASH, "-c", _functions() + BASH_DRIVER], cwd=folder, env=_environment(secret=secret, **given))


READERS: list[Reader] = [python, ed25519, bash, *([javascript, javascript_ed25519] if NODE else [])]
every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)


@every_reader
def test_the_pages_code_reads_what_we_sign(reader: Reader, tmp_path: Path) -> None:
    secret = _secret(reader)
    assert reader(tmp_path, secret, _signed([secret]), BODY) == MESSAGE


@every_reader
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_pages_code_finds_its_secret_among_several(reader: Reader, place: int, tmp_path: Path) -> None:
    secrets = [_secret(reader) for _ in range(3)]
    assert reader(tmp_path, secrets[place], _signed(secrets), BODY) == MESSAGE


@pytest.mark.parametrize("length", [24, 32, 64])
def test_the_shell_signs_as_we_do_with_keys_of_every_length(length: int, tmp_path: Path) -> None:
    secret = "whsec_" + b64encode(bytes(range(length))).decode()
    (tmp_path / "message.json").write_bytes(BODY)
    script = _functions() + f'signature_of "$secret" {ID} 1700000000 message.json'
    command = [BASH, "-c", script]
    made = subprocess.run(command, cwd=tmp_path, env=_environment(secret=secret), check=True, capture_output=True)
    assert made.stdout.decode() == sign(secret, ID, "1700000000", BODY)


@every_reader
@pytest.mark.parametrize("flaw", ["too old", "in the future", "changed body", "another id", "another secret"])
def test_the_pages_code_refuses_invalid_messages(reader: Reader, flaw: str, tmp_path: Path) -> None:
    secret, body = _secret(reader), BODY
    signer = _secret(reader) if flaw == "another secret" else secret
    headers = _signed([signer], seconds={"too old": -400, "in the future": 400}.get(flaw, 0))
    if flaw == "changed body":
        body = body.replace(b"completed", b"cancelled")
    if flaw == "another id":
        headers["webhook-id"] = "01a1fd8d-0000-7010-8a44-97ab5cf5cfd6"
    assert reader(tmp_path, secret, headers, body) is None


def test_the_public_library_verifies_what_curl_sends(receiver: tuple[str, list[Any]], tmp_path: Path) -> None:
    url, taken = receiver
    secret = new_secret()
    (tmp_path / "message.json").write_bytes(BODY)
    command = [BASH, "-ec", "\n".join(_shell())]
    subprocess.run(command, cwd=tmp_path, env=_environment(secret=secret, url=url), check=True, timeout=30)
    ((headers, body),) = taken
    assert Webhook(secret).verify(body, headers) == MESSAGE


def test_the_table_of_events_names_every_type() -> None:
    wanted = event_table.wanted()
    assert event_table.written() == wanted, f"`python -m tests.docs.event_table` writes what is wanted:\n{wanted}"


def test_the_table_of_states_has_every_step() -> None:
    states = {str(state) for state in EndpointState}
    steps = {
        state: {word for word in re.findall(r"\w+", follow) if word in states}
        for state, _hears, follow in table(PAGE, "state", "messages it gets", "can become")
    }
    assert steps == {str(state): {str(each) for each in follow} for state, follow in ENDPOINT_TRANSITIONS.items()}


def test_the_table_of_error_classes_has_every_class() -> None:
    assert {row[0] for row in table(PAGE, "errorClass", "what happened")} == set(ErrorClass)


def test_the_table_of_pauses_is_the_policy() -> None:
    rows = table(PAGE, "before attempt", "pause")
    assert [int(attempt) for attempt, _pause in rows] == list(range(2, WEBHOOK_RETRY_POLICY.attempts + 1))
    pauses = [pause.split() for _attempt, pause in rows]
    assert tuple(int(number) * SECONDS[unit] for number, unit in pauses) == WEBHOOK_RETRY_POLICY.pauses
    assert WEBHOOK_RETRY_POLICY.jitter == 1 / 5


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Any]]]:
    """An address that takes everything, and what it took."""
    taken: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", taken
        server.shutdown()
        thread.join()


def _python() -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec("\n".join(blocks(PAGE, "python")), namespace)
    return namespace


def _node(function: str, secret: str, headers: dict[str, str], body: bytes) -> Any:
    given = json.dumps({"secret": secret, "headers": headers, "body": b64encode(body).decode()})
    code = "\n".join(blocks(PAGE, "javascript")) + NODE_DRIVER.replace("{function}", function)
    return _said([NODE or "node", "--eval", code], input=given)


def _shell() -> list[str]:
    functions, sending = blocks(PAGE, "bash")
    return [functions, sending]


def _functions() -> str:
    return _shell()[0]


def _environment(**values: str) -> dict[str, str]:
    tools = [shutil.which(tool) for tool in ("openssl", "curl", "bash")]
    folders = dict.fromkeys(str(Path(tool).parent) for tool in tools if tool)
    return {"PATH": ":".join([*folders, "/usr/bin", "/bin"]), "NO_PROXY": "*", **values}


def _said(command: list[str], **given: Any) -> Any:
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, **given)
    return json.loads(run.stdout) if run.returncode == 0 else None


def _secret(reader: Reader) -> str:
    return new_secret(Signing.ED25519 if reader in (ed25519, javascript_ed25519) else Signing.HMAC_SHA256)


def _signed(secrets: list[str], *, seconds: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) + seconds)
    return {
        "webhook-id": ID,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign_with_each(secrets, ID, timestamp, BODY),
    }
