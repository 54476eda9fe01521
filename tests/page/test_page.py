"""What a person sees and can do on the page."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chalice.test import Client
from playwright.sync_api import Page, expect

from app import app
from chalicelib.routes import pages
from tests.page.conftest import Watch
from tests.page.meeting import HOSTILE, IN_THE_MAKING, REVIEW, TROUBLED, UNDER_WAY, ZERO, Take
from tests.page.stack import PREFIX, TOKEN, Stack


def test_the_list_is_newest_first_with_what_is_under_way_on_top(watch: Watch) -> None:
    page = watch().open()

    rooms = page.locator(".session .room b").all_text_contents()
    badges = page.locator(".session .badge").all_text_contents()

    assert rooms == [m.room_id for m in (UNDER_WAY, REVIEW, TROUBLED, HOSTILE)]
    assert badges == ["Recording", "Complete", "Incomplete", "Incomplete"]


def test_a_row_tells_where_when_how_long_who_and_how_much(watch: Watch) -> None:
    row = watch().open().locator(".session", has_text="weekly-review")

    expect(row.locator(".when span")).to_have_text("16 s")
    expect(row.locator(".names")).to_have_text("Ada Okafor, Ben Lindqvist, Chidi")
    expect(row.locator(".fact")).to_have_text("7 recordings")
    assert row.locator(".avatar").all_text_contents() == ["AO", "BL", "C"]


def test_a_session_that_begins_appears_by_itself_and_its_phase_moves(watch: Watch, stack: Stack) -> None:
    stack.meetings = [TROUBLED]
    page = watch().open()
    expect(page.locator(".session")).to_have_count(1)
    badge = page.locator(".session", has_text="interview-42").locator(".badge")

    for takes, phase in [(UNDER_WAY.takes, "Recording"), (OVER, "Arriving"), (DONE, "Complete")]:
        stack.meetings = [TROUBLED, replace(UNDER_WAY, takes=takes)]
        expect(badge).to_have_text(phase)


DONE = (replace(UNDER_WAY.takes[0], over=True),)
OVER = (replace(DONE[0], coming=("dee-audio-1790003606000.webm",)),)


def test_typing_narrows_what_is_shown(watch: Watch) -> None:
    page = watch().open()

    for typed, rooms in [("chid", ["weekly-review"]), ("LIND", ["weekly-review", "standup"]), ("zzz", [])]:
        page.get_by_role("searchbox").fill(typed)
        expect(page.locator(".session .room b")).to_have_text(rooms)
    expect(page.locator(".found")).to_contain_text("0 sessions of those shown")


@pytest.mark.parametrize(
    ("sought", "found"), [("standup", ["standup"]), ("ben", ["weekly-review", "standup"])]
)
def test_a_room_or_participant_is_asked_for_exactly(watch: Watch, sought: str, found: list[str]) -> None:
    watched = watch()
    page = watched.open()

    page.get_by_role("searchbox").fill(sought)
    page.keyboard.press("Enter")

    expect(page.locator(".found")).to_contain_text(f"of the room or participant {sought}")
    expect(page.locator(".session .room b")).to_have_text(found)
    assert {f"{name}={sought}" for name in ("roomId", "participantId")} <= {
        query for url in watched.asked for query in url.partition("?")[2].split("&")
    }
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".session")).to_have_count(4)


def test_where_there_is_no_session_a_newcomer_is_told_what_to_do(watch: Watch, stack: Stack) -> None:
    stack.meetings = []
    watched = watch()
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.open()

    page.get_by_role("button", name="Copy command").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -X POST '{stack.page}recordings/start'")
    assert f"'Authorization: Bearer {TOKEN}'" in copied
    assert TOKEN not in page.locator("main").inner_text()


def test_the_token_leaves_the_address_bar_and_stays_in_the_tab(watch: Watch, stack: Stack) -> None:
    page = watch().open()

    assert page.url == stack.page
    page.reload()
    expect(page.locator("main h1")).to_have_text("Sessions")


def test_without_a_token_one_is_asked_for(watch: Watch, stack: Stack) -> None:
    page = watch(expected="401").page
    page.goto(stack.page)

    page.get_by_label("Bearer token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    page.get_by_label("Bearer token").fill(f"Bearer {TOKEN}")
    page.keyboard.press("Enter")

    expect(page.locator("main h1")).to_have_text("Sessions")


def test_nothing_is_wider_than_a_small_phone(watch: Watch) -> None:
    watched = watch(360, expected="404")
    for session_id in ("", REVIEW.session_id, TROUBLED.session_id, HOSTILE.session_id):
        page = watched.open(session_id)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_is_missing_is_said_in_words(watch: Watch) -> None:
    page = watch(expected="404").open(TROUBLED.session_id)

    said = page.locator(".verdict > .findings > li").all_text_contents()

    missing = TROUBLED.manifest()["verdict"]["missing"]
    assert len(said) == len(missing)
    assert all(finding["message"] in line for finding, line in zip(missing, said, strict=True))


def test_a_recording_tells_its_story(watch: Watch) -> None:
    page = watch(expected="404").open(TROUBLED.session_id)

    page.locator("summary", has_text="Ben Lindqvist, camera").click()

    story = page.locator(".events").nth(3)
    expect(story).to_contain_text("You asked for a recording, as app")
    expect(story).to_contain_text("which can not be read: it does not begin as WebM does")


def unfolded(page: Page) -> Page:
    """The page with every fold of its files open."""
    page.evaluate("document.querySelectorAll('.files details').forEach((fold) => { fold.open = true; })")
    return page


def test_every_file_can_be_downloaded_under_a_name_of_its_own(watch: Watch, stack: Stack) -> None:
    page = unfolded(watch().open(REVIEW.session_id))
    artifacts = REVIEW.manifest()["artifacts"]
    expect(page.locator(".file")).to_have_count(len(artifacts))

    names = page.locator(".file code").all_text_contents()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {names[0]}").click()

    assert len(set(names)) == len(artifacts)
    assert names[:3] == [
        f"{REVIEW.room_id}-ada-okafor-audio-repaired-00-00-00.webm",
        f"{REVIEW.room_id}-ada-okafor-video-repaired-00-00-00.webm",
        f"{REVIEW.room_id}-ada-okafor-audio-repaired-00-00-09.webm",
    ]
    assert download.value.suggested_filename == names[0]
    assert download.value.path().read_bytes() == (stack.folder / f"ada-audio-{ZERO}.webm").read_bytes()


def test_files_of_people_with_one_name_differ(watch: Watch, stack: Stack) -> None:
    stack.meetings = [replace(REVIEW, names={"ada": "Guest", "ben": "Guest", "chi": "guest!"})]
    page = unfolded(watch().open(REVIEW.session_id))

    names = page.locator(".file code").all_text_contents()

    assert len(set(names)) == len(REVIEW.manifest()["artifacts"])


def test_a_file_is_copied_as_curl_with_an_address_made_then(watch: Watch, stack: Stack) -> None:
    watched = watch()
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = unfolded(watched.open(REVIEW.session_id))
    stack.valid_seconds = 1_234
    name = f"{REVIEW.room_id}-ben-lindqvist-screen-video-repaired-00-00-04.webm"

    page.get_by_role("button", name=f"Copy a curl command for {name}").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    *curl, url = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert curl == ["curl", "-o", name]
    assert "X-Amz-Expires=1234" in url
    assert urlsplit(url).path.endswith(f"/ben-screen_video-{ZERO + 4000}.webm")


def test_hundreds_of_files_are_drawn_when_they_are_looked_at(watch: Watch, stack: Stack) -> None:
    many = Take("ada", "audio", tuple((at, at + 900) for at in range(0, 300_000, 1_000)))
    stack.meetings = [replace(REVIEW, takes=(many, *REVIEW.takes[2:]))]
    page = watch(expected="404").open(REVIEW.session_id)
    expect(page.locator(".product > summary", has_text="300 files")).to_have_count(1)
    before = page.locator(".file").count()

    page.locator(".product > summary").first.click()
    expect(page.locator(".file")).to_have_count(before + 50)
    page.get_by_role("button", name="50 more of 250").click()

    expect(page.locator(".file")).to_have_count(before + 100)


def test_what_is_still_being_made_is_said_and_appears_by_itself(watch: Watch, stack: Stack) -> None:
    stack.meetings = [IN_THE_MAKING]
    page = watch(expected="404").open(IN_THE_MAKING.session_id)
    assert page.locator(".unmade").all_text_contents() == [
        "Still being made: Mix of all sound (opus), Waveform, Stem (flac)",
        "Picture with sound could not be made: the worker ran out of time",
        "Track could not be made: the worker ran out of time",
    ]

    stack.meetings = [replace(IN_THE_MAKING, made=("poster", "sound", "copies"), failed=())]

    expect(page.locator(".unmade")).to_have_count(0)
    ada = page.locator(".owner", has_text="Ada Okafor").locator(".file b").all_text_contents()
    assert page.locator(".owner").first.locator(".file b").all_text_contents() == ["Mix of all sound"]
    assert list(dict.fromkeys(made.partition(" · ")[0] for made in ada)) == [
        "Picture with sound",
        "Track",
        "Stem",
        "Waveform",
        "Poster",
        "Segment",
    ]


def test_a_session_under_way_grows_without_a_reload(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").open(UNDER_WAY.session_id)
    expect(page.locator(".lane")).to_have_count(1)
    expect(page.locator(".lane .trouble:visible")).to_have_count(0)
    more = (*UNDER_WAY.takes, Take("dee", "video", ((5_000, 9_000),)))

    stack.meetings = [replace(UNDER_WAY, takes=more)]

    expect(page.locator(".lane")).to_have_count(2)
    expect(page.locator(".ruler")).to_have_attribute("aria-valuemax", "9000")


def test_a_manifest_in_pieces_is_put_together(watch: Watch, stack: Stack) -> None:
    stack.piece_bytes = 2_000
    watched = watch()
    page = watched.open(REVIEW.session_id)

    told = REVIEW.manifest()
    assert page.locator(".who .name").all_text_contents() == list(REVIEW.names.values())
    expect(page.locator(".lane")).to_have_count(sum(len(who["tracks"]) for who in told["participants"]))
    expect(unfolded(page).locator(".file")).to_have_count(len(told["artifacts"]))
    assert any("cursor=" in url for url in watched.asked)


def test_what_is_settled_is_not_asked_for_again(watch: Watch) -> None:
    watched = watch()
    page = watched.open(REVIEW.session_id)
    expect(page.locator(".stories summary")).to_have_count(len(REVIEW.takes))
    before = len(watched.asked)

    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator(".pulse")).to_have_text("Up to date")
    later = [url for url in watched.asked[before:] if urlsplit(url).path.startswith(f"{PREFIX}/")]
    assert [url for url in later if not url.endswith("/addresses")] == []


def test_a_link_to_a_moment_opens_there(watch: Watch) -> None:
    page = watch().open()

    page.evaluate("(id) => { location.hash = `#/sessions/${id}?t=7.25`; }", REVIEW.session_id)

    expect(page.locator(".ruler")).to_have_attribute("aria-valuenow", "7250")


def test_a_name_never_becomes_markup(watch: Watch) -> None:
    watched = watch(expected="404")
    page = watched.open()
    page.locator(".session", has_text="window.hurt").click()
    page.wait_for_selector(".timeline .lane")
    page.locator(".odd summary").click()
    page.locator(".stories summary").click()
    expect(page.locator(".events")).to_contain_text("sent something odd")

    assert page.evaluate("window.hurt ?? null") is None
    assert page.locator("main :is(script, iframe, [onerror], img[src=x])").count() == 0
    assert HOSTILE.room_id == page.locator("h1").text_content()
    assert next(iter(HOSTILE.names.values())) == page.locator(".who .name").text_content()


def test_the_policy_stops_what_markup_would_have_done(watch: Watch) -> None:
    watched = watch(expected="olicy")
    page = watched.open()

    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.hurt = 1';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<img src=data:,x onerror="window.hurt = 2">');
        document.body.insertAdjacentHTML('beforeend', '<b id=styled style="position: fixed">');
    }""")
    refused = page.evaluate("(url) => fetch(url).then(() => false, () => true)", "http://127.0.0.1:9/steal")

    assert refused
    assert page.evaluate("window.hurt ?? null") is None
    assert page.evaluate("getComputedStyle(document.getElementById('styled')).position") == "static"
    watched.asked = [url for url in watched.asked if not url.startswith("http://127.0.0.1:9/")]


