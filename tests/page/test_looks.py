"""Where things lie, on screens from a small phone's to a large one."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.page.conftest import Watch
from tests.page.meeting import REVIEW, TROUBLED, Take
from tests.page.stack import Stack

WIDE = 16 / 9
FIVE = replace(
    REVIEW,
    names={**REVIEW.names, "dora": "Dora Novak", "emil": "Emil Sørensen"},
    takes=(*REVIEW.takes, *(Take(who, "audio", ((0, 16_000),)) for who in ("dora", "emil"))),
)


def box(found: Locator) -> FloatRect:
    told = found.bounding_box()
    assert told
    return told


def boxes(found: Locator) -> list[FloatRect]:
    return [box(one) for one in found.all()]


def within(outer: FloatRect, inner: Iterable[FloatRect]) -> bool:
    return all(
        outer["x"] <= one["x"]
        and outer["y"] <= one["y"]
        and one["x"] + one["width"] <= outer["x"] + outer["width"]
        and one["y"] + one["height"] <= outer["y"] + outer["height"]
        for one in inner
    )


def at(page: Page, ms: int) -> None:
    """Be at a moment."""
    page.locator(".scrub").fill(str(ms))
    expect(page.locator(".ruler")).to_have_attribute("aria-valuenow", str(ms))


@pytest.mark.parametrize("size", [(1440, 1000), (2560, 1440)], ids=str)
def test_beside_a_shared_screen_all_faces_fit_and_the_screen_has_hardly_bars(
    watch: Watch, stack: Stack, size: tuple[int, int]
) -> None:
    stack.meetings = [FIVE]
    watched = watch(expected="404")
    watched.page.set_viewport_size({"width": size[0], "height": size[1]})
    page = watched.open(FIVE.session_id)
    at(page, 5_000)
    expect(page.locator(".stage.sharing .screens .tile.seen")).to_be_visible()

    faces, (screen,) = boxes(page.locator(".faces .tile")), boxes(page.locator(".screens .tile.seen"))

    assert [face["width"] / face["height"] for face in faces] == pytest.approx([WIDE] * 5, rel=0.02)
    assert within(box(page.locator(".stage")), [*faces, screen])
    assert screen["width"] / screen["height"] == pytest.approx(WIDE, rel=0.08)


def test_whose_picture_does_not_come_has_their_initials_in_the_middle(watch: Watch) -> None:
    page = watch(expected="404").open(TROUBLED.session_id)

    tile = page.locator('.tile[data-participant="ada"]')

    face, middle = box(tile.locator(".avatar")), box(tile)
    for side, length in (("x", "width"), ("y", "height")):
        assert face[side] + face[length] / 2 == pytest.approx(middle[side] + middle[length] / 2, abs=1)  # type: ignore[literal-required]


def test_on_a_phone_a_finding_has_its_width_and_its_button_below(watch: Watch) -> None:
    page = watch(360, expected="404").open(TROUBLED.session_id)

    for finding in page.locator(".verdict > .findings > li").all():
        words, button = box(finding.locator("> div")), box(finding.get_by_role("button"))
        assert words["width"] > 0.75 * box(finding)["width"]
        assert button["y"] >= words["y"] + words["height"]
        assert button["height"] < 40


def test_on_a_phone_the_playhead_runs_through_no_words(watch: Watch) -> None:
    page = watch(360).open(REVIEW.session_id)
    page.locator(".timeline .lane").first.scroll_into_view_if_needed()
    page.mouse.move(1, 1)

    def looks() -> list[bytes]:
        """The whole pixels of the first names and kinds."""
        inner = [
            {
                "x": found["x"] + 1,
                "y": found["y"] + 1,
                "width": found["width"] - 2,
                "height": found["height"] - 2,
            }
            for found in boxes(page.locator(".timeline .person:first-child :is(.who, .what)"))
        ]
        return [page.screenshot(clip=FloatRect(**found)) for found in inner]  # type: ignore[typeddict-item]

    at(page, 1_500)
    before = looks()
    at(page, 15_900)

    assert looks() == before


def test_on_a_phone_faces_do_not_cover_each_other(watch: Watch) -> None:
    page = watch(360).open()

    faces = boxes(page.locator(".session", has_text="weekly-review").locator(".avatar"))

    assert len(faces) == 3
    assert all(one["x"] + one["width"] <= other["x"] for one, other in pairwise(faces))
