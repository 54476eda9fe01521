"""Products of whole meetings against every marker; and by name each trap that sinks others."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import av
import pytest

from chalicelib.core.ids import Kind
from chalicelib.core.scan import NotRecording
from tests.media.engine import Engine
from tests.media.live import opened
from tests.media.markers import compare, ffmpeg, ffmpeg_heard, ffmpeg_seen, heard, levels, peak, seen
from tests.media.meeting import hertz, meeting
from tests.media.production import Production, faults, produced
from tests.media.shelf import Shelf

SIZE = (160, 96)
SMALL = (80, 48)
# Two markers are enough where nothing depends on length.
SHORT = {"size": SIZE, "minutes": 0.3}


def made_of(folder: Path, *products: str, people: int = 2, **manner: Any) -> Production:
    said = {**SHORT, **manner}
    return produced(folder, meeting(people, said.pop("minutes"), **said), *products)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Two minutes with all that is usual: mute gaps, DTX, loss, a camera of odd times that begins small and
    80 ms late, a shared screen."""
    folder = tmp_path_factory.mktemp("usual")
    said: dict[str, Any] = {"minutes": 2, "loss": True, "screen": True, "first_frame_late_ms": 80}
    return made_of(folder, "track", "av", "stem", "peaks", "mix", "mix:aac", **said)


def test_every_marker_is_where_it_was_made(usual: Production) -> None:
    assert [made for made in usual.products if made.output.product == "av"]
    assert faults(usual) == []


@pytest.mark.parametrize("minutes", [10, 180])
def test_so_it_is_in_long_meetings(minutes: int, tmp_path: Path, size: Callable[[int, int], int]) -> None:
    if size(0, 1):
        products = ("track", "av", "stem", "mix", "mix:aac")
        assert faults(made_of(tmp_path, *products, minutes=minutes, loss=True, screen=True)) == []
    else:
        pytest.skip("with --soak")


def test_so_it_is_in_meetings_of_any_manner(
    tmp_path: Path, size: Callable[[int, int], int], seed: int
) -> None:
    for turn in range(size(1, 60)):
        chance = Random(f"{seed} {turn}")
        manner = {name: chance.choice(choices) for name, choices in MANNERS.items()}
        made = made_of(tmp_path / str(turn), people=3, spans=_any_spans(chance), loss=True, **manner)
        assert made.meeting.markers, (seed, turn, manner)
        assert faults(made) == [], (seed, turn, manner)


MANNERS: dict[str, tuple[Any, ...]] = {
    "codec": ("vp8", "vp9", "h264", "av1"),
    "dtx": (False, True),
    "drop": (0, 0.15, 0.4),
    "fps": (15, 24, 30),
    "first_frame_late_ms": (0, 80, 333),
    "rate_told": (False, True),
    "stereo": (False, True),
    "pre_skip": (False, True),
}


def _any_spans(chance: Random) -> dict[tuple[int, Kind], tuple[tuple[int, int], ...]]:
    """Files that overlap, touch, or leave gaps, none too short for a key frame."""
    found = {}
    for number, kind in product(range(3), (Kind.AUDIO, Kind.VIDEO)):
        at = 0 if (number, kind) == (0, Kind.AUDIO) else chance.randrange(9_000)
        spans = []
        while at < 40_000:
            spans.append((at, at + chance.randrange(5_000, 16_000)))
            at = spans[-1][1] + chance.choice((-800, 0, 20, 500, 1_100, 7_000))
        found[number, kind] = tuple(spans)
    return found


def test_peaks_rise_with_each_tone(usual: Production) -> None:
    for number in range(2):
        who = usual.meeting.manner.name.format(number)
        (path,) = [
            made.path
            for made in usual.products
            if (made.output.form, made.output.participant_id, made.output.kind) == ("json", who, Kind.AUDIO)
        ]
        told = json.loads(Path(path).read_text())
        rise = [abs(high) for high in told["data"][1::2]]
        step = 1000 * told["samples_per_pixel"] / told["sample_rate"]
        (tones,) = usual.expected(who, Kind.AUDIO).values()
        for at in (int(tone / step) for tone in tones):
            assert max(rise[at - 10 : at - 1]) <= 1 < 10 < min(rise[at + 2 : at + 8])


# --- the ten traps ---


def test_1_a_first_frame_that_comes_late_stays_late(usual: Production) -> None:
    for number in range(2):
        track = usual.of("track", number, Kind.VIDEO)
        begins = min(s.start for s in usual.meeting.segments if (s.number, s.kind) == (number, Kind.VIDEO))
        assert all(s.first_ms == 80 for s in usual.meeting.segments if s.kind is Kind.VIDEO)
        found = usual.seen(track)
        assert min(at for at in found.times if at >= begins - usual.zero) == begins - usual.zero
        assert ffmpeg_seen(track.path) == pytest.approx(found.flashes, abs=1)


