"""What real Chromium makes of the files, through ranged GETs as a user's player would send them."""

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from chalicelib.core.ids import Kind
from tests.media.engine import Engine
from tests.media.meeting import LENGTH_MS, ZERO_AT, Meeting, hertz, meeting
from tests.media.shelf import Shelf

PLACES = 10
# So much is given at once: short files have to be asked for in ranges too.
AT_ONCE = 100_000
NEAR_MS = 100

# A player for one file, and what it does.
PLAYER = """
window.loaded = async (url, tag) => {
    const player = document.createElement(tag);
    player.src = url;
    player.preload = 'auto';
    document.body.replaceChildren(player);
    await new Promise((done, fail) => {
        player.oncanplay = done;
        player.onerror = () => fail(new Error(player.error.message));
    });
    return player;
};
window.played = async (url, tag) => {
    const player = await loaded(url, tag);
    player.muted = true;
    await player.play();
    const from = player.currentTime;
    const began = performance.now();
    await new Promise((done) => setTimeout(done, 300));
    player.pause();
    return {
        duration: player.duration * 1000,
        advanced: (player.currentTime - from) * 1000,
        passed: performance.now() - began,
    };
};
// Whether the picture at each place is bright.
window.shown = async (url, places) => {
    const player = await loaded(url, 'video');
    const eye = new OffscreenCanvas(8, 8).getContext('2d', {willReadFrequently: true});
    const bright = [];
    for (const place of places) {
        const sought = new Promise((done) => { player.onseeked = done; });
        const painted = new Promise((done) => {
            player.requestVideoFrameCallback(done);
            setTimeout(done, 500);
        });
        player.currentTime = place / 1000;
        await sought;
        await painted;
        eye.drawImage(player, 0, 0, 8, 8);
        bright.push(eye.getImageData(4, 4, 1, 1).data[1] > 170);
    }
    return bright;
};
// By how much the tone is heard away from where it should be, when played from a little before it.
window.heard = async (url, tag, hz, places, before) => {
    const player = await loaded(url, tag);
    const ears = new AudioContext({sampleRate: 48000});
    await ears.resume();
    const band = new BiquadFilterNode(ears, {type: 'bandpass', frequency: hz, Q: 8});
    const tap = ears.createScriptProcessor(256, 1, 1);
    ears.createMediaElementSource(player).connect(band).connect(tap).connect(ears.destination);
    const offsets = [];
    for (const place of places) {
        const sought = new Promise((done) => { player.onseeked = done; });
        player.currentTime = (place - before) / 1000;
        await sought;
        const at = new Promise((done) => {
            setTimeout(() => done(null), before + 600);
            tap.onaudioprocess = ({inputBuffer}) => {
                // What is left of the sound before the seek comes first.
                if (player.currentTime * 1000 < place - before + 60) return;
                const loud = inputBuffer.getChannelData(0).some((level) => Math.abs(level) > 0.04);
                if (loud) done(player.currentTime * 1000);
            };
        });
        await player.play();
        const found = await at;
        tap.onaudioprocess = null;
        player.pause();
        offsets.push(found === null ? null : found - place);
    }
    await ears.close();
    return offsets;
};
window.decoded = async (url) => {
    const ears = new OfflineAudioContext(1, 48000, 48000);
    const sound = await ears.decodeAudioData(await (await fetch(url)).arrayBuffer());
    return sound.duration * 1000;
};
window.appended = async (url, mime) => {
    const source = new MediaSource();
    const player = document.createElement('video');
    player.src = URL.createObjectURL(source);
    document.body.replaceChildren(player);
    await new Promise((done) => { source.onsourceopen = done; });
    const buffer = source.addSourceBuffer(mime);
    const whole = await (await fetch(url)).arrayBuffer();
    const done = new Promise((resolve, fail) => {
        buffer.onupdateend = resolve;
        player.onerror = () => fail(new Error(player.error.message));
    });
    buffer.appendBuffer(whole);
    await done;
    source.endOfStream();
    const {buffered} = buffer;
    const span = (_, n) => [buffered.start(n) * 1000, buffered.end(n) * 1000];
    return Array.from({length: buffered.length}, span);
};
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be played: where its flashes and tones are, in its own milliseconds."""

    key: str
    tag: str
    mime: str
    duration_ms: float
    flashes: tuple[float, ...] = ()
    tones: tuple[tuple[int, tuple[float, ...]], ...] = ()


