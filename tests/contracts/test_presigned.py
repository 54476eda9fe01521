"""The addresses that players open: over HTTP, with ranges."""

from collections.abc import Iterator

import pytest
import requests
from moto.server import ThreadedMotoServer

from chalicelib.adapters.s3 import S3Shelf
from tests.contracts.conftest import client


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def shelf(server: str) -> S3Shelf:
    s3 = client("s3", server)
    s3.create_bucket(Bucket="outputs")
    return S3Shelf(s3, "outputs", 900)


KEY = "sessions/~0f/anna/audio/repaired-1-0.webm"


def test_anybody_who_has_it_can_fetch_the_file(shelf: S3Shelf) -> None:
    shelf.put(KEY, b"0123456789", "audio/webm")

    answer = requests.get(shelf.url(KEY), timeout=5)

    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["Content-Type"] == "audio/webm"
    assert 'filename="repaired-1-0.webm"' in answer.headers["Content-Disposition"]


def test_a_player_can_seek(shelf: S3Shelf) -> None:
    shelf.put(KEY, b"0123456789", "audio/webm")

    answer = requests.get(shelf.url(KEY), headers={"Range": "bytes=3-5"}, timeout=5)

    assert (answer.status_code, answer.content) == (206, b"345")
    assert answer.headers["Content-Range"] == "bytes 3-5/10"


def test_an_address_is_signed_and_short_lived(shelf: S3Shelf) -> None:
    url = shelf.url(KEY)

    assert "X-Amz-Expires=900" in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "testing" not in url.partition("X-Amz-Credential=testing")[2]
