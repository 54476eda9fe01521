"""The player alone on a bare page: media that tell their time, a server that fails when told to, and ears.

Each microphone beeps at every whole second of the session clock, and each camera flashes; by its pitch a beep
tells which second it is, of four. What is heard is found in the decoded sound of each participant, all on one
audio clock, by its sample; what is seen, in the frames that are shown.
"""

import math
import re
import shutil
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import av
from playwright.sync_api import Page

from chalicelib.media.repair import repair
from tests.browser import Door, serving
from tests.media.shelf import Shelf
from tests.page import media

WEB = Path(__file__).parents[2] / "chalicelib" / "web"
ZERO = 1_790_000_000_000
PITCHES = 4
PITCH_HZ = 600
BEEP_MS = 100
SIZE = (160, 90)
FPS = 25

type Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Part:
    """One participant's one kind: when there is something of it. A joined one lies in one file."""

    who: str
    kind: str
    spans: Spans
    joined: bool = False


@dataclass
class Hall:
    """What the bare page is served from. `faults` says by a key's beginning what goes wrong: hang, die."""

    folder: Path
    parts: tuple[Part, ...]
    duration: int
    port: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        shelf = Shelf(self.folder)
        alike: dict[tuple[str, Spans, tuple[int, int]], str] = {}
        for part in self.parts:
            for span in self._files(part):
                key = self.key(part, span[0])
                first = alike.setdefault((part.kind, part.spans, span), key)
                if shelf.path(key).exists():
                    continue
                if first == key:
                    _make(shelf, key, part, span)
                else:
                    shutil.copy(shelf.path(first), shelf.path(key))

    @staticmethod
    def key(part: Part, start: int) -> str:
        """What a file is called."""
        return f"{part.who}-{part.kind}-{start}.webm"

    def manifest(self) -> dict[str, Any]:
        """As the API tells it, as far as a player reads it."""
        people = sorted({part.who for part in self.parts})
        return {
            "zeroAt": ZERO,
            "durationMs": self.duration,
            "participants": [self._person(who) for who in people],
            "artifacts": [self._artifact(p, *span) for p in self.parts for span in self._files(p)],
        }

    def _files(self, part: Part) -> Spans:
        return ((0, self.duration),) if part.joined else part.spans

    def _person(self, who: str) -> dict[str, Any]:
        tracks = [
            {"kind": p.kind, "segments": [self._segment(p, *span) for span in p.spans], "gaps": []}
            for p in self.parts
            if p.who == who
        ]
        return {"participantId": who, "name": who, "drift": None, "tracks": tracks}

    def _segment(self, part: Part, start: int, end: int) -> dict[str, Any]:
        told = {"start": start, "end": end, "codec": _codec(part)}
        return {**told, "repairedKey": self.key(part, start), "state": "whole"}

    def _artifact(self, part: Part, start: int, end: int) -> dict[str, Any]:
        return {
            "product": "track" if part.joined else "repaired",
            "participantId": part.who,
            "kind": part.kind,
            "key": self.key(part, start),
            "bytes": (self.folder / self.key(part, start)).stat().st_size,
            "details": {"codec": _codec(part)},
            "start": start,
            "end": end,
        }

    def answer(self, door: Door) -> None:
        """Answer one GET; what hangs says nothing until the hall is closed."""
        path = unquote(urlsplit(door.path).path)
        name = path.rpartition("/")[2]
        fault = next((told for begin, told in self.faults.items() if name.startswith(begin)), "")
        self.asked.append(name)
        if fault == "hang":
            self._over.wait(60)
        if fault:
            door.close_connection = True
            return
        types = {"js": "text/javascript", "webm": "video/webm"}
        kind = types.get(name.rpartition(".")[2], "text/html")
        if path.startswith("/media/"):
            _ranged(door, kind, (self.folder / name).read_bytes())
        elif path.startswith("/web/"):
            _send(door, 200, {"Content-Type": kind}, (WEB / name).read_bytes())
        elif path == "/":
            _send(door, 200, {"Content-Type": kind}, _BARE)
        else:
            _send(door, 200, {"Content-Type": kind}, (Path(__file__).parent / name).read_bytes())

    def recover(self) -> None:
        """No more faults, and whoever hangs is let go."""
        self.faults.clear()
        self._over.set()


@contextmanager
def opened(hall: Hall) -> Iterator[Hall]:
    """Serve it on a free port."""

    class Answers(Door):
        def do_GET(self) -> None:
            hall.answer(self)

    server = serving(Answers)
    hall.port = server.server_port
    try:
        yield hall
    finally:
        hall.recover()
        server.shutdown()
        server.server_close()


