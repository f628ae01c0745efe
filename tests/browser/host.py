"""A site with the component in its pages, at another origin than the API's, and its endpoint of tokens."""

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import Flask, Response, jsonify, render_template_string, request

from tests.application import token

# The policy of a careful site: everything of its own, and the component with its API and live updates.
POLICY = (
    "default-src 'none'; script-src 'self' {api}; style-src 'self'; img-src 'self' data: https:;"
    " connect-src 'self' {api} {streams}; base-uri 'none'; form-action 'none';"
    " require-trusted-types-for 'script'; trusted-types lit-html"
)
PAGE = """<!DOCTYPE html>
<html lang="{{ lang }}" dir="{{ dir }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Book a session</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script type="module" src="{{ api }}/component/session-booking.js"></script>
<script type="module" src="/page.js"></script>
</head>
<body>
<header><a href="/elsewhere">Elsewhere</a></header>
<main>
<h1>Our coaches</h1>
<{{ element }}{{ attributes | xmlattr }}></{{ element }}>
</main>
</body>
</html>"""
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; font-family: system-ui, sans-serif; }
body { background: light-dark(#fff, #111); color: light-dark(#111, #eee); }
a { color: inherit; }
header, main { max-inline-size: 60rem; margin: auto; padding: 0.5rem; }
"""
ELSEWHERE = "<!DOCTYPE html><title>Elsewhere</title><h1>Elsewhere</h1>"
# `told` holds what the page learns of the component: pairs of a name and a session's, booking's or error's id.
SCRIPT = """
const element = document.querySelector("main > h1 + *");
window.told = [];
for (const name of ["booked", "requested", "unpaid", "started", "completed", "cancelled", "failed", "signin"]) {
  element.addEventListener(name, ({ detail }) => {
    told.push([name, detail.session?.id ?? detail.booking?.id ?? detail.error?.code ?? null]);
  });
}
element.onSuccess = (session) => told.push(["onSuccess", session.id]);
"""


@dataclass
class Host:
    """The site.

    Attributes:
        api: the API's address.
        streams: the address of live updates.
        expired: how many tokens it still gives to each user that have expired, and says nothing of it.
        issued: how many tokens it has given to each user.
        files: what tests have it serve besides, under `/files/`.
    """

    api: str = ""
    streams: str = ""
    expired: Counter[str] = field(default_factory=Counter)
    issued: Counter[str] = field(default_factory=Counter)
    files: dict[str, str] = field(default_factory=dict)

    def app(self) -> Flask:
        """The application that answers for it."""
        app = Flask(__name__)
        for path, body, kind in (
            ("/page.css", STYLE, "text/css"),
            ("/page.js", SCRIPT, "text/javascript"),
            ("/elsewhere", ELSEWHERE, "text/html"),
        ):
            app.add_url_rule(path, path, partial(Response, body, mimetype=kind))
        app.add_url_rule("/files/<name>", view_func=self._file)
        app.add_url_rule("/page", view_func=self._page)
        app.add_url_rule("/token/<user_id>", view_func=self._token, methods=["POST"])
        return app

    def _page(self) -> Response:
        """A page with the element; the query names its attributes, and the language and direction of the page."""
        attributes = request.args.to_dict()
        words = {"lang": attributes.pop("lang", "en"), "dir": attributes.pop("dir", "ltr")}
        element = attributes.pop("element", "session-booking")
        page = render_template_string(PAGE, api=self.api, element=element, attributes=attributes, **words)
        policy = POLICY.format(api=self.api, streams=self.streams)
        return Response(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    def _file(self, name: str) -> Response:
        return Response(self.files[name], mimetype="text/javascript" if name.endswith(".js") else "text/html")

    def _token(self, user_id: str) -> Response:
        """A token of that user, who is signed in here."""
        self.issued[user_id] += 1
        mentor = request.args.get("mentor")
        claims: dict[str, Any] = {"sub": user_id, **({"mentor_profile_id": mentor} if mentor else {})}
        if self.expired[user_id] == 0:
            return jsonify(token=token(claims))
        self.expired[user_id] -= 1
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return jsonify(token=token(claims, lifetime=-60), expiresAt=later)
