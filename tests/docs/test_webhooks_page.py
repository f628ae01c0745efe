"""Tests of the page that partners build on: its code takes what is really signed, its numbers and lists are true."""

from __future__ import annotations

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
from workers.transports import http
from workflows.events.delivery import WEBHOOK_RETRY_POLICY
from workflows.webhooks import address, deliveries, endpoints, health, messages
from workflows.webhooks.secrets import new_secret, verifier_of

PAGE = DOCS / "webhooks.md"
TEXT = " ".join(PAGE.read_text().split())
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


@every_reader
@pytest.mark.parametrize("seconds", [-400, 400])
def test_the_pages_code_refuses_what_is_minutes_off(reader: Reader, seconds: int, tmp_path: Path) -> None:
    secret = _secret(reader)
    assert reader(tmp_path, secret, _signed([secret], seconds=seconds), BODY) is None


@every_reader
def test_the_pages_code_refuses_what_was_altered(reader: Reader, tmp_path: Path) -> None:
    secret = _secret(reader)
    assert reader(tmp_path, secret, _signed([secret]), BODY.replace(b"completed", b"cancelled")) is None


@every_reader
def test_the_pages_code_refuses_another_message_under_the_same_signature(reader: Reader, tmp_path: Path) -> None:
    secret = _secret(reader)
    headers = _signed([secret]) | {"webhook-id": "01a1fd8d-0000-7010-8a44-97ab5cf5cfd6"}
    assert reader(tmp_path, secret, headers, BODY) is None


@every_reader
def test_the_pages_code_refuses_somebody_elses_signature(reader: Reader, tmp_path: Path) -> None:
    assert reader(tmp_path, _secret(reader), _signed([_secret(reader)]), BODY) is None


def test_the_javascript_signs_what_we_sign_and_compares_in_constant_time() -> None:
    # Where there is no Node to run it, this is what is left to be seen.
    code, with_public_key = blocks(PAGE, "javascript")
    assert 'createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body)' in code
    assert 'scheme === "v1a" && verify(null, signed, key, Buffer.from(encoded, "base64"))' in with_public_key
    assert "timingSafeEqual(given, expected)" in code


@pytest.mark.parametrize("length", [24, 32, 64])
def test_the_shell_signs_as_we_do_with_keys_of_every_length(length: int, tmp_path: Path) -> None:
    secret = "whsec_" + b64encode(bytes(range(length))).decode()
    (tmp_path / "message.json").write_bytes(BODY)
    script = _functions() + f'signature_of "$secret" {ID} 1700000000 message.json'
    command = [BASH, "-c", script]
    made = subprocess.run(command, cwd=tmp_path, env=_environment(secret=secret), check=True, capture_output=True)
    assert made.stdout.decode() == sign(secret, ID, "1700000000", BODY)


def test_the_message_that_curl_sends_is_taken_by_the_public_library(
    receiver: tuple[str, list[Any]], tmp_path: Path
) -> None:
    url, taken = receiver
    secret = new_secret()
    (tmp_path / "message.json").write_bytes(BODY)
    command = [BASH, "-ec", "\n".join(_shell())]
    subprocess.run(command, cwd=tmp_path, env=_environment(secret=secret, url=url), check=True, timeout=30)
    ((headers, body),) = taken
    assert Webhook(secret).verify(body, headers) == MESSAGE


def test_the_table_of_events_is_the_catalogue() -> None:
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


@pytest.mark.parametrize(
    "sentence",
    [
        f"not a 2xx within {http.HttpLimits().deadline:.0f} seconds",
        f"at most {http.RESPONSE_LIMIT_BYTES // 1024} kB are read and the first {http.KEPT_BODY_BYTES // 1024} kB kept",
        f"is tried {WEBHOOK_RETRY_POLICY.attempts} times",
        f"{' or '.join(map(str, http.STATUSES_WITH_RETRY_AFTER))} with `Retry-After`",
        f"| {health.GONE} | the endpoint is `disabled` at once",
        f"{health.OPENS_AFTER_FAILURES} failures in a row",
        f"at least {health.NOTICE.days * 24} hours before such an endpoint is disabled",
        f"`recover`, which is {deliveries.RECOVERABLE_FOR.days} days",
        f"goes back {deliveries.RECOVERABLE_FOR.days} days, takes {deliveries.MAX_RECOVERED:,} deliveries",
        f"sends {health.REQUEUED_PER_SECOND} a second",
        f"No message is larger than {messages.MAX_BODY_BYTES // 1024} kB",
        f"at most {address.MAX_URL_CHARACTERS:,} characters",
        f"port {' or '.join(map(str, address.PORTS))}",
        f"outside {address.PUBLIC_IPV6}",
    ],
)
def test_the_page_says_the_numbers_that_the_code_has(sentence: str) -> None:
    assert sentence in TEXT


def test_the_page_says_the_times_that_the_code_has_in_words() -> None:
    assert "no success for five days" in TEXT
    assert health.GIVEN_UP_AFTER.days == 5
    assert "after three days without success" in TEXT
    assert health.WARNED_AFTER.days == 3
    assert "a day is the most that is granted" in TEXT
    assert http.MAX_RETRY_AFTER.days == 1
    assert "For a day the old ones stay valid" in TEXT
    assert endpoints.ROTATION_GRACE.days == 1
    assert "Ten are valid at most" in TEXT
    assert endpoints.MAX_VALID_SECRETS == 10


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
