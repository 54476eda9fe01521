"""Everything that is made of a meeting, held against the meeting's markers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from chalicelib.core.ids import Kind
from tests.media.engine import Engine, Product
from tests.media.markers import Heard, Report, Seen, compare, heard, seen
from tests.media.meeting import ZERO_AT, Meeting
from tests.media.shelf import Shelf

ALONE = ("track", "av", "stem")
_SEEN = ("track", "av")
SOUND_OF = {Kind.VIDEO: Kind.AUDIO, Kind.SCREEN_VIDEO: Kind.SCREEN_AUDIO}

# How far a marker may be off, in milliseconds, and a file's sound from the session's length.
SOUND_MS, STEM_MS, BOTH_MS = 10, 1, 40
LENGTH_MS = 25


@dataclass
class Production:
    """A meeting and what was made of it."""

    meeting: Meeting
    engine: Engine
    products: list[Product]
    _seen: dict[str, Seen] = field(default_factory=dict)

    def seen(self, product: Product) -> Seen:
        """A file's pictures; looked at once."""
        if product.path not in self._seen:
            self._seen[product.path] = seen(product.path)
        return self._seen[product.path]

    @cached_property
    def zero(self) -> int:
        """Session zero in the meeting's milliseconds."""
        return self.engine.session.extent.start - ZERO_AT

    def of(self, product: str, number: int | None = None, kind: Kind | None = None) -> Product:
        """The one file that this names."""
        who = None if number is None else self.meeting.manner.name.format(number)
        wanted = (product, who, kind)
        (found,) = [
            made
            for made in self.products
            if (made.output.product, made.output.participant_id, made.output.kind) == wanted
        ]
        return found

    def expected(self, participant_id: str | None, kind: Kind) -> dict[int | None, list[float]]:
        """Where the session has each pitch, or the flashes, of a participant or of all."""
        found: dict[int | None, set[float]] = {}
        for marker in self.meeting.markers:
            if marker.kind is kind and participant_id in (None, marker.participant_id):
                found.setdefault(marker.hz, set()).add(marker.shown_ms - self.zero)
        return {hz: sorted(times) for hz, times in found.items()}


def produced(folder: Path, meeting: Meeting, *products: str) -> Production:
    """Ingest a meeting and make these products of it, or those of each participant alone."""
    engine = Engine(Shelf(folder))
    for segment in meeting.segments:
        engine.ingested(segment)
    return Production(meeting, engine, engine.produced(*(products or ALONE)))


def faults(made: Production, stem_ms: float = STEM_MS) -> list[str]:
    """What is wrong with any marker in any file; nothing when all is right."""
    return [
        f"{product.output.product} {product.output.participant_id} {product.output.kind}: {what}"
        for product in made.products
        for what in _wrong(made, product, stem_ms)
    ]


def _wrong(made: Production, product: Product, stem_ms: float) -> Iterator[str]:
    output = product.output
    pictures = output.kind if output.kind in SOUND_OF and output.product in _SEEN else None
    sounds = _sounds(made, product)
    sight = made.seen(product) if pictures else None
    pitches = {hz: at for kind in sounds for hz, at in made.expected(output.participant_id, kind).items()}
    sound = heard(product.path, [hz for hz in pitches if hz]) if sounds else None
    if pictures and sight:
        expected = made.expected(output.participant_id, pictures).get(None, [])
        yield from _off("flashes", expected, sight.flashes, _frame_ms(made, pictures))
    if sound:
        yield from _misheard(sound, pitches, product, stem_ms if output.product == "stem" else SOUND_MS)
    if sight and sound:
        yield from _apart(made, output.participant_id, sight, sound)


def _sounds(made: Production, product: Product) -> list[Kind]:
    """The kinds that are heard in a file."""
    match product.output.product, product.output.kind:
        case "mix", _:
            return [kind for kind in SOUND_OF.values() if made.expected(None, kind)]
        case "av", Kind.VIDEO | Kind.SCREEN_VIDEO as picture:
            return [SOUND_OF[picture]]
        case "track" | "stem", Kind.AUDIO | Kind.SCREEN_AUDIO as kind:
            return [kind]
    return []


def _frame_ms(made: Production, kind: Kind) -> float:
    return 200 if kind is Kind.SCREEN_VIDEO else 1000 / made.meeting.manner.fps


def _misheard(
    sound: Heard, pitches: dict[int | None, list[float]], product: Product, tolerance: float
) -> Iterator[str]:
    for hz, expected in pitches.items():
        yield from _off(f"{hz} Hz", expected, sound.tones[hz or 0], tolerance)
    missing_ms = product.duration_ms - sound.start_ms - sound.duration_ms
    if max(abs(missing_ms), sound.slip_ms) > LENGTH_MS:
        yield f"{missing_ms} ms are missing, {sound.slip_ms} lie between timestamps and samples"


def _apart(made: Production, participant_id: str | None, sight: Seen, sound: Heard) -> Iterator[str]:
    """Flashes and tones that were made together: how far they are from each other beyond what the camera was
    late."""
    for marker in made.meeting.markers:
        late = marker.shown_ms - marker.session_ms
        if marker.hz is None and marker.participant_id == participant_id:
            at = marker.session_ms - made.zero
            flashes = [found - late for found in sight.flashes if abs(found - at) < 1_000]
            tones = [found for pitch in sound.tones.values() for found in pitch if abs(found - at) < 1_000]
            if flashes and tones and abs(flashes[0] - tones[0]) > BOTH_MS:
                yield f"the flash at {flashes[0]} is {flashes[0] - tones[0]} after its tone"


def _off(what: str, expected: Iterable[float], found: Iterable[float], tolerance: float) -> Iterator[str]:
    expected, found = list(expected), list(found)
    report: Report = compare(expected, found, tolerance)
    # Who is there for a moment only may have no marker; all have some.
    if not report.right and (expected or found):
        yield f"{what}: lost {report.lost}, extra {report.extra}, offsets {report.offsets}"
