"""Tests of what never stands in a log, and of the shape of a line."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from config.logging import redact

PROGRAM = """
import logging, structlog
from config.logging import configure_logging
configure_logging(level="INFO", process="worker-reviews")
structlog.get_logger("ours").info("booking.accepted", booking_id="b-1", actor="mentor:m-1")
logging.getLogger("theirs").warning("cannot reach redis://:hunter2@cache/0 for ada@example.org")
try:
    raise ValueError("mail to grace@example.org refused")
except ValueError:
    structlog.get_logger("ours").error("delivery.failed", exc_info=True)
logging.getLogger("theirs").debug("not wanted")
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Values under a secret's name are blanked, however the name is written.
        ({"token": "t"}, {"token": "[redacted]"}),
        ({"access_token": "t"}, {"access_token": "[redacted]"}),
        ({"client_secret": b"s"}, {"client_secret": "[redacted]"}),
        ({"Authorization": "Bearer t"}, {"Authorization": "[redacted]"}),
        ({"PASSWORD": "p"}, {"PASSWORD": "[redacted]"}),
        ({"webhook-signature": "v1,s"}, {"webhook-signature": "[redacted]"}),
        ({"set_cookie": "c"}, {"set_cookie": "[redacted]"}),
        ({"email": "not even an address"}, {"email": "[redacted]"}),
        # Mail addresses are blanked in any text.
        ({"event": "mail to ada.l+x@mail.example.org sent"}, {"event": "mail to [mail address] sent"}),
        ({"error": "<a@b.cd>, <e@f.gh>"}, {"error": "<[mail address]>, <[mail address]>"}),
        # So are the credentials of a URL; the address itself may be read.
        (
            {"error": "connection to postgresql://tutelage:pa55@db:5432/t failed"},
            {"error": "connection to postgresql://[credentials]@db:5432/t failed"},
        ),
        ({"url": "redis://:pa55@cache/0"}, {"url": "redis://[credentials]@cache/0"}),
        # And tokens and secrets that a text quotes, under whatever name.
        ({"error": "refused: Authorization: Bearer abc.def"}, {"error": "refused: Authorization: Bearer [secret]"}),
        ({"event": "token eyJhbGciOi.eyJzdWIi.c2ln is old"}, {"event": "token [secret] is old"}),
        ({"sample": ["whsec_c2VjcmV0+/="]}, {"sample": ["[secret]"]}),
        (
            {"error": "GET /api/calendar/pK7b-T0_yq3.ics?x HTTP/1.1: too slow"},
            {"error": "GET /api/calendar/[secret].ics?x HTTP/1.1: too slow"},
        ),
        # Errors are texts, too.
        ({"error": ValueError("mail to a@b.cd")}, {"error": "mail to [mail address]"}),
        ({"body": b"to a@b.cd"}, {"body": "b'to [mail address]'"}),
        # However deep it stands.
        (
            {"request": {"headers": {"Cookie": "c", "Accept": "*/*"}}},
            {"request": {"headers": {"Cookie": "[redacted]", "Accept": "*/*"}}},
        ),
        (
            {"people": [{"to": "a@b.cd"}, ("x", "c@d.ef")]},
            {"people": [{"to": "[mail address]"}, ["x", "[mail address]"]]},
        ),
        ({"secrets": {"one": "s"}}, {"secrets": "[redacted]"}),
        # Other texts stay as they are.
        ({"attempt": 3, "took": 1.5, "ok": True, "none": None}, {"attempt": 3, "took": 1.5, "ok": True, "none": None}),
        ({"event": "session.created", "session_id": "s-1"}, {"event": "session.created", "session_id": "s-1"}),
        ({"url": "https://partner.example/hooks?x=1"}, {"url": "https://partner.example/hooks?x=1"}),
    ],
)
def test_a_log_line_holds_no_secret_and_no_mail_address(line: dict[str, Any], expected: dict[str, Any]) -> None:
    assert redact(None, "info", line) == expected


@pytest.mark.parametrize(
    "text", ["a" * 40_000, "a." * 20_000, "a@" * 20_000, "x@" + "a." * 20_000, "://" + "a" * 40_000]
)
def test_a_long_text_is_looked_through_at_once(text: str) -> None:
    began = time.process_time()
    redact(None, "info", {"error": text})
    assert time.process_time() - began < 1


def test_every_line_is_json_also_of_libraries() -> None:
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert not output.stdout
    ours, theirs, failed = (json.loads(line) for line in output.stderr.splitlines())
    for line in (ours, theirs, failed):
        assert line["process"] == "worker-reviews"
        assert line["timestamp"].endswith("Z")
    assert (ours["event"], ours["level"], ours["booking_id"]) == ("booking.accepted", "info", "b-1")
    assert (theirs["logger"], theirs["level"]) == ("theirs", "warning")
    assert "hunter2" not in output.stderr
    assert "@example.org" not in output.stderr
    assert "ValueError" in failed["exception"]


def test_lines_that_cannot_be_written_end_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM + 'print("went on")'], stderr=full, stdout=subprocess.PIPE
        )
    assert (ended.returncode, ended.stdout) == (0, b"went on\n")


FULL_DISK = """
import logging, sys, structlog
from config import telemetry
from config.logging import configure_logging

class Full:
    def write(self, _line):
        raise OSError(28, "No space left on device")

    def flush(self):
        self.write("")

class Unwritable:
    def __repr__(self):
        raise ValueError("for the test")
    __str__ = __repr__

out, sys.stderr = sys.stdout, Full()
configure_logging(level="INFO", process="worker-reviews")
structlog.get_logger("ours").info("booking.accepted")
logging.getLogger("theirs").warning("cannot reach it")
sys.stderr = out
structlog.get_logger("other").info("booking.accepted", what=Unwritable())
logging.getLogger("theirs").warning("%d of them", "three")
print(telemetry.LOG_LINES_LOST._value.get(), file=out)
"""


def test_a_line_that_cannot_be_written_raises_nothing_and_is_counted() -> None:
    ran = subprocess.run([sys.executable, "-c", FULL_DISK], capture_output=True, text=True, check=True)
    assert ran.stdout == "4.0\n"
