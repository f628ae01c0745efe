"""Swagger UI, with every asset from the installed package: the page asks nobody on the internet for anything."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

ASSETS = Path(flask_swagger_ui.__file__).resolve().parent / "dist"

pages = Blueprint("documentation", __name__)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Tutelage API</title>
  <link rel="stylesheet" href="{root}/docs/assets/swagger-ui.css">
  <link rel="stylesheet" href="{root}/docs/assets/index.css">
  <link rel="icon" type="image/png" href="{root}/docs/assets/favicon-32x32.png" sizes="32x32">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="{root}/docs/assets/swagger-ui-bundle.js"></script>
  <script src="{root}/docs/assets/swagger-ui-standalone-preset.js"></script>
  <script src="{root}/docs/begin.js"></script>
</body>
</html>
"""

# A file of its own rather than a script in the page, so that a content security policy can forbid those.
_BEGIN = """window.addEventListener("load", function () {{
  window.ui = SwaggerUIBundle({{
    url: "{root}/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    persistAuthorization: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    layout: "BaseLayout"
  }});
}});
"""


# Swagger UI writes styles into its elements, and draws its icons from data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pages.route("/")
def show_documentation() -> AnyResponse:
    """Whoever comes to the door is shown what there is."""
    return redirect("/docs")


@pages.route("/docs")
def show_page() -> Response:
    """The page itself."""
    page = Response(_PAGE.format(root=request.script_root), mimetype="text/html")
    page.headers["Content-Security-Policy"] = POLICY
    return page


@pages.route("/docs/begin.js")
def begin() -> Response:
    """Starts Swagger UI on this service's own document."""
    return Response(_BEGIN.format(root=request.script_root), mimetype="text/javascript")


@pages.route("/docs/assets/<path:name>")
def show_asset(name: str) -> Response:
    """A file of the installed package."""
    return send_from_directory(ASSETS, name, max_age=3600)
