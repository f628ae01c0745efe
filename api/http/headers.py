"""The headers of every answer: what browsers may do with it (CSP, HSTS, …), who may keep it, and CORS.

They are lists, made once per process. Flask-Talisman and Flask-CORS would know only the answers of Flask: answers of
the server itself and of live updates need the same headers.
"""

from werkzeug.datastructures import Headers

from config.addresses import ANY_ORIGIN
from config.settings import Settings

Fields = list[tuple[str, str]]

# For data that is no page: whatever a browser takes it for, it runs nothing, loads nothing and is in no frame.
CLOSED_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
NO_STORE = "no-store"
# Of an answer that shows a secret.
NOT_KEPT = {"Cache-Control": NO_STORE}

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
# Beside those that browsers let every script send.
ACCEPTED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, On-Behalf-Of, Prefer,"
    " X-Request-Id"
)
# Headers that development trusts, and a gateway sets itself.
IDENTITY_HEADERS = "X-User-Id, X-Mentor-Profile-Id"
EXPOSED_HEADERS = (
    "Allow, Content-Disposition, Date, ETag, Idempotent-Replayed, Link, Location, On-Behalf-Of, Preference-Applied,"
    " RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"
)
# As long as Chromium keeps the answer to a preflight request at most.
PREFLIGHT_SECONDS = 7200


class AnswerHeaders:
    """The headers that every answer of a process has.

    Args:
        own_origin: of the API, whose own pages ask this process at another address.
    """

    def __init__(self, settings: Settings, *, own_origin: str | None = None) -> None:
        self._fixed: Fields = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]
        # Over plain HTTP it has no meaning, and a name that is not served over TLS must not promise to be.
        if settings.hsts_seconds and settings.public_url.startswith("https://"):
            self._fixed.append(("Strict-Transport-Security", f"max-age={settings.hsts_seconds}"))
        self._own = [*self._fixed, ("Cross-Origin-Resource-Policy", "same-origin")]
        self._data = [*self._own, ("Content-Security-Policy", CLOSED_POLICY), ("Cache-Control", NO_STORE)]
        self._any_origin = ANY_ORIGIN in settings.cors_origins
        origins = dict.fromkeys([*settings.cors_origins, *([own_origin] if own_origin else [])])
        self._origins, self._others = _sharing(settings, list(origins))
        self.is_shared = bool(origins)
        named = f"{ACCEPTED_HEADERS}, {IDENTITY_HEADERS}" if settings.identity_headers == "open" else ACCEPTED_HEADERS
        self._preflight: Fields = [
            ("Access-Control-Allow-Methods", METHODS),
            ("Access-Control-Allow-Headers", named),
            ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        ]

    def complete(self, headers: Headers, origin: str | None) -> None:
        """Add them to an answer of the application, which may have set a policy and a `Cache-Control` of its own.

        One that names whose it is (`Cross-Origin-Resource-Policy`) is for the scripts of every site.

        Args:
            origin: the request's header.
        """
        is_for_every_site = "Cross-Origin-Resource-Policy" in headers
        headers.extend(self._fixed if is_for_every_site else self._own)
        if "Content-Security-Policy" not in headers:
            headers.add("Content-Security-Policy", CLOSED_POLICY)
        if "Cache-Control" not in headers:
            headers.add("Cache-Control", NO_STORE)
        if self.is_shared and not is_for_every_site:
            headers.extend(self.shared_with(origin))

    def of_data(self, origin: str | None) -> Fields:
        """Those of an answer that is no page and is not to be kept, such as a refusal."""
        return [*self._data, *self.shared_with(origin)] if self.is_shared else self._data

    def shared_with(self, origin: str | None) -> Fields:
        """Headers that let the scripts of an origin read an answer (CORS), if it is listed."""
        return self._origins.get(origin or "", self._others)

    def of_preflight(self, origin: str | None, method: str | None) -> Fields | None:
        """The answer to a preflight request of a listed origin; None for any other request.

        Args:
            method: the request's `Access-Control-Request-Method`.
        """
        if method is None or origin is None:
            return None
        return self._preflight if self._any_origin or origin in self._origins else None


def _sharing(settings: Settings, origins: list[str]) -> tuple[dict[str, Fields], Fields]:
    """Headers that let scripts read an answer (CORS), by their origin; and the headers of answers to all others."""
    exposed = ("Access-Control-Expose-Headers", EXPOSED_HEADERS)
    if ANY_ORIGIN in settings.cors_origins:
        return {}, [("Access-Control-Allow-Origin", ANY_ORIGIN), exposed]
    credentials = [("Access-Control-Allow-Credentials", "true")] if settings.cors_credentials else []
    # A cache in between must not show one origin the answer to another one.
    vary = ("Vary", "Origin")
    listed = {origin: [("Access-Control-Allow-Origin", origin), *credentials, exposed, vary] for origin in origins}
    return listed, [vary] if listed else []
