"""The demo's meeting: what we tell of it against what VideoSDK did, and files against what we tell."""

import io
import json
from collections import Counter
from itertools import pairwise
from operator import itemgetter
from typing import Any

import av
import pytest
import requests

from local.demo.script import PEOPLE
from tests.e2e.conftest import Demo
from tests.e2e.stage import TIMEOUT_S, Stage, Told, until

pytestmark = pytest.mark.e2e


def test_every_recording_is_complete(demo: Demo) -> None:
    assert len(demo.recordings) == 10
    assert {recording["phase"] for recording in demo.recordings} == {"done"}
    assert [recording["verdict"]["missing"] for recording in demo.recordings] == [[]] * 10
    assert demo.manifest["verdict"] == {"complete": True, "settled": True, "missing": [], "odd": []}


def test_every_webhook_was_taken_at_once(stage: Stage, demo: Demo) -> None:
    letters = [letter for told in demo.recordings for letter in stage.letters(told["recordingId"])]

    assert [letter["status"] for letter in letters] == [200] * 4 * len(demo.recordings)


# --- the timeline -------------------------------------------------------------------------------------


def test_the_timeline_has_every_delivered_file_and_no_other(demo: Demo) -> None:
    assert demo.segments.keys() == demo.files.keys()
    assert {s["bytes"] for s in demo.segments.values()} == {file["size"] for file in demo.files.values()}
    assert {s["state"] for s in demo.segments.values()} == {"ready"}
    assert {s["clock"]["source"] for s in demo.segments.values()} == {"stamp"}


def first_packet_ms(body: bytes) -> int:
    """When a file's first packet is to be heard or seen, by the file's own clock."""
    with av.open(io.BytesIO(body), "r") as file:
        packet = next(file.demux())
        assert packet.pts is not None
        assert packet.time_base is not None
        return round(packet.pts * packet.time_base * 1000)


def test_a_segment_begins_at_its_stamp_and_its_first_packet(stage: Stage, demo: Demo) -> None:
    expected = {
        key: file["startAt"] + first_packet_ms(stage.delivered(key)) for key, file in demo.files.items()
    }

    assert {key: demo.manifest["zeroAt"] + s["start"] for key, s in demo.segments.items()} == expected


# One packet, which in silence is DTX's of 400 ms; a picture lasts until the next one, 5 a second on a screen.
LAST_PACKET_MS = 420


def test_a_segment_ends_with_its_last_packet(demo: Demo) -> None:
    late = {
        key: demo.manifest["zeroAt"] + segment["end"] - demo.files[key]["endAt"]
        for key, segment in demo.segments.items()
    }

    assert {key: ms for key, ms in late.items() if abs(ms) > LAST_PACKET_MS} == {}


def test_segments_and_gaps_fill_the_session_without_overlap(demo: Demo) -> None:
    for track in demo.tracks:
        spans = sorted((part["start"], part["end"]) for part in (*track["segments"], *track["gaps"]))

        assert spans[0][0] == 0
        assert all(end == start for (_, end), (start, _) in pairwise(spans)), track["kind"]
        assert spans[-1][1] == demo.manifest["durationMs"]


def test_participants_have_their_names(demo: Demo) -> None:
    assert {p["participantId"]: p["name"] for p in demo.manifest["participants"]} == PEOPLE


def test_names_were_told_by_the_rooms_own_webhooks(stage: Stage, demo: Demo) -> None:
    facts = stage.facts(f"session#{demo.session_id}")

    joined = {fact["participant_id"]: fact["name"] for fact in facts if fact["type"] == "ParticipantJoined"}

    assert joined == PEOPLE
    assert {"SessionStarted", "SessionEnded", "ParticipantLeft"} <= {fact["type"] for fact in facts}


# --- the files ----------------------------------------------------------------------------------------


def ranged(url: str, first: int, last: int) -> requests.Response:
    return requests.get(url, headers={"Range": f"bytes={first}-{last}"}, timeout=TIMEOUT_S)


def test_every_file_can_be_had_in_parts_by_whoever_has_its_address(demo: Demo) -> None:
    for made in demo.manifest["artifacts"]:
        answer = ranged(made["url"], 1, 4)

        assert answer.status_code == 206, answer.text
        assert answer.headers["Content-Range"] == f"bytes 1-4/{made['bytes']}"
        assert answer.headers["Content-Type"] == made["contentType"]
        assert len(answer.content) == 4


