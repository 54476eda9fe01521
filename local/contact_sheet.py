"""`make contact-sheet`: what every layout looks like, rendered as compositions are, all on one picture.

People who are drawn sit before cameras of VP8 in WebM, which are repaired, staged, cut into chunks and
rendered by what does so in an account; a frame of each layout is kept. All goes to `.local/contact-sheet/`,
side by side to `.local/contact-sheet.png`, and some of it, with fewer colours, to `docs/layouts.png`.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from chalicelib.core.asking import request_of
from chalicelib.core.cast import cast, sizes
from chalicelib.core.chunks import INIT
from chalicelib.core.cutting import chunks
from chalicelib.core.events import ParticipantListed
from chalicelib.core.ids import Kind
from chalicelib.core.speaker import LEVEL_MS
from chalicelib.core.staging import scenes
from chalicelib.media.compose.chunk import render_chunk
from chalicelib.media.compose.text import caption
from local.screenshots import AT_MOST, fewer_colours
from local.stack import ROOT
from tests.media.engine import SESSION, Engine
from tests.media.meeting import ZERO_AT, Manner, Segment
from tests.media.shelf import Shelf, Store
from tests.page import people
from tests.page.people import LOOKS, Look

type Image = NDArray[np.uint8]

FOLDER = ROOT / ".local" / "contact-sheet"
SHEET = ROOT / ".local" / "contact-sheet.png"
BEST = ROOT / "docs" / "layouts.png"

LASTS_MS, OFF_MS = 3_000, 1_000  # a camera's film; that of one which is turned off
RANGE = {"start": 1_500, "end": 2_500}
FPS = 4  # of films in which nothing moves
USUAL, PHONE, CLASSIC, SCREEN = (640, 360), (360, 640), (640, 480), (1280, 720)


@dataclass(frozen=True)
class Guest:
    """Somebody in the meeting. `camera` is the size of the pictures."""

    name: str
    camera: tuple[int, int] = USUAL
    off: bool = False
    shares: bool = False
    spoiled: bool = False


NAMES = (
    "Ada Okafor", "Ben Lindqvist", "Chidi Anagonye", "Dora Novak", "Emil Sørensen", "Farah Haddad",
    "Grace Kim", "Hugo Marchetti", "Ines Carvalho", "Jonas Weber", "Kaveh Rahimi", "Lena Brandt",
    "Marta Kowalska", "Noor Siddiqui", "Otto Virtanen", "Priya Raman", "Quentin Dubois", "Rosa Delgado",
    "Sami Aalto", "Tomás Herrera", "Uma Joshi", "Viktor Petrov", "Wen Li", "Ximena Ruiz", "Yara Mansour",
)  # fmt: skip
ABROAD = ("山田 花子", "Олена Коваль", "محمد عبد الله", "דנה לוי", "अनीता शर्मा", "สมชาย ใจดี")
LONG = "Wolfeschlegelsteinhausenbergerdorff, Head of Regulatory Affairs and Everything That Follows From It"
GUESTS = {
    **{f"p{number}": Guest(name) for number, name in enumerate(NAMES)},
    **{f"abroad{number}": Guest(name) for number, name in enumerate(ABROAD)},
    **{f"off{number}": Guest(name, off=True) for number, name in enumerate((*NAMES[5:9], *ABROAD[:5]))},
    "host": Guest("Ada Okafor", shares=True),
    "phone": Guest("Ben Lindqvist", camera=PHONE),
    "classic": Guest("Chidi Anagonye", camera=CLASSIC),
    "spoiled": Guest("Dora Novak", spoiled=True),
    "long": Guest(LONG),
    "long-off": Guest(LONG, off=True),
    "emoji": Guest("🦊 Foxy 🎉"),
    "nameless-off": Guest("\u2800", off=True),
}


@dataclass(frozen=True)
class Shot:
    """A composition of which a frame is kept. `best` ones are shown in the README."""

    told: str
    participants: Sequence[str]
    layout: Any = "grid"
    size: tuple[int, int] = (1280, 720)
    best: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def crowd(count: int, first: int = 0) -> tuple[str, ...]:
    """So many whose cameras are on."""
    return tuple(f"p{number}" for number in range(first, first + count))


REGIONS = {
    "regions": [
        {"x": 0, "y": 0, "width": 100, "height": 100, "participants": ["host"], "kinds": ["screen_video"]},
        {"x": 84, "y": 3, "width": 14, "height": 94, "z": 1, "kinds": ["video"], "columns": 1},
    ]
}
ABROAD_IDS = tuple(f"abroad{number}" for number in range(len(ABROAD)))
SHOTS = (
    *(Shot(f"grid of {count}", crowd(count), best=count in (9, 25)) for count in (1, 2, 3, 4, 5, 7)),
    *(Shot(f"grid of {count}", crowd(count), best=count in (9, 25)) for count in (9, 12, 16, 25)),
    Shot("speaker, alone", crowd(1), "speaker"),
    Shot("speaker and 2", crowd(3), "speaker"),
    Shot("speaker and 8 of 12", crowd(12), "speaker", best=True),
    Shot("stage and 4", ("host", *crowd(3, 1)), "stage", best=True),
    Shot("stage and 8", ("host", *crowd(9, 1)), "stage"),
    Shot("single", crowd(4), "single"),
    Shot("single, a screen", ("host", *crowd(3, 1)), "single"),
    Shot("grid with a screen", ("host", *crowd(4, 1))),
    Shot("custom: people over a screen", ("host", *crowd(5, 1)), REGIONS, best=True),
    Shot("cameras off", tuple(f"off{number}" for number in range(9))),
    Shot("some off, in a speaker's layout", ("p0", "off1", "p2", "off5", "nameless-off"), "speaker"),
    Shot("names in several scripts", ABROAD_IDS, best=True),
    Shot("long names, emoji, none", ("long", "emoji", "long-off", "nameless-off")),
    Shot("a phone, 4:3, 16:9 and what can not be decoded", ("phone", "classic", "p4", "spoiled")),
    Shot("a phone as the speaker", ("phone", "classic", *crowd(2, 4)), "speaker"),
    Shot("without names", crowd(4), more={"names": False}),
    Shot("another background", crowd(3), more={"background": "#f4f1ea"}),
    Shot("1080p", crowd(6), size=(1920, 1080)),
    Shot("320x180", crowd(9), size=(320, 180)),
    Shot("upright, 6", crowd(6), size=(720, 1280)),
    Shot("upright, a stage", ("host", *crowd(3, 1)), "stage", size=(720, 1280)),
    Shot("upright, a phone", ("phone",), "single", size=(720, 1280)),
)


def main() -> None:
    """Render all, and lay them side by side."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    BEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Shelf(Path(folder)))
        _held(engine)
        frames = {shot.told: _frame(engine, shot) for shot in SHOTS}
    for place, (told, frame) in enumerate(frames.items()):
        (FOLDER / f"{place:02}-{_PLAIN.sub('-', told)}.png").write_bytes(_png(frame))
    SHEET.write_bytes(_png(_laid(list(frames.items()), 360, 2016)))
    shown = [(shot.told, frames[shot.told]) for shot in SHOTS if shot.best]
    large = FOLDER / "best.png"
    large.write_bytes(_png(_laid(shown, 270, 1536)))
    fewer_colours(large, BEST)
    print(f"{SHEET}\n{BEST}: {BEST.stat().st_size / 1000:.0f} kB")
    assert BEST.stat().st_size < AT_MOST, "the README's picture is too large"


