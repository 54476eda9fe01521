"""What is on the timeline's lanes: sound, pictures, gaps and marks, and what is said of them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from chalicelib.core.plan import NAMES
from chalicelib.core.steps import Wanted
from chalicelib.media.jpeg import Picture
from chalicelib.media.sound.peaks import Peaks
from tests.page.conftest import Watch
from tests.page.laid import COLUMN, Open, bare, showing
from tests.page.meeting import REVIEW, TROUBLED, UNDER_WAY, ZERO
from tests.page.stack import Stack


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    yield from showing(browser, tmp_path)


# --- what is on the lanes ---------------------------------------------------------------------------------


def with_artifact(product: str, key: str, who: str, kind: str) -> dict[str, Any]:
    manifest = bare(REVIEW.manifest())
    made = {"product": product, "key": key, "participantId": who, "kind": kind, "start": 0, "end": 16_000}
    return {**manifest, "artifacts": [made]}


def test_a_waveform_is_high_where_the_sound_is_loud(shown: Open) -> None:
    timeline = shown()
    peaks = Peaks()
    for level in (0, 32_000, 3_000, 0):
        swing = np.tile(np.array([level, -level], np.int16), 4 * 24_000)
        peaks.add(swing.reshape(-1, 1))
    (timeline.stack.folder / "peaks.dat").write_bytes(peaks.dat())

    timeline.draw(with_artifact("peaks", "s/peaks.dat", "ben", "audio"))
    timeline.until("timeline.people.get('ben').lanes[0].levels.length")

    def height(ms: int) -> int:
        """Of the bar there; between bars there is only the segment's body."""
        columns = [timeline.column("ben", "audio", ms + more) for more in range(0, 160, 16)]
        return max(sum(colour != column[1] for colour in column) for column in columns)

    quiet, loud, soft = height(2_500), height(6_000), height(10_000)
    assert quiet <= 2
    assert loud >= 22
    assert 5 <= soft <= 0.6 * loud


def test_what_is_drawn_and_listened_to_is_fetched_once(watch: Watch, stack: Stack, tmp_path: Path) -> None:
    seen = replace(REVIEW, wanted=Wanted(frozenset({NAMES["peaks"]})), made=("sound",))
    stack.meetings, stack.folder = [seen], tmp_path
    for key in seen.files:
        if key.endswith(".dat"):
            (tmp_path / key.rpartition("/")[2]).write_bytes(Peaks().dat())
    watched = watch(expected="404")
    page = watched.open(seen.session_id)
    keys = [key for key in seen.files if key.endswith(".dat") and "screen" not in key]
    page.locator(".lane").last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)

    fetched = [unquote(urlsplit(url).path).removeprefix("/outputs/") for url in watched.asked]
    assert sorted(key for key in fetched if key in keys) == sorted(keys)


CELLS = [(60, 90, 90), (120, 60, 200), (180, 200, 60), (235, 128, 128)]


def sheet() -> bytes:
    """Four cells in a row, each in one colour."""
    luma = b"".join(b"".join(bytes([cell[0]]) * 160 for cell in CELLS) for _ in range(90))
    tints = [b"".join(b"".join(bytes([cell[n]]) * 80 for cell in CELLS) for _ in range(45)) for n in (1, 2)]
    return Picture(640, 90, b"".join((luma, *tints))).jpeg(2)


def test_a_filmstrip_shows_what_was_seen_at_each_moment(shown: Open) -> None:
    timeline = shown(sharp=2)
    cues = [
        f"\n00:00:{a:06.3f} --> 00:00:{b:06.3f}\na%20b-1.jpg#xywh={160 * n},0,160,90\n"
        for n, (a, b) in enumerate(pairwise([0.5, 4, 8, 12, 16]))
    ]
    (timeline.stack.folder / "a b.vtt").write_text("WEBVTT\n" + "".join(cues))
    (timeline.stack.folder / "a b-1.jpg").write_bytes(sheet())

    timeline.draw(with_artifact("sprite", "s/a b.vtt", "ada", "video"))
    timeline.until("asked.includes('s/a b-1.jpg')")
    timeline.until(f"({COLUMN})(['ada', 'video', 2000])[1] < 110")

    seen = [timeline.column("ada", "video", ms)[40] for ms in (2_000, 6_500, 10_500, 14_500)]
    brightness = [0.3 * r + 0.59 * g + 0.11 * b for r, g, b, _ in seen]
    assert brightness == pytest.approx([luma for luma, _, _ in CELLS], abs=12)


