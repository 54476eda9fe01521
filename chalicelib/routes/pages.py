"""The page: its HTML, fetched anew each time, and the files that it loads, cached for ever.

The files' addresses carry a hash over all of them, as a folder, so that the modules' relative
imports carry it too. What others made lies in `vendor`, but is served beside ours. Compression is API
Gateway's work (`minimum_compression_size`).
"""

import hashlib
from functools import cache
from pathlib import Path

from chalice.app import Blueprint, Response

from chalicelib import wiring
from chalicelib.routes import http

bp = Blueprint(__name__)

_WEB = Path(__file__).parent.parent / "web"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "media-src": "'self' blob:",  # what is fed to a player in pieces
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_OF_OUTPUTS = ("connect-src", "img-src", "media-src")  # what is fetched from the output bucket
_GUARDS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_FOR_EVER = "public, max-age=31536000, immutable"


@bp.route("/", methods=["GET"], content_types=http.ANY_TYPE)
def index() -> Response:
    """The page itself, naming the release of the files that it goes with."""
    told = policy(wiring.outputs_origin())
    html = (_WEB / "index.html").read_text("utf-8").replace("{release}", release())
    return _file(html, "text/html; charset=utf-8", "no-cache", {"Content-Security-Policy": told})


@bp.route("/web/{wanted}/{name}", methods=["GET"], content_types=http.ANY_TYPE)
def static(wanted: str, name: str) -> Response:
    """One file of the page; of another release than ours it is served, but not kept."""
    if name not in _served():
        return Response({"error": _UNKNOWN}, dict(http.HEADERS), status_code=404)
    kept = _FOR_EVER if wanted == release() else "no-cache"
    path = _served()[name]
    return _file(path.read_text("utf-8"), _TYPES[path.suffix], kept, {})


_UNKNOWN = {"code": "not_found", "message": "the page has no such file", "field": None, "expected": None}


def _file(body: str, content_type: str, cache: str, more: dict[str, str]) -> Response:
    return Response(body, {"Content-Type": content_type, "Cache-Control": cache, **_GUARDS, **more})


@cache
def release() -> str:
    """A hash over all files of the page: other content, other addresses."""
    told = hashlib.sha256()
    for name, path in sorted(_served().items()):
        told.update(name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


@cache
def _served() -> dict[str, Path]:
    """The files by their names."""
    found = [*_WEB.iterdir(), *(_WEB / "vendor").iterdir()]
    return {path.name: path for path in found if path.suffix in _TYPES}


def policy(outputs: str) -> str:
    """The page's Content-Security-Policy. `outputs` is where the addresses of files lead: besides ourselves
    all that the page may ask."""
    told = _POLICY | {name: f"{_POLICY[name]} {outputs}".rstrip() for name in _OF_OUTPUTS}
    return "; ".join(f"{name} {sources}" for name, sources in told.items())
