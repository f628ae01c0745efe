"""The pages for developers: Swagger UI of the API, and the guides (`docs/*.md`) beside it."""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from posixpath import dirname, normpath
from posixpath import join as joined

import flask_swagger_ui
from flask import Blueprint, Response, redirect, render_template, send_file
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as BaseResponse

from api.http.etags import revalidated
from workflows.notifications.texts import Brand

SWAGGER_ASSETS = Path(flask_swagger_ui.__file__).resolve().parent / "dist"
SWAGGER_ASSETS_PATH = "/docs/assets"
# Part of a checkout and of the image; a wheel alone is without them, and then the page has no link to them.
GUIDES_FOLDER = Path(__file__).resolve().parents[2] / "docs"

_PICTURES = frozenset({".svg", ".png"})
_SWAGGER_UI = {
    "dom_id": "#swagger-ui",
    "url": "openapi.json",
    "deepLinking": True,
    "docExpansion": "none",
    "filter": True,
    "persistAuthorization": True,
    "validatorUrl": None,
}
# Swagger UI sets styles on its elements, and draws its icons from data.
_SWAGGER_POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{script}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GUIDE_POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_NO_ANCHOR = re.compile(r"[^\w\- ]")

documentation = Blueprint("documentation", __name__)


@documentation.get("/docs")
def show_api_documentation() -> Response:
    """Swagger UI. Its groups are collapsed, so that all of their names are drawn at once and a browser finds them."""
    page = render_template("swagger_ui.html", assets="docs/assets", config=_SWAGGER_UI, guides=GUIDES_FOLDER.is_dir())
    return _with_policy(page, _SWAGGER_POLICY, script=_SCRIPT)


@documentation.get("/docs/guides")
def redirect_to_guides() -> BaseResponse:
    """To the page that its relative links are for.

    The redirect of the framework names a scheme and a host: plain HTTP, behind a proxy that ends TLS.
    """
    return redirect("/docs/guides/")


@documentation.get("/docs/guides/")
def list_guides() -> Response:
    titles = sorted((title, path.name) for path in GUIDES_FOLDER.glob("*.md") for title in _titles(path.read_text()))
    lines = [f"- [{title}]({name})" for title, name in [*titles, ("Decisions", "decisions/README.md")]]
    return _guide("\n".join(["# Guides", "", *lines]), "")


@documentation.get("/docs/guides/<path:name>")
def show_guide(name: str) -> Response:
    """A guide, or a picture of one. Only these files of the folder are found."""
    path = _find(name)
    if path is None:
        raise NotFound
    return send_file(path) if path.suffix in _PICTURES else _guide(path.read_text(), name)


def _find(name: str) -> Path | None:
    found = safe_join(str(GUIDES_FOLDER), name)
    path = Path(found or "")
    return path if path.is_file() and path.suffix in {".md", *_PICTURES} else None


def _guide(text: str, name: str) -> Response:
    tokens = _MARKDOWN.parse(text)
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", _NO_ANCHOR.sub("", content.content.lower()).replace(" ", "-"))
    for link in _links(tokens):
        target, _, _anchor = str(link.attrGet("href")).partition("#")
        # The name of a file that is not served stays, as text.
        if target and "://" not in target and _find(normpath(joined(dirname(name), target))) is None:
            link.attrs = {}
    # From a text of ours, with HTML switched off.
    body = Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704
    title, up = next(_titles(text), "Guide"), "../" * name.count("/")
    page = render_template("guide.html.j2", title=title, body=body, up=up, brand=Brand())
    return _with_policy(page, _GUIDE_POLICY, style=_STYLE)


def _links(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from (child for child in token.children or () if child.type == "link_open")


def _titles(text: str) -> Iterator[str]:
    return (found[1].replace("`", "") for found in _TITLE.finditer(text))


def _with_policy(page: str, policy: str, **inline: re.Pattern[str]) -> Response:
    # The one script or style of the page is admitted by its hash.
    digests = {
        kind: b64encode(sha256(found.encode()).digest()).decode()
        for kind, pattern in inline.items()
        for found in pattern.findall(page)
    }
    answer = Response(page, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = policy.format(**digests)
    return revalidated(answer)
