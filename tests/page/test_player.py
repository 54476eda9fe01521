"""Playing together, measured from what is heard and seen, not from what the elements say."""

from itertools import combinations
from statistics import median
from typing import Any

from playwright.sync_api import Page, expect

from tests.page.conftest import Watch
from tests.page.meeting import REVIEW, ZERO
from tests.page.stack import Stack

# Each microphone that is on air goes into a channel of its own of one recording; each camera is looked at in
# every frame. Beeps and flashes come at every whole second of the session clock.
LISTEN = """async (ms) => {
    const ears = new AudioContext({sampleRate: 48000});
    await ears.resume();
    const heard = new Map();
    const hear = (element) => {
        const name = element.src.split('/').at(-1).split('?')[0];
        const source = ears.createMediaElementSource(element);
        const tap = ears.createScriptProcessor(512, 1, 1);
        const onsets = [];
        let quiet = Infinity;
        tap.onaudioprocess = ({inputBuffer, playbackTime}) => {
            inputBuffer.getChannelData(0).forEach((level, n) => {
                quiet += 1;
                if (Math.abs(level) < 0.05) return;
                if (quiet > 14400) onsets.push((playbackTime + n / 48000) * 1000);
                quiet = 0;
            });
        };
        source.connect(tap);
        tap.connect(ears.destination);
        heard.set(name, onsets);
    };
    const on = (element) => element.src && !element.paused;
    [...document.querySelectorAll('audio')].filter(on).forEach(hear);
    const seen = new Map();
    const eye = new OffscreenCanvas(8, 8).getContext('2d', {willReadFrequently: true});
    const bright = new Map();
    const look = (video, name) => video.requestVideoFrameCallback((now, frame) => {
        eye.drawImage(video, 0, 0, 8, 8);
        const white = eye.getImageData(4, 4, 1, 1).data[1] > 200;
        if (white && !bright.get(name)) seen.get(name).push(frame.expectedDisplayTime);
        bright.set(name, white);
        look(video, name);
    });
    for (const video of [...document.querySelectorAll('video.on-air')].filter(on)) {
        const name = video.src.split('/').at(-1).split('?')[0];
        seen.set(name, []);
        look(video, name);
    }
    await new Promise((done) => setTimeout(done, ms));
    return {heard: Object.fromEntries(heard), seen: Object.fromEntries(seen)};
}"""


def position(page: Page) -> int:
    """Where the player says that it is, in milliseconds."""
    return int(str(page.locator(".ruler").get_attribute("aria-valuenow")))


def click_at(page: Page, ms: int) -> None:
    """Click a moment on the timeline."""
    box = page.locator(".ruler").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * ms / REVIEW.manifest()["durationMs"], box["y"] + 12)


def playing(page: Page) -> None:
    expect(page.locator('.toggle[data-state="playing"]')).to_be_visible()


def apart(onsets: dict[str, list[float]]) -> list[float]:
    """For every two sources, while both were on air, how far their onsets are apart, in milliseconds."""
    return [
        min(abs(one - other) for other in onsets[second])
        for first, second in combinations([name for name in onsets if onsets[name]], 2)
        for one in onsets[first]
        if onsets[second][0] - 500 < one < onsets[second][-1] + 500
    ]


def on_air(page: Page) -> dict[str, list[str]]:
    """Names of the files that are playing now, by tag."""
    found: dict[str, list[str]] = page.evaluate(
        """() => Object.fromEntries(['audio', 'video'].map((tag) => [tag, [...document.querySelectorAll(tag)]
            .filter((e) => !e.paused).map((e) => e.src.split('/').at(-1).split('?')[0]).sort()]))"""
    )
    return found


def test_participants_are_heard_and_seen_in_sync(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    click_at(page, 9_500)
    page.get_by_role("button", name="Play").click()
    playing(page)
    page.wait_for_timeout(1_500)

    told: dict[str, Any] = page.evaluate(LISTEN, 3_500)

    heard, seen = apart(told["heard"]), apart(told["seen"])
    assert len(heard) >= 4
    assert len(seen) >= 2
    assert median(heard) <= 40
    assert max(heard) <= 80
    # A flash is seen with the next frame, of 15 in a second, so sight is coarser than hearing.
    assert median(seen) <= 40 + 1000 / 15


def test_the_clock_advances_as_time_does_and_stops(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    page.keyboard.press("Space")
    playing(page)
    page.wait_for_timeout(200)

    before = page.evaluate("[performance.now(), +document.querySelector('.ruler').ariaValueNow]")
    page.wait_for_timeout(1_000)
    after = page.evaluate("[performance.now(), +document.querySelector('.ruler').ariaValueNow]")
    page.keyboard.press("Space")
    page.wait_for_timeout(100)
    stopped = position(page)
    page.wait_for_timeout(300)

    assert abs((after[1] - before[1]) - (after[0] - before[0])) < 250
    assert position(page) == stopped
    assert on_air(page) == {"audio": [], "video": []}


def test_in_a_gap_the_others_go_on(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    page.keyboard.press("Space")
    playing(page)

    click_at(page, 7_500)
    playing(page)
    page.wait_for_timeout(300)

    now = on_air(page)
    assert now["audio"] == [
        f"ben-audio-{ZERO + 1000}.webm",
        f"ben-screen_audio-{ZERO + 4000}.webm",
        f"chi-audio-{ZERO + 2000}.webm",
    ]
    assert f"ben-video-{ZERO + 1000}.webm" not in now["video"]
    expect(page.locator('.tile[data-participant="ada"]').first).not_to_have_class("voiced")
    page.wait_for_timeout(1_800)
    assert f"ada-audio-{ZERO + 9000}.webm" in on_air(page)["audio"]


def test_a_shared_screen_takes_the_stage(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    click_at(page, 3_000)
    expect(page.locator(".stage.sharing")).to_have_count(0)

    click_at(page, 5_000)

    expect(page.locator(".stage.sharing .screens .tile.seen")).to_be_visible()
    screen, face = (page.locator(s).first.bounding_box() for s in (".screens .tile", ".faces .tile"))
    assert screen
    assert face
    assert screen["width"] > 3 * face["width"]


def test_keys_move_and_a_muted_participant_is_silent(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".ruler")).to_have_attribute("aria-valuenow", "6000")
    page.get_by_role("button", name="Mute Ben Lindqvist").click()

    expect(page.get_by_role("button", name="Mute Ben Lindqvist")).to_have_attribute("aria-pressed", "true")
    silent = page.evaluate("[...document.querySelectorAll('audio')].filter((e) => e.muted).map((e) => e.src)")
    assert {"ben" in src.rpartition("/")[2] for src in silent if src} == {True}


def test_the_end_stops_it_and_play_begins_anew(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    click_at(page, 15_600)
    page.keyboard.press("Space")

    expect(page.locator('.toggle[data-state="paused"]')).to_be_visible()
    expect(page.locator(".ruler")).to_have_attribute("aria-valuenow", "16000")
    page.keyboard.press("Space")
    playing(page)

    assert position(page) < 3_000


def test_addresses_that_have_expired_are_asked_for_again(watch: Watch, stack: Stack) -> None:
    stack.valid_seconds = 2
    page = watch(expected="403").open(REVIEW.session_id)
    page.wait_for_timeout(2_200)

    # What plays from 9.5 s on was not loaded ahead at the beginning.
    click_at(page, 9_500)
    stack.valid_seconds = 900
    page.keyboard.press("Space")

    playing(page)
    page.wait_for_timeout(600)
    assert f"ada-audio-{ZERO + 9000}.webm" in on_air(page)["audio"]