def test_without_a_filmstrip_the_poster_stands_where_its_segment_begins(shown: Open) -> None:
    timeline = shown()
    white = Picture(160, 90, bytes([235]) * 14_400 + bytes([128]) * 7_200).jpeg(2)
    (timeline.stack.folder / "poster.jpg").write_bytes(white)
    manifest = with_artifact("poster", "s/poster.jpg", "ada", "video")
    manifest["artifacts"][0]["start"] = 500

    timeline.draw(manifest)
    timeline.until("asked.includes('s/poster.jpg')")
    timeline.until(f"({COLUMN})(['ada', 'video', 1000])[1] > 220")

    assert timeline.column("ada", "video", 1_000)[20][:3] == pytest.approx((235, 235, 235), abs=6)
    assert timeline.column("ada", "video", 6_000)[20][0] < 220


def test_only_lanes_in_view_fetch_what_they_show(shown: Open) -> None:
    manifest = bare(REVIEW.manifest())
    person = manifest["participants"][0]
    crowd = [{**person, "participantId": f"p{n:02}"} for n in range(40)]
    peaks = [
        {
            "product": "peaks",
            "key": f"{who['participantId']}.dat",
            "participantId": who["participantId"],
            "kind": "audio",
            "start": 0,
            "end": 1,
        }
        for who in crowd
    ]
    timeline = shown()

    timeline.draw({**manifest, "participants": crowd, "artifacts": peaks})
    timeline.until("asked.includes('p00.dat')")

    assert "p39.dat" not in timeline.page.evaluate("asked")
    timeline.page.locator('[aria-label="p39"]').or_(
        timeline.page.locator(".person").last
    ).scroll_into_view_if_needed()
    timeline.until("asked.includes('p39.dat')")


def test_thousands_of_segments_are_no_elements(shown: Open) -> None:
    nothing = dict.fromkeys(("codec", "width", "height", "clock"))
    starts = range(0, 10_800_000, 108_000)
    track = {
        "segments": [
            {"start": at, "end": at + 60_000, "file": f"{at}", "state": "stored", "holes": [], **nothing}
            for at in starts
        ],
        "gaps": [{"start": at + 60_000, "end": at + 108_000, "reason": "off"} for at in starts],
    }
    tracks = [{"kind": kind, **track} for kind in ("audio", "video")]
    people = [{"participantId": f"p{who:02}", "name": None, "tracks": tracks} for who in range(25)]
    timeline = shown()

    timeline.draw({**bare(REVIEW.manifest()), "durationMs": 10_800_000, "participants": people})

    assert len(timeline.boxes("segment")) == 5_000
    assert timeline.page.evaluate("document.querySelectorAll('.timeline *').length") < 1_500
    assert len(timeline.runs("p00", "audio")) == 100


# --- what is said -----------------------------------------------------------------------------------------

GAPS = [
    ("ada", "audio", 6_000, "The microphone was muted (3 s)"),
    ("ben", "video", 7_000, "The camera was off (3 s)"),
    ("ben", "screen_video", 0, "No recording was running (4 s)"),
]


def test_a_gap_says_why_it_is_there_and_exactly_when(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()))

    for who, kind, start, words in GAPS:
        gap = next(
            b
            for b in timeline.boxes("gap")
            if (b["participantId"], b["kind"], b["start"]) == (who, kind, start)
        )
        readout = timeline.hover(gap, into=20)
        expect(readout.locator("span")).to_have_text(words)
        moment = start + 20 * 16_000 / timeline.view[2]
        minutes, seconds = readout.locator("b").inner_text().split(":")
        assert int(minutes) * 60_000 + float(seconds) * 1000 == pytest.approx(moment, abs=16)
        clock = timeline.page.evaluate("(at) => new Date(at).toLocaleTimeString('en-GB')", ZERO + moment)
        assert readout.locator("time").inner_text().startswith(clock)


