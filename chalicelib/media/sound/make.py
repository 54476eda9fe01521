"""Makes all that is asked of a step's sound in one reading and one decode of every segment."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from chalicelib.core.step import Made, Note, Output, Step, Track
from chalicelib.media.decoding import Decoding
from chalicelib.media.sound.flac import Frames
from chalicelib.media.sound.level import Array
from chalicelib.media.sound.mix import Mix, MixMp4, MixPart, MixWebm, gain_of, notes_of, summed
from chalicelib.media.sound.packets import RATE_KHZ
from chalicelib.media.sound.peaks import Peaks
from chalicelib.media.sound.stem import Stem, begun
from chalicelib.media.sound.strip import Strip
from chalicelib.media.sound.voice import Decoder, Voice
from chalicelib.media.store import Store, Writing

CONTENT_TYPES = {
    "flac": "audio/flac",
    "wav": "audio/wav",
    "webm": "audio/webm",
    "mp4": "audio/mp4",
    "json": "application/json",
    "dat": "application/octet-stream",
    "part": "application/octet-stream",
}

_MIXES = ("mix", "mix_part")

# Of whole 100 ms, as loudness wants them.
_WINDOW_MS = 4_000
# A slice begins so much earlier, unheard: until then limiter, filters and encoder are as if they had heard
# all before. It looks so far beyond its end.
_LEAD_MS, _BEYOND_MS = 2_000, 100


def sound(step: Step, store: Store) -> list[Made]:
    """Every output of the step. `BadSegment` when a segment's packets end its decoder.

    A step with a `mix_part` begins and, but the session's last, ends at whole 100 ms of the session.
    """
    with Decoding() as decoding, ExitStack() as stack:
        return _Desk(step, store, decoding, stack).made()


class _Desk:
    """All voices of a step, and all that is being written of them."""

    def __init__(self, step: Step, store: Store, decoder: Decoder, stack: ExitStack) -> None:
        self._step, self._store, self._stack, self._frames = step, store, stack, Frames()
        self._writings: dict[Output, Writing] = {}
        self._notes: dict[Output, tuple[Note, ...]] = {}
        parts = [output for output in step.outputs if output.product == "mix_part"]
        if parts and len(parts) < len(step.outputs):
            raise ValueError("a slice makes nothing but its part of the mix")
        self._lead_ms = min(_LEAD_MS, step.start) if parts else 0
        self._beyond_ms = _BEYOND_MS if parts else 0
        first = step.start - self._lead_ms
        span = first * RATE_KHZ, (step.end + self._beyond_ms) * RATE_KHZ
        voices = [Voice(number, track, span, decoder, store) for number, track in enumerate(step.tracks)]
        self._peaks = {track: Peaks() for track in step.tracks if self._of(track, "peaks")}
        self._strips = {
            track: self._strip(track, voice) for track, voice in zip(step.tracks, voices, strict=True)
        }
        self._files = {output: self._mixed(output) for output in step.outputs if output.product in _MIXES}
        self._mix = Mix(list(self._files.values()), self._lead_ms * RATE_KHZ) if self._files else None

    def made(self) -> list[Made]:
        """Run it all."""
        for start, end in _windows(self._step.start - self._lead_ms, self._lead_ms, self._step.end):
            window = self._window(start, end)
            if self._mix is not None:
                self._mix.add(window)
        self._finish_mix()
        for track, strip in self._strips.items():
            self._finish_strip(track, strip)
        return [self._told(output) for output in self._step.outputs]

    def _window(self, start_ms: int, end_ms: int) -> Array:
        """What is heard of all voices; each writes what is asked of it alone."""
        start, end = start_ms * RATE_KHZ, end_ms * RATE_KHZ
        return summed((strip.window(start, end) for strip in self._strips.values()), end - start)

    def _finish_mix(self) -> None:
        if self._mix is None:
            return
        end = self._step.end
        self._mix.finish(self._window(end, end + self._beyond_ms) if self._beyond_ms else None)
        level = self._mix.level
        lufs, peak = level.loudness.lufs(), level.peak
        for output, file in self._files.items():
            gain = gain_of(lufs, peak.value, self._step.lufs) if isinstance(file, MixWebm) else 0
            file.finish(level, gain)
            self._notes[output] = () if output.product == "mix_part" else notes_of(lufs, peak.db(), gain)

    def _finish_strip(self, track: Track, strip: Strip) -> None:
        notes, stems = strip.finish(), self._of(track, "stem")
        for output in self._of(track, "peaks"):
            self._begun(output).front(getattr(self._peaks[track], output.form)())
        for output in stems or self._of(track, "peaks"):
            self._notes[output] = notes

    def _strip(self, track: Track, voice: Voice) -> Strip:
        stems, peaks = self._of(track, "stem"), self._peaks.get(track)
        begin = [partial(self._stem, output) for output in stems]
        return Strip(voice, begin, peaks, measured=bool(stems or peaks))

    def _stem(self, output: Output, channels: int) -> Stem:
        return begun(output.form, self._begun(output), channels, self._frames)

    def _mixed(self, output: Output) -> MixWebm | MixMp4 | MixPart:
        writing = self._begun(output)
        if output.product == "mix_part":
            return MixPart(writing, self._lead_ms * RATE_KHZ)
        return MixMp4(writing) if output.form == "mp4" else MixWebm(writing)

    def _of(self, track: Track, product: str) -> list[Output]:
        whose = (product, track.participant_id, track.kind)
        return [o for o in self._step.outputs if (o.product, o.participant_id, o.kind) == whose]

    def _begun(self, output: Output) -> Writing:
        writing = self._store.write(output.name, CONTENT_TYPES[output.form])
        self._writings[output] = writing
        self._stack.push(lambda kind, *_: writing.abandon() if kind else None)
        return writing

    def _told(self, output: Output) -> Made:
        return Made(
            output=output,
            name=output.name,
            content_type=CONTENT_TYPES[output.form],
            bytes=self._writings[output].size,
            start=self._step.start,
            end=self._step.end,
            notes=self._notes.get(output, ()),
        )


def _windows(start: int, lead: int, end: int) -> Iterator[tuple[int, int]]:
    """The lead by itself, then window by window, in milliseconds."""
    if lead:
        yield start, start + lead
    for at in range(start + lead, end, _WINDOW_MS):
        yield at, min(at + _WINDOW_MS, end)