def enter(page: Page, hall: Hall, player: str = "played(manifest)") -> Page:
    """A page with a `player` of the hall's manifest, and a `witness` of what it plays."""
    page.goto(f"http://127.0.0.1:{hall.port}/")
    page.evaluate(_ENTER.replace("PLAYER", player), hall.manifest())
    return page


_ENTER = """async (manifest) => {
    const { played, staged, Plain, Witness } = await import("/hall.js");
    window.player = PLAYER;
    window.witness = await Witness.of(player);
}"""


def offsets(told: dict[str, list[list[float]]]) -> list[float]:
    """How far the same second was apart for every two sources, in milliseconds. Each told the moment and the
    pitch of all that it heard, or the moment and the second of all that it saw."""
    return [
        distance
        for one, other in combinations(sorted(told), 2)
        for at, name in told[one]
        if (distance := min((abs(at - then) for then, said in told[other] if said == name), default=9e9))
        < 1_500
    ]


def percentile(values: list[float], share: float) -> float:
    """The least value that this share of all does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]


def _make(shelf: Shelf, key: str, part: Part, span: tuple[int, int]) -> None:
    raw = shelf.path(f"{key}.raw")
    if part.kind.endswith("audio"):
        _voice(raw, part.spans, span)
    else:
        _picture(raw, *span)
    with raw.open("rb") as file:
        repair(iter(lambda: file.read(1 << 16), b""), shelf.write(key))
    raw.unlink()


def _picture(path: Path, start: int, end: int) -> None:
    """A VP8 WebM of a stretch of the session clock: dark, with a flash at every second."""
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = (*SIZE, "yuv420p")
        stream.gop_size = 2 * FPS
        stream.options = {"deadline": "realtime", "cpu-used": "16", "lag-in-frames": "0"}
        # More threads than cores spend their time waiting for each other.
        stream.codec_context.time_base, stream.codec_context.thread_count = Fraction(1, 1000), 1
        for at in range(start, end, 1000 // FPS):
            luma = 235 if at % 1000 < media.FLASH_MS else 60
            frame = av.VideoFrame(*SIZE, "yuv420p")
            for plane, level in zip(frame.planes, (luma, 128, 128), strict=True):
                plane.update(bytes([level]) * plane.buffer_size)
            frame.pts, frame.time_base = at - start, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _voice(path: Path, spans: Spans, span: tuple[int, int]) -> None:
    """An Opus WebM of a stretch of the session clock that beeps within the spans; all lie on whole frames."""
    start, end = span
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=media.RATE)
        stream.layout = "mono"
        for index, at in enumerate(range(start, end, media.FRAME_MS)):
            beeps = at % 1000 < BEEP_MS and any(begin <= at < over for begin, over in spans)
            frame = av.AudioFrame("s16", "mono", len(_SILENCE) // 2)
            frame.planes[0].update(_TONES[at // 1000 % PITCHES] if beeps else _SILENCE)
            frame.rate, frame.time_base = media.RATE, Fraction(1, media.RATE)
            frame.pts = index * (len(_SILENCE) // 2)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _tone(hertz: int) -> bytes:
    wave = (math.sin(2 * math.pi * hertz * n / media.RATE) for n in range(_SAMPLES))
    return array("h", [int(16_000 * level) for level in wave]).tobytes()


_SAMPLES = media.RATE * media.FRAME_MS // 1000
_SILENCE = bytes(2 * _SAMPLES)
_TONES = [_tone(PITCH_HZ * (1 + second)) for second in range(PITCHES)]


def _codec(part: Part) -> str:
    return "opus" if part.kind.endswith("audio") else "vp8"


_BARE = b"<!doctype html><title>Hall</title><link rel=icon href=data:>"


def _ranged(door: Door, kind: str, body: bytes) -> None:
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", door.headers.get("Range", ""))
    if not asked:
        _send(door, 200, {"Content-Type": kind}, body)
        return
    first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
    told = {"Content-Range": f"bytes {first}-{last}/{len(body)}", "Accept-Ranges": "bytes"}
    _send(door, 206, {"Content-Type": kind, **told}, body[first : last + 1])


def _send(door: Door, status: int, headers: dict[str, str], body: bytes) -> None:
    door.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        door.send_header(name, value)
    door.end_headers()
    door.wfile.write(body)