def test_2_files_without_a_duration_and_with_sound_before_zero_get_both_right(usual: Production) -> None:
    early = [s for s in usual.meeting.segments if s.first_ms < 0]
    assert early
    with opened(early[0].data) as raw:
        assert raw.duration is None
    for made in usual.products:
        if made.output.product == "peaks":
            continue
        with av.open(made.path) as file:
            assert (file.duration or 0) / 1000 == pytest.approx(made.duration_ms, abs=25)


def test_3_a_change_of_size_inside_a_file_is_kept(usual: Production) -> None:
    for number in range(2):
        assert usual.seen(usual.of("track", number, Kind.VIDEO)).sizes[:2] == [SMALL, SIZE]


def test_4_pictures_keep_their_own_times_however_irregular(usual: Production) -> None:
    for number in range(2):
        found = usual.seen(usual.of("track", number, Kind.VIDEO)).times
        for segment in usual.meeting.segments:
            if (segment.number, segment.kind) == (number, Kind.VIDEO):
                start, end = segment.start - usual.zero, segment.end - usual.zero
                assert sum(start <= at < end for at in found) == segment.packets


def test_5_a_gap_of_many_seconds_is_as_long_as_it_was(usual: Production) -> None:
    for number, kind in ((1, Kind.AUDIO), (1, Kind.VIDEO)):
        mine = [s for s in usual.meeting.segments if (s.number, s.kind) == (number, kind)]
        assert mine[1].start - mine[0].end > 10_000
        path = usual.of("av", 1, Kind.VIDEO).path
        found = ffmpeg_seen(path) if kind is Kind.VIDEO else ffmpeg_heard(path, hertz(1, kind))[0]
        (expected,) = usual.expected(mine[0].participant_id, kind).values()
        assert compare(expected, found, 10 if kind is Kind.AUDIO else 34).right


def test_6_a_cut_behind_a_gap_begins_where_it_was_asked_for(usual: Production, tmp_path: Path) -> None:
    second = [s for s in usual.meeting.segments if (s.number, s.kind) == (1, Kind.VIDEO)][1]
    for name, at in (("in", second.start - 5_000), ("after", second.start + 1_000)):
        cut = str(tmp_path / f"{name}.webm")
        source = usual.of("av", 1, Kind.VIDEO).path
        ffmpeg("-ss", str(at / 1000), "-copyts", "-i", source, "-c", "copy", "-f", "matroska", cut)
        left = {kind: usual.expected(second.participant_id, kind) for kind in (Kind.VIDEO, Kind.AUDIO)}
        flashes, tones = ([one for one in next(iter(left[k].values())) if one >= at] for k in left)
        sight, sound = seen(cut), heard(cut, [hertz(1, Kind.AUDIO)])
        assert compare(flashes, [f for f in sight.flashes if f >= at], 34).right
        assert compare(tones, [t for t in sound.tones[hertz(1, Kind.AUDIO)] if t >= at], 10).right
        assert at - 10_000 <= sight.times[0] <= at


def test_7_a_mix_does_not_pump_when_somebody_comes_or_goes(usual: Production) -> None:
    mixes = [made for made in usual.products if made.output.product == "mix"]
    for mix in mixes:
        changes = []
        for number in range(2):
            hz = hertz(number, Kind.AUDIO)
            (at,) = usual.expected(usual.meeting.manner.name.format(number), Kind.AUDIO).values()
            alone = levels(usual.of("stem", number, Kind.AUDIO).path, hz, at)
            together = levels(mix.path, hz, at)
            changes += [mixed - single for mixed, single in zip(together, alone, strict=True)]
        assert max(changes) - min(changes) < 0.5
        # There may be less of everybody, but not for each that comes: -6 dB is what two would get.
        assert -4 < min(changes) <= max(changes) < 1


def test_8_aac_hears_nothing_of_its_own_beginning(usual: Production) -> None:
    (aac,) = [made for made in usual.products if made.output.form == "mp4"]
    for number in range(2):
        who = usual.meeting.manner.name.format(number)
        (expected,) = usual.expected(who, Kind.AUDIO).values()
        tones, duration_ms = ffmpeg_heard(aac.path, hertz(number, Kind.AUDIO))
        assert compare(expected, tones, 10).right
        assert duration_ms == pytest.approx(aac.duration_ms, abs=25)


def test_9_a_name_is_nothing_but_a_name(tmp_path: Path) -> None:
    name = 'it\'s "$(touch x)" & ..; rm -rf * {:02d} \u202e\u00e9'

    made = made_of(tmp_path, "track", "av", "stem", "mix", name=name)

    assert faults(made) == []
    assert {made.output.participant_id for made in made.products} == {None, name.format(0), name.format(1)}


def test_10_twenty_five_people_are_all_heard(tmp_path: Path) -> None:
    made = made_of(tmp_path, "stem", "mix", people=25, minutes=0.2, video=False)

    assert faults(made) == []
    assert len([one for one in made.products if one.output.product == "stem"]) == 25
    assert peak(made.of("mix").path) < 1


# --- what else recorders do ---


def test_silence_that_was_not_sent_is_there(tmp_path: Path) -> None:
    made = made_of(tmp_path, "track", "stem", people=1, video=False, mutes=False)

    assert heard(made.meeting.segments[0].data, []).duration_ms < 14_000
    assert faults(made) == []


