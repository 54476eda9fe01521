"""What holds for every route: one shape for errors, no caching, no secret told."""

from collections.abc import Callable

import pytest

from app import app
from local.videosdk.courier import signature
from tests.routes.gateway import Gateway, good_body
from tests.routes.stage import API_KEY, APP_SECRET, SECRET, TAG_SECRET, Letters, Room, written

RECORDING_ID, SHARE_ID, COMPOSITION_ID = (f"{what}-{'0' * 32}" for what in ("rec", "share", "comp"))
OURS = [
    (
        method,
        route.format(
            recording_id=RECORDING_ID,
            session_id="s",
            token="t",
            share_id=SHARE_ID,
            composition_id=COMPOSITION_ID,
            name="video.m3u8",
        ),
    )
    for route, methods in app.routes.items()
    if route != "/" and not route.startswith("/web")
    for method in methods
]


@pytest.mark.parametrize(("method", "path"), OURS, ids=[" ".join(row) for row in OURS])
def test_a_fault_of_ours_has_the_same_shape_and_tells_nothing(
    method: str, path: str, api: Gateway, configured: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configured(GRACE_MINUTES="soon")

    answer = api(method, path, good_body(path) if method == "POST" else None)

    if path not in ("/health", "/openapi.json"):
        assert answer.refusal == (500, "internal", None)
        assert answer.message == "something broke on our side; it is logged"
        assert "GRACE_MINUTES" in caplog.text


@pytest.mark.parametrize(("method", "path"), OURS, ids=[" ".join(row) for row in OURS])
def test_no_answer_is_kept_by_others_or_taken_for_something_else(
    method: str, path: str, api: Gateway
) -> None:
    answer = api(method, path, good_body(path) if method == "POST" else None)

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == ("no-cache" if path == "/openapi.json" else "no-store")


def test_no_secret_is_told_or_logged(
    api: Gateway,
    room: Room,
    letters: Letters,
    configured: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "tracklane")
    caplog.set_level("DEBUG", "chalicelib")
    delivery = written("participant-joined", {"meetingId": "r", "participantName": "Ann Secretly"})
    bodies = []
    for broken in ({}, {"VIDEOSDK_API": "http://127.0.0.1:9"}, {"WEBHOOK_TAG_SECRET": "nowhere"}):
        configured(**broken)
        bodies += [
            api.post("/recordings/start", room.track()).body,
            api.post("/recordings/stop", room.track()).body,
            api.post("/webhooks/videosdk", delivery, headers=letters.headers(delivery)).body,
            api.post("/webhooks/videosdk", delivery + b" ", headers=letters.headers(delivery)).body,
            api.get("/recordings").body,
        ]
    (begun,) = room.begun
    token = str(begun.webhook_url).rpartition(".")[2]

    ours = [
        record.getMessage() for record in caplog.records if record.name.startswith(("tracklane", "chalice"))
    ]
    told = "\n".join([*bodies, *ours])

    assert "videosdk_unreachable" in told
    for secret in (
        SECRET,
        APP_SECRET,
        TAG_SECRET,
        API_KEY,
        token,
        signature(letters.key, delivery),
        "Secretly",
    ):
        assert secret not in told
