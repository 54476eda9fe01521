"""What real Chromium makes of compositions: fed segment by segment as players for HLS do, and as a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from chalicelib.core.chunks import INIT, SOUND_FILE, WHOLE, Whole
from chalicelib.media.compose.finish import finish
from tests.browser import Door, serving
from tests.media.compose.stage import TARGET, Room, cut, rendered, room
from tests.media.shelf import Store

FRAMES = 270
FRAME_MS = 1000 / 30

PLAYER = """
window.fed = async (video, codec, sound) => {
    const source = new MediaSource();
    const player = document.createElement('video');
    player.src = URL.createObjectURL(source);
    document.body.append(player);
    await new Promise((done) => { source.onsourceopen = done; });
    const pictures = source.addSourceBuffer(`video/mp4; codecs="${codec}"`);
    const heard = source.addSourceBuffer('audio/mp4; codecs="mp4a.40.2"');
    const put = async (buffer, url) => {
        const data = await (await fetch(url)).arrayBuffer();
        const done = new Promise((resolve, fail) => { buffer.onupdateend = resolve; buffer.onerror = fail; });
        buffer.appendBuffer(data);
        await done;
    };
    for (const url of video) await put(pictures, url);
    await put(heard, sound);
    source.endOfStream();
    const spans = ({buffered}) => Array.from(
        {length: buffered.length}, (_, n) => [buffered.start(n) * 1000, buffered.end(n) * 1000]);
    return {player, spans: [spans(pictures), spans(heard)]};
};
window.whole = async (url) => {
    const player = document.createElement('video');
    player.src = url;
    document.body.append(player);
    await new Promise((done, fail) => {
        player.oncanplay = done;
        player.onerror = () => fail(new Error(player.error.message));
    });
    return {player, spans: [[[0, player.duration * 1000]]]};
};
// How bright each tile is at these times.
window.looked = async ({player, spans}, places, tiles) => {
    const eye = new OffscreenCanvas(tiles, 1).getContext('2d', {willReadFrequently: true});
    const bright = [];
    for (const place of places) {
        const painted = new Promise((done) => {
            player.onseeked = () => player.requestVideoFrameCallback(done);
            setTimeout(done, 1500);
        });
        player.currentTime = place / 1000;
        await painted;
        eye.drawImage(player, 0, 0, tiles, 1);
        bright.push(Array.from({length: tiles}, (_, n) => eye.getImageData(n, 0, 1, 1).data[1] > 150));
    }
    player.remove();
    return {spans, bright};
};
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Nine seconds of two people, in three chunks."""
    made = room(tmp_path_factory.mktemp("room"), 2, 0.2, mutes=False)
    (mix,) = made.engine.produced("mix:aac")
    shelf = made.engine.shelf
    chunks = tuple(rendered(shelf, cut(made.chunk(FRAMES), 100, 151)))
    key = str(Path(mix.path).relative_to(shelf.folder))
    finish(
        Whole(TARGET, made.picture, chunks, key, 0, FRAMES * 1000 // 30), ("mp4", "hls"), Store(shelf, TARGET)
    )
    return made


@pytest.fixture
def page(show: Room, browser: Browser) -> Iterator[Page]:
    """A page on which a composition can be played."""

    class Shown(Door):
        def do_GET(self) -> None:
            path = show.engine.shelf.path(self.path.lstrip("/"))
            data = path.read_bytes() if path.is_file() else b"<!doctype html>"
            first = int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if "range" in self.headers else 200)
            self.send_header("content-type", "video/mp4" if path.is_file() else "text/html")
            self.send_header("content-range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.send_header("accept-ranges", "bytes")
            self.send_header("content-length", str(len(data) - first))
            self.end_headers()
            self.wfile.write(data[first:])

    server = serving(Shown)
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/{TARGET}/")
    page.add_script_tag(content=PLAYER)
    yield page
    page.close()
    server.shutdown()
    server.server_close()


def _places(show: Room) -> list[float]:
    """The middle of the frame before each flash, and of the first that has it."""
    firsts = {-(-at * 30 // 1000) for number in (0, 1) for at in show.expected(number)}
    return [(first + by) * FRAME_MS for first in sorted(firsts) for by in (-0.5, 0.5)]


def _bright(show: Room, at: float) -> list[bool]:
    frame = int(at / FRAME_MS) * FRAME_MS
    return [any(flash <= frame < flash + 70 for flash in show.expected(number)) for number in (0, 1)]


def test_chunks_fed_one_by_one_play_without_a_gap_and_flash_in_their_frames(show: Room, page: Page) -> None:
    chunks = sorted(path.name for path in show.engine.shelf.path(TARGET).glob("chunk-*.m4s"))
    places = _places(show)

    told = page.evaluate(
        "([video, sound, places]) => fed(video, 'avc1.64001f', sound).then((it) => looked(it, places, 2))",
        [[INIT, *chunks], SOUND_FILE, places],
    )

    ((pictures,), (sound,)) = told["spans"]
    assert pictures == pytest.approx([0, FRAMES * FRAME_MS], abs=0.1)
    assert sound == pytest.approx([0, FRAMES * FRAME_MS], abs=25)
    assert told["bright"] == [_bright(show, at) for at in places]


def test_the_mp4_plays_and_flashes_in_the_same_frames(show: Room, page: Page) -> None:
    places = _places(show)

    told = page.evaluate("([url, places]) => whole(url).then((it) => looked(it, places, 2))", [WHOLE, places])

    assert told["spans"] == [[[0, pytest.approx(FRAMES * FRAME_MS, abs=1)]]]
    assert told["bright"] == [_bright(show, at) for at in places]