def test_what_was_lost_on_the_way_is_silent_and_told(tmp_path: Path) -> None:
    made = made_of(tmp_path, people=1, minutes=0.7, dtx=False, mutes=False, loss=True)

    (sound,) = [stored for stored in made.engine.stored if stored.kind is Kind.AUDIO]
    assert (32_000, 32_300) in sound.holes
    assert faults(made) == []


@pytest.mark.parametrize("pre_skip", [False, True])
@pytest.mark.parametrize("stereo", [False, True])
def test_one_channel_or_two(stereo: bool, pre_skip: bool, tmp_path: Path) -> None:
    made = made_of(tmp_path, "track", "stem", people=1, video=False, stereo=stereo, pre_skip=pre_skip)

    assert faults(made) == []
    for file_made in made.products:
        with av.open(file_made.path) as file:
            assert file.streams.audio[0].channels == 1 + stereo


@pytest.mark.parametrize("codec", ["vp9", "h264", "av1"])
def test_every_codec_is_copied(codec: str, tmp_path: Path) -> None:
    made = made_of(tmp_path, "track", "av", codec=codec)

    assert {stored.codec for stored in made.engine.stored} == {"opus", codec}
    assert faults(made) == []


def test_first_timestamps_are_zero_or_not_or_negative(usual: Production) -> None:
    assert {segment.first_ms for segment in usual.meeting.segments} == {-7, 0, 80, 240}


def test_a_segment_of_one_packet_has_its_place(tmp_path: Path) -> None:
    spans = {
        (0, Kind.AUDIO): ((0, 12_000), (13_000, 13_020), (19_000, 30_000)),
        (0, Kind.VIDEO): ((0, 12_000), (13_000, 13_001), (19_000, 30_000)),
    }

    made = made_of(tmp_path, people=1, dtx=False, spans=spans)

    assert [s.packets for s in made.meeting.segments if s.start == 13_000] == [1, 1]
    assert faults(made) == []
    assert 13_000 in made.seen(made.of("track", 0, Kind.VIDEO)).times


def test_a_segment_of_no_packet_is_refused_and_the_rest_made(tmp_path: Path) -> None:
    whole = meeting(1, 0.3, size=SIZE)
    engine = Engine(Shelf(tmp_path))
    for segment in whole.segments:
        engine.ingested(segment)

    with pytest.raises(NotRecording, match="no_packets"):
        engine.ingested(replace(whole.segments[0], end=whole.segments[0].start))

    assert faults(Production(whole, engine, engine.produced("track", "stem"))) == []


OVERLAPPING = {
    "in part": ((0, 22_000), (13_000, 29_000)),
    "wholly": ((0, 29_000), (9_000, 19_000)),
    "not, but touching": ((0, 13_000), (13_000, 29_000)),
}


@pytest.mark.parametrize("spans", OVERLAPPING.values(), ids=OVERLAPPING)
def test_segments_that_overlap_are_heard_and_seen_once(
    spans: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    made = made_of(tmp_path, people=1, spans={(0, Kind.AUDIO): spans, (0, Kind.VIDEO): spans})

    assert faults(made) == []


def test_a_file_that_came_twice_is_used_once(tmp_path: Path) -> None:
    whole = meeting(1, 0.3, size=SIZE)
    engine = Engine(Shelf(tmp_path))
    for segment in [*whole.segments, *whole.segments]:
        engine.ingested(segment)

    assert faults(Production(whole, engine, engine.produced("track", "av", "stem"))) == []


def test_who_left_and_came_back_is_on_the_same_track(tmp_path: Path) -> None:
    spans = {(1, kind): ((3_000, 8_000), (27_000, 39_000)) for kind in (Kind.AUDIO, Kind.VIDEO)}

    made = made_of(tmp_path, minutes=0.7, spans=spans)

    assert faults(made) == []


def test_a_clock_that_runs_fast_is_corrected(tmp_path: Path) -> None:
    turns = ((0, 20_000), (50_000, 61_000), (110_000, 121_000), (170_000, 181_000), (190_000, 330_000))
    spans = {(0, Kind.AUDIO): ((0, 20_000),), (1, Kind.AUDIO): turns}
    said: dict[str, Any] = {"clock": "running", "drift_ppm": 200, "spans": spans}
    made = made_of(tmp_path, "track", "stem", minutes=5.5, video=False, **said)

    drift = made.engine.session.drifts[made.meeting.manner.name.format(1)]
    assert drift.corrected
    assert drift.ppm == pytest.approx(200, abs=40)
    # Without, the last tone would be 28 ms late.
    assert faults(made, stem_ms=10) == []


def test_a_sound_card_that_runs_fast_is_held_to_the_timestamps(tmp_path: Path) -> None:
    spans = {(0, Kind.AUDIO): ((0, 20_000),), (1, Kind.AUDIO): ((0, 60_000),)}

    said: dict[str, Any] = {"clock": "arrival", "drift_ppm": 500, "spans": spans}
    made = made_of(tmp_path, "track", "stem", minutes=1, video=False, **said)

    assert faults(made, stem_ms=10) == []
