"""The demo pages of the booking component: what they hold, by which policy, and for whom there are tokens."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from click import ClickException
from sqlalchemy import Engine

from api.pages.component_files import COMPONENT_FOLDER, ENTRY, FILES
from api.pages.demo.people import DemoPeople, find_demo_people
from cli.addresses import require_loopback
from cli.seeding.component import add_demo_people
from models.engine import create
from tests import servers
from tests.application import World, as_user, settings_for
from workflows.events import subscriptions
from workflows.kernel.clock import zone

PAGES = ("/component/demo", *(f"/component/demo/{variant}" for variant in ("basic", "enhanced", "realtime")))
MENTOR = UUID("0190b6a2-7c1e-7d10-8a44-97ab5cf5cfd6")
TOKEN = "/component/demo/token"
ELEMENT = re.compile(r"<session-booking ([^>]*)>")


@pytest.fixture(scope="module")
def seeded(worker_id: str, template_database: str) -> Iterator[Engine]:
    """An engine on a database with the people of the demo, which no test changes."""
    with servers.temporary_database(f"tutelage_demo_{worker_id}", template_database) as address:
        engine = create(address)
        # As in a process of its own: applications of other tests have chosen which effects are wanted.
        subscriptions.reset_policy()
        add_demo_people(engine, now=datetime.now(UTC))
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def people(seeded: Engine) -> DemoPeople:
    with seeded.connect() as db:
        found = find_demo_people(db)
    assert found is not None
    return found


def demo(engine: Engine, **chosen: Any) -> World:
    return World.on(engine, **{"component_demo": "tokens", **chosen})


def attributes_of(page: str) -> dict[str, str]:
    (found,) = ELEMENT.findall(page)
    return dict(re.findall(r'([\w-]+)="([^"]*)"', found))


def policy_of(answer: Any) -> dict[str, list[str]]:
    (sent,) = answer.headers.getlist("Content-Security-Policy")
    return {name: sources for name, *sources in (rule.split() for rule in sent.split(";"))}


def digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_without_the_setting_there_are_no_pages(engine: Engine) -> None:
    client = World.on(engine).client
    for path in (*PAGES, "/component/demo/app.webmanifest", "/component/demo/icon.svg"):
        assert client.get(path).status_code == 404
    assert client.post(TOKEN).status_code == 404


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("root", ["", "/api"])
def test_a_page_runs_what_its_policy_names(seeded: Engine, path: str, root: str) -> None:
    answer = demo(seeded, streams_url="http://127.0.0.1:8001/").client.get(root + path)
    page, policy = answer.text, policy_of(answer)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    inline = re.findall(r"<script(?: type=\"\w+\")?>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy["style-src"] == [digest(style)]
    assert {digest(script) for script in inline} <= set(policy["script-src"])
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["connect-src"] == ["'self'", "http://127.0.0.1:8001"]
    assert not re.search(r"\sstyle=|\son\w+=|unsafe", page + answer.headers["Content-Security-Policy"])
    assert f'<link rel="manifest" href="{root}/component/demo/app.webmanifest">' in page


@pytest.mark.parametrize("root", ["", "/api"])
def test_the_scripts_of_a_page_are_pinned(seeded: Engine, root: str) -> None:
    page = demo(seeded).client.get(f"{root}/component/demo/basic").text
    (imports,) = re.findall(r'<script type="importmap">(.*?)</script>', page)
    pinned = json.loads(imports)["integrity"]
    built = {path.name for path in COMPONENT_FOLDER.glob("*.js")} - {"service-worker.js"}
    assert {address.removeprefix(f"{root}/component/") for address in pinned} == built
    for name in built:
        found = FILES.find(name)
        assert found is not None
        assert pinned[f"{root}/component/{name}"] == found.integrity
    assert f'src="{root}/component/{ENTRY}" integrity="{pinned[f"{root}/component/{ENTRY}"]}"' in page


def test_a_page_shows_the_seeded_mentor(seeded: Engine, people: DemoPeople) -> None:
    key = "tpk_" + "0123456789abcdefABCDEFGH"
    client = demo(seeded, streams_url="http://127.0.0.1:8001", publishable_keys=(key,)).client
    assert attributes_of(client.get("/component/demo/realtime").text) == {
        "variant": "realtime",
        "mentor": str(people.mentor_profile_id),
        "publishable-key": key,
        "streams-url": "http://127.0.0.1:8001",
        "token-url": TOKEN,
    }


def test_a_query_chooses_what_is_shown(seeded: Engine) -> None:
    query = f"mentor={MENTOR}&zone=Asia/Kolkata&as=mentor&lang=de&dir=rtl&theme=dark"
    page = demo(seeded).client.get(f"/component/demo/enhanced?{query}").text
    assert attributes_of(page) == {
        "variant": "enhanced",
        "mentor": str(MENTOR),
        "time-zone": "Asia/Kolkata",
        "token-url": f"{TOKEN}?as=mentor",
    }
    assert '<html lang="de" dir="rtl">' in page
    assert '<meta name="color-scheme" content="dark">' in page
    assert zone("Asia/Kolkata").key in page


@pytest.mark.parametrize(
    "query", ["mentor=1", "session=x", "as=operator", "lang=xx", "dir=up", "theme=red", "zone=Mars", 'listing="><b>']
)
def test_a_query_that_means_nothing_is_refused(seeded: Engine, query: str) -> None:
    answer = demo(seeded).client.get(f"/component/demo/basic?{query}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    page = demo(seeded).client.get(f"/component/demo/basic?{query}", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (400, "text/html")


def test_an_unknown_variant_is_no_page(seeded: Engine) -> None:
    assert demo(seeded).client.get("/component/demo/wild").status_code == 404


def test_without_seeded_people_a_page_says_so(engine: Engine) -> None:
    client = demo(engine).client
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200
        assert "tutelage seed" in page.text
        assert not ELEMENT.search(page.text)
    refused = client.post(TOKEN, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json["code"]) == (404, "not_found")


def test_listed_sites_may_frame_the_pages(seeded: Engine) -> None:
    world = demo(seeded, component_frame_ancestors=("https://site.example", "http://localhost:3000"))
    answer = world.client.get("/component/demo")
    assert policy_of(answer)["frame-ancestors"] == ["https://site.example", "http://localhost:3000"]
    # And nothing else.
    assert "frame-ancestors 'none'" in world.client.get("/docs").headers["Content-Security-Policy"]


def test_the_demo_can_be_installed(seeded: Engine) -> None:
    client = demo(seeded).client
    answer = client.get("/api/component/demo/app.webmanifest")
    told: Any = json.loads(answer.data)
    assert answer.mimetype == "application/manifest+json"
    assert told["start_url"].startswith(told["scope"])
    assert told["display"] == "standalone"
    (icon,) = told["icons"]
    shown = client.get(icon["src"])
    assert (shown.status_code, shown.mimetype) == (200, "image/svg+xml")


# Tokens.


def test_tokens_are_those_of_the_two_people(seeded: Engine, people: DemoPeople) -> None:
    client = demo(seeded, jwt_audience="tutelage", jwt_issuer="https://id.example").client
    answer = client.post(TOKEN)
    assert answer.headers["Cache-Control"] == "no-store"
    mentee = {"Authorization": f"Bearer {answer.json['token']}"}
    assert client.get("/me", headers=mentee).json["id"] == str(people.mentee_id)
    mentor = {"Authorization": f"Bearer {client.post(f'{TOKEN}?as=mentor').json['token']}"}
    assert client.get("/bookings?role=mentor", headers=mentor).json["items"]
    assert client.post(f"{TOKEN}?as=operator", headers={"Accept": "application/json"}).status_code == 400


def test_other_sites_read_no_token(seeded: Engine) -> None:
    own = "http://localhost"
    answer = demo(seeded).client.post(TOKEN, headers={"Origin": own})
    assert answer.status_code == 200
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    for origin in ("https://site.example", "http://localhost:3000", "http://[", "null"):
        client = demo(seeded, cors_origins=("*",)).client
        assert client.post(TOKEN, headers={"Origin": origin}).status_code == 404
    # Nor by a link or a picture.
    assert demo(seeded).client.get(TOKEN).status_code == 405


def test_a_name_that_leads_here_gets_no_token(seeded: Engine) -> None:
    client = demo(seeded).client
    for host in ("site.example:8000", "127.0.0.1.site.example", "8.8.8.8", "localhost.site.example"):
        assert client.post(TOKEN, headers={"Host": host}).status_code == 404
    for host in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
        assert client.post(TOKEN, headers={"Host": host}).status_code == 200


def test_pages_without_tokens_are_those_of_visitors(seeded: Engine, people: DemoPeople) -> None:
    world = demo(seeded, component_demo="pages")
    assert world.client.post(TOKEN, headers=as_user(people.mentee_id)).status_code == 404
    assert "token-url" not in attributes_of(world.client.get("/component/demo/basic").text)
    assert "token-url" not in attributes_of(demo(seeded).client.get("/component/demo/basic?as=visitor").text)


def test_tokens_are_given_on_loopback_alone() -> None:
    chosen = settings_for("postgresql://tutelage@127.0.0.1:1/nothing", component_demo="tokens")
    require_loopback("127.0.0.1", chosen)
    with pytest.raises(ClickException, match="COMPONENT_DEMO=tokens"):
        require_loopback("0.0.0.0", chosen)
