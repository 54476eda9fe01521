"""The videos of a session: made on the page, followed while they are made, watched, and taken away."""

import re
import shlex
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import Watch, Watched
from tests.page.meeting import HOSTILE, REVIEW
from tests.page.stack import Stack
from tests.page.studio import LASTS_S, SIZE, Reel, Studio
from tests.page.test_axe import in_both_lights

ADA, BEN = [True, False], [False, True]
# Of what the film shows now, whether there is something at the left and at the right.
LOOK = """(video) => {
    const eye = new OffscreenCanvas(2, 1).getContext('2d', {willReadFrequently: true});
    eye.drawImage(video, 0, 0, 2, 1);
    const {data} = eye.getImageData(0, 0, 2, 1);
    return [data[0] + data[1] + data[2] > 60, data[4] + data[5] + data[6] > 60];
}"""
SEEK = """(video, at) => new Promise((done) => {
    const look = () => video.requestVideoFrameCallback((_, {mediaTime}) => {
        if (Math.abs(mediaTime - at) < 0.1) done(); else look();
    });
    look();
    video.pause();
    video.currentTime = at;
})"""
# The page has looked twice for what is to be asked for again.
TWO_TURNS = """() => new Promise((done) => {
    let turns = 0;
    document.addEventListener('reached', () => { turns += 1; if (turns === 2) done(); });
})"""
HEARD = "(video) => video.webkitAudioDecodedByteCount"
GOES_ON = "([video, at]) => video.currentTime > at"


def section(page: Page) -> Locator:
    return page.get_by_role("region", name="Videos")


def row(page: Page, title: str = "Grid") -> Locator:
    return section(page).locator("li.composition", has_text=title)


def opened(watched: Watched) -> Page:
    """The session, once its videos are there."""
    page = watched.open(REVIEW.session_id)
    expect(row(page).first).to_be_visible()
    return page


def film(page: Page) -> Locator:
    return page.locator("dialog.film video")


def play(page: Page) -> Locator:
    """Play the video, and wait until it goes on."""
    row(page).get_by_role("button", name="Play").click()
    goes_on(page, 0)
    return film(page)


def goes_on(page: Page, at: float) -> None:
    page.wait_for_function(GOES_ON, arg=[film(page).element_handle(), at])


def form(page: Page) -> Locator:
    section(page).get_by_role("button", name="Make a video").click()
    return page.get_by_role("dialog", name="Make a video")


def asked(watched: Watched, *paths: str) -> list[str]:
    """What was asked for of these, by the end of the address."""
    return [url for url in watched.asked if url.partition("?")[0].endswith(paths)]


# --- following ----------------------------------------------------------------------------------------


def test_a_video_appears_with_its_progress_and_moves_on_by_itself(watch: Watch, studio: Studio) -> None:
    composition_id = studio.asked()
    page = opened(watch())
    told, bar = row(page), row(page).get_by_role("progressbar", name="Rendered of Grid, 180p")
    expect(told.locator(".phase")).to_have_text("Waiting")
    estimate = studio.told()[0]["estimate"]
    expect(told).to_contain_text(
        f"Takes about {estimate['seconds']:.0f} s · about ${estimate['dollars']:.4f}"
    )
    assert bar.get_attribute("value") is None

    studio.planned(composition_id)
    studio.rendered(composition_id, 1)
    expect(told.locator(".phase")).to_have_text("Rendering")
    expect(told).to_contain_text(
        re.compile(r"1 of 2 parts\s· 2 . as fast as it lasts\s· \$0.\d+ of about \$0")
    )
    assert bar.evaluate("(bar) => [bar.value, bar.max]") == [1, 2]

    studio.rendered(composition_id, 2)
    expect(told.locator(".phase")).to_have_text("Being joined")
    studio.finished(composition_id)
    expect(told.locator(".phase")).to_have_text("Ready")
    expect(bar).to_have_count(0)
    expect(told).to_contain_text(re.compile(r"\$0\.\d+ spent, about \$0\.\d+ estimated"))


def test_when_all_are_over_nothing_is_asked_for_again(watch: Watch, studio: Studio) -> None:
    studio.ready()
    studio.failed(studio.asked(layout="speaker"), "States.Timeout", "it took too long")
    watched = watch()
    page = opened(watched)
    expect(section(page).locator("li.composition")).to_have_count(2)

    page.evaluate(TWO_TURNS)

    assert len(asked(watched, "/compositions")) == 1


def test_what_can_not_be_had_is_said_and_asked_for_again(watch: Watch, studio: Studio) -> None:
    studio.ready()
    studio.world.broken("ledger.read")
    page = watch(expected="503").open(REVIEW.session_id)
    expect(section(page).get_by_role("alert")).to_contain_text("ledger.read is down. The API had a fault.")

    studio.world.broken()

    expect(row(page)).to_be_visible()
    expect(section(page).get_by_role("alert")).to_have_count(0)


