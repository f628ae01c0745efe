"""The built files of the booking component (`make component`): names, types, digests, and what browsers may keep.

A file is read when it is asked for, and again after each build.
"""

import gzip
import json
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256, sha384
from pathlib import Path

from flask import Response

COMPONENT_FOLDER = Path(__file__).parents[1] / "component"
ENTRY, MANIFEST, SERVICE_WORKER = "session-booking.js", "manifest.json", "service-worker.js"
# Everything else has a digest in its name, and another one once its content is another.
STABLE_NAMES = frozenset({ENTRY, MANIFEST, SERVICE_WORKER})
STABLE_SECONDS, HASHED_SECONDS = 300, 31_536_000
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY = (".png", ".woff2")
# Nothing that leads to another folder, nor a hidden file.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
_TAG_CHARACTERS = 24
# Scripts of every site may load these files, and measure how long it took.
FOR_EVERY_SITE = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}


@dataclass(frozen=True)
class ComponentFile:
    """A file as it is sent."""

    name: str
    body: bytes
    compressed: bytes | None  # by gzip; None where that makes it no smaller
    tag: str  # the beginning of its digest, without quotes

    @property
    def content_type(self) -> str:
        return TYPES[Path(self.name).suffix]

    @property
    def integrity(self) -> str:
        """The digest that pages name beside its address (Subresource Integrity)."""
        return f"sha384-{b64encode(sha384(self.body).digest()).decode()}"

    def response(self, *, gzip_accepted: bool) -> Response:
        """The answer, with what may be kept of it: a year where the name changes with the content."""
        body, tag = self.body, self.tag
        if gzip_accepted and self.compressed is not None:
            body, tag = self.compressed, f"{tag}-gzip"
        response = Response(body, content_type=self.content_type, headers=FOR_EVERY_SITE)
        if body is not self.body:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        kept = f"max-age={STABLE_SECONDS}" if self.name in STABLE_NAMES else f"max-age={HASHED_SECONDS}, immutable"
        response.headers["Cache-Control"] = f"public, {kept}"
        response.set_etag(tag)
        return response


class ComponentFiles:
    def __init__(self, folder: Path = COMPONENT_FOLDER) -> None:
        self._folder = folder

    def find(self, name: str) -> ComponentFile | None:
        """The file of a name; None where there is none of it, or of a type that is not served."""
        if not _NAME.fullmatch(name) or Path(name).suffix not in TYPES:
            return None
        path = self._folder / name
        try:
            found = path.stat()
        except OSError:
            return None
        return _read(path, found.st_mtime_ns, found.st_size) if path.is_file() else None

    def scripts(self) -> list[ComponentFile]:
        """The scripts that pages load: all but the service worker."""
        names = sorted(path.name for path in self._folder.glob("*.js") if path.name != SERVICE_WORKER)
        return [found for name in names if (found := self.find(name)) is not None]

    def manifest(self) -> dict[str, object]:
        """The manifest that the build wrote; empty where nothing was built."""
        found = self.find(MANIFEST)
        read: dict[str, object] = json.loads(found.body) if found else {}
        return read


@lru_cache(maxsize=256)
def _read(path: Path, _changed: int, _size: int) -> ComponentFile:
    body = path.read_bytes()
    compressed = None if path.suffix in _COMPRESSED_ALREADY else gzip.compress(body, compresslevel=9, mtime=0)
    if compressed is not None and len(compressed) >= len(body):
        compressed = None
    return ComponentFile(path.name, body, compressed, sha256(body).hexdigest()[:_TAG_CHARACTERS])


FILES = ComponentFiles()
