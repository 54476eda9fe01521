"""A mix that is encoded in slices at once is the mix that is encoded in one piece: no seam, nothing twice."""

from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer

from chalicelib.core.cast import voices
from chalicelib.core.ids import Kind
from chalicelib.core.mixing import encoding, mixing
from chalicelib.core.step import Step
from chalicelib.core.timeline import Span
from chalicelib.media.sound.mp4 import PACKET
from tests.media.engine import Engine
from tests.media.markers import compare, heard
from tests.media.meeting import ZERO_AT, Meeting, hertz, meeting
from tests.media.shelf import Shelf

LASTS_MS, RATE = 44_000, 48_000
# Whole packets of AAC, of Opus, and tenths of a second.
SLICE_MS = 1_600
WHOLE, TWO, MANY = (), (16_000,), (1_600, 3_200, 16_000, 17_600, 40_000)


@dataclass
class Show:
    """A meeting of two, and its mix in slices."""

    engine: Engine
    meeting: Meeting

    def mixed(self, edges: tuple[int, ...]) -> Path:
        """The mix in slices that end there."""
        slices, join = self._steps(edges)
        for step in (*slices, *(encoding(step, join) for step in slices)):
            self.engine.made(step)
        (made,) = self.engine.made(join)
        return Path(made.path)

    def _steps(self, edges: tuple[int, ...]) -> tuple[list[Step], Step]:
        session, folder = self.engine.session, f"mix-{len(edges)}"
        step, join = mixing(session, voices(session), Span(0, LASTS_MS), folder, -16.0)
        slices = [
            replace(step, start=start, end=end, outputs=(replace(step.outputs[0], name=f"mix-{n:04d}.part"),))
            for n, (start, end) in enumerate(zip((0, *edges), (*edges, LASTS_MS), strict=True), 1)
        ]
        parts = tuple(f"{folder}/aac-{n:04d}.part" for n, _ in enumerate(slices, 1))
        return slices, replace(join, parts=parts)


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    engine = Engine(Shelf(tmp_path_factory.mktemp("mix")))
    made = meeting(2, 0.75, mutes=False)
    for segment in made.segments:
        if segment.kind is Kind.AUDIO:
            engine.ingested(segment)
    return Show(engine, made)


def samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        assert isinstance(file, InputContainer)
        return np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])


def test_the_cuts_are_whole() -> None:
    assert all(edge % SLICE_MS == 0 for edge in (*TWO, *MANY))
    assert SLICE_MS * RATE // 1000 % PACKET == 0


@pytest.mark.parametrize("edges", [TWO, MANY], ids=["two slices", "short ones"])
def test_slices_are_heard_as_one_piece_also_where_they_meet(show: Show, edges: tuple[int, ...]) -> None:
    whole, sliced = samples(show.mixed(WHOLE)), samples(show.mixed(edges))

    assert len(sliced) == len(whole)
    apart = np.abs(sliced - whole)
    assert np.corrcoef(sliced, whole)[0, 1] > 0.99
    usual = np.quantile(apart, 0.9999)
    for edge in (edge * RATE // 1000 for edge in edges):
        assert apart[edge - 2 * PACKET : edge + 2 * PACKET].max() <= 2 * usual


def test_no_tone_is_lost_doubled_or_late(show: Show) -> None:
    zero = show.engine.session.extent.start - ZERO_AT
    pitches = [hertz(number, Kind.AUDIO) for number in (0, 1)]
    found = heard(str(show.mixed(MANY)), pitches)
    for hz in pitches:
        at = [marker.shown_ms - zero for marker in show.meeting.markers if marker.hz == hz]
        report = compare([one for one in at if one < LASTS_MS - 200], found.tones[hz], 10)
        assert report.right, report


def test_the_same_slices_are_the_same_bytes(show: Show) -> None:
    assert show.mixed(TWO).read_bytes() == show.mixed(TWO).read_bytes()
