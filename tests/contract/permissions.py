"""The tables of docs/permissions.md, and the routes of the application, in the same words."""

import re

from tests.application import template_app
from tests.docs.pages import DOCS, table

PAGE = DOCS / "permissions.md"
CALLERS = ("mentee", "mentor", "mentor's user", "other mentor", "other user", "operator", "visitor")
_IN_RULE = re.compile(r"<[^>]+>")
_IN_PAGE = re.compile(r"{[^}]+}")

Route = tuple[str, str]
# What people see rather than programs call.
UNDOCUMENTED = {
    *(
        "/",
        "/openapi.json",
        "/docs",
        "/docs/assets/{}",
        "/docs/guides",
        "/docs/guides/",
        "/docs/guides/{}",
        "/component/{}",
        "/component/demo",
        "/component/demo/{}",
    ),
    *("/component/demo/token", "/component/demo/app.webmanifest", "/component/demo/icon.svg"),
}


def as_documented(rule: str) -> str:
    """A rule of the application, as the pages write it but for the names of its parameters."""
    return _IN_RULE.sub("{}", rule)


def _named(cell: str) -> list[Route]:
    methods, path = cell.split()
    return [(method, _IN_PAGE.sub("{}", path)) for method in methods.split(",")]


# What each caller gets for each route: `yes`, `no` (403), `401` or `404`.
PERMISSIONS: dict[Route, dict[str, str]] = {
    route: dict(zip(CALLERS, cells, strict=True))
    for name, *cells in table(PAGE, "route", *CALLERS)
    for route in _named(name)
}
OPEN: set[Route] = {route for name, _who in table(PAGE, "route", "who") for route in _named(name)}
# Every route of the application, as (method, rule).
ROUTES: list[Route] = sorted(
    (method, rule.rule)
    for rule in template_app().url_map.iter_rules()
    for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
)
# Those that programs call, as `METHOD path`.
CONTRACT = {f"{method} {path}" for method, path in PERMISSIONS.keys() | OPEN if path not in UNDOCUMENTED}
