"""The addresses that players open: over HTTP, with ranges."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from chalicelib.adapters.s3 import S3Shelf, attachment
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


SAVED = [
    ("room-ann-stem.flac", 'attachment; filename="room-ann-stem.flac"'),
    ("room-jörg.flac", "attachment; filename=\"room-jorg.flac\"; filename*=UTF-8''room-j%C3%B6rg.flac"),
    ("анна.flac", "attachment; filename=\"____.flac\"; filename*=UTF-8''%D0%B0%D0%BD%D0%BD%D0%B0.flac"),
]


@pytest.mark.parametrize(("name", "header"), SAVED)
def test_a_file_is_saved_under_the_name_that_was_asked_for(shelf: S3Shelf, name: str, header: str) -> None:
    shelf.put(KEY, b"0123456789", "audio/webm")

    answer = requests.get(shelf.url(KEY, name), timeout=5)

    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["Content-Disposition"] == header


NAME = re.compile(r"""attachment; filename="([A-Za-z0-9._-]*)"(?:; filename\*=UTF-8''([A-Za-z0-9._~%-]+))?""")


@given(st.text())
@example('a"; filename="b')
@example("a\r\nSet-Cookie: x")
@example("\ud800")
def test_no_name_says_more_in_a_header_than_a_name(name: str) -> None:
    said = NAME.fullmatch(attachment(name))

    assert said
    assert unquote(said[2] or said[1]) == name.encode("utf-8", "replace").decode()
