"""The booking component's files, its configuration and its beacons, as pages of every site get and send them."""

import gzip
import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha384
from pathlib import Path
from typing import Any

import pytest
from iso4217 import raw_xml as iso_4217
from sqlalchemy import Engine

from api.http.headers import CLOSED_POLICY
from api.pages.component_files import COMPONENT_FOLDER, ENTRY, MANIFEST, STABLE_NAMES, TYPES, ComponentFiles
from api.resources.component import worker_policy
from cli.plan import ROOT
from config.limits import RateLimit
from tests.api.conftest import Cast
from tests.application import World, settings_for, template_app
from tests.scraping import Figures
from workflows.kernel.money import CURRENCIES

BUILT = sorted(path.name for path in COMPONENT_FOLDER.iterdir())
HASHED = next(name for name in BUILT if name not in STABLE_NAMES and name.endswith(".js"))
BEACON = {
    "variant": "realtime",
    "loadSeconds": 0.4,
    "firstSlotSeconds": 0.9,
    "stream": {"connectedSeconds": 60.5, "disconnectedSeconds": 1.5, "reconnections": 2},
    "errors": {"network": 3, "script": 1},
}


SOURCE = ROOT / "component" / "src"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files as a build leaves them, beside one that is not served."""
    built = tmp_path / "component"
    built.mkdir()
    (built / ENTRY).write_text("export const answer = 42;\n" * 50)
    (built / "enhanced-Ab3_x-9Z.js").write_text("export {};\n")
    (built / ".hidden.js").write_text("secret")
    (built / "notes.txt").write_text("secret")
    (built / "folder.js").mkdir()
    (tmp_path / "secret.js").write_text("secret")
    return built


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.js", "..%2fsecret.js", "%2e%2e/secret.js", "/etc/passwd", "..", ".", "", "component/../secret.js"),
        *(".hidden.js", "notes.txt", "folder.js", "session-booking.js/", "session-booking.js\0", "session-booking"),
        *("..\\secret.js", "session-booking.js.", "SESSION-BOOKING.JS", "x" * 5000 + ".js"),
    ],
)
def test_only_files_of_the_folder_are_found(folder: Path, name: str) -> None:
    assert ComponentFiles(folder).find(name) is None


def test_a_file_built_anew_is_read_anew(folder: Path) -> None:
    files = ComponentFiles(folder)
    before = files.find(ENTRY)
    (folder / ENTRY).write_text("export const answer = 43; // another length\n")
    after = files.find(ENTRY)
    assert before is not None
    assert after is not None
    assert (b"42" in before.body, b"43" in after.body) == (True, True)
    assert before.tag != after.tag


@pytest.mark.parametrize("path", ["/component/../app.py", "/component/%2e%2e/app.py", "/component/..%2fapp.py"])
def test_nothing_outside_the_folder_is_served(path: str) -> None:
    answer = template_app().test_client().get(path)
    assert (answer.status_code, answer.json and answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("name", BUILT)
def test_every_built_file_is_served_to_every_site(name: str, root: str) -> None:
    answer = template_app().test_client().get(f"{root}/component/{name}", headers={"Origin": "https://site.example"})
    assert answer.status_code == 200
    assert answer.data == (COMPONENT_FOLDER / name).read_bytes()
    sent = answer.headers
    assert sent["Content-Type"] == TYPES[Path(name).suffix]
    assert sent.getlist("Cross-Origin-Resource-Policy") == ["cross-origin"]
    assert sent.getlist("Access-Control-Allow-Origin") == ["*"]
    assert (sent["Timing-Allow-Origin"], sent["X-Content-Type-Options"]) == ("*", "nosniff")
    kept = "public, max-age=300" if name in STABLE_NAMES else "public, max-age=31536000, immutable"
    assert (sent["Cache-Control"], sent["Vary"]) == (kept, "Accept-Encoding")


def test_other_answers_stay_of_this_origin(engine: Engine) -> None:
    world = World.on(engine, cors_origins=("https://site.example",))
    origin = {"Origin": "https://site.example"}
    page = world.client.get("/docs", headers=origin).headers
    assert page.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
    assert page.getlist("Access-Control-Allow-Origin") == ["https://site.example"]
    file = world.client.get(f"/component/{ENTRY}", headers=origin).headers
    assert file.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in file


def test_a_digest_in_the_name_is_what_is_kept_for_a_year() -> None:
    # A name that stayed the same while its content changed would be wrong in browsers for a year.
    assert {ENTRY, MANIFEST} <= set(BUILT)
    for name in set(BUILT) - STABLE_NAMES:
        stem = name.split(".")[0]
        assert len(stem) > 9, name
        assert stem[-9] == "-", name


def test_files_are_compressed_for_those_who_take_it() -> None:
    client, plain = template_app().test_client(), (COMPONENT_FOLDER / ENTRY).read_bytes()
    packed = client.get(f"/component/{ENTRY}", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain)
    for refused in ("identity", "gzip;q=0", "br"):
        answer = client.get(f"/component/{ENTRY}", headers={"Accept-Encoding": refused})
        assert "Content-Encoding" not in answer.headers
        assert answer.data == plain
        assert answer.get_etag() != packed.get_etag()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("name", [ENTRY, HASHED])
def test_an_unchanged_file_is_304(name: str, encoding: str) -> None:
    client, accepted = template_app().test_client(), {"Accept-Encoding": encoding}
    first = client.get(f"/component/{name}", headers=accepted)
    again = client.get(f"/component/{name}", headers={**accepted, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == tuple(
        first.headers[each] for each in ("ETag", "Cache-Control")
    )
    head = client.head(f"/component/{name}", headers=accepted)
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", first.headers["ETag"])


def test_the_manifest_names_the_integrity_of_what_is_served() -> None:
    client = template_app().test_client()
    manifest: Any = client.get(f"/component/{MANIFEST}").json
    assert ENTRY in manifest["files"]
    for name, told in manifest["files"].items():
        body = client.get(f"/component/{name}").data
        assert told["integrity"] == f"sha384-{b64encode(sha384(body).digest()).decode()}", name
        assert told["size"] == len(body), name


def test_the_service_worker_alone_may_fetch(engine: Engine) -> None:
    settings = settings_for(engine.url.render_as_string(), streams_url="http://127.0.0.1:8001")
    assert "connect-src 'self' http://127.0.0.1:8001;" in worker_policy(settings)
    script = template_app().test_client().get(f"/component/{ENTRY}")
    assert script.headers["Content-Security-Policy"] == CLOSED_POLICY


def test_the_files_are_part_of_an_installation(tmp_path: Path) -> None:
    folders: list[str | Path] = ["--build-base", tmp_path / "base", "--build-lib", tmp_path / "built"]
    command: list[str | Path] = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "build", *folders]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    shipped = tmp_path / "built" / "api" / "component"
    assert sorted(path.name for path in shipped.iterdir()) == BUILT
    assert (shipped / ENTRY).read_bytes() == (COMPONENT_FOLDER / ENTRY).read_bytes()


def test_the_configuration_is_open_to_every_site(engine: Engine) -> None:
    chosen = {"streams_url": "http://127.0.0.1:8001", "component_telemetry_percent": 25}
    answer = World.on(engine, **chosen).client.get("/component/config.json")
    assert answer.json == {"streamsUrl": "http://127.0.0.1:8001", "telemetryPercent": 25}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


# Beacons.


@pytest.fixture
def counted() -> Callable[..., float]:
    """Tells by how much the samples of a name and labels have grown since the test began."""
    before = Figures.here()
    return lambda name, **labels: Figures.here().total(name, **labels) - before.total(name, **labels)


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json"])
def test_a_beacon_becomes_figures(counted: Callable[..., float], content_type: str) -> None:
    answer = (
        template_app().test_client().post("/component/telemetry", data=json.dumps(BEACON), content_type=content_type)
    )
    assert (answer.status_code, answer.data) == (204, b"")
    # Sent by a page of another site, its answer is read by no script; no browser reports it as blocked either.
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert counted("tutelage_component_visits_total", variant="realtime") == 1
    assert counted("tutelage_component_load_seconds_bucket", le="0.5", variant="realtime") == 1
    assert counted("tutelage_component_load_seconds_bucket", le="0.25", variant="realtime") == 0
    assert counted("tutelage_component_first_slot_seconds_sum", variant="realtime") == pytest.approx(0.9)
    assert counted("tutelage_component_stream_seconds_total", state="connected") == 60.5
    assert counted("tutelage_component_stream_seconds_total", state="disconnected") == 1.5
    assert counted("tutelage_component_reconnections_total") == 2
    assert counted("tutelage_component_errors_total", kind="network", variant="realtime") == 3


TOO_MUCH: list[object] = [-0.1, 600.1, "1", True, [], 1e30]
WRONG_ERRORS: list[object] = [{"other": 1}, {"network": 0}, {"network": 1001}, {"network": 1.5}, [], "x"]


@pytest.mark.parametrize(
    "beacon",
    [
        *({}, [], 1, None, {"variant": "wild"}, {"variant": None}, {"variant": "basic", "url": "https://site.example"}),
        *({"variant": "basic", "loadSeconds": seconds} for seconds in TOO_MUCH),
        *({"variant": "basic", "errors": errors} for errors in WRONG_ERRORS),
        {"variant": "basic", "stream": {"connectedSeconds": 1}},
        {"variant": "basic", "stream": {**BEACON["stream"], "reconnections": 10_001}},  # type: ignore[dict-item]
        {"variant": "basic", "stream": {**BEACON["stream"], "mentorId": "0190b6a2"}},  # type: ignore[dict-item]
    ],
    ids=str,
)
def test_a_beacon_with_anything_else_is_refused(counted: Callable[..., float], beacon: object) -> None:
    answer = (
        template_app().test_client().post("/component/telemetry", data=json.dumps(beacon), content_type="text/plain")
    )
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "invalid_request")
    assert counted("tutelage_component_visits_total", variant="basic") == 0


@pytest.mark.parametrize(
    ("body", "content_type", "refusal"),
    [
        (b"{", "text/plain", (400, "invalid_request")),
        (b"\xff", "text/plain", (400, "invalid_request")),
        (b"", "text/plain", (400, "invalid_request")),
        (b'{"variant": "basic", "loadSeconds": NaN}', "text/plain", (400, "invalid_request")),
        (json.dumps(BEACON).encode(), "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (json.dumps(BEACON).encode() + b" " * 2048, "text/plain", (413, "too_large")),
    ],
)
def test_a_body_that_is_no_beacon_is_refused(body: bytes, content_type: str, refusal: tuple[int, str]) -> None:
    answer = template_app().test_client().post("/component/telemetry", data=body, content_type=content_type)
    assert (answer.status_code, answer.json and answer.json["code"]) == refusal


def test_beacons_have_a_limit_of_their_own(engine: Engine) -> None:
    world = World.on(engine, redis_url="", rate_limit_telemetry=RateLimit(2, 60))
    sent = [world.client.post("/component/telemetry", json={"variant": "basic"}) for _ in range(3)]
    assert [answer.status_code for answer in sent] == [204, 204, 429]
    assert world.client.get("/component/config.json").status_code == 200


def test_a_page_of_any_site_sends_beacons_without_asking(engine: Engine) -> None:
    # A body of text/plain needs no preflight request; credentials that come along mean nothing.
    sent = {"Origin": "https://site.example", "Sec-Fetch-Site": "cross-site", "Cookie": "session=1"}
    answer = World.on(engine).client.post(
        "/component/telemetry", data='{"variant":"basic"}', content_type="text/plain", headers=sent
    )
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")


def test_the_component_counts_minor_units_as_iso_4217_does() -> None:
    source = (SOURCE / "i18n" / "money.ts").read_text()
    listed = {name: set(codes.split("|")) for name, codes in re.findall(r"const (\w+) = /([A-Z|]+)/;", source)}
    digits = {entry.findtext("Ccy"): entry.findtext("CcyMnrUnts") for entry in iso_4217.iter("CcyNtry")}
    assert listed == {
        name: {code for code in CURRENCIES if digits[code] == number}
        for name, number in (("WHOLE", "0"), ("THOUSANDTHS", "3"))
    }
    assert {digits[code] for code in CURRENCIES} == {"0", "2", "3"}


def test_the_component_says_the_reasons_at_its_fields_in_german(world: World, cast: Cast) -> None:
    patterns = re.findall(r"\[/(\^.+?\$)/, ", (SOURCE / "i18n" / "de.ts").read_text())
    assert patterns
    bodies = [{"title": "x" * 201}, {"notes": "x" * 5001}, {"title": "two\nlines"}, {"notes": "\x07"}, {"title": "\0"}]
    for changes in bodies:
        answer = world.client.post("/bookings", json=cast.body(**changes), headers=cast.as_mentee)
        assert answer.status_code == 400
        (reason,) = answer.json["details"][next(iter(changes))]
        assert any(re.search(pattern, reason) for pattern in patterns), reason
