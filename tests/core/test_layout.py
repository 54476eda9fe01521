"""Tracks on one clock: in order, without overlap, and with a reason for every gap."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.ids import Kind, index_key
from chalicelib.core.layout import REASONS, Laid, layout
from chalicelib.core.session import Session
from tests.builders import SESSION, ZERO, given_up, name, rejected, stopped
from tests.core.stories import HOUR, MINUTE, asked, listed, meeting, recorded, segment, stay

AUDIO, VIDEO = Kind.AUDIO, Kind.VIDEO


def track(session: Session, participant_id: str = "anna", kind: Kind = AUDIO) -> Laid:
    """One of its tracks."""
    [found] = [t for t in layout(session) if (t.participant_id, t.kind) == (participant_id, kind)]
    return found


def pieces(laid: Laid) -> list[tuple[int, int]]:
    """The spans of a track of one codec."""
    [found] = laid.tracks
    return [(piece.start, piece.end) for piece in found.pieces]


OVERLAPS = [
    ("one", [(0, 90)], [(0, 90)], 0),
    ("apart", [(0, 10), (20, 90)], [(0, 10), (20, 90)], 0),
    ("touching", [(0, 20), (20, 90)], [(0, 20), (20, 90)], 0),
    ("overlapping", [(0, 30), (20, 90)], [(0, 20), (20, 90)], 0),
    ("one inside another", [(0, 90), (20, 30)], [(0, 90)], 1),
    ("begun at once", [(0, 30), (0, 90)], [(0, 90)], 1),
    ("three deep", [(0, 50), (20, 60), (40, 90)], [(0, 20), (20, 40), (40, 90)], 0),
    ("one after one inside", [(0, 50), (10, 20), (30, 90)], [(0, 30), (30, 90)], 1),
    ("without length", [(0, 90), (95, 95), (100, 110)], [(0, 90), (100, 110)], 1),
]


@pytest.mark.parametrize(
    ("spans", "expected", "unused"), [o[1:] for o in OVERLAPS], ids=[o[0] for o in OVERLAPS]
)
def test_a_piece_ends_where_the_next_begins(
    spans: list[tuple[int, int]], expected: list[tuple[int, int]], unused: int
) -> None:
    laid = track(meeting(*([asked("anna", AUDIO), segment("anna", AUDIO, *span)] for span in spans)))

    assert pieces(laid) == expected
    assert len(laid.overlapped) == unused


SPAN = st.tuples(st.integers(0, 40), st.integers(0, 30)).map(lambda told: (told[0], told[0] + told[1]))


@given(st.lists(SPAN, min_size=1, max_size=8, unique=True), st.integers(-3000, 3000))
def test_pieces_and_gaps_make_the_session_and_no_moment_that_was_recorded_is_lost(
    spans: list[tuple[int, int]], at: int
) -> None:
    session = meeting(*(recorded("anna", AUDIO, (at + start, at + end)) for start, end in spans))
    laid = track(session)
    zero, length = session.extent.start - ZERO, session.extent.end - session.extent.start
    found = pieces(laid) if laid.tracks else []

    shown = sorted([*found, *((gap.start, gap.end) for gap in laid.gaps)])
    heard = {moment - zero for start, end in spans for moment in range(at + start, at + end)}
    assert all(one[1] == other[0] for one, other in pairwise(shown))
    assert sum(end - start for start, end in shown) == length
    assert {moment for start, end in found for moment in range(start, end)} == heard


def test_who_left_and_rejoined_and_was_recorded_anew_has_one_track() -> None:
    laid = track(meeting(recorded("anna", AUDIO, (0, 10), (15, 20)), recorded("anna", AUDIO, (40, 90))))

    assert pieces(laid) == [(0, 10), (15, 20), (40, 90)]


def test_a_repeated_file_is_used_once() -> None:
    again = replace(
        segment("anna", AUDIO, 0, 90), etag="e2", modified_at=ZERO + 99, repaired_key="repaired-2.webm"
    )
    [piece] = track(meeting([asked("anna", AUDIO), segment("anna", AUDIO, 0, 90), again])).tracks[0].pieces

    assert (piece.source, piece.index) == ("repaired-2.webm", index_key("repaired-2.webm"))


def test_each_codec_has_its_own_track_on_the_same_clock() -> None:
    other = segment("anna", VIDEO, 50, 90, codec="h264")
    laid = track(meeting([asked("anna", VIDEO), segment("anna", VIDEO, 0, 60), other]), kind=VIDEO)

    told = [(t.codec, [(piece.start, piece.end) for piece in t.pieces]) for t in laid.tracks]
    assert told == [("h264", [(50, 90)]), ("vp8", [(0, 50)])]
    assert laid.gaps == ()


def test_a_corrected_drift_is_in_every_piece_and_shortens_what_a_fast_clock_made_long() -> None:
    fast = [segment("anna", AUDIO, 0, 2 * HOUR + 7200), segment("anna", AUDIO, 2 * HOUR, 3 * HOUR)]
    laid = track(meeting([asked("anna", AUDIO), *fast], recorded("bela", AUDIO, (0, MINUTE))))

    [first, second] = laid.tracks[0].pieces
    assert (first.ppm, second.ppm) == (1000, 1000)
    assert first.end == 2 * HOUR == second.start
    assert second.end == 3 * HOUR - 3596
    assert track(meeting([asked("anna", AUDIO), *fast])).tracks[0].pieces == (first, second)


def test_what_can_not_be_used_is_left_out() -> None:
    picture = segment("anna", AUDIO, 20, 30, codec="vp8")
    broken = segment("anna", AUDIO, 40, 50)
    undecodable = e.SegmentUndecodable(
        at=60, source=broken.repaired_key, file=broken.file, code="crashed", reason="it crashed its decoder"
    )
    absurd = segment("anna", AUDIO, -1000 * HOUR, -999 * HOUR)
    good = [segment("anna", AUDIO, 0, 10), segment("anna", AUDIO, 80, 90)]

    session = meeting([asked("anna", AUDIO), picture, broken, undecodable, absurd, *good])

    assert pieces(track(session)) == [(0, 10), (80, 90)]
    assert (session.extent.start, session.extent.end) == (ZERO, ZERO + 90)
    reasons = {finding.reason: finding.file for finding in session.verdict.missing}
    assert reasons["outside_session"] == absurd.file


# --- why there is nothing -----------------------------------------------------------------------------

A, B = name(ZERO, "anna"), name(ZERO + 50, "anna")
SOUND = [asked("anna", AUDIO), segment("anna", AUDIO, 0, 20), segment("anna", AUDIO, 80, 90)]
FILES = [A, name(ZERO + 80, "anna")]
LISTED = [*SOUND, listed(0, 100, FILES)]
WITH_B = [*SOUND, listed(0, 100, [*FILES, B])]
HERE = recorded("bela", AUDIO, (0, 100))
MISPLACED = replace(rejected("audio.webm"), participant_id="anna")

type Reason = tuple[str, list[e.Event], list[e.Event], list[tuple[int, int, str]]]
GAPS: list[Reason] = [
    ("muted", LISTED, [], [(20, 80, "off"), (90, 100, "off")]),
    ("the webhook named the files", [*SOUND, stopped(*FILES)], [], [(20, 80, "off"), (90, 100, "unknown")]),
    ("nobody named the files", SOUND, [], [(20, 80, "unknown"), (90, 100, "unknown")]),
    ("it ended before", [*SOUND, listed(0, 90, FILES)], [], [(20, 80, "off"), (90, 100, "not_recorded")]),
    ("a file never came", WITH_B, [], [(20, 50, "off"), (50, 80, "lost"), (90, 100, "off")]),
    ("a file was rejected", [*WITH_B, replace(rejected(B), participant_id="anna")], [],
     [(20, 50, "off"), (50, 80, "rejected"), (90, 100, "off")]),
    ("a file was given up", [*WITH_B, given_up(B)], [],
     [(20, 50, "off"), (50, 80, "given_up"), (90, 100, "off")]),
    ("a file without a stamp was rejected", [*LISTED, MISPLACED], [],
     [(20, 80, "unknown"), (90, 100, "unknown")]),
    ("she was away", LISTED, [stay("anna", -5, 30), stay("anna", 60, 200)],
     [(20, 30, "off"), (30, 60, "away"), (60, 80, "off"), (90, 100, "off")]),
    ("she is still there", LISTED, [stay("anna", -5, 30), stay("anna", 60, None)],
     [(20, 30, "off"), (30, 60, "away"), (60, 80, "off"), (90, 100, "off")]),
    ("a stay was told before it was over", LISTED, [stay("anna", -5, None), stay("anna", -5, 95)],
     [(20, 80, "off"), (90, 95, "off"), (95, 100, "away")]),
    ("a file was lost, and then she left", WITH_B, [stay("anna", -5, 60), stay("anna", 70, 200)],
     [(20, 50, "off"), (50, 60, "lost"), (60, 70, "away"), (70, 80, "lost"), (90, 100, "off")]),
    ("a file was lost while the list has her away", WITH_B, [stay("anna", -5, 40), stay("anna", 70, 200)],
     [(20, 40, "off"), (40, 50, "away"), (50, 80, "lost"), (90, 100, "off")]),
    ("nobody else's stay says anything", LISTED, [stay("bela", 0, 10)], [(20, 80, "off"), (90, 100, "off")]),
]  # fmt: skip


@pytest.mark.parametrize("story", GAPS, ids=[g[0] for g in GAPS])
def test_a_gap_has_its_reason(story: Reason) -> None:
    _, facts, own, expected = story

    laid = track(meeting(facts, HERE, own=own))

    assert [(gap.start, gap.end, gap.reason) for gap in laid.gaps] == expected


def test_every_reason_has_a_story() -> None:
    assert {reason for *_, expected in GAPS for _, _, reason in expected} == set(REASONS)


def test_between_two_recordings_nothing_was_recorded() -> None:
    laid = track(
        meeting(recorded("anna", AUDIO, (0, 10)), recorded("anna", AUDIO, (50, 90), ran=(40, 100)), HERE)
    )

    assert [(gap.start, gap.end, gap.reason) for gap in laid.gaps] == [
        (10, 40, "not_recorded"),
        (40, 50, "off"),
        (90, 100, "off"),
    ]


def test_a_refused_recording_explains_nothing() -> None:
    refused = [asked("anna", AUDIO), e.StartRefused(at=2, code="room_not_found", message="no such room")]

    assert [(g.start, g.end, g.reason) for g in track(meeting(refused, HERE)).gaps] == [
        (0, 100, "not_recorded")
    ]


def test_a_session_ends_after_a_day_and_so_do_its_pieces() -> None:
    laid = track(
        meeting(
            [asked("anna", AUDIO), segment("anna", AUDIO, 0, 10)], recorded("anna", AUDIO, (20, 30 * HOUR))
        )
    )

    assert pieces(laid) == [(0, 10), (20, 24 * HOUR)]


def test_a_session_of_nothing_has_no_tracks() -> None:
    assert layout(Session.of(SESSION, [], {})) == []
