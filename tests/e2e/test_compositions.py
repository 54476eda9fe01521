"""One video of the demo's meeting, rendered by the stack's own state machine: whole, killed, called off."""

import io
import itertools
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import av
import numpy as np
import psutil
import pytest
import requests
from av.container import InputContainer
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.stage import PATIENCE_S, TIMEOUT_S, Stage, Told, until

pytestmark = pytest.mark.e2e

RATE = 15
SMALL = {"width": 640, "height": 360, "frameRate": RATE, "quality": "low"}
FRAME_MS = 1000 / RATE
OVER = ("ready", "failed", "cancelled")

type Ask = Callable[..., str]


@pytest.fixture(scope="module")
def ask(stage: Stage, demo: Demo) -> Ask:
    """Ask for a small composition of the demo's session; its id."""

    def asked(**told: Any) -> str:
        answer = stage.api.post(f"/sessions/{demo.session_id}/compositions", SMALL | told)
        return str(answer["compositionId"])

    return asked


@pytest.fixture(scope="module")
def look(stage: Stage, demo: Demo) -> Callable[[str], Told]:
    """A composition as it is told now."""
    return lambda wanted: stage.api.get(f"/sessions/{demo.session_id}/compositions/{wanted}")


@pytest.fixture(scope="module")
def ready(look: Callable[[str], Told]) -> Callable[[str], Told]:
    """A composition when it is made."""

    def waited(wanted: str) -> Told:
        def over() -> Told | None:
            told = look(wanted)
            return told if told["phase"] in OVER else None

        told = until(f"composition {wanted}", over)
        assert (told["phase"], told["failure"]) == ("ready", None)
        return told

    return waited


@pytest.fixture(scope="module")
def made(ask: Ask, ready: Callable[[str], Told]) -> Told:
    """A grid of everybody, as MP4 and as a stream."""
    return ready(ask(layout="grid"))


def got(url: str) -> bytes:
    answer = requests.get(url, timeout=TIMEOUT_S)
    assert answer.ok, f"{url}: {answer.status_code} {answer.text[:200]}"
    return answer.content


@pytest.fixture(scope="module")
def mp4(made: Told) -> bytes:
    return got(made["urls"]["mp4"])


def opened(body: bytes) -> InputContainer:
    file = av.open(io.BytesIO(body), "r")
    assert isinstance(file, InputContainer)
    return file


def onsets(loud: Iterator[tuple[float, bool]], quiet_ms: float) -> list[float]:
    """When it begins to be loud, or bright, after at least so long a rest."""
    found: list[float] = []
    last = -quiet_ms
    for at, is_loud in loud:
        if is_loud:
            if at - last >= quiet_ms:
                found.append(at)
            last = at
    return found


def flashes(body: bytes) -> list[float]:
    """When tiles turn white, in milliseconds of the file."""
    with opened(body) as file:
        frames = [(frame.time or 0.0, frame.to_ndarray(format="gray")) for frame in file.decode(video=0)]
    white = [(at * 1000, bool(np.mean(shot > 215) > 0.05)) for at, shot in frames]
    return onsets(iter(white), 300)


def beeps(body: bytes) -> list[float]:
    """When it is loud, in milliseconds of the file."""
    with opened(body) as file:
        rate, found = 48_000, []
        for frame in file.decode(audio=0):
            rate = frame.sample_rate
            level = np.abs(frame.to_ndarray()).max(axis=0)
            start = (frame.time or 0.0) * 1000
            found += [(start + at * 1000 / rate, True) for at in np.flatnonzero(level > 0.2)]
    return onsets(iter(found), 300)


def seconds(demo: Demo, length_ms: float) -> list[int]:
    """The full seconds of the meeting, at which everybody beeps and flashes, since session zero."""
    first = (demo.room["startAt"] - demo.manifest["zeroAt"]) % 1000
    return list(range(first, int(length_ms) - 200, 1000))


# --- what comes of it ---------------------------------------------------------------------------------


def test_it_was_estimated_before_and_its_cost_is_told_after(made: Told) -> None:
    assert made["chunks"]["done"] == made["chunks"]["all"] > 1
    assert made["estimate"]["seconds"] > 0
    assert made["estimate"]["dollars"] > 0
    assert made["dollars"] > 0
    assert made["slates"] == []


