"""The player in its page: where it is, what is on air, who is heard, and what keys do."""

import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.conftest import Watch
from tests.page.meeting import REVIEW, ZERO
from tests.page.playing import Hall, Part, enter, opened
from tests.page.stack import Stack


def position(page: Page) -> float:
    """Where the player is, in milliseconds."""
    return float(page.locator(".scrub").input_value())


def until(page: Page, told: str) -> None:
    """Wait until an expression is true; the page's policy lets nobody else evaluate it."""
    deadline = time.monotonic() + 15
    while not page.evaluate(told):
        assert time.monotonic() < deadline, told
        page.wait_for_timeout(40)


def seek(page: Page, ms: int) -> None:
    page.locator(".scrub").fill(str(ms))


def playing(page: Page) -> None:
    expect(page.locator('.toggle[data-state="playing"]')).to_be_visible()


def on_air(page: Page) -> dict[str, list[str]]:
    """Names of the files that are playing now, by tag."""
    found: dict[str, list[str]] = page.evaluate(
        """() => Object.fromEntries(['audio', 'video'].map((tag) => [tag, [...document.querySelectorAll(tag)]
            .filter((e) => !e.paused).map((e) => e.dataset.key.split('/').at(-1)).sort()]))"""
    )
    return found


def volumes(page: Page) -> dict[str, float]:
    """How loud each microphone is that is loaded, by its owner."""
    found: dict[str, float] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('audio')]
            .map((e) => [e.dataset.key.split('/').at(-1).split('-')[0], e.muted ? 0 : e.volume]))"""
    )
    return found


def test_the_clock_advances_as_time_does_and_stops(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    page.keyboard.press("Space")
    playing(page)
    page.wait_for_timeout(200)

    before = page.evaluate("[performance.now(), document.querySelector('.scrub').valueAsNumber]")
    page.wait_for_timeout(1_000)
    after = page.evaluate("[performance.now(), document.querySelector('.scrub').valueAsNumber]")
    page.keyboard.press("Space")
    expect(page.locator('.toggle[data-state="paused"]')).to_be_visible()
    stopped = position(page)
    page.wait_for_timeout(300)

    assert 0 < after[1] - before[1] <= after[0] - before[0] + 100
    assert position(page) == stopped
    assert on_air(page) == {"audio": [], "video": []}


def test_in_a_gap_the_others_go_on(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    seek(page, 7_500)
    page.keyboard.press("Space")
    playing(page)
    page.wait_for_timeout(300)

    now = on_air(page)
    assert now["audio"] == [
        f"ben-audio-{ZERO + 1000}.webm",
        f"ben-screen_audio-{ZERO + 4000}.webm",
        f"chi-audio-{ZERO + 2000}.webm",
    ]
    assert f"ben-video-{ZERO + 1000}.webm" not in now["video"]
    expect(page.locator('.faces .tile[data-participant="ada"]')).to_have_class("tile seen")
    until(page, "document.querySelector('.scrub').valueAsNumber > 9300")
    assert f"ada-audio-{ZERO + 9000}.webm" in on_air(page)["audio"]


def test_a_shared_screen_takes_the_stage(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    seek(page, 3_000)
    expect(page.locator(".stage.sharing")).to_have_count(0)

    seek(page, 5_000)

    expect(page.locator(".stage.sharing .screens .tile.seen")).to_be_visible()
    screen, face = (page.locator(s).first.bounding_box() for s in (".screens .tile", ".faces .tile"))
    assert screen
    assert face
    assert screen["width"] > 2 * face["width"]


KEYS = {
    "ArrowRight": 10_000,
    "ArrowLeft": 0,
    "Shift+ArrowRight": 6_000,
    "Shift+ArrowLeft": 4_000,
    "l": 15_000,
    "j": 0,
    "Home": 0,
    "End": 16_000,
}


def test_keys_move(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    for key, lands in KEYS.items():
        seek(page, 5_000)
        page.keyboard.press(key)
        assert (key, position(page)) == (key, lands)


def test_keys_set_the_speed_silence_all_and_tell_of_themselves(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)

    page.keyboard.press(">")
    expect(page.get_by_label("Speed")).to_have_value("1.25")
    page.keyboard.press("<")
    page.keyboard.press("<")
    expect(page.get_by_label("Speed")).to_have_value("0.75")
    page.keyboard.press("m")
    until(page, "[...document.querySelectorAll('audio')].every((e) => e.muted)")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("10 seconds back")
    page.keyboard.press("k")
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator('.toggle[data-state="paused"]')).to_be_visible()


def test_each_participant_has_a_volume_and_can_be_muted_or_heard_alone(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    seek(page, 3_000)
    page.get_by_role("button", name="Mixer").click()
    mixer = page.get_by_role("group", name="Mixer")

    mixer.get_by_label("Volume of Ada").fill("40")
    mixer.get_by_role("button", name="Mute Ben Lindqvist").click()
    until(page, "[...document.querySelectorAll('audio')].some((e) => e.muted)")
    assert volumes(page) == {"ada": 0.4, "ben": 0, "chi": 1}
    expect(page.locator('.faces .tile[data-participant="ben"]')).to_have_class(re.compile("silenced"))

    mixer.get_by_role("button", name="Solo Ben Lindqvist").click()
    expect(mixer.get_by_role("button", name="Mute Ben Lindqvist")).to_have_attribute("aria-pressed", "false")
    until(page, "[...document.querySelectorAll('audio')].every((e) => e.muted !== /ben/.test(e.dataset.key))")
    assert volumes(page) == {"ada": 0, "ben": 1, "chi": 0}


def test_the_end_stops_it_and_play_begins_anew(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    seek(page, 15_600)
    page.keyboard.press("Space")

    until(page, "document.querySelector('.scrub').valueAsNumber === 16000")
    expect(page.locator('.toggle[data-state="paused"]')).to_be_visible()
    page.keyboard.press("Space")
    playing(page)

    assert position(page) < 8_000


def test_a_moment_has_a_link(watch: Watch) -> None:
    watched = watch()
    page = watched.open(REVIEW.session_id)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seek(page, 6_100)

    page.get_by_role("button", name="Copy a link to this moment").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)

    assert link.endswith(f"#/sessions/{REVIEW.session_id}?t=6.1")
    until(page, "document.querySelector('.scrub')?.valueAsNumber === 6100")


def test_addresses_that_have_expired_are_asked_for_again(watch: Watch, stack: Stack) -> None:
    stack.valid_seconds = 2
    page = watch(expected="403").open(REVIEW.session_id)
    page.wait_for_timeout(2_200)

    # What plays from 9.5 s on was not loaded ahead at the beginning.
    seek(page, 9_500)
    stack.valid_seconds = 900
    page.keyboard.press("Space")

    playing(page)
    until(page, "document.querySelector('.scrub').valueAsNumber > 9800")
    assert f"ada-audio-{ZERO + 9000}.webm" in on_air(page)["audio"]


def test_of_many_cameras_nine_are_decoded(browser: Browser, tmp_path: Path) -> None:
    crowd = tuple(Part(f"p{n:02}", "video", ((0, 4_000),)) for n in range(12))
    context = browser.new_context()
    with opened(Hall(tmp_path, crowd, 4_000)) as hall:
        page = enter(context.new_page(), hall, "staged(manifest)")
        until(page, "document.querySelectorAll('.tile.seen').length === 9")
        videos = page.locator("video").count()
        page.evaluate("player.close()")
        left = page.locator("video").count()
    context.close()

    assert videos == 9
    assert left == 0


# --- who speaks -----------------------------------------------------------------------------------------

SPEAKERS = """async (levels) => {
    const { NOBODY, speaking } = await import('/web/speaker.js');
    let now = NOBODY;
    return levels.map((told, n) => { now = speaking(now, told, n * 100); return now.id; });
}"""

type Levels = Callable[[int], dict[str, float]]


@pytest.fixture(scope="module")
def bare(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Any:
    context = browser.new_context()
    page = context.new_page()
    with opened(Hall(tmp_path_factory.mktemp("bare"), (), 1_000)) as hall:
        page.goto(f"http://127.0.0.1:{hall.port}/")
        yield page
    context.close()


@pytest.mark.parametrize(
    ("levels", "spoken"),
    [
        pytest.param(lambda _: {"ada": 0.005, "ben": 0.003}, [None], id="nobody, where all are quiet"),
        pytest.param(
            lambda n: {"ada": 0.5 * (n < 20), "ben": 0.5 * (n >= 20)}, ["ada", "ben"], id="in turns"
        ),
        pytest.param(lambda n: {"ada": 0.5 * (n % 4 > 0), "ben": 0.02}, ["ada"], id="one with pauses"),
        pytest.param(lambda n: {"ada": 0.3, "ben": 0.6 * (n % 15 == 9)}, ["ada"], id="a cough of another"),
        pytest.param(lambda n: {"ada": 0.30 + 0.03 * (n % 2), "ben": 0.32}, ["ben"], id="two at once"),
        pytest.param(lambda n: {"ada": 0.5 * (n < 10)}, ["ada", None], id="and then silence"),
    ],
)
def test_who_speaks_does_not_flicker(bare: Page, levels: Levels, spoken: list[str | None]) -> None:
    told = bare.evaluate(SPEAKERS, [levels(n) for n in range(60)])

    changes = [told[0], *(now for before, now in pairwise(told) if now != before)]
    assert [who for n, who in enumerate(changes) if n or who or len(changes) == 1] == spoken
