"""How a demo page looks: the element with its attributes, by a strict policy that admits the page's own scripts alone.

Each of them is named by its digest: built ones by their integrity, those that stand in the page by the policy.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from flask import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api.pages.component_files import ENTRY, SERVICE_WORKER, ComponentFiles
from config.settings import Settings

_ENVIRONMENT = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_PAGE = _ENVIRONMENT.get_template("demo.html.j2")
# Our own text, without variables.
_STYLE = Markup(_ENVIRONMENT.get_template("demo.css.j2").render())  # noqa: S704
_SCRIPT = Markup(_ENVIRONMENT.get_template("demo.js.j2").render())  # noqa: S704
ICON = _ENVIRONMENT.get_template("demo_icon.svg.j2").render()
LANGUAGES, DIRECTIONS, THEMES = ("en", "de"), ("ltr", "rtl"), ("light dark", "light", "dark")


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a page leads, and whether that is where the reader is."""

    words: str
    address: str
    is_here: bool = False


@dataclass(frozen=True, kw_only=True)
class DemoPage:
    """A page; all of its text is escaped."""

    root: str  # the path before `/component`, empty or `/api`
    title: str
    paragraphs: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)  # of the element; without any, the page has none
    links: Mapping[str, Sequence[Link]] = field(default_factory=dict)  # groups of links, by what they are about
    language: str = LANGUAGES[0]
    direction: str = DIRECTIONS[0]
    theme: str = THEMES[0]

    def response(self, files: ComponentFiles, chosen: Settings) -> Response:
        """The answer that shows it: not indexed, and kept by no one."""
        integrity = {f"{self.root}/component/{file.name}": file.integrity for file in files.scripts()}
        # Quotes and brackets as they are: the element ends at `</script` alone, which no name and no digest holds.
        imports = Markup(json.dumps({"integrity": integrity}, sort_keys=True))  # noqa: S704
        entry = f"{self.root}/component/{ENTRY}"
        worker = f"{self.root}/component/{SERVICE_WORKER}" if files.find(SERVICE_WORKER) else ""
        shown = _PAGE.render(
            page=self,
            style=_STYLE,
            script=_SCRIPT,
            imports=imports,
            entry=entry,
            integrity=integrity.get(entry, ""),
            worker=worker,
        )
        answer = Response(shown, content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = page_policy(chosen, scripts=(imports, _SCRIPT), style=_STYLE)
        answer.headers["X-Robots-Tag"] = "noindex, nofollow"
        return answer


def page_policy(chosen: Settings, *, scripts: Sequence[str], style: str) -> str:
    """The policy of a demo page: what it may run, load and ask, and who may frame it."""
    reached = ["'self'", *(["/".join(chosen.streams_url.split("/")[:3])] if chosen.streams_url else [])]
    framed_by = list(chosen.component_frame_ancestors) or ["'none'"]
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *map(_digest, scripts)],
        "style-src": [_digest(style)],
        "connect-src": reached,
        # Mentors' avatars.
        "img-src": ["'self'", "https:", "data:"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": framed_by,
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def web_manifest(root: str) -> dict[str, object]:
    """The Web Application Manifest, with which the demo can be installed as an application."""
    return {
        "id": f"{root}/component/demo",
        "name": "Tutelage booking",
        "short_name": "Booking",
        "start_url": f"{root}/component/demo/realtime",
        "scope": f"{root}/component/demo",
        "display": "standalone",
        "background_color": "#f4f4f2",
        "theme_color": "#1f5fbf",
        "icons": [{"src": f"{root}/component/demo/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
