"""One application at two addresses: `/bookings` and `/api/bookings` are the same route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api"


class Mount:
    """A WSGI application that serves another one at the root and under the prefix."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Move the prefix from the path to SCRIPT_NAME, so that the addresses in answers begin with it too."""
        path = environ.get("PATH_INFO", "")
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + PREFIX
            path = path[len(PREFIX) :] or "/"
        # Werkzeug reads all the slashes in front as one, though with two of them it is another address.
        environ["PATH_INFO"] = f"/.{path}" if path.startswith("//") else path
        return self.application(environ, start_response)
