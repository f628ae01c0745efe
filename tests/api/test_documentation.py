"""Documentation and mount: served from here, at the root and under /api alike."""

import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urldefrag, urljoin

import pytest

from tests.api.conftest import Cast
from tests.application import ApiClient
from tests.docs.pages import DOCS


@pytest.mark.parametrize("page", ["/docs", "/api/docs"])
def test_swagger_ui_needs_nothing_from_the_internet(client: ApiClient, page: str) -> None:
    answer = client.get(page)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    html = answer.get_data(as_text=True)
    links = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert [urljoin(page, each).rpartition("/")[2] for each in links] == [
        "favicon-32x32.png",
        "swagger-ui.css",
        "",
        "swagger-ui-bundle.js",
    ]
    for link in [*links, *re.findall(r'"url": "([^"]+)"', html)]:
        assert client.get(urljoin(page, link)).status_code == 200, link
        assert urljoin(page, link).startswith(page.removesuffix("docs")), link


def test_the_page_tells_where_a_token_comes_from(client: ApiClient) -> None:
    html = client.get("/api/docs").get_data(as_text=True)
    for expected in ('<html lang="en">', 'name="viewport"', "<title>Tutelage API</title>", "tutelage token --operator"):
        assert expected in html


def test_every_guide_is_a_page_whose_links_lead_somewhere(client: ApiClient) -> None:
    followed, waiting, anchors = set[str](), ["/api/docs/guides/"], dict[str, set[str]]()
    wanted = set[tuple[str, str]]()
    while waiting:
        address = waiting.pop()
        if address in followed:
            continue
        followed.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if answer.mimetype != "text/html" or "/guides/" not in address:
            continue
        html = answer.get_data(as_text=True)
        anchors[address] = set(re.findall(r' id="([^"]+)"', html))
        for link in re.findall(r'<(?:a|img) (?:href|src)="([^"]+)"', html):
            target, anchor = urldefrag(urljoin(address, link))
            if target.startswith("/"):
                waiting.append(target)
                wanted |= {(target, anchor)} if anchor else set()
    assert {(page, anchor) for page, anchor in wanted if anchor not in anchors[page]} == set()
    guides = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert guides == {each.removeprefix("/api/docs/guides/") for each in followed if each.endswith(".md")}


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_redirect_names_neither_scheme_nor_host(client: ApiClient, prefix: str) -> None:
    answer = client.get(f"{prefix}/docs/guides", headers={"Host": "other.example"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{prefix}/docs/guides/")


@pytest.mark.parametrize("name", ["../README.md", "..%2fREADME.md", "%2e%2e/README.md", "none.md", "performance.json"])
def test_no_other_file_is_a_guide(client: ApiClient, name: str) -> None:
    assert client.get(f"/docs/guides/{name}").status_code == 404


def test_the_policy_of_swagger_ui_admits_its_own_script_alone(client: ApiClient) -> None:
    answer = client.get("/api/docs")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    html = answer.get_data(as_text=True)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert re.search(r"\sstyle=|\son\w+=", html) is None


def test_the_root_redirects_to_the_documentation(client: ApiClient) -> None:
    assert client.get("/").headers["Location"] == "/docs"
    assert client.get("/api/").headers["Location"] == "/api/docs"
    named = client.get("/api", headers={"Host": "elsewhere.example"})
    assert (named.status_code, named.headers["Location"]) == (302, "/api/docs")


def test_both_mounts_are_the_same_application(client: ApiClient, cast: Cast) -> None:
    for path in ("/me", "/mentors", f"/listings/{cast.listing.id}", "/openapi.json"):
        assert client.get(path, headers=cast.as_mentee).json == client.get(f"/api{path}", headers=cast.as_mentee).json
    made = client.post("/api/bookings", json=cast.body(), headers=cast.as_mentee)
    assert made.headers["Location"] == f"/api/bookings/{made.json['id']}"
    assert client.get(made.headers["Location"], headers=cast.as_mentee).json == made.json


def test_the_life_cycle_of_sessions_names_who_makes_each_step(client: ApiClient) -> None:
    areas = {area["name"]: area["description"] for area in client.get("/openapi.json").json["tags"]}
    begun = re.findall(r"^\| `in_progress` \| `(\w+)` \| (.*) \|$", areas["Sessions"], re.MULTILINE)
    assert {state: "mentee" in who or "mentor" in who for state, who in begun} == {
        "completed": True,
        "cancelled": False,
    }
