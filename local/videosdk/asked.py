"""What a request asks for: the path's, the query's and the body's fields, and whether they are there."""

import json
from typing import Any

from werkzeug import Request

from local.videosdk.meetings import KINDS, Refusal

type Asked = dict[str, Any]


def asked_of(request: Request) -> Asked:
    """The query's and the body's fields; `ValueError` when the body is not a JSON object."""
    raw = request.get_data()
    told = json.loads(raw) if raw else {}
    if not isinstance(told, dict):
        raise ValueError("the body has to be a JSON object")
    return request.args.to_dict() | told


def need(asked: Asked, *names: str) -> None:
    """Refuse with 400 unless all of these are texts, and `kind`, where given, is one. [wording U]"""
    missing = [name for name in names if not isinstance(asked.get(name), str) or not asked[name]]
    if missing:
        raise Refusal(400, f"{missing[0]} is required")
    if asked.get("kind", KINDS[0]) not in KINDS:
        raise Refusal(400, f"kind must be one of {', '.join(KINDS)}")


def page_and_size(asked: Asked) -> tuple[int, int]:
    """`page` counts from 1, `perPage` is 20 unless told. [D API/fetch-all-track-recording]"""
    page, per_page = int(asked.get("page", 1)), int(asked.get("perPage", 20))
    if page < 1 or per_page < 1:
        raise ValueError("page and perPage count from 1")
    return page, per_page