_PLAIN = re.compile(r"\W+")


# --- the meeting --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filmed(Segment):
    """A delivered file of somebody who is drawn."""

    who: str = ""
    film: bytes = b""

    @property
    def participant_id(self) -> str:
        """Whose it is."""
        return self.who

    def chunks(self) -> Iterator[bytes]:
        """The film."""
        yield self.film


def _held(engine: Engine) -> None:
    """The meeting, ingested."""
    for number, (who, guest) in enumerate(GUESTS.items()):
        lasts = OFF_MS if guest.off else LASTS_MS
        stored = engine.ingested(
            _segment(number, who, Kind.VIDEO, _film(LOOKS[number % len(LOOKS)], guest.camera, lasts))
        )
        if guest.spoiled:
            path = engine.shelf.path(stored.repaired_key)
            path.write_bytes(path.read_bytes()[:1_000])
        if guest.shares:
            engine.ingested(_segment(number, who, Kind.SCREEN_VIDEO, _film(None, SCREEN, LASTS_MS)))
        ends = ZERO_AT + LASTS_MS
        engine.facts.append(
            ParticipantListed(
                at=ends, participant_id=who, name=guest.name, start_at=ZERO_AT + number, end_at=ends
            )
        )


def _segment(number: int, who: str, kind: Kind, film: bytes) -> Filmed:
    return Filmed(number, kind, 0, LASTS_MS, 0, 0, Manner(), 0, who, film)