def test_the_same_request_is_the_same_composition(ask: Ask, made: Told) -> None:
    assert ask(layout="grid") == made["compositionId"]


def test_the_mp4_has_every_frame_of_the_session(demo: Demo, mp4: bytes) -> None:
    with opened(mp4) as file:
        shown = [frame.time for frame in file.decode(video=0)]

    frames = -(-demo.manifest["durationMs"] * RATE // 1000)
    assert [round((at or 0.0) * RATE, 3) for at in shown] == list(range(frames))


def test_the_mp4_begins_with_its_index(mp4: bytes) -> None:
    assert 0 < mp4.index(b"moov") < mp4.index(b"mdat")


def test_everybody_flashes_at_the_full_seconds_within_one_frame(demo: Demo, mp4: bytes) -> None:
    due = seconds(demo, demo.manifest["durationMs"])
    seen = flashes(mp4)

    assert len(seen) == len(due)
    assert max(abs(at - second) for at, second in zip(seen, due, strict=True)) <= FRAME_MS


def test_everybody_beeps_at_the_full_seconds_within_ten_milliseconds(demo: Demo, mp4: bytes) -> None:
    due = seconds(demo, demo.manifest["durationMs"])
    heard = beeps(mp4)

    assert len(heard) == len(due)
    assert max(abs(at - second) for at, second in zip(heard, due, strict=True)) <= 10


# --- the stream ---------------------------------------------------------------------------------------


def lines(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def streamed(url: str, name: str) -> bytes:
    """A file of a stream, as a player gets it: beside its playlist, by nothing but its address."""
    return got(f"{url.rpartition('/')[0]}/{name}")


def test_the_stream_has_the_same_frames_as_the_mp4(made: Told, mp4: bytes) -> None:
    url = made["urls"]["hls"]
    master = got(url).decode()
    (video,) = lines(master)
    playlist = streamed(url, video).decode()
    segments = [streamed(url, name) for name in ("init.mp4", *lines(playlist))]

    assert "#EXT-X-ENDLIST" in playlist
    assert "TYPE=AUDIO" in master
    with opened(b"".join(segments)) as stream, opened(mp4) as whole:
        pairs = itertools.zip_longest(stream.decode(video=0), whole.decode(video=0))
        for ours, theirs in pairs:
            assert ours is not None
            assert theirs is not None
            assert np.array_equal(ours.to_ndarray(), theirs.to_ndarray())


def test_a_stream_opens_to_nobody_with_another_address(made: Told) -> None:
    base, _, name = made["urls"]["hls"].rpartition("/")
    forged = f"{base[:-1]}{'0' if base[-1] != '0' else '1'}/{name}"

    assert requests.get(forged, timeout=TIMEOUT_S).status_code == 404


# --- in a browser -------------------------------------------------------------------------------------

PLAYED = "(video) => video.currentTime > 1.5 && video.webkitAudioDecodedByteCount > 0"
SOUGHT = """(video, at) => new Promise((done) => {
    video.onseeked = () => done(video.currentTime);
    video.currentTime = at;
})"""


def test_the_page_makes_one_and_plays_its_stream(shown: Page, demo: Demo) -> None:
    section = shown.get_by_role("region", name="Videos")
    section.get_by_role("button", name="Make a video").click()
    dialog = shown.get_by_role("dialog", name="Make a video")
    for choice in ("Stage", "Low", "15"):
        dialog.get_by_role("radio", name=re.compile(f"^{choice}")).check()
    dialog.get_by_role("button", name="Make it").click()
    row = section.locator("li.composition", has_text="Stage, 720p")
    expect(row.locator(".phase")).to_have_text("Ready", timeout=1_000 * PATIENCE_S)

    row.get_by_role("button", name="Play").click()

    video = shown.locator("dialog.film video")
    shown.wait_for_function(PLAYED, arg=video.element_handle())
    assert video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == [1280, 720]
    assert abs(video.evaluate("(video) => video.duration") * 1000 - demo.manifest["durationMs"]) < 100
    assert video.evaluate(SOUGHT, 20) == pytest.approx(20, abs=0.1)


def test_the_mp4_plays_and_can_be_sought_in(shown: Page, demo: Demo, made: Told) -> None:
    page = shown.context.new_page()
    page.set_content(f"<video muted autoplay src='{made['urls']['mp4']}'></video>")
    video = page.locator("video")

    page.wait_for_function(PLAYED, arg=video.element_handle())
    assert abs(video.evaluate("(video) => video.duration") * 1000 - demo.manifest["durationMs"]) < 100
    for at in (31, 3, 17):
        assert video.evaluate(SOUGHT, at) == pytest.approx(at, abs=0.1)


# --- parts, kills and calling off ---------------------------------------------------------------------


def test_of_a_range_there_are_its_frames_alone(ask: Ask, ready: Callable[[str], Told], demo: Demo) -> None:
    told = ready(ask(layout="single", range={"start": 3_000, "end": 9_000}, formats=["mp4"]))
    body = got(told["urls"]["mp4"])

    with opened(body) as file:
        assert sum(1 for _ in file.decode(video=0)) == 6 * RATE
    due = [at - 3_000 for at in seconds(demo, 9_200) if at >= 3_000]
    assert max(abs(at - second) for at, second in zip(flashes(body), due, strict=True)) <= FRAME_MS
    assert "hls" not in told["urls"]


def renderers(stage: Stage) -> list[psutil.Process]:
    """The processes of functions that are decoding for a composition at this moment."""
    wanted, found = stage.resource("Compose"), []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == wanted and process.children():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def remade(
    stage: Stage, demo: Demo, look: Callable[[str], Told], wanted: str, again: Callable[[], str]
) -> None:
    stage.api("DELETE", f"/sessions/{demo.session_id}/compositions/{wanted}")
    assert look(wanted)["phase"] == "cancelled"
    assert again() == wanted


def test_a_render_that_is_killed_in_the_middle_gives_the_same_bytes(
    stage: Stage, demo: Demo, ask: Ask, look: Callable[[str], Told], ready: Callable[[str], Told]
) -> None:
    again = partial(ask, layout="speaker", width=1280, height=720, frameRate=30, quality="medium")
    wanted = again()
    undisturbed = got(ready(wanted)["urls"]["mp4"])
    remade(stage, demo, look, wanted, again)

    for process in until("a render in the middle", lambda: renderers(stage)):
        process.kill()

    assert look(wanted)["phase"] != "ready"
    assert got(ready(wanted)["urls"]["mp4"]) == undisturbed


def test_what_is_called_off_leaves_nothing_behind(
    stage: Stage, demo: Demo, ask: Ask, look: Callable[[str], Told]
) -> None:
    wanted = ask(layout="stage", quality="high")
    until("its rendering", lambda: look(wanted)["phase"] == "rendering" or None)

    answer = stage.api("DELETE", f"/sessions/{demo.session_id}/compositions/{wanted}")

    assert (answer.status_code, answer.json()["phase"], answer.json()["urls"]) == (200, "cancelled", {})
    # A task that had begun ends, finds out, and takes away what it wrote.
    for _ in range(2):
        until("an empty folder", lambda: not renderers(stage) and not left(stage, demo, wanted))
        time.sleep(5)


def left(stage: Stage, demo: Demo, wanted: str) -> list[str]:
    """The keys of all that lies there of a composition."""
    prefix = f"sessions/{demo.session_id}/compositions/{wanted}"
    listed = stage.s3.list_objects_v2(Bucket=stage.told["outputBucket"], Prefix=prefix)
    return [found["Key"] for found in listed.get("Contents", ())]


@pytest.mark.parametrize(
    ("told", "field"),
    [({"layout": "mosaic"}, "layout"), ({"width": 641}, "width"), ({"range": {"start": -1}}, "range.start")],
)
def test_what_can_not_be_made_is_refused_by_the_field(
    stage: Stage, demo: Demo, told: Told, field: str
) -> None:
    answer = stage.api("POST", f"/sessions/{demo.session_id}/compositions", json=SMALL | told)

    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