def test_one_that_failed_says_why_and_can_be_gone_on_with(watch: Watch, studio: Studio) -> None:
    composition_id = studio.asked()
    studio.planned(composition_id)
    studio.rendered(composition_id, 1)
    studio.failed(composition_id, "chunks_missing", "not every frame was rendered")
    page = opened(watch())
    told = row(page)
    expect(told.locator(".phase")).to_have_text("Not made")
    expect(told).to_contain_text("It could not be made: not every frame was rendered (chunks_missing).")
    expect(told.get_by_role("button", name="Play")).to_have_count(0)

    told.get_by_role("button", name="Try again").click()

    expect(told.locator(".phase")).to_have_text("Waiting")
    expect(told).not_to_contain_text("It could not be made")


def test_recordings_that_could_not_be_decoded_are_named(watch: Watch, studio: Studio) -> None:
    composition_id = studio.asked()
    [broken] = [
        segment["repairedKey"]
        for person in REVIEW.manifest()["participants"]
        for track in person["tracks"]
        for segment in track["segments"]
        if (person["participantId"], track["kind"]) == ("ben", "screen_video")
    ]
    studio.planned(composition_id)
    studio.rendered(composition_id, 1, slates={broken: "its decoder died", "sessions/gone.webm": "too large"})
    page = opened(watch())

    row(page).get_by_text("2 recordings could not be decoded: names are shown instead").click()

    told = row(page).locator(".slates li").all_text_contents()
    assert [words.partition(" ben-")[0].partition(" gone")[0] for words in told] == [
        "Ben Lindqvist, screen: its decoder died",
        "A file: too large",
    ]


# --- making -------------------------------------------------------------------------------------------


def test_a_video_is_made_as_it_was_chosen_and_its_estimate_is_told(watch: Watch, studio: Studio) -> None:
    page = watch().open(REVIEW.session_id)
    page.keyboard.press("ArrowRight")
    dialog = form(page)
    for choice in ("Speaker", "1080p", "25", "High", "From 0:05.0 on"):
        dialog.get_by_role("radio", name=re.compile(f"^{choice}")).check()
    dialog.get_by_role("checkbox", name="Everybody's name").uncheck()
    dialog.get_by_role("checkbox", name="MP4").uncheck()

    dialog.get_by_role("button", name="Make it").click()

    expect(dialog).to_have_count(0)
    expect(section(page).get_by_role("status")).to_contain_text(
        re.compile(r"It is being made\. It takes about \d+ s and costs about \$0\.\d+\.")
    )
    expect(row(page, "Speaker, 1080p")).to_contain_text(
        re.compile("0:05.0 . 0:16.0 · 25 frames a second · no names")
    )
    [made] = studio.told()
    assert made["request"] == {
        "layout": "speaker",
        "width": 1920,
        "height": 1080,
        "frameRate": 25,
        "range": {"start": 5_000, "end": 16_000},
        "participants": ["*"],
        "background": made["request"]["background"],
        "names": False,
        "formats": ["hls"],
        "quality": "high",
    }


def test_what_nobody_changed_is_the_apis_own_default(watch: Watch, studio: Studio) -> None:
    page = watch().open(REVIEW.session_id)

    form(page).get_by_role("button", name="Make it").click()

    expect(row(page, "Grid, 720p")).to_contain_text("All of it")
    [made] = studio.told()
    studio.world.pass_time(1)
    assert studio.asked(width=1280, height=720, frameRate=30) == made["compositionId"]


def test_what_is_asked_for_again_is_only_told_of(watch: Watch, studio: Studio) -> None:
    studio.ready(width=1280, height=720, frameRate=30)
    page = opened(watch())

    form(page).get_by_role("button", name="Make it").click()

    expect(section(page).get_by_role("status")).to_have_text("This very video is here already.")
    expect(row(page)).to_have_count(1)


def refused_formats(dialog: Locator) -> None:
    for box in dialog.get_by_role("group", name="Made as").get_by_role("checkbox").all():
        box.uncheck()


def refused_range(dialog: Locator) -> None:
    dialog.page.keyboard.press("Escape")
    dialog.page.locator(".scrub").fill("15500")
    form(dialog.page).get_by_role("radio", name="From 0:15.5 on").check()