def test_a_repaired_file_knows_how_long_it_is_and_can_be_sought_in(demo: Demo) -> None:
    for made in demo.artifacts("repaired"):
        body = requests.get(made["url"], timeout=TIMEOUT_S).content
        with av.open(io.BytesIO(body), "r") as file:
            half = (made["end"] - made["start"]) * 500  # AV_TIME_BASE counts microseconds

            file.seek(half)
            packet = next(file.demux())

            assert file.duration is not None
            assert abs(file.duration // 1000 - (made["end"] - made["start"])) <= 1
            assert packet.is_keyframe
            assert packet.pts is not None
            assert packet.time_base is not None
            assert half - 5_000_000 <= packet.pts * packet.time_base * 1_000_000 <= half
            assert next(iter(packet.decode()), None) or made["contentType"] == "audio/webm"


def test_the_session_has_all_usual_products(demo: Demo) -> None:
    kinds = Counter(track["kind"] for track in demo.tracks)
    sound, pictures = (
        sum(kinds[f"{screen}{kind}"] for screen in ("", "screen_")) for kind in ("audio", "video")
    )
    made = Counter(artifact["product"] for artifact in demo.manifest["artifacts"])

    assert {row["state"] for row in demo.manifest["products"]} == {"made"}
    assert (made["repaired"], made["track"], made["mix"]) == (len(demo.files), len(demo.tracks), 1)
    assert (made["stem"], made["peaks"], made["av"]) == (sound, 2 * sound, pictures)
    assert made["sprite"] >= 2 * pictures  # an index and its sheets
    assert made["poster"] == len([file for file in demo.artifacts("repaired") if "video" in file["kind"]])


def test_every_track_and_stem_lasts_as_long_as_the_session(demo: Demo) -> None:
    for made in (
        *demo.artifacts("track"),
        *demo.artifacts("av"),
        *demo.artifacts("stem"),
        *demo.artifacts("mix"),
    ):
        body = requests.get(made["url"], timeout=TIMEOUT_S).content
        with av.open(io.BytesIO(body), "r") as file:
            assert file.duration is not None
            assert abs(file.duration // 1000 - demo.manifest["durationMs"]) <= 20, made["key"]


POSTERS = {"video": (320, 180), "screen_video": (480, 270)}


def test_every_picture_has_a_poster_in_its_first_size(demo: Demo) -> None:
    posters = demo.artifacts("poster")
    pictures = [made for made in demo.artifacts("repaired") if "video" in made["kind"]]
    assert sorted(poster["source"] for poster in posters) == sorted(made["key"] for made in pictures)
    for poster in posters:
        body = requests.get(poster["url"], timeout=TIMEOUT_S).content

        with av.open(io.BytesIO(body), "r", "jpeg_pipe") as file:
            picture = next(file.decode(video=0))

        assert body.startswith(b"\xff\xd8\xff")
        assert (picture.width, picture.height) == POSTERS[poster["kind"]]


def test_nothing_was_written_where_videosdk_delivers(stage: Stage, demo: Demo) -> None:
    for recording in demo.recordings:
        below = stage.keys(stage.under(recording["recordingId"]))

        assert sorted(below) == sorted(segment["key"] for segment in recording["segments"])


# --- the lists ----------------------------------------------------------------------------------------


def test_the_sessions_list_has_it(stage: Stage, demo: Demo) -> None:
    line = stage.line(demo.room["roomId"])

    assert (line["sessionId"], line["participants"], line["recordings"]) == (demo.session_id, 3, 10)
    assert (line["zeroAt"], line["durationMs"]) == (demo.manifest["zeroAt"], demo.manifest["durationMs"])
    assert line["complete"]


def test_recordings_are_paged_newest_first(stage: Stage, demo: Demo) -> None:
    told = [
        page["recordings"] for page in stage.api.pages("/recordings", roomId=demo.room["roomId"], limit=3)
    ]

    requested = [line["requestedAt"] for lines in told for line in lines]
    assert max(len(lines) for lines in told) == 3
    assert sorted(line["recordingId"] for lines in told for line in lines) == sorted(
        recording["recordingId"] for recording in demo.recordings
    )
    assert requested == sorted(requested, reverse=True)


FILTERS: dict[str, Told] = {
    "a participant": {"participantId": "linus"},
    "a kind": {"kind": "screen_video"},
    "a participant's kind": {"participantId": "ada", "kind": "audio"},
    "a phase": {"phase": "done"},
    "a phase in which none is": {"phase": "failed"},
}


@pytest.mark.parametrize("wanted", list(FILTERS.values()), ids=list(FILTERS))
@pytest.mark.parametrize("within", ["roomId", "sessionId"])
def test_recordings_can_be_filtered(stage: Stage, demo: Demo, wanted: Told, within: str) -> None:
    place = {"roomId": demo.room["roomId"], "sessionId": demo.session_id}[within]
    expected = {r["recordingId"] for r in demo.recordings if wanted.items() <= r.items()}

    pages = list(stage.api.pages("/recordings", **{within: place}, **wanted))

    assert {line["recordingId"] for page in pages for line in page["recordings"]} == expected


# --- the ledger ---------------------------------------------------------------------------------------


def in_order(types: list[str], *story: str) -> bool:
    """Whether these were heard one after the other, whatever came between them."""
    rest = iter(types)
    return all(step in rest for step in story)


def test_the_ledger_tells_each_recordings_story_in_order(stage: Stage, demo: Demo) -> None:
    for recording in demo.recordings:
        events = stage.api.events(recording["recordingId"])

        types = [event["type"] for event in events]
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        assert types[0] == "RecordingRequested"
        assert in_order(
            types, "RecordingStarting", "RecordingStarted", "RecordingStopping", "RecordingStopped"
        )
        assert in_order(types, "RecordingRequested", "StartAccepted", "SegmentStored", "VerdictReached")
        assert in_order(types, "StartAccepted", "RecordingEnded", "VerdictReached")
        assert types.count("SegmentStored") == len(recording["segments"])


def test_the_ledger_is_paged(stage: Stage, demo: Demo) -> None:
    recording_id = demo.recordings[0]["recordingId"]

    pages = list(stage.api.pages(f"/recordings/{recording_id}/events", limit=4))

    assert max(len(page["events"]) for page in pages) == 4
    assert [event for page in pages for event in page["events"]] == stage.api.events(recording_id)


# --- what was written and rung ------------------------------------------------------------------------


def as_written(manifest: Told) -> Told:
    """Without what only the API tells, which also sends the artifacts piece by piece: in any order."""
    artifacts = [
        {name: told for name, told in made.items() if name not in ("url", "fileName")}
        for made in sorted(manifest["artifacts"], key=itemgetter("key"))
    ]
    return {name: told for name, told in manifest.items() if name != "cursor"} | {"artifacts": artifacts}


def test_the_manifest_lies_in_the_output_bucket(stage: Stage, demo: Demo) -> None:
    def written() -> Told:
        key = stage.line(demo.room["roomId"])["manifestKey"]
        body = stage.s3.get_object(Bucket=stage.told["outputBucket"], Key=key)["Body"]
        return as_written(json.load(body))

    assert until("the manifest with all artifacts", lambda: written() == as_written(demo.manifest))


def test_other_systems_are_told_where_the_manifest_is(stage: Stage, demo: Demo, rung: Any) -> None:
    def last() -> Told | None:
        key = stage.line(demo.room["roomId"])["manifestKey"]
        told = [ring for ring in rung(demo.session_id) if ring["manifestKey"] == key]
        return told[-1] if told else None

    ring = until("the session's last ring", last)

    assert (ring["roomId"], ring["complete"], ring["missing"]) == (demo.room["roomId"], True, 0)


def test_what_is_asked_for_by_name_is_made_too(stage: Stage, demo: Demo) -> None:
    names = ["stem:wav", "stem:opus", "mix:aac"]
    told = stage.api.post(f"/sessions/{demo.session_id}/finish", {"products": names})

    def made() -> Told | None:
        manifest = stage.api.get(f"/sessions/{demo.session_id}")
        states = {row["product"]: row["state"] for row in manifest["products"]}
        return manifest if all(states.get(name) == "made" for name in names) else None

    manifest = until("what was asked for", made)

    assert told["toMake"]
    assert stage.api.post(f"/sessions/{demo.session_id}/finish", {"products": names})["toMake"] == []
    sounds = [file for file in manifest["artifacts"] if file["product"] in ("stem", "mix")]
    codecs = Counter((file["product"], _sound(file["url"], manifest["durationMs"])) for file in sounds)
    stems = len(demo.artifacts("stem"))
    assert codecs == {
        ("stem", "flac"): stems,
        ("stem", "pcm_s16le"): stems,
        ("stem", "opus"): stems,
        ("mix", "opus"): 1,
        ("mix", "aac"): 1,
    }


def _sound(url: str, duration_ms: int) -> str:
    """The codec of a file of sound that lasts so long."""
    with av.open(io.BytesIO(requests.get(url, timeout=TIMEOUT_S).content), "r") as file:
        assert file.duration is not None
        assert abs(file.duration // 1000 - duration_ms) <= 20
        return file.streams.audio[0].codec_context.name
