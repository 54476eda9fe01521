"""How fast a participant's media clock runs, and when that is taken out of the products."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.drift import Drift, drift, lasts_ms
from chalicelib.core.ids import Kind
from chalicelib.core.recording import Recording
from tests.builders import RID, ZERO
from tests.core.stories import HOUR, MINUTE, asked, listed, segment


def running(
    ppm: int, starts: list[int], jitter: list[int] | None = None, lasts: int = MINUTE
) -> list[e.Event]:
    """Files of one clock that runs on and drifts; their stamps are off by the jitter."""
    off = jitter or [0] * len(starts)
    return [
        replace(
            segment("anna", Kind.AUDIO, start + by, start + by + lasts),
            first_ms=round(start * (1 + ppm / 1e6)),
            start_at=ZERO + start + by + round(start * (1 + ppm / 1e6)),
            modified_at=ZERO + start + lasts,
        )
        for start, by in zip(starts, off, strict=True)
    ]


def found(*facts: e.Event) -> Drift:
    """The drift of a participant of one recording."""
    return drift([Recording.of(RID, [asked("anna", Kind.AUDIO), *facts])])


HOURLY = [hour * HOUR for hour in range(6)]


@pytest.mark.parametrize("ppm", [-900, -200, 80, 500, 990])
def test_a_clock_that_runs_on_tells_its_drift(ppm: int) -> None:
    told = found(*running(ppm, HOURLY, lasts=30 * MINUTE))

    assert told.ppm == pytest.approx(ppm, abs=2)
    assert told.corrected
    assert told.evidence == (("running_clock", 1),)


@given(st.integers(-4000, 4000), st.lists(st.integers(-100, 100), min_size=6, max_size=6))
def test_jitter_of_the_stamps_is_within_the_uncertainty(ppm: int, jitter: list[int]) -> None:
    told = found(*running(ppm, HOURLY, jitter))

    assert told.ppm is not None
    assert told.uncertainty_ppm is not None
    assert abs(told.ppm - ppm) <= 3 * told.uncertainty_ppm + 1


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=3), st.integers(1, 20))
def test_jitter_of_few_stamps_corrects_nothing(jitter: list[int], minutes: int) -> None:
    starts = [number * minutes * MINUTE for number in range(len(jitter))]

    assert not found(*running(0, starts, jitter, lasts=HOUR)).corrected


@given(st.lists(st.integers(0, 400), min_size=5, max_size=5))
def test_who_begins_in_silence_and_is_first_heard_late_is_not_corrected(late: list[int]) -> None:
    """Opus with DTX sends nothing for up to 400 ms: in a short meeting that looks like a drift."""
    starts = [number * MINUTE for number in range(5)]

    assert not found(*running(0, starts, late, lasts=50_000)).corrected


CORRECTED = [
    ("as slow as any good clock", 40, HOURLY, HOUR, False),
    ("fast", 200, HOURLY, HOUR, True),
    ("fast, and nobody would notice", 200, HOURLY, MINUTE, False),
    ("too fast to be true", 1100, HOURLY, HOUR, False),
    ("too soon to be sure", 200, [0, 10 * MINUTE], 9 * MINUTE, False),
]


@pytest.mark.parametrize(
    ("ppm", "starts", "lasts", "expected"), [c[1:] for c in CORRECTED], ids=[c[0] for c in CORRECTED]
)
def test_only_what_is_sure_and_can_be_noticed_is_corrected(
    ppm: int, starts: list[int], lasts: int, expected: bool
) -> None:
    told = found(*running(ppm, starts, lasts=lasts))

    assert told.corrected is expected
    assert told.applied == (told.ppm if expected else 0)


def test_first_packets_that_are_late_everywhere_are_no_drift() -> None:
    late = [
        replace(segment("anna", Kind.AUDIO, at, at + MINUTE), first_ms=at + 900, start_at=ZERO + 2 * at + 900)
        for at in (0, HOUR, 2 * HOUR)
    ]

    assert found(*late).ppm == 0


def test_files_that_begin_anew_say_nothing_of_drift() -> None:
    told = found(segment("anna", Kind.AUDIO, 0, MINUTE), segment("anna", Kind.AUDIO, HOUR, HOUR + MINUTE))

    assert told == Drift(None, None, (), False, None)


def test_a_file_that_ends_after_the_next_ones_stamp_shows_at_least_so_much() -> None:
    told = found(
        segment("anna", Kind.AUDIO, 0, 2 * HOUR + 2000), segment("anna", Kind.AUDIO, 2 * HOUR, 3 * HOUR)
    )

    assert told.ppm == pytest.approx(2000 / 7200 * 1000, abs=1)
    assert told.evidence == (("overlap", 1),)
    assert told.corrected


def test_an_overlap_that_the_drift_explains_already_says_nothing() -> None:
    files = running(1000, HOURLY, lasts=HOUR + 500)

    assert found(*files).evidence == (("running_clock", 1),)


def test_files_that_lie_upon_each_other_are_no_drift() -> None:
    told = found(segment("anna", Kind.AUDIO, 0, HOUR), segment("anna", Kind.AUDIO, MINUTE, 2 * HOUR))

    assert told.ppm is None


def test_the_lists_end_is_weak_evidence_that_other_evidence_outweighs() -> None:
    lone = segment("anna", Kind.AUDIO, 0, 10 * HOUR)
    by_list = found(lone, listed(0, 10 * HOUR - 1500, [lone.file]))

    assert by_list.evidence == (("listed_end", 1),)
    assert by_list.ppm == pytest.approx(42, abs=1)
    assert not by_list.corrected
    assert found(lone, listed(0, 10 * HOUR + 2500, [lone.file])).ppm is None
    assert found(lone, replace(listed(0, 10 * HOUR, [lone.file]), early=True)).ppm is None
    assert found(replace(lone, tail_lost=True), listed(0, 10 * HOUR, [lone.file])).ppm is None


def test_recordings_that_disagree_are_not_believed() -> None:
    one, other = (
        Recording.of(RID, [asked("anna", Kind.AUDIO), *running(ppm, HOURLY, lasts=HOUR)]) for ppm in (0, 3000)
    )

    told = drift([one, other])

    assert told.uncertainty_ppm is not None
    assert told.uncertainty_ppm > 1000
    assert not told.corrected


def test_the_sounds_samples_are_held_against_its_own_timestamps() -> None:
    told = found(
        replace(segment("anna", Kind.AUDIO, 0, HOUR), sounded_us=3_600_360_000, spanned_us=3_600_000_000)
    )

    assert told.sound_ppm == 100
    assert found(segment("anna", Kind.AUDIO, 0, HOUR)).sound_ppm is None
    short = replace(segment("anna", Kind.AUDIO, 0, 50), sounded_us=60_000, spanned_us=50_000)
    assert found(short).sound_ppm is None


@given(st.integers(0, 10**9), st.integers(-5000, 5000))
def test_media_lasts_as_long_as_its_clock_says_it_would(media_ms: int, ppm: int) -> None:
    assert lasts_ms(media_ms, ppm) == pytest.approx(media_ms / (1 + ppm / 1e6), abs=0.6)
