"""The timeline against its manifest: where everything is drawn, and how it is moved."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.page.conftest import Watch
from tests.page.laid import Open, bare, showing, spans
from tests.page.meeting import REVIEW, TROUBLED


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    yield from showing(browser, tmp_path)


# --- where things are ---------------------------------------------------------------------------------

SCREENS = [(1280, 1.0), (1280, 2.0), (360, 1.5)]


@pytest.mark.parametrize(("width", "sharp"), SCREENS)
def test_the_timeline_is_the_manifest_to_the_pixel_at_any_zoom(shown: Open, width: int, sharp: float) -> None:
    manifest = bare(REVIEW.manifest())
    timeline = shown(width, sharp)
    timeline.draw(manifest)

    for down, across, key in ((0, 0, "Control"), *[(-100, 0, "Control")] * 4, (0, 90, "")):
        timeline.wheel(120, down, across, key)
        start, span, wide = timeline.view
        for what in ("segments", "gaps"):
            boxes = timeline.boxes(what.removesuffix("s"))
            assert sorted((b["participantId"], b["kind"], b["start"], b["end"]) for b in boxes) == sorted(
                spans(manifest, what)
            )
            for box in boxes:
                assert box["left"] == pytest.approx((box["start"] - start) * wide / span, abs=0.01)
                assert box["width"] == pytest.approx((box["end"] - box["start"]) * wide / span, abs=0.01)
        for who, kind in {(who, kind) for who, kind, _, _ in spans(manifest, "segments")}:
            ends = [
                [(at - start) * wide / span for at in told[2:]]
                for told in spans(manifest, "segments")
                if told[:2] == (who, kind)
            ]
            wanted = [[max(0.0, left), min(wide, right)] for left, right in ends if right > 0 and left < wide]
            runs = timeline.runs(who, kind)
            assert len(runs) == len(wanted), (who, kind, runs, wanted)
            for run, edges in zip(runs, wanted, strict=True):
                assert run == pytest.approx(edges, abs=1)

    assert timeline.view[1] < manifest["durationMs"] / 4
    assert timeline.view[0] > 0


def test_zooming_keeps_the_moment_under_the_pointer(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(TROUBLED.manifest()))
    start, span, wide = timeline.view
    moment = start + span * 400 / wide

    for down in (-100, -100, -40, 60, -100, -7):
        before = timeline.view[1]
        timeline.wheel(400, down)
        start, span, wide = timeline.view
        assert (span < before) == (down < 0)
        assert start + span * 400 / wide == pytest.approx(moment, abs=span / wide)


# As often as it takes, and then some.
TURN = """([deltaY, clientX]) => {
    const turn = {deltaY, clientX, ctrlKey: true, bubbles: true, cancelable: true};
    const ruler = document.querySelector('.ruler');
    for (let n = 0; n < 40; n += 1) ruler.dispatchEvent(new WheelEvent('wheel', turn));
}"""


def test_it_zooms_from_everything_to_a_second_and_no_farther(shown: Open) -> None:
    manifest = bare(REVIEW.manifest()) | {"durationMs": 86_400_000}
    timeline = shown()
    timeline.draw(manifest)
    assert timeline.view[:2] == (0, 86_400_000)

    timeline.page.evaluate(TURN, [-1000, 700])
    assert timeline.view[1] == 1_000
    timeline.page.evaluate(TURN, [1000, 10])

    assert timeline.view[:2] == (0, 86_400_000)


def test_a_plain_wheel_scrolls_the_page_and_across_it_pans(shown: Open) -> None:
    timeline = shown(width=1280)
    timeline.draw(bare(REVIEW.manifest()))
    timeline.page.set_viewport_size({"width": 1280, "height": 300})
    timeline.wheel(200, -100)
    start, span, _ = timeline.view

    timeline.wheel(200, 60, key="")
    timeline.until("scrollY > 0")
    assert timeline.view[:2] == (start, span)
    timeline.wheel(200, 60, key="Shift")

    assert timeline.view[0] > start
    assert timeline.view[1] == pytest.approx(span)


# --- keys, buttons, the overview --------------------------------------------------------------------------


def test_keys_zoom_about_the_playhead_and_show_all(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()), 6_000)
    timeline.page.locator(".ruler").focus()

    timeline.page.keyboard.press("+")
    start, span, _ = timeline.view
    assert (start, span) == (3_000, 8_000)
    timeline.page.keyboard.press("-")
    assert timeline.view[:2] == (0, 16_000)
    timeline.page.keyboard.press("+")
    timeline.page.keyboard.press("0")

    assert timeline.view[:2] == (0, 16_000)


def test_keys_mean_nothing_where_the_timeline_has_neither_focus_nor_pointer(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()), 6_000)
    timeline.page.mouse.move(4, 850)

    timeline.page.keyboard.press("+")

    assert timeline.view[:2] == (0, 16_000)


def test_the_overview_moves_and_stretches_what_is_shown(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()))
    timeline.page.get_by_role("button", name="Zoom in").click()
    timeline.page.get_by_role("button", name="Zoom in").click()
    box = timeline.page.locator(".overview").bounding_box()
    assert box
    assert timeline.view[:2] == (0, 4_000)

    def drag(begin: float, end: float) -> None:
        timeline.page.mouse.move(box["x"] + box["width"] * begin / 16_000, box["y"] + 15)
        timeline.page.mouse.down()
        timeline.page.mouse.move(box["x"] + box["width"] * end / 16_000, box["y"] + 15, steps=3)
        timeline.page.mouse.up()

    pixel = 16_000 / box["width"]
    drag(2_000, 5_000)
    assert timeline.view[:2] == pytest.approx((3_000, 4_000), abs=pixel)
    drag(12_000, 12_000)
    assert timeline.view[:2] == pytest.approx((10_000, 4_000), abs=pixel)
    drag(10_000, 6_000)

    assert timeline.view[:2] == pytest.approx((6_000, 8_000), abs=pixel)


def test_the_playhead_stays_in_view_unless_the_reader_looks_elsewhere(shown: Open) -> None:
    timeline = shown()
    timeline.draw(bare(REVIEW.manifest()))
    timeline.page.locator(".ruler").focus()
    timeline.page.keyboard.press("+")
    timeline.page.keyboard.press("+")

    def play(ms: int) -> float:
        timeline.page.evaluate("(ms) => { player.position = ms; timeline.show(); }", ms)
        return timeline.view[0]

    for ms in range(3_600, 5_000, 200):
        play(ms)
    assert 3_000 < timeline.view[0] < 4_800
    timeline.wheel(200, 0, 900, key="")
    away = timeline.view[0]
    assert away > 5_000
    assert play(5_200) == away
    expect(timeline.page.locator(".playhead")).to_be_hidden()

    timeline.page.get_by_role("button", name="Follow").click()

    start, span, _ = timeline.view
    assert start < 5_200 < start + span


def test_a_press_on_a_lane_moves_the_player_there(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    box = page.evaluate("document.querySelector('.timeline').boxes().find((box) => box.start === 9000)")

    page.mouse.click(box["x"], box["y"])

    expect(page.locator(".ruler")).to_have_attribute("aria-valuenow", "9000")