@pytest.mark.parametrize(
    ("choose", "field", "words"),
    [
        (refused_formats, "Made as", "Formats can not be []. Expected: a list of mp4 and hls, or of one."),
        (refused_range, "Which part", "at least 1000 ms before 16000"),
    ],
    ids=["formats", "range"],
)
def test_a_refusal_is_told_where_what_was_refused_is(
    watch: Watch, studio: Studio, choose: Callable[[Locator], None], field: str, words: str
) -> None:
    page = watch(expected="400").open(REVIEW.session_id)
    dialog = form(page)
    choose(dialog)

    dialog.get_by_role("button", name="Make it").click()

    expect(dialog.get_by_role("group", name=field).get_by_role("alert")).to_contain_text(words)
    expect(dialog.get_by_role("alert")).to_have_count(1)
    assert studio.told() == []


# --- watching -----------------------------------------------------------------------------------------


def test_a_ready_one_plays_with_sound_and_seeks(watch: Watch, studio: Studio) -> None:
    studio.ready()
    watched = watch()
    page = opened(watched)
    assert asked(watched, ".mjs") == []

    video = play(page)

    assert video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == list(SIZE)
    assert video.evaluate("(video) => video.duration") == pytest.approx(LASTS_S, abs=0.1)
    page.wait_for_function(f"(video) => ({HEARD})(video) > 0", arg=video.element_handle())
    for at, seen in ((12.5, ADA), (3.5, BEN), (15.5, BEN), (0.5, ADA)):
        video.evaluate(SEEK, at)
        assert video.evaluate(LOOK) == seen, at
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(film(page)).not_to_be_visible()
    assert video.evaluate("(video) => video.networkState") == 0  # nothing is loaded any more


def test_one_that_is_being_made_grows_while_it_is_watched_and_then_has_sound(
    watch: Watch, studio: Studio
) -> None:
    composition_id = studio.asked()
    studio.planned(composition_id)
    studio.rendered(composition_id, 1)
    page = opened(watch())
    video, dialog = play(page), page.get_by_role("dialog", name="Grid, 180p")
    expect(dialog.get_by_role("status")).to_contain_text("The sound comes when it is ready.")
    assert video.evaluate(HEARD) == 0

    studio.rendered(composition_id, 2)
    studio.finished(composition_id)
    page.wait_for_function(
        "([video, end]) => Math.abs(video.duration - end) < 0.2", arg=[video.element_handle(), LASTS_S]
    )
    video.evaluate(SEEK, 12.5)
    assert video.evaluate(LOOK) == ADA
    dialog.get_by_role("button", name="Go on with sound").click()

    page.wait_for_function(f"(video) => ({HEARD})(video) > 0", arg=video.element_handle())
    goes_on(page, 12)
    expect(dialog.get_by_role("button", name="Go on with sound")).to_have_count(0)


def test_a_stream_that_does_not_answer_for_a_while_is_waited_for(
    watch: Watch, studio: Studio, stack: Stack
) -> None:
    studio.ready()
    page = opened(watch(expected="503"))
    stack.streaming = False
    row(page).get_by_role("button", name="Play").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("No answer, trying again.")

    stack.streaming = True

    goes_on(page, 0)
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("")


def test_one_that_was_deleted_meanwhile_says_so(watch: Watch, studio: Studio) -> None:
    composition_id = studio.ready()
    page = opened(watch(expected="404"))
    studio.answer("DELETE", [composition_id], {})

    row(page).get_by_role("button", name="Play").click()

    told = page.get_by_role("dialog").get_by_role("alert")
    expect(told).to_contain_text("The stream is not there any more")
    told.get_by_role("button", name="Try again").click()
    expect(told).to_contain_text("There is nothing to be watched of it now.")


def test_what_no_browser_can_decode_says_what_can_be_done(watch: Watch, studio: Studio) -> None:
    studio.ready()
    for key, (body, kind) in studio.world.shelf.files.items():
        if key.endswith(".m4s"):
            media = body.index(b"mdat") + 4
            studio.world.shelf.files[key] = body[:media] + b"\xff" * (len(body) - media), kind
    page = opened(watch())

    row(page).get_by_role("button", name="Play").click()

    told = page.get_by_role("dialog").get_by_role("alert")
    expect(told).to_contain_text("This browser can not play the video. Take the MP4 instead")


def test_a_browser_that_can_not_be_fed_plays_by_itself(watch: Watch, studio: Studio) -> None:
    studio.ready()
    watched = watch()
    watched.page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource")
    page = opened(watched)
    if not film(page).evaluate("(video) => video.canPlayType('application/vnd.apple.mpegurl')"):
        pytest.skip("this Chromium plays HLS only when it is fed")

    video = play(page)

    page.wait_for_function(f"(video) => ({HEARD})(video) > 0", arg=video.element_handle())
    assert asked(watched, ".mjs") == []


def test_one_without_a_stream_plays_as_the_file_that_it_is(watch: Watch, studio: Studio) -> None:
    studio.ready(formats=["mp4"])
    watched = watch()
    page = opened(watched)

    video = play(page)

    assert video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == list(SIZE)
    assert asked(watched, ".mjs", ".m3u8") == []


