"""The page in a real Chromium, served by the running stack, of what a simulated meeting left there."""

import struct
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from statistics import median
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from local.demo.script import PEOPLE
from tests.browser import PATIENCE_MS
from tests.e2e.conftest import Demo
from tests.e2e.stage import TIMEOUT_S, Stage, Told, until
from tests.e2e.visit import LISTEN, Visits, click_at, drawn, listed, play

pytestmark = pytest.mark.e2e

# --- the list -----------------------------------------------------------------------------------------


def test_the_list_has_the_session_with_who_was_there(visits: Visits, stage: Stage, demo: Demo) -> None:
    page = listed(visits(), stage)

    row = page.locator(".session", has_text=demo.room["roomId"])

    expect(row).to_contain_text("Complete")
    for name in PEOPLE.values():
        expect(row).to_contain_text(name)
    expect(row).to_contain_text("10 recordings")
    row.click()
    expect(page.locator("main h1")).to_have_text(demo.room["roomId"])
    assert set(page.locator(".timeline .name").all_text_contents()) == set(PEOPLE.values())


def test_what_is_under_way_appears_and_moves_on_by_itself(
    visits: Visits, stage: Stage, new: Callable[[str], str]
) -> None:
    room_id = new("live")
    page, meeting = listed(visits(), stage), stage.meeting(room_id)
    meeting.hold()
    session_id = meeting.join("ada", "Ada")
    asked = {"roomId": room_id, "participantId": "ada", "kind": "audio"}
    (recording,) = stage.api.post("/recordings/start", asked)["recordings"]
    row = page.locator(".session", has_text=room_id)
    expect(row).to_have_attribute("href", f"#/sessions/{session_id}", timeout=PATIENCE_MS)
    expect(row.locator(".badge")).to_have_text("Recording", timeout=PATIENCE_MS)

    row.click()
    _speak(meeting)
    expect_items(page, 1)
    _speak(meeting)
    expect_items(page, 2)
    stage.api.post("/recordings/stop", {"recordingId": recording["recordingId"]})
    meeting.end()
    meeting.close()

    expect(page.locator(".badge").first).to_have_text("Complete", timeout=3 * PATIENCE_MS)
    page.get_by_role("link", name="Sessions").click()
    expect(row.locator(".badge")).to_have_text("Complete", timeout=PATIENCE_MS)


def _speak(meeting: Any) -> None:
    meeting.unmute("ada", "audio")
    meeting.advance(1_500)
    meeting.mute("ada", "audio")
    meeting.advance(500)


def expect_items(page: Page, count: int) -> None:
    """So many segments on the timeline, as soon as they are."""
    until(f"{count} segments", lambda: len(drawn(page, "segment")) == count)


# --- the timeline -------------------------------------------------------------------------------------


def test_segments_and_gaps_lie_where_the_manifest_has_them(shown: Page, demo: Demo) -> None:
    width = shown.evaluate("document.querySelector('.timeline .ruler').clientWidth")
    pixels = width / demo.manifest["durationMs"]
    for what, of in (("segment", "segments"), ("gap", "gaps")):
        told = {
            (p["participantId"], t["kind"], s["start"], s["end"])
            for p in demo.manifest["participants"]
            for t in p["tracks"]
            for s in t[of]
        }
        boxes = {(b["participantId"], b["kind"], b["start"], b["end"]): b for b in drawn(shown, what)}

        assert boxes.keys() == told
        for (_, _, start, end), box in boxes.items():
            assert box["left"] == pytest.approx(start * pixels, abs=0.5)
            assert box["width"] == pytest.approx((end - start) * pixels, abs=0.5)


# How a lane's canvas is inked: for each CSS pixel from left to right, the colours of its rows.
COLUMNS = """(canvas) => {
    const {width, height, clientWidth} = canvas;
    const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
    const ink = (x, y) => data.slice(4 * (y * width + x), 4 * (y * width + x) + 4).join();
    const place = (x) => Math.floor((x * width) / clientWidth);
    const column = (x) => Array.from({length: height}, (_, y) => ink(x, y));
    return Array.from({length: clientWidth}, (_, x) => column(place(x)));
}"""
BARE = "0,0,0,0"
FLAG_PX = 9


