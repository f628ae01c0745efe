"""The booking component of web pages: its files, what it asks once, and the beacons by which it reports how it went."""

from typing import Any

import marshmallow as ma
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from api.http.bodies import body_of, require_storable, strict_json
from api.pages.component_files import FILES, FOR_EVERY_SITE, SERVICE_WORKER
from api.routes.blueprints import PARSER, Area, refuses
from api.routes.declaration import Declaration
from api.routes.loaders import declares
from api.schemas import component as shapes
from api.state import app_state
from config import telemetry
from config.settings import Settings

CONFIG_SECONDS = 3600
BEACON_LIMIT_BYTES = 2 * 1024
# As navigator.sendBeacon sends a text, which no site has to be asked about before (CORS), and a Blob of JSON.
_BEACON_TYPES = ("text/plain", "application/json")
_BEACON = shapes.Beacon()
_EXAMPLE = {
    "variant": "realtime",
    "loadSeconds": 0.41,
    "firstSlotSeconds": 0.87,
    "stream": {"connectedSeconds": 312.5, "disconnectedSeconds": 1.5, "reconnections": 1},
    "errors": {"network": 1},
}

component = Area(
    "Booking component",
    "Configuration and reports of the booking component of web pages; open to every site, no credentials.",
)
files = Blueprint("component_files", __name__)


@component.route("/component/config.json")
@component.response(200, shapes.ComponentConfig, example={"streamsUrl": None, "telemetryPercent": 10})
def get_component_config() -> tuple[dict[str, Any], dict[str, str]]:
    """Get what the booking component has to know of this installation. Kept for an hour."""
    chosen = app_state().settings
    shown = {"streams_url": chosen.streams_url, "telemetry_percent": chosen.component_telemetry_percent}
    return shown, {**FOR_EVERY_SITE, "Cache-Control": f"public, max-age={CONFIG_SECONDS}"}


@component.route("/component/telemetry", methods=["POST"])
@refuses("invalid_request", "unsupported_media_type")
@declares(Declaration(limit="telemetry", body_limit_bytes=BEACON_LIMIT_BYTES))
@component.doc(
    requestBody={
        "required": True,
        "content": {"application/json": {"schema": shapes.Beacon, "example": _EXAMPLE}},
        "description": "Also as `text/plain`, as `navigator.sendBeacon` sends a text. At most 2 kB.",
    }
)
@component.response(204)
def take_telemetry() -> Response:
    """Report how a visit of a page with the component went.

    It becomes figures at `/metrics`; nothing of it is stored or logged.
    """
    _count(_read_beacon())
    return Response(status=204, headers=FOR_EVERY_SITE)


def _read_beacon() -> dict[str, Any]:
    raw = body_of(request)
    if request.mimetype not in _BEACON_TYPES:
        raise UnsupportedMediaType("Send the beacon as text/plain or application/json.")
    try:
        read: dict[str, Any] = _BEACON.load(require_storable(strict_json(raw)))
    except ma.ValidationError as error:
        PARSER.handle_error(error)
    return read


# Made beforehand: what begins at 0 is seen to grow to 1.
_VISITS = {each: telemetry.COMPONENT_VISITS.labels(each.value) for each in shapes.Variant}
_LOAD = {each: telemetry.COMPONENT_LOAD.labels(each.value) for each in shapes.Variant}
_FIRST_SLOT = {each: telemetry.COMPONENT_FIRST_SLOT.labels(each.value) for each in shapes.Variant}
_CONNECTED, _DISCONNECTED = map(telemetry.COMPONENT_STREAM_SECONDS.labels, ("connected", "disconnected"))
_ERRORS = {
    (each, kind.value): telemetry.COMPONENT_ERRORS.labels(each.value, kind.value)
    for each in shapes.Variant
    for kind in shapes.ErrorKind
}


def _count(beacon: dict[str, Any]) -> None:
    variant = beacon["variant"]
    _VISITS[variant].inc()
    if (took := beacon.get("load_seconds")) is not None:
        _LOAD[variant].observe(took)
    if (took := beacon.get("first_slot_seconds")) is not None:
        _FIRST_SLOT[variant].observe(took)
    if (health := beacon.get("stream")) is not None:
        _CONNECTED.inc(health["connected_seconds"])
        _DISCONNECTED.inc(health["disconnected_seconds"])
        telemetry.COMPONENT_RECONNECTIONS.inc(health["reconnections"])
    for kind, times in beacon.get("errors", {}).items():
        _ERRORS[variant, kind].inc(times)


@files.route("/component/<file_name>")
def get_component_file(file_name: str) -> Response:
    """A file of the built component, for pages of every site."""
    found = FILES.find(file_name)
    if found is None:
        raise NotFound
    response = found.response(gzip_accepted=request.accept_encodings.quality("gzip") > 0)
    if file_name == SERVICE_WORKER:
        # It fetches by the policy of its own script.
        response.headers["Content-Security-Policy"] = worker_policy(app_state().settings)
    return response


def worker_policy(chosen: Settings) -> str:
    """The policy of the service worker, which loads scripts of this origin and answers of the API and live updates."""
    reached = " ".join(["'self'", *([chosen.streams_url] if chosen.streams_url else [])])
    return f"default-src 'none'; script-src 'self'; connect-src {reached}; base-uri 'none'; form-action 'none'"