# --- taking away --------------------------------------------------------------------------------------


def test_the_file_is_downloaded_by_an_address_that_was_just_asked_for(
    watch: Watch, studio: Studio, reel: Reel
) -> None:
    composition_id = studio.ready()
    watched = watch()
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = opened(watched)

    with page.expect_download() as saved:
        row(page).get_by_role("button", name="Download Grid, 180p as MP4").click()
    assert saved.value.suggested_filename == f"{composition_id}.mp4"
    row(page).get_by_role("button", name="Copy a curl command").click()
    expect(row(page).get_by_role("button", name="Copied")).to_be_visible()

    command = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert command[:3] == ["curl", "-o", f"{composition_id}.mp4"]
    answer = page.request.get(command[3])
    assert answer.body() == reel.file("composition.mp4")
    assert f'attachment; filename="{composition_id}.mp4"' in answer.headers["content-disposition"]
    assert len(asked(watched, f"/compositions/{composition_id}")) == 2


@pytest.mark.parametrize("ready", [True, False], ids=["deleted", "called off"])
def test_it_is_gone_after_a_second_press_and_not_after_one(watch: Watch, studio: Studio, ready: bool) -> None:
    composition_id = studio.ready() if ready else studio.asked()
    word, sure = ("Delete", "Delete it") if ready else ("Cancel", "Call it off")
    page = opened(watch())
    press = row(page).get_by_role("button", name=f"{word} Grid, 180p")

    press.click()
    expect(row(page).get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(press).to_be_focused()
    assert studio.world.composer.running or ready

    press.click()
    row(page).get_by_role("button", name=sure).click()

    expect(row(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Make a video")).to_be_focused()
    [told] = studio.told()
    assert (told["compositionId"], told["phase"]) == (composition_id, "cancelled")


# --- how it looks -------------------------------------------------------------------------------------


def listed(page: Page) -> None:
    page.get_by_role("button", name="Cancel Single").click()
    page.locator(".slates").evaluate_all("(folds) => folds.forEach((fold) => { fold.open = true; })")


def making(page: Page) -> None:
    dialog = form(page)
    refused_formats(dialog)
    dialog.get_by_role("button", name="Make it").click()
    expect(dialog.get_by_role("alert")).to_be_visible()


def watching(page: Page) -> None:
    row(page, "Stage").get_by_role("button", name="Play").click()
    goes_on(page, 0)


@pytest.mark.parametrize("width", [360, 2560])
@pytest.mark.parametrize("state", [listed, making, watching], ids=lambda state: state.__name__)
def test_nobody_is_shut_out_and_nothing_sticks_out(
    watch: Watch, studio: Studio, state: Callable[[Page], None], width: int
) -> None:
    studio.ready()
    studio.asked(layout="single")
    studio.failed(studio.asked(layout="speaker"), "States.Timeout", "it took too long")
    composition_id = studio.asked(layout="stage")
    studio.planned(composition_id)
    studio.rendered(composition_id, 1, slates={"sessions/s/" + 30 * "long-": 40 * "reason "})
    page = opened(watch(width, expected="400"))

    state(page)

    assert in_both_lights(page) == ("[]", "[]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = (
        "(all) => all.filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1).length"
    )
    assert page.locator(".compositions, .composition, dialog[open]").evaluate_all(wide) == 0


# --- who sees it --------------------------------------------------------------------------------------


def test_nothing_of_it_is_in_a_shared_view(watch: Watch, studio: Studio, stack: Stack) -> None:
    studio.ready()
    watched = watch()
    watched.page.goto(f"{stack.page}#/shared/{stack.share(REVIEW, 3_600)['token']}")
    watched.page.wait_for_selector(".file")

    assert section(watched.page).count() == watched.page.locator(".composition, dialog.film").count() == 0
    assert [url for url in watched.asked if "/compositions" in url and "/web/" not in url] == []


def test_what_is_told_of_a_video_never_becomes_markup(watch: Watch, stack: Stack, reel: Reel) -> None:
    studio, evil = stack.studio(HOSTILE, reel), "<img src=x onerror=\"window.hurt='by a video'\">"
    composition_id = studio.asked(range={"start": 0})
    studio.planned(composition_id)
    studio.rendered(composition_id, 1, slates={f"sessions/{evil}": evil})
    studio.failed(composition_id, evil, evil)
    page = watch(expected="404").open(HOSTILE.session_id)

    expect(row(page).locator(".unmade")).to_contain_text(f"It could not be made: {evil} ({evil}).")

    row(page).locator("summary").click()
    expect(row(page).locator(".slates li")).to_contain_text(evil)
    assert page.evaluate("window.hurt ?? null") is None
    assert page.locator("main :is(script, iframe, [onerror], img[src=x])").count() == 0
