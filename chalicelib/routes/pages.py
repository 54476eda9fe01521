"""The page: its HTML, fetched anew each time, and the files that it loads, cached for ever.

The files' addresses carry a hash over all of them, as a folder, so that the modules' relative
imports carry it too. Compression is API Gateway's work (`minimum_compression_size`).
"""

import hashlib
from functools import cache
from pathlib import Path

from chalice.app import Blueprint, Response

from chalicelib.routes import http

bp = Blueprint(__name__)

_WEB = Path(__file__).parent.parent / "web"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' https:",
    "media-src": "'self' https: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
# Presigned addresses are https, but the embedded stack's bucket answers on this machine.
_LOOPBACK = ("127.0.0.1", "localhost")
_EMBEDDED = {name: f"{_POLICY[name]} http://127.0.0.1:*" for name in ("img-src", "media-src")}
_GUARDS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_FOR_EVER = "public, max-age=31536000, immutable"


@bp.route("/", methods=["GET"], content_types=http.ANY_TYPE)
def index() -> Response:
    """The page itself, naming the release of the files that it goes with."""
    html = (_WEB / "index.html").read_text("utf-8").replace("{release}", release())
    return _file(html, "text/html; charset=utf-8", "no-cache", {"Content-Security-Policy": policy(_host())})


@bp.route("/web/{wanted}/{name}", methods=["GET"], content_types=http.ANY_TYPE)
def static(wanted: str, name: str) -> Response:
    """One file of the page; of another release than ours it is served, but not kept."""
    if name not in _served():
        return Response({"error": _UNKNOWN}, dict(http.HEADERS), status_code=404)
    kept = _FOR_EVER if wanted == release() else "no-cache"
    return _file((_WEB / name).read_text("utf-8"), _TYPES[Path(name).suffix], kept, {})


_UNKNOWN = {"code": "not_found", "message": "the page has no such file", "field": None, "expected": None}


def _file(body: str, content_type: str, cache: str, more: dict[str, str]) -> Response:
    return Response(body, {"Content-Type": content_type, "Cache-Control": cache, **_GUARDS, **more})


@cache
def release() -> str:
    """A hash over all files of the page: other content, other addresses."""
    told = hashlib.sha256()
    for name in sorted(_served()):
        told.update(name.encode() + b"\0" + (_WEB / name).read_bytes())
    return told.hexdigest()[:16]


@cache
def _served() -> frozenset[str]:
    return frozenset(path.name for path in _WEB.iterdir() if path.suffix in _TYPES)


def policy(host: str) -> str:
    """The Content-Security-Policy for a page that is asked for under this host name."""
    embedded = host.rpartition(":")[0] in _LOOPBACK
    told = _POLICY | (_EMBEDDED if embedded else {})
    return "; ".join(f"{name} {sources}" for name, sources in told.items())


def _host() -> str:
    request = bp.current_request
    return str(request.headers.get("host", "")) if request else ""