FAULTS = [
    ("no session", "nope", False, "404", "A session appears once VideoSDK has named it"),
    ("the API is down", REVIEW.session_id, True, "503", "its log, under /aws/lambda, has the reason"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_says_what_to_do(watch: Watch, stack: Stack, fault: tuple[str, str, bool, str, str]) -> None:
    _, session_id, stack_down, status, advice = fault
    page = watch(expected=status).open()
    stack.down = stack_down

    page.evaluate("(id) => { location.hash = `#/sessions/${id}`; }", session_id)

    expect(page.get_by_role("alert")).to_contain_text(advice)


def test_an_api_that_comes_back_is_noticed(watch: Watch, stack: Stack) -> None:
    stack.down = True
    page = watch(expected="503").open(settle="[role=alert]")

    stack.down = False

    expect(page.locator("main h1")).to_have_text("Sessions")


def test_lanes_and_controls_have_names(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)

    expect(page.get_by_role("img", name="Ada Okafor, Microphone: 2 segments, 1 gap")).to_have_count(1)
    expect(page.get_by_role("button", name="Play")).to_have_count(1)
    expect(page.get_by_role("button", name="Mute Chidi")).to_have_count(1)
    expect(page.get_by_role("slider", name="Position in the session")).to_have_attribute(
        "aria-valuetext", "0:00.0 of 0:16.0"
    )


WEB = Path(pages.__file__).parent.parent / "web"


def test_the_html_is_never_kept_and_its_files_are_kept_for_ever() -> None:
    with Client(app) as client:
        html = client.http.get("/", headers={"host": "x.execute-api.eu-west-1.amazonaws.com"})
        addresses = re.findall(r'(?:src|href)="(web/[^"]+)"', html.body.decode())
        fetched_ahead = re.findall(r'"modulepreload" href="web/[^"]+/([^"]+)"', html.body.decode())
        files = [client.http.get(f"/{address}") for address in addresses]
        stale = client.http.get("/web/0123456789abcdef/page.js")

    assert html.headers["Cache-Control"] == "no-cache"
    served = {path.name for path in WEB.iterdir() if path.is_file()} - {"index.html"}
    assert sorted(address.rpartition("/")[2] for address in addresses) == sorted(served)
    assert set(fetched_ahead) == {name for name in served if name.endswith(".js")} - {"page.js"}
    assert all("immutable" in file.headers["Cache-Control"] for file in files)
    assert all(file.headers["X-Content-Type-Options"] == "nosniff" for file in (html, *files))
    assert (stale.status_code, stale.headers["Cache-Control"]) == (200, "no-cache")


def test_the_library_that_plays_streams_is_a_script_that_is_kept_for_ever() -> None:
    with Client(app) as client:
        answer = client.http.get(f"/web/{pages.release()}/hls.min.mjs")

    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.body == (WEB / "vendor" / "hls.min.mjs").read_bytes()


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "LICENSE", "vendor", "..%2fpage.py", "%2e%2e"])
def test_only_the_pages_own_files_are_served(name: str) -> None:
    with Client(app) as client:
        answer = client.http.get(f"/web/{pages.release()}/{name}")

    assert answer.status_code == 404
    assert json.loads(answer.body)["error"]["code"] == "not_found"


def test_the_page_may_ask_only_us_and_where_the_files_are() -> None:
    policy = pages.policy("https://outputs.example")

    assert "default-src 'none'; script-src 'self'; style-src 'self'; " in policy
    assert "connect-src 'self' https://outputs.example; " in policy
    assert "unsafe" not in policy
    assert "*" not in policy


def test_the_page_works_with_and_without_its_own_prefix(stack: Stack) -> None:
    status, _, body = stack.answer(f"{PREFIX}/", {"host": f"127.0.0.1:{stack.port}"})

    assert status == 200
    assert b'="/' not in body
