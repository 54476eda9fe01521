"""Compositions of hours: at the end everything is as much in its time as at the beginning."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from chalicelib.core.chunks import INIT, SOUND_FILE, Chunk, Whole, chunk_of
from chalicelib.core.ids import Kind
from chalicelib.core.sheet import SHEET, Sheet
from chalicelib.flows.composing import perform, plan
from chalicelib.flows.render import Below
from chalicelib.flows.work import Unleased
from tests.flows.test_compose import asked
from tests.media.compose.stage import flashes, shots
from tests.media.compose.test_whole import Hall, held
from tests.media.markers import Report, compare, heard
from tests.media.meeting import hertz, meeting

RATE = 30
SAID = {"width": 320, "height": 180, "frameRate": RATE, "quality": "low", "names": False}
PEOPLE = 2


@dataclass
class Long:
    """A composition of a long meeting: all of its sound, and of its pictures some."""

    hall: Hall
    sheet: Sheet
    folder: str

    @classmethod
    def of(cls, minutes: float) -> "Long":
        """Plan it, and mix its sound."""
        made = meeting(PEOPLE, minutes, size=(160, 96), loss=True, first_frame_late_ms=80)
        hall = held(made, made.segments)
        asked(hall.world, **SAID)
        (told,) = hall.world.composer.begun.values()
        planned = plan(hall.world, told, 128)
        head = planned["head"]
        tasks = [{"task": "part", "place": place} for place in planned["slices"]]
        tasks += [{"task": "encode", "place": place, "head": head} for place in planned["slices"]]
        for task in (*tasks, {"task": "mix", "place": head}):
            perform(hall.world, {**told, **task}, 128)
        body, _ = hall.world.shelf.files[f"{told['folder']}/{SHEET}"]
        return cls(hall, Sheet(body), told["folder"])

    @property
    def chunks(self) -> list[Chunk]:
        """All that could be rendered."""
        return [chunk_of(line) for line in self.sheet.lines(self.sheet.chunks)]

    @property
    def files(self) -> Below:
        """Where it lies."""
        return Below(self.hall.world.shelf, Unleased(self.folder))

    def sound(self) -> bytes:
        """Its stream's sound."""
        head = self.sheet.head
        assert head.join is not None
        mix = f"{self.folder}/{head.join.outputs[0].name}"
        first = self.hall.world.media.render_chunk(self.chunks[0], self.files)
        whole = Whole(self.folder, head.picture, (first,), mix, head.start, head.end)
        self.hall.world.media.finish(whole, ("hls",), self.files)
        return self._data(SOUND_FILE)

    def seen(self, chunks: list[Chunk]) -> dict[str, Report]:
        """Everybody's flashes in these chunks, the first among them, against where they should be."""
        for chunk in chunks:
            self.hall.world.media.render_chunk(chunk, self.files)
        found = [one for chunk in chunks for one in self._flashes(chunk)]
        people = {who: [at for other, at in found if other == who] for who in dict(found)}
        return {who: compare(self._due(who, chunks), at, 1000 / RATE + 1) for who, at in people.items()}

    def _flashes(self, chunk: Chunk) -> Iterator[tuple[str, float]]:
        film = shots(self._data(INIT) + self._data(chunk.name))
        for scene in chunk.scenes:
            part = film[scene.first_frame - chunk.first_frame : scene.end_frame - chunk.first_frame]
            for tile in scene.tiles:
                for at in flashes(part, tile.x, tile.y, tile.width, tile.height):
                    yield tile.shows.participant_id, at

    def _due(self, who: str, chunks: list[Chunk]) -> list[float]:
        spans = [(chunk.first_frame * 1000 / RATE, chunk.end_frame * 1000 / RATE) for chunk in chunks]
        due = self.hall.expected(who, 0, self.hall.meeting.duration_ms)
        return [at for at in due if any(start <= at < end for start, end in spans)]

    def _data(self, name: str) -> bytes:
        return self.hall.world.shelf.files[f"{self.folder}/{name}"][0]


def spread(chunks: list[Chunk], some: int) -> list[Chunk]:
    """So many of them from the beginning, the middle and the end each."""
    middle = (len(chunks) - some) // 2
    return [*chunks[:some], *chunks[middle : middle + some], *chunks[-some:]]


@pytest.mark.parametrize("minutes", [180])
def test_nothing_drifts_in_hours(minutes: int, size: Callable[[int, int], int]) -> None:
    if not size(0, 1):
        pytest.skip("with --soak")
    made = Long.of(minutes)

    reports = made.seen(spread(made.chunks, 4))
    assert len(reports) == PEOPLE
    assert [report for report in reports.values() if not report.right] == []

    pitches = [hertz(number, Kind.AUDIO) for number in range(PEOPLE)]
    sound = heard(made.sound(), pitches)
    for number, hz in enumerate(pitches):
        who = made.hall.meeting.manner.name.format(number)
        due = made.hall.expected(who, 0, made.hall.meeting.duration_ms, Kind.AUDIO)
        assert compare(due, sound.tones[hz], 10).right