def columns(page: Page, who: str, kind: str) -> list[list[str]]:
    """What a lane shows, once it shows anything."""
    lane = page.locator(f'.lane[data-participant="{who}"][data-kind="{kind}"]')
    lane.scroll_into_view_if_needed()
    return until("a drawn lane", lambda: _inked(lane.locator("canvas").evaluate(COLUMNS)))


def _inked(told: list[list[str]]) -> list[list[str]] | None:
    return told if any(set(column) != {BARE} for column in told) else None


@pytest.mark.parametrize(("who", "kind"), [("ada", "audio"), ("linus", "video"), ("grace", "screen_video")])
def test_each_segment_is_drawn_from_its_first_pixel_to_its_last(
    shown: Page, demo: Demo, who: str, kind: str
) -> None:
    ink, track = columns(shown, who, kind), person_track(demo, who, kind)
    pixels = len(ink) / demo.manifest["durationMs"]
    # Of a quarter's height: below the flags, beside the words of gaps, and where corners are round no more.
    row = [column[len(column) // 4] for column in ink]

    for segment in track["segments"]:
        first, last = round(segment["start"] * pixels), round(segment["end"] * pixels)
        assert BARE not in row[first + 1 : last - 1]
    for gap in track["gaps"]:
        first, last = round(gap["start"] * pixels), round(gap["end"] * pixels)
        # Where something was started or stopped, a flag stands in the gap.
        empty = row[first + 1 : last - 1]
        assert empty.count(BARE) >= len(empty) - 4 * FLAG_PX
        assert last - first < 4 * FLAG_PX or row[(first + last) // 2] == BARE


def person_track(demo: Demo, who: str, kind: str) -> Told:
    person = next(p for p in demo.manifest["participants"] if p["participantId"] == who)
    return next({**t, "who": who} for t in person["tracks"] if t["kind"] == kind)


def test_waveforms_are_the_peaks_of_the_sound(shown: Page, demo: Demo) -> None:
    (made,) = [
        artifact
        for artifact in demo.artifacts("peaks")
        if (artifact["participantId"], artifact["kind"]) == ("ada", "audio")
        and artifact["key"].endswith(".dat")
    ]
    loud = loudness(requests.get(made["url"], timeout=TIMEOUT_S).content)

    until("bars that are high where it beeps and low where it hums", lambda: waved(shown, demo, loud))


def waved(page: Page, demo: Demo, loud: list[float]) -> bool:
    """Whether Ada's lane is drawn as loud as that, now."""
    tall = heights(page, "ada")
    wide = len(tall) / demo.manifest["durationMs"]
    inside = [x for s in person_track(demo, "ada", "audio")["segments"] for x in sounding(s, wide)]
    heard = {x: max(loud[int(x / wide / 10) : int((x + 1) / wide / 10)]) for x in range(len(tall))}
    # Bars stand three pixels apart or more, and stand for all that is heard between them.
    beeps = [max(tall[x - 3 : x + 4]) for x in inside if heard[x] > 0.3]
    hums = [tall[x] for x in inside if max(heard[near] for near in range(x - 8, x + 9)) < 0.1]
    assert min(len(beeps), len(hums)) > 20
    return median(beeps) > 2 * median(hums)


def sounding(segment: Told, wide: float) -> list[int]:
    """The pixels of a segment, but for those at its edges and where packets are missing."""
    edges = [(hole["start"], hole["end"]) for hole in segment["holes"]]
    edges += [(segment["start"], segment["start"]), (segment["end"], segment["end"])]
    within = range(int(segment["start"] * wide), int(segment["end"] * wide))
    return [x for x in within if not any(start * wide - 8 < x < end * wide + 8 for start, end in edges)]


def heights(page: Page, who: str) -> list[int]:
    """Of each pixel from left to right, how high its bar is."""
    ink = columns(page, who, "audio")
    near_the_top = Counter(column[len(column) // 6] for column in ink)
    ground = next(colour for colour, _ in near_the_top.most_common() if colour != BARE)
    return [sum(colour not in (ground, BARE) for colour in column) for column in ink]


def loudness(dat: bytes) -> list[float]:
    """How loud each 10 ms is, by BBC audiowaveform's format."""
    version, flags, rate, each, length, _ = struct.unpack_from("<iIiiIi", dat)
    assert (version, flags, rate // each) == (2, 1, 100)
    pairs = struct.unpack_from(f"{2 * length}b", dat, 24)
    return [max(-low, high) / 128 for low, high in zip(pairs[::2], pairs[1::2], strict=True)]


# --- the player ---------------------------------------------------------------------------------------


def apart(onsets: dict[str, list[float]]) -> list[float]:
    """For every two that heard or saw the same, how far that was apart, in milliseconds."""
    told = [found for found in onsets.values() if found]
    near = [
        min(abs(one - other) for other in second) for first, second in combinations(told, 2) for one in first
    ]
    return [ms for ms in near if ms < 500]


def position(page: Page) -> int:
    return int(str(page.locator(".ruler").get_attribute("aria-valuenow")))


def test_everybody_is_heard_and_seen_at_the_same_time(shown: Page, demo: Demo) -> None:
    click_at(shown, demo.manifest, 26_500)
    play(shown)
    shown.wait_for_timeout(1_000)

    told = shown.evaluate(LISTEN, 4_500)

    heard, seen = apart(told["heard"]), apart(told["seen"])
    assert len(heard) >= 3, told
    assert len(seen) >= 3, told
    assert median(heard) <= 40
    # A flash is seen with the next picture, of up to 15 in a second, and a screen's of 5.
    assert median(seen) <= 40 + 1000 / 15


def test_in_a_gap_the_others_go_on_and_who_was_muted_comes_in_again(shown: Page, demo: Demo) -> None:
    gap = next(g for g in person_track(demo, "ada", "audio")["gaps"] if g["start"] > 5_000)
    click_at(shown, demo.manifest, gap["start"] + 200)
    assert abs(position(shown) - gap["start"] - 200) < 60

    play(shown)
    heard = shown.evaluate(LISTEN, 6_500)["heard"]

    (ada,), (grace,) = beeps(heard, demo, "ada"), beeps(heard, demo, "grace")
    assert len(grace) >= 3
    assert 0 < len(ada) < len(grace)
    assert ada[0] > grace[0] + 500
    assert position(shown) > gap["end"]


def beeps(heard: dict[str, list[float]], demo: Demo, who: str) -> list[list[float]]:
    """What was heard of somebody's microphone, file by file."""
    owners = {made["key"]: (made["participantId"], made["kind"]) for made in demo.manifest["artifacts"]}
    return [onsets for key, onsets in heard.items() if owners[key] == (who, "audio")]


def test_a_link_to_a_moment_opens_there(visits: Visits, stage: Stage, demo: Demo) -> None:
    visit = visits()
    listed(visit, stage)

    visit.page.evaluate("(id) => { location.hash = `#/sessions/${id}?t=17.5`; }", demo.session_id)
    visit.page.wait_for_selector(".timeline .lane")

    until("the moment", lambda: position(visit.page) == 17_500)


# --- files --------------------------------------------------------------------------------------------


def test_a_file_can_be_taken_away(shown: Page, demo: Demo) -> None:
    # By its name, for other tests may have asked for the mix in other forms by now.
    row = shown.locator(".files .file", has_text="-mix.webm")

    with shown.expect_download() as coming:
        row.get_by_role("button", name="Download").click()

    (mix,) = demo.artifacts("mix")[:1]
    assert coming.value.path().stat().st_size == mix["bytes"]
