"""What a person sees and can do on the page."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from chalice.test import Client
from playwright.sync_api import Page, expect

from app import app
from chalicelib.routes import pages
from tests.page.conftest import Watch
from tests.page.meeting import HOSTILE, IN_THE_MAKING, REVIEW, TROUBLED, UNDER_WAY, Meeting, Take
from tests.page.stack import PREFIX, TOKEN, Stack


def placed(page: Page, selector: str) -> list[dict[str, Any]]:
    """Every element's told start and end beside where it lies, in milliseconds of its strip."""
    found: list[dict[str, Any]] = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].map((element) => {
            const strip = element.closest('.strip').getBoundingClientRect();
            const box = element.getBoundingClientRect();
            const lane = element.closest('.lane').dataset;
            return {participant: lane.participant, kind: lane.kind, start: +element.dataset.start,
                end: +element.dataset.end, strip: strip.width, left: box.left - strip.left, width: box.width};
        })""",
        selector,
    )
    return found


def test_the_list_is_newest_first_with_what_is_under_way_on_top(watch: Watch) -> None:
    page = watch().open()

    rooms = page.locator(".session .room b").all_text_contents()
    badges = page.locator(".session .badge").all_text_contents()

    assert rooms == [m.room_id for m in (UNDER_WAY, REVIEW, TROUBLED, HOSTILE)]
    assert badges == ["Under way", "Complete", "Incomplete", "Incomplete"]


def test_a_session_that_begins_appears_by_itself(watch: Watch, stack: Stack) -> None:
    stack.meetings = [TROUBLED]
    page = watch().open()
    expect(page.locator(".session")).to_have_count(1)

    stack.meetings = [TROUBLED, UNDER_WAY]

    expect(page.locator(".session .badge").first).to_have_text("Under way")


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


@pytest.mark.parametrize("meeting", [REVIEW, TROUBLED], ids=lambda meeting: meeting.room_id)
def test_the_timeline_is_the_manifest_to_the_pixel(watch: Watch, meeting: Meeting) -> None:
    told = meeting.manifest()
    page = watch(expected="404").open(meeting.session_id)

    for width, name, selector in [(w, *what) for w in (1280, 360) for what in LAID]:
        page.set_viewport_size({"width": width, "height": 860})
        wanted = [
            (person["participantId"], track["kind"], span["start"], span["end"])
            for person in told["participants"]
            for track in person["tracks"]
            for span in track[name]
            if span["start"] is not None
        ]
        drawn = placed(page, selector)
        assert sorted((d["participant"], d["kind"], d["start"], d["end"]) for d in drawn) == sorted(wanted)
        for d in drawn:
            pixels = d["strip"] / told["durationMs"]
            assert d["left"] == pytest.approx(d["start"] * pixels, abs=0.5)
            assert d["width"] == pytest.approx(
                d["strip"] * (d["end"] - d["start"]) / told["durationMs"], abs=0.5
            )


LAID = [("segments", ".segment"), ("gaps", ".gap")]


def test_nothing_is_wider_than_a_small_phone(watch: Watch) -> None:
    watched = watch(360, expected="404")
    for session_id in ("", REVIEW.session_id, TROUBLED.session_id, HOSTILE.session_id):
        page = watched.open(session_id)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


GAPS = [
    ("ada", "audio", "6000", "The microphone was muted (3 s)"),
    ("ben", "video", "7000", "The camera was off (3 s)"),
    ("ben", "screen_video", "0", "No recording was running (4 s)"),
]


def test_a_gap_says_why_it_is_there(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)

    for who, kind, start, words in GAPS:
        page.locator(
            f'.lane[data-participant="{who}"][data-kind="{kind}"] .gap[data-start="{start}"]'
        ).hover()
        expect(page.locator(".readout span")).to_have_text(words)


def test_what_is_missing_is_said_in_words_and_shown_where_it_is_missing(watch: Watch) -> None:
    page = watch(expected="404").open(TROUBLED.session_id)

    said = page.locator(".verdict > .findings > li").all_text_contents()
    lost = page.locator('.gap[data-state="lost"]')

    missing = TROUBLED.manifest()["verdict"]["missing"]
    assert len(said) == len(missing)
    assert all(finding["message"] in line for finding, line in zip(missing, said, strict=True))
    assert [gap.get_attribute("data-start") for gap in lost.all()] == ["700000", "800000"]
    assert "Here belongs a-" in str(lost.first.get_attribute("data-told"))
    expect(page.locator('.segment[data-state="tail_lost"] .hole')).to_have_count(1)


def test_a_recording_tells_its_story(watch: Watch) -> None:
    page = watch(expected="404").open(TROUBLED.session_id)

    page.locator("summary", has_text="Ben Lindqvist, camera").click()

    story = page.locator(".events").nth(3)
    expect(story).to_contain_text("You asked for a recording, as app")
    expect(story).to_contain_text("which can not be read: it does not begin as WebM does")


def test_every_file_can_be_downloaded(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    artifacts = REVIEW.manifest()["artifacts"]

    links = page.get_by_role("link", name=re.compile("^Download "))

    assert sorted(str(link.get_attribute("download")) for link in links.all()) == sorted(
        artifact["key"].rpartition("/")[2] for artifact in artifacts
    )
    with page.expect_download() as download:
        page.evaluate("document.querySelector('.files a').removeAttribute('target')")
        links.first.click()
    assert download.value.path().stat().st_size > 1_000


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
    assert list(dict.fromkeys(page.locator(".files b").all_text_contents())) == [
        "Mix of all sound",
        "Picture with sound",
        "Track",
        "Stem",
        "Waveform",
        "Poster",
        "Segment",
    ]


def test_a_session_under_way_grows_without_a_reload(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").open(UNDER_WAY.session_id)
    expect(page.locator(".segment")).to_have_count(1)
    expect(page.locator(".lane .trouble")).to_have_count(0)
    more = (*UNDER_WAY.takes, Take("dee", "video", ((5_000, 9_000),)))

    stack.meetings = [replace(UNDER_WAY, takes=more)]

    expect(page.locator(".segment")).to_have_count(2)
    expect(page.locator(".ruler")).to_have_attribute("aria-valuemax", "9000")


def test_a_name_never_becomes_markup(watch: Watch) -> None:
    watched = watch(expected="404")
    page = watched.open()
    page.locator(".session", has_text="window.hurt").click()
    page.wait_for_selector(".timeline .lane")
    page.locator(".odd summary").click()
    page.locator(".stories summary").click()
    expect(page.locator(".events")).to_contain_text("sent something odd")

    assert page.evaluate("window.hurt ?? null") is None
    assert page.locator("main :is(script, img, iframe, [onerror])").count() == 0
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


def test_the_html_is_never_kept_and_its_files_are_kept_for_ever() -> None:
    with Client(app) as client:
        html = client.http.get("/", headers={"host": "x.execute-api.eu-west-1.amazonaws.com"})
        addresses = re.findall(r'(?:src|href)="(web/[^"]+)"', html.body.decode())
        files = [client.http.get(f"/{address}") for address in addresses]
        stale = client.http.get("/web/0123456789abcdef/page.js")

    assert html.headers["Cache-Control"] == "no-cache"
    assert len(files) == 4
    assert all("immutable" in file.headers["Cache-Control"] for file in files)
    assert all(file.headers["X-Content-Type-Options"] == "nosniff" for file in (html, *files))
    assert (stale.status_code, stale.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "..%2fpage.py", "%2e%2e"])
def test_only_the_pages_own_files_are_served(name: str) -> None:
    with Client(app) as client:
        answer = client.http.get(f"/web/{pages.release()}/{name}")

    assert answer.status_code == 404
    assert json.loads(answer.body)["error"]["code"] == "not_found"


HOSTS = [
    ("deployed", "x1.execute-api.eu-west-1.amazonaws.com", False),
    ("embedded", "127.0.0.1:4566", True),
    ("a name that only begins so", "127.0.0.1.example.com:80", False),
]


@pytest.mark.parametrize(("host", "embedded"), [h[1:] for h in HOSTS], ids=[h[0] for h in HOSTS])
def test_media_of_this_machine_is_allowed_only_on_this_machine(host: str, embedded: bool) -> None:
    policy = pages.policy(host)

    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert ("http://127.0.0.1:*" in policy) is embedded


def test_the_page_works_with_and_without_its_own_prefix(stack: Stack) -> None:
    status, _, body = stack.answer(f"{PREFIX}/", {"host": f"127.0.0.1:{stack.port}"})

    assert status == 200
    assert b'="/' not in body