@cache
def _film(look: Look | None, size: tuple[int, int], lasts: int) -> bytes:
    """A VP8 WebM of somebody who holds still; without a look, of a slide."""
    half = size[0] // 2, size[1] // 2  # soft shapes bear to be doubled
    rgb = people.face(0.1, half, look) if look else people.slide(0.2, size)
    still = VideoFrame.from_ndarray(rgb.astype(np.uint8), format="rgb24").reformat(*size, format="yuv420p")
    written = BytesIO()
    with av.open(written, "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.bit_rate = 1_000_000
        stream.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
        for number in range(lasts * FPS // 1000):
            still.pts, still.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(still))
        file.mux(stream.encode(None))
    return written.getvalue()


# --- a composition ------------------------------------------------------------------------------------


def _frame(engine: Engine, shot: Shot) -> Image:
    """A frame in the middle of what is rendered."""
    session = engine.session
    width, height = shot.size
    said = {"layout": shot.layout, "width": width, "height": height, "participants": list(shot.participants)}
    request = request_of({**said, "range": RANGE, "frameRate": 10, "quality": "high", **shot.more})
    request = request.within(session.extent.end - session.extent.start)
    target = f"sessions/{SESSION}/compositions/{shot.told}"
    seen = scenes(cast(session, request.participants, _levels(shot)), request)
    (chunk,) = chunks(target, request, seen, sizes(session))
    made = render_chunk(chunk, Store(engine.shelf, target))
    stream = engine.shelf.data(f"{target}/{INIT}") + engine.shelf.data(f"{target}/{made.name}")
    return _decoded(stream)[request.frames // 2]


def _levels(shot: Shot) -> dict[str, bytes]:
    """The first of them speaks all the time."""
    return {shot.participants[0]: bytes([60]) * (LASTS_MS // LEVEL_MS)}


def _decoded(stream: bytes) -> list[Image]:
    with av.open(BytesIO(stream)) as file:
        assert isinstance(file, InputContainer)
        return [_pixels(frame) for frame in file.decode(video=0)]


def _pixels(frame: VideoFrame) -> Image:
    return np.asarray(frame.reformat(format="rgb24").to_ndarray(), np.uint8)


# --- the sheet ----------------------------------------------------------------------------------------

_PAPER, _INK = 250, 40
_GAP, _LINE = 24, 26


def _laid(frames: Sequence[tuple[str, Image]], height: int, width: int) -> Image:
    """Frames scaled to one height, in rows, each below its name."""
    rows: list[list[tuple[str, Image]]] = [[]]
    for told, frame in frames:
        scaled = _scaled(frame, height)
        if rows[-1] and _GAP + sum(one.shape[1] + _GAP for _, one in (*rows[-1], ("", scaled))) > width:
            rows.append([])
        rows[-1].append((told, scaled))
    step = _LINE + height + _GAP
    sheet = np.full((_GAP + step * len(rows), width, 3), _PAPER, np.uint8)
    for line, row in enumerate(rows):
        x, y = _GAP, _GAP + line * step
        for told, frame in row:
            _write(sheet, x, y, told, frame.shape[1])
            sheet[y + _LINE : y + _LINE + height, x : x + frame.shape[1]] = frame
            x += frame.shape[1] + _GAP
    return sheet


def _scaled(frame: Image, height: int) -> Image:
    width = round(frame.shape[1] * height / frame.shape[0])
    picture = VideoFrame.from_ndarray(frame, format="rgb24")
    return _pixels(picture.reformat(width, height, interpolation="AREA"))


def _write(sheet: Image, x: int, y: int, told: str, width: int) -> None:
    letters = caption(told, width, _LINE - 4)
    share = letters[..., None] / 255
    part = sheet[y : y + letters.shape[0], x : x + letters.shape[1]]
    part[:] = np.rint(part + (_INK - part.astype(float)) * share)


def _png(image: Image) -> bytes:
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = image.shape[1], image.shape[0], "rgb24"
    encoder.time_base = Fraction(1, 1)
    packets = [*encoder.encode(VideoFrame.from_ndarray(image, format="rgb24")), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


if __name__ == "__main__":
    main()
