"""What generates meetings and what finds their markers, held against FFmpeg and against sums."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from chalicelib.core.ids import Kind, stamp
from tests.media.markers import Sound, beeps, compare, ffmpeg_heard, ffmpeg_seen, flashes, heard, seen
from tests.media.meeting import Segment, hertz, meeting, picture, voice

# Every packet is there, so that whoever only counts samples is right already.
WHOLE = {"dtx": False, "mutes": False}


def test_the_same_meeting_has_the_same_bytes() -> None:
    first = digests()
    picture.cache_clear()
    voice.cache_clear()

    assert digests() == first


def digests() -> list[str]:
    made = meeting(2, 0.6, loss=True, drift_ppm=200)
    return [hashlib.sha256(segment.data).hexdigest() for segment in made.segments]


def test_a_file_is_named_after_where_its_clock_begins() -> None:
    for segment in meeting(2, 2).segments:
        assert stamp(segment.file) == segment.start_at - segment.first_ms
        assert segment.file.startswith(f"track_recording_{segment.participant_id}_{segment.kind}_")


def test_the_session_begins_with_the_first_file() -> None:
    assert meeting(3, 2, screen=True).segments[0].start == 0


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_flashes_are_where_the_meeting_says(codec: str) -> None:
    for segment in of(Kind.VIDEO, codec=codec):
        assert compare(expected(segment), seen(segment.data).flashes, 1).right


@pytest.mark.parametrize(("stereo", "pre_skip"), [(False, False), (True, True)])
def test_tones_are_where_the_meeting_says(stereo: bool, pre_skip: bool) -> None:
    for segment in of(Kind.AUDIO, stereo=stereo, pre_skip=pre_skip):
        pitch = hertz(segment.number, segment.kind)
        found = heard(segment.data, [pitch])
        report = compare(expected(segment), (at - segment.first_ms for at in found.tones[pitch]), 0.5)
        assert report.right, report


def test_the_ffmpeg_program_finds_the_same(tmp_path: Path) -> None:
    sound, pictures = (of(kind)[0] for kind in (Kind.AUDIO, Kind.VIDEO))
    for segment in (sound, pictures):
        (tmp_path / segment.kind).write_bytes(segment.data)

    tones, duration_ms = ffmpeg_heard(str(tmp_path / Kind.AUDIO), hertz(0, Kind.AUDIO))

    assert compare(expected(sound), tones, 0.5).right
    assert duration_ms == pytest.approx(30_000, abs=20)
    assert compare(expected(pictures), ffmpeg_seen(str(tmp_path / Kind.VIDEO)), 1).right


def test_a_clock_that_runs_fast_says_so_in_what_it_stamps() -> None:
    slow, fast, arrival = (
        of(Kind.AUDIO, clock=clock, drift_ppm=ppm)[1]
        for clock, ppm in (("file", 0), ("file", 5_000), ("arrival", 5_000))
    )

    assert [expected(one)[-1] - expected(one)[0] for one in (slow, fast)] == pytest.approx([20_000, 19_900.5])
    ends = [heard(one.data, []).slip_ms for one in (slow, fast, arrival)]
    assert ends == pytest.approx([0, 0, 145], abs=3)


def of(kind: Kind, **manner: object) -> list[Segment]:
    made = meeting(2, 0.5, **{**WHOLE, **manner})
    return [segment for segment in made.segments if segment.kind is kind]


def expected(segment: Segment) -> list[float]:
    """Where markers are in the file, but for its first timestamp where that is of sound."""
    base = segment.start if segment.kind is Kind.AUDIO else segment.start - segment.first_ms
    return [marker.shown_ms - base for marker in segment.markers]


TONES: list[tuple[str, list[tuple[float, int]], list[float]]] = [
    ("one", [(1_234.5, 800)], [1_234.5]),
    ("one beside another's", [(1_000, 800), (1_000, 950)], [1_000]),
    ("another's only", [(1_000, 950)], []),
    ("two", [(1_000, 800), (3_000.25, 800)], [1_000, 3_000.25]),
    ("none", [], []),
]


@pytest.mark.parametrize(("made", "told"), [row[1:] for row in TONES], ids=[row[0] for row in TONES])
def test_tones_are_found_to_half_a_millisecond(made: list[tuple[float, int]], told: list[float]) -> None:
    assert beeps(sounding(made), 48_000, 800) == pytest.approx(told, abs=0.5)


def test_two_tones_that_touch_are_two() -> None:
    assert beeps(sounding([(1_000, 800), (1_100, 800)]), 48_000, 800) == pytest.approx([1_000, 1_100], abs=2)


def sounding(tones: list[tuple[float, int]]) -> Sound:
    noise = np.random.default_rng(7).normal(0, 0.01, 5 * 48_000)
    return np.asarray(sum((tone(*one) for one in tones), noise), np.float32)


def tone(at: float, hz: int) -> Sound:
    times = np.arange(5 * 48_000) / 48 - at
    shape = np.clip(np.minimum(times, 100 - times) / 5, 0, 1)
    return np.asarray(0.2 * np.sin(2 * np.pi * hz * times / 1000) * shape, np.float32)


REPORTS: list[tuple[str, list[float], bool, tuple[float, ...], tuple[float, ...], float]] = [
    ("all there", [10_000, 20_001], True, (), (), 1),
    ("one lost", [10_000], False, (20_000,), (), 0),
    ("one doubled", [10_000, 10_200, 20_000], False, (), (10_200,), 0),
    ("one late", [10_000, 20_011], False, (), (), 11),
    ("one early", [9_989, 20_000], False, (), (), 11),
    ("one out of reach", [10_000, 22_000], False, (20_000,), (22_000,), 0),
]


@pytest.mark.parametrize(
    ("found", "right", "lost", "extra", "worst"),
    [row[1:] for row in REPORTS],
    ids=[row[0] for row in REPORTS],
)
def test_a_report_tells_what_is_wrong(
    found: list[float], right: bool, lost: tuple[float, ...], extra: tuple[float, ...], worst: float
) -> None:
    report = compare([10_000, 20_000], found, 10)

    assert (report.right, report.lost, report.extra, report.worst) == (right, lost, extra, worst)


def test_where_nothing_is_expected_nothing_is_shown_to_be_right() -> None:
    assert not compare([], [], 10).right


def test_a_flash_is_told_by_its_first_bright_picture() -> None:
    shots = [(0.0, 60.0), (40.0, 230.0), (80.0, 231.0), (120.0, 60.0), (160.0, 230.0)]

    assert flashes(shots) == [40.0, 160.0]
