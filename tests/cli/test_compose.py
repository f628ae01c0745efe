"""Tests that docker-compose.yml has the very parts and commands of the process list."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.http.headers import CLOSED_POLICY
from api.refusals import shape
from api.routes.declaration import LARGE_BODY_LIMIT_BYTES
from cli.plan import PARTS, ROOT, Place
from cli.serve import KEEP_ALIVE_SECONDS

PROGRAMS = [part for part in PARTS if part.group == "programs"]
SECOND_API = "api-2"
CONTAINER = Place(
    host="0.0.0.0", api_port=8000, flower_port=5555, streams_port=8001, data_dir=Path("/data"), worker_threads=4
)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))["services"]
    return found


def test_services_are_the_parts_and_the_migration(services: dict[str, Any]) -> None:
    always = {name for name, service in services.items() if "profiles" not in service}
    assert always == {part.name for part in PARTS} | {"migrate", "proxy", SECOND_API}


@pytest.mark.parametrize("part", PROGRAMS, ids=lambda part: part.name)
def test_every_process_shows_its_figures_inside_the_network_alone(services: dict[str, Any], part: Any) -> None:
    service = services[part.name]
    port = service["environment"]["METRICS_PORT"]
    assert service["environment"]["METRICS_HOST"] == "0.0.0.0"
    assert not [published for published in service.get("ports", []) if str(port) in published]
    # Several processes answer for each other by a folder; a single one must not find another's figures in it.
    shared = service["environment"].get("PROMETHEUS_MULTIPROC_DIR")
    assert service.get("tmpfs") == ([shared] if part.name == "api" else None)


@pytest.mark.parametrize("part", PROGRAMS, ids=lambda part: part.name)
def test_the_commands_agree(services: dict[str, Any], part: Any) -> None:
    assert [str(word) for word in services[part.name]["command"]] == part.argv(CONTAINER)


def test_no_secret_has_a_default_and_flower_wants_a_password(services: dict[str, Any]) -> None:
    assert services["flower"]["environment"]["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")
    for name in ("ENCRYPTION_KEYS", "SIGNING_KEYS"):
        assert services["api"]["environment"][name].startswith(f"${{{name}:?")
    assert services["api"]["environment"]["PUBLIC_URL"].startswith("${PUBLIC_URL:?")
    # Empty where mails are kept as files.
    assert services["api"]["environment"]["SMTP_URL"].startswith("${SMTP_URL?")
    # Empty where an identity provider signs; the processes demand it everywhere else.
    assert services["api"]["environment"]["JWT_SECRET"].startswith("${JWT_SECRET?")


def test_the_proxy_alone_names_clients(services: dict[str, Any]) -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    for name, upstream in (("api", "http://api"), ("streams", r"\$streams")):
        locations = re.findall(rf"proxy_pass {upstream};.*?\n        }}", configuration, re.DOTALL)
        # The client's own header does not reach them.
        assert locations
        assert all("proxy_set_header X-Forwarded-For $remote_addr;" in location for location in locations)
        assert services[name]["environment"]["TRUSTED_PROXIES"] == 1


def test_the_proxy_passes_what_the_component_asks_for() -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    (published,) = re.findall(r"listen 8080;.*", configuration, re.DOTALL)
    # Its files and beacons go the way of everything that no other place takes; nothing keeps, packs or limits them.
    assert re.findall(r"location ([^{@]*) \{\n\s+proxy_pass (\S+);", published) == [
        ("/", "http://api"),
        ("~ ^(/api)?/streams/", "$streams"),
    ]
    assert "proxy_cache" not in published
    assert "proxy_hide_header" not in published


def test_the_api_is_published_by_a_proxy_alone(services: dict[str, Any]) -> None:
    assert "ports" not in services["api"]
    proxy = services["proxy"]
    assert proxy["depends_on"]["api"]["condition"] == "service_healthy"
    (mounted,) = proxy["volumes"]
    configuration = (ROOT / mounted.partition(":")[0]).read_text()
    published, flower = proxy["ports"]
    assert flower == f"127.0.0.1:{CONTAINER.flower_port}:{CONTAINER.flower_port}"
    assert f"listen {published.rpartition(':')[2]};" in configuration
    # By a variable: nginx looks its name up when it is asked for, and starts without it.
    assert f"set $streams http://streams:{CONTAINER.streams_port};" in configuration
    servers = re.findall(r"^ +server ([^;{]+);", configuration, re.MULTILINE)
    assert servers == [f"api:{CONTAINER.api_port} resolve max_fails=0"]
    assert len(re.findall(r"^    resolver 127.0.0.11 valid=2s;", configuration, re.MULTILINE)) == 1


def test_one_api_serves_while_the_other_is_replaced(services: dict[str, Any]) -> None:
    first, second = services["api"], services[SECOND_API]
    # Both are `api` to the proxy and to Prometheus, and are replaced by commands of their own.
    assert second == first | {"networks": {"default": {"aliases": ["api"]}}}
    assert "networks" not in first
    # A proxy that starts again with a container would serve nobody meanwhile.
    assert services["proxy"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    upgrade = (ROOT / "docs" / "running.md").read_text()
    for name in ("api", SECOND_API):
        assert f"docker compose up --detach --no-deps --wait {name}\n" in upgrade
    image = re.fullmatch(r"nginx:(\d+)\.(\d+)-alpine", services["proxy"]["image"])
    # `resolve` in a server of an upstream.
    assert image is not None
    assert tuple(map(int, image.groups())) >= (1, 28)


def test_the_proxy_buffers_and_has_limits(services: dict[str, Any]) -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    api, streams = re.split(r"location ~ \^\(/api\)\?/streams/ ", configuration)
    assert "proxy_buffering off;" in streams
    directives = dict(re.findall(r"^\s*([a-z_]+) ([^;{]+);$", api, re.MULTILINE))
    assert directives["proxy_buffering"] == directives["proxy_request_buffering"] == "on"
    assert directives["client_max_body_size"] == f"{LARGE_BODY_LIMIT_BYTES // 1024}k"
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout", "proxy_read_timeout"):
        assert 0 < int(directives[name].removesuffix("s")) <= 60
    # The proxy is the one to close a kept connection.
    (idle_seconds,) = map(int, re.findall(r"^        keepalive_timeout (\d+)s;", configuration, re.MULTILINE))
    assert idle_seconds < KEEP_ALIVE_SECONDS
    # A worker process sees within a second that it is to drain.
    assert idle_seconds + 1 < services["api"]["environment"]["API_DRAIN_SECONDS"]
    assert services["api"]["stop_grace_period"] == "20s"


def test_unreadable_requests_lead_to_no_named_location() -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    # nginx answers them 500 otherwise: they have no address that it could go on with.
    for status, place in re.findall(r"error_page (400|414) (\S+);", configuration):
        assert f"location = {place} {{" in configuration, status


def test_flower_is_published_without_what_needs_no_password(services: dict[str, Any]) -> None:
    assert "ports" not in services["flower"]
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    (server,) = re.findall(rf"server {{\s+listen {CONTAINER.flower_port};.*?\n    }}", configuration, re.DOTALL)
    (closed,) = re.findall(r"location ~ (\S+) {\s+return 404;", server)
    for path in ("/metrics", "/metrics/", "/metrics?x=1", "/healthcheck"):
        assert re.match(closed, path)
    assert not re.match(closed, "/tasks")
    assert "set $flower http://flower:5555;" in server


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (413, "too_large"),
        (414, "uri_too_long"),
        (429, "rate_limited"),
        (431, "headers_too_large"),
        (503, "unavailable"),
    ],
)
def test_what_the_proxy_refuses_has_the_one_shape(status: int, code: str) -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    (body,) = re.findall(rf"return {status} '(.*)';", configuration)
    told = json.loads(body)
    # Python's versions differ about the names of 413 and 414.
    assert told == shape(status, code, told["message"], "$request_id") | {"error": told["error"]}


def test_what_the_proxy_answers_has_the_headers_of_every_answer() -> None:
    configuration = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    assert f'1 "{CLOSED_POLICY}";' in configuration
    api = configuration.partition("listen 8080;")[2]
    named = set(re.findall(r"^        add_header (\S+) \$refused_\w+ always;$", api, re.MULTILINE))
    assert named == {
        *("X-Request-Id", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "Content-Security-Policy"),
        "Retry-After",
    }
    # A location that adds one of its own would have none of these.
    assert "            add_header" not in api
    assert "access_log /dev/stdout refused if=$refused;" in api