def test_what_is_missing_or_odd_is_said_where_it_is(shown: Open) -> None:
    timeline = shown()
    timeline.draw(TROUBLED.manifest())
    lost = [box for box in timeline.boxes("gap") if box["state"] == "lost"]
    cut = next(box for box in timeline.boxes("segment") if box["state"] == "tail_lost")
    unsure = next(b for b in timeline.boxes("segment") if (b["participantId"], b["kind"]) == ("ben", "audio"))

    assert [box["start"] for box in lost] == [700_000, 800_000]
    expect(timeline.hover(lost[0]).locator("span")).to_contain_text(
        "Here belongs a-1789914300000.webm: VideoSDK announced"
    )
    expect(timeline.hover(cut, into=40).locator("span")).to_contain_text("its tail is missing")
    expect(timeline.hover(cut, into=cut["width"] * 202 / 1500).locator("span")).to_contain_text(
        "No packets for 4 s"
    )
    expect(timeline.hover(unsure, into=30).locator("span")).to_contain_text("Placed to ±5000 ms")


def test_what_has_not_come_yet_is_said_so(shown: Open) -> None:
    timeline = shown()
    manifest = UNDER_WAY.manifest()
    track = manifest["participants"][0]["tracks"][0]
    track["gaps"] = [{"start": 5_000, "end": 9_000, "reason": "unknown"}]

    timeline.draw({**manifest, "durationMs": 9_000})

    assert [(gap["state"], gap["told"]) for gap in timeline.boxes("gap")] == [
        ("awaited", "Nothing has been delivered for this stretch yet (4 s)")
    ]


def test_starts_stops_joins_and_leaves_are_marked(shown: Open) -> None:
    manifest = bare(REVIEW.manifest())
    ada = manifest["participants"][0]
    ada["presence"] = [{"start": -2_000, "end": 15_000}]
    ada["marks"] = [
        {"at": -2_000, "what": "joined", "clock": "videosdk", "kind": None, "recordingId": None},
        {"at": 7_500, "what": "started", "clock": "videosdk", "kind": "audio", "recordingId": "r"},
        {"at": 15_000, "what": "left", "clock": "videosdk", "kind": None, "recordingId": None},
    ]
    timeline = shown()
    timeline.draw(manifest)
    _, span, wide = timeline.view
    lane = timeline.boxes("gap")[0]
    presence = timeline.page.locator(".presence .strip").first.bounding_box()
    assert presence

    mark = {"x": presence["x"] + wide * 7_500 / span, "y": lane["y"]}
    expect(timeline.hover(mark, into=2).locator("span")).to_have_text(
        "The recording started, by VideoSDK's clock, at 0:07.500"
    )
    assert max(timeline.column("ada", "audio", ms)[20][3] for ms in range(7_480, 7_520, 10)) > 128
    head = {"x": presence["x"], "y": presence["y"] + 8}
    expect(timeline.hover(head, into=2).locator("span")).to_contain_text(
        "Joined the meeting, by VideoSDK's clock, at \N{MINUS SIGN}0:02.000"
    )
    expect(timeline.hover(head, into=wide * 15_000 / span).locator("span")).to_contain_text(
        "Left the meeting"
    )
    expect(timeline.hover(head, into=wide / 2).locator("span")).to_have_text("In the meeting")
    expect(timeline.page.get_by_role("img", name="Left the meeting")).to_have_count(1)


def test_a_lane_is_read_out_and_listed_where_asked_for(shown: Open) -> None:
    timeline = shown()
    timeline.draw(TROUBLED.manifest())
    expect(
        timeline.page.get_by_role("img", name="Ada Okafor, Microphone: 2 segments, 2 gaps, 1 missing")
    ).to_have_count(1)
    opener = timeline.page.get_by_role("button", name="List of Ada Okafor, Microphone")

    opener.focus()
    timeline.page.keyboard.press("Enter")

    expect(opener).to_have_attribute("aria-expanded", "true")
    rows = timeline.page.locator(".listing ol li:not([data-what=mark])").all_inner_texts()
    told = ["Recorded: 10 min", "Gap: The microphone was muted", "Gap: Here belongs", "Recorded: 10 min"]
    assert len(rows) == 4
    assert all(words in row for words, row in zip(told, rows, strict=True))
    timeline.page.get_by_role("button", name=re.compile("^15:00.000")).click()
    assert timeline.page.evaluate("player.position") == 900_000


def test_colours_follow_the_scheme(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()))
    light = timeline.column("ada", "audio", 3_000)[20]

    timeline.page.emulate_media(color_scheme="dark")
    timeline.page.wait_for_timeout(100)
    timeline.settled()

    dark = timeline.column("ada", "audio", 3_000)[20]
    assert sum(dark[:3]) < sum(light[:3]) - 150