@dataclass
class Theatre:
    """The files, and the server that has them; `ranges` are the ranges that were asked for."""

    shelf: Shelf
    files: dict[str, File]
    port: int = 0
    ranges: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        """A file's address."""
        return f"http://127.0.0.1:{self.port}/{self.files[name].key}"


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    shelf = Shelf(tmp_path_factory.mktemp("playback"))
    theatre = Theatre(shelf, {})
    made = meeting(2, 0.7)
    engine = Engine(shelf)
    for segment in made.segments:
        engine.ingested(segment)
    theatre.files = dict(_repaired(engine, made))
    server = _served(theatre)
    yield theatre
    server.shutdown()
    server.server_close()


def _repaired(engine: Engine, made: Meeting) -> Iterator[tuple[str, File]]:
    for stored, segment in zip(engine.stored, made.segments, strict=True):
        zero = stored.start_at - ZERO_AT
        markers = tuple(marker.shown_ms - zero for marker in segment.markers)
        sound = segment.kind is Kind.AUDIO
        yield (
            f"repaired {segment.participant_id} {segment.kind} {segment.start_at - ZERO_AT}",
            File(
                key=stored.repaired_key,
                tag="audio" if sound else "video",
                mime='audio/webm; codecs="opus"' if sound else 'video/webm; codecs="vp8"',
                duration_ms=stored.duration_ms,
                flashes=() if sound else markers,
                tones=((hertz(segment.number, segment.kind), markers),) if sound else (),
            ),
        )


def _served(theatre: Theatre) -> ThreadingHTTPServer:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = theatre.shelf.path(self.path.strip("/"))
            body = path.read_bytes() if path.is_file() else b"<!doctype html><title>player</title>"
            kind = "video/mp4" if path.suffix == ".mp4" else "video/webm" if path.is_file() else "text/html"
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or "")
            first, last = 0, len(body) - 1
            if asked:
                theatre.ranges.append(self.headers["range"])
                first = int(asked[1])
                last = min(int(asked[2] or last), first + AT_ONCE - 1, last)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last + 1 - first))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            self.end_headers()
            self.wfile.write(body[first : last + 1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser may hang up in the middle of a file; all else is a fault of ours."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Door)
    theatre.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def page(browser: Browser, theatre: Theatre) -> Iterator[Page]:
    page = browser.new_page()
    page.add_init_script(PLAYER)
    page.goto(f"http://127.0.0.1:{theatre.port}/")
    yield page
    page.close()


def test_every_file_plays_and_knows_its_duration(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        told = page.evaluate("([url, tag]) => played(url, tag)", [theatre.url(name), file.tag])
        assert told["duration"] == pytest.approx(file.duration_ms, abs=1), name
        assert told["advanced"] > 0.5 * told["passed"] > 100, name
    assert any(not asked.startswith("bytes=0-") for asked in theatre.ranges)


def test_seeking_shows_the_picture_of_that_time(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if not file.flashes:
            continue
        places = _places(name, file.flashes, file.duration_ms)
        bright = page.evaluate("([url, places]) => shown(url, places)", [theatre.url(name), places])
        expected = [any(0 <= at - flash < LENGTH_MS for flash in file.flashes) for at in places]
        assert bright == expected, (name, places)


def _places(name: str, flashes: tuple[float, ...], duration_ms: float) -> list[float]:
    """Random places, half of them in flashes; none so near to an edge that the next picture may decide."""
    chance = Random(name)
    lit = [chance.choice(flashes) + chance.uniform(5, 30) for _ in range(PLACES // 2)]
    dark = [chance.choice(flashes) - chance.uniform(10, NEAR_MS) for _ in range(PLACES // 4)]
    while len(dark) < PLACES // 2:
        at = chance.uniform(0, duration_ms)
        if all(not -10 < at - flash < 2 * LENGTH_MS for flash in flashes):
            dark.append(at)
    return chance.sample(lit + dark, PLACES)


def test_seeking_lets_the_sound_of_that_time_be_heard(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        for hz, tones in file.tones:
            places = Random(name).choices(tones, k=PLACES // len(file.tones))
            said = [theatre.url(name), file.tag, hz, places]
            offsets = page.evaluate(
                "([url, tag, hz, places]) => heard(url, tag, hz, places, 200)",
                said,
            )
            assert all(offset is not None and abs(offset) <= NEAR_MS for offset in offsets), (name, offsets)


def test_all_sound_is_decoded_to_its_full_length(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if file.tones:
            found = page.evaluate("(url) => decoded(url)", theatre.url(name))
            assert found == pytest.approx(file.duration_ms, abs=21), name


def test_media_source_buffers_each_file_in_one_piece(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if "mp4" in file.mime:
            continue
        found = page.evaluate("([url, mime]) => appended(url, mime)", [theatre.url(name), file.mime])
        assert len(found) == 1, (name, [b[0] - a[1] for a, b in pairwise(found)])
        # Chromium has the last picture stay as long as the slowest before it.
        assert found[0] == pytest.approx([0, file.duration_ms], abs=150), name
