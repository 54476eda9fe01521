"""What real Chromium makes of the files, through ranged GETs as a user's player would send them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import batched, pairwise
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page

from chalicelib.core.ids import Kind
from tests.browser import Door, Server, serving
from tests.media.engine import Engine, Product
from tests.media.meeting import LENGTH_MS, ZERO_AT, Meeting, hertz, meeting
from tests.media.production import Production, produced
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
    document.body.append(player);
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
    const wait = () => new Promise((done) => setTimeout(done, 20));
    for (let n = 0; n < 250 && player.currentTime < from + 0.3; n += 1) await wait();
    player.pause();
    player.remove();
    return {duration: player.duration * 1000, advanced: (player.currentTime - from) * 1000};
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
    player.remove();
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
    const offset = async (place) => {
        const sought = new Promise((done) => { player.onseeked = done; });
        player.currentTime = (place - before) / 1000;
        await sought;
        const at = new Promise((done) => {
            tap.onaudioprocess = ({inputBuffer}) => {
                const now = player.currentTime * 1000;
                // What is left of the sound before the seek comes first.
                if (now < place - before + 60) return;
                if (inputBuffer.getChannelData(0).some((level) => Math.abs(level) > 0.04)) done(now);
                if (now > place + 500) done(null);
            };
        });
        await player.play();
        const found = await at;
        tap.onaudioprocess = null;
        player.pause();
        return found === null ? null : found - place;
    };
    const offsets = [];
    for (const place of places) {
        // A busy machine may listen late; a file that is wrong stays wrong.
        const tries = [await offset(place)];
        while (tries.length < 3 && Math.abs(tries.at(-1) ?? 1e9) > 50) tries.push(await offset(place));
        offsets.push(tries.sort((a, b) => Math.abs(a ?? 1e9) - Math.abs(b ?? 1e9))[0]);
    }
    await ears.close();
    player.remove();
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
    document.body.append(player);
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
    """A file to be played: when its flashes and tones were made, in its own milliseconds."""

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
    made = produced(shelf.folder, meeting(2, 0.7, rate_told=True), "track", "av", "mix", "mix:aac")
    theatre = Theatre(shelf, {**dict(_repaired(made.engine, made.meeting)), **dict(_made(made))})
    for codec in ("vp9", "av1", "h264"):
        more = produced(shelf.folder / codec, meeting(1, 0.6, codec=codec, size=(160, 96)), "av")
        theatre.files |= {
            f"{codec} {name}": replace(file, key=f"{codec}/{file.key}") for name, file in _made(more)
        }
    server = _served(theatre)
    yield theatre
    server.shutdown()
    server.server_close()


def _repaired(engine: Engine, made: Meeting) -> Iterator[tuple[str, File]]:
    for stored, segment in zip(engine.stored, made.segments, strict=True):
        zero = stored.start_at - ZERO_AT
        markers = tuple(marker.session_ms - zero for marker in segment.markers)
        sound = segment.kind is Kind.AUDIO
        yield (
            f"repaired {segment.participant_id} {segment.kind} {zero}",
            File(
                key=stored.repaired_key,
                tag="audio" if sound else "video",
                mime='audio/webm; codecs="opus"' if sound else 'video/webm; codecs="vp8"',
                duration_ms=stored.duration_ms,
                flashes=() if sound else markers,
                tones=((hertz(segment.number, segment.kind), markers),) if sound else (),
            ),
        )


# As Media Source wants them; of MP4 it takes fragments only, and no H.264 in WebM.
CODECS = {"vp8": "vp8", "vp9": "vp9", "av1": "av01.0.00M.08"}


def _mime(product: Product, codec: str) -> str:
    match product.output.product, product.output.kind, product.output.form:
        case (("track" | "mix"), (Kind.AUDIO | None), "webm"):
            return 'audio/webm; codecs="opus"'
        case "track", Kind.VIDEO, _ if codec in CODECS:
            return f'video/webm; codecs="{CODECS[codec]}"'
        case "av", _, _ if codec in CODECS:
            return f'video/webm; codecs="{CODECS[codec]},opus"'
    return ""


def _made(production: Production) -> Iterator[tuple[str, File]]:
    for product in production.products:
        output = product.output
        sounds = () if (output.product, output.kind) == ("track", Kind.VIDEO) else (Kind.AUDIO,)
        tones = production.expected(output.participant_id, Kind.AUDIO) if sounds else {}
        whose = (output.participant_id, output.kind)
        flashes = {m.session_ms for m in production.meeting.markers if (m.participant_id, m.kind) == whose}
        yield (
            f"{output.product} {output.form} {output.participant_id} {output.kind}",
            File(
                key=str(Path(product.path).relative_to(production.engine.shelf.folder)),
                tag="video" if output.kind is Kind.VIDEO else "audio",
                mime=_mime(product, production.meeting.manner.codec),
                duration_ms=product.duration_ms,
                flashes=tuple(sorted(flashes)) if output.kind is Kind.VIDEO else (),
                tones=tuple((hz or 0, tuple(at)) for hz, at in tones.items()),
            ),
        )


def _served(theatre: Theatre) -> Server:
    class Files(Door):
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

    server = serving(Files)
    theatre.port = server.server_port
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
        assert told["advanced"] >= 300, name
    assert any(not asked.startswith("bytes=0-") for asked in theatre.ranges)


def test_seeking_shows_the_picture_of_that_time(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if not file.flashes:
            continue
        places = _places(name, file.flashes, file.duration_ms)
        bright = page.evaluate("([url, places]) => shown(url, places)", [theatre.url(name), places])
        expected = [any(0 < at - flash < LENGTH_MS for flash in file.flashes) for at in places]
        assert bright == expected, (name, places)


def _places(name: str, flashes: tuple[float, ...], duration_ms: float) -> list[float]:
    """Random places, half of them in flashes. Chromium guesses how long a picture stays: so none just behind
    where the picture changes."""
    chance = Random(name)
    lit = [chance.choice(flashes) + chance.uniform(75, LENGTH_MS - 5) for _ in range(PLACES // 2)]
    dark = [chance.choice(flashes) - chance.uniform(5, NEAR_MS) for _ in range(PLACES // 4)]
    while len(dark) < PLACES // 2:
        at = chance.uniform(0, duration_ms)
        if all(not -5 < at - flash < 3 * LENGTH_MS for flash in flashes):
            dark.append(at)
    return chance.sample(lit + dark, PLACES)


def test_seeking_lets_the_sound_of_that_time_be_heard(page: Page, theatre: Theatre) -> None:
    wanted = [
        [
            theatre.url(name),
            file.tag,
            hz,
            Random(f"{name} {hz}").choices(tones, k=-(-PLACES // len(file.tones))),
        ]
        for name, file in theatre.files.items()
        for hz, tones in file.tones
    ]
    for some in batched(wanted, 4, strict=False):
        told = page.evaluate("(all) => Promise.all(all.map((one) => heard(...one, 160)))", list(some))
        for (url, *_), offsets in zip(some, told, strict=True):
            assert all(offset is not None and abs(offset) <= NEAR_MS for offset in offsets), (url, offsets)


def test_all_sound_is_decoded_to_its_full_length(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if file.tones:
            found = page.evaluate("(url) => decoded(url)", theatre.url(name))
            assert found == pytest.approx(file.duration_ms, abs=21), name


def test_media_source_buffers_each_file_in_one_piece(page: Page, theatre: Theatre) -> None:
    for name, file in theatre.files.items():
        if not file.mime:
            continue
        found = page.evaluate("([url, mime]) => appended(url, mime)", [theatre.url(name), file.mime])
        assert len(found) == 1, (name, [b[0] - a[1] for a, b in pairwise(found)])
        # Chromium has the last picture stay as long as the slowest before it.
        assert found[0] == pytest.approx([0, file.duration_ms], abs=150), name
