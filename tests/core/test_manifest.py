"""A session's manifest: integer milliseconds on one clock, the same bytes for the same knowledge."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.core import events as e
from chalicelib.core import plan
from chalicelib.core.heads import recording_head, session_head
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import digest, encoded, manifest
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session, weight
from chalicelib.core.steps import Wanted
from chalicelib.core.views import event_view, recording_line, recording_view, session_line
from tests.builders import (
    ASKED,
    REFUSED,
    RID,
    ROOM,
    SESSION,
    STARTED,
    WHO,
    ZERO,
    A,
    B,
    C,
    ended,
    given_up,
    rejected,
    stopped,
    stored,
)
from tests.core.stories import HOUR, asked, heard_at, meeting, recorded, segment, stay

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "chalicelib/routes/manifest-2.json").read_text()))
VIDEO, BELA, LATER = ("rec-" + digit * 32 for digit in "123")

JOINED = e.ParticipantJoined(at=1, room_id=ROOM, participant_id=WHO, name="Anna")
CAME_BACK = e.ParticipantListed(at=8, participant_id=WHO, name="Anna B.", start_at=ZERO + 1, end_at=None)
CAME = e.ParticipantListed(at=9, participant_id=WHO, name="A. B.", start_at=ZERO, end_at=None)
COPY = f"sessions/{SESSION}/{WHO}/video/repaired-1-0f.webm"
POSTER = e.ArtifactMade(
    at=40, product="poster", key="sessions/p.jpg", content_type="image/jpeg", bytes=9, participant_id=WHO,
    kind=Kind.VIDEO, source=COPY, start=ZERO + 500, end=ZERO + 2500,
)  # fmt: skip
PICTURE = stored(
    B, kind=Kind.VIDEO, codec="vp8", width=640, height=480, start_at=ZERO + 500, duration_ms=2000,
    holes=((100, 200),), resolutions=((900, 320, 240),), tail_lost=True,
    repaired_key=COPY,
)  # fmt: skip
MESS = replace(rejected(B), participant_id="bela")
MEETING: dict[str, list[e.Event]] = {
    RID: [
        ASKED, stopped(A, C), ended(A, C), stored(A, start_at=ZERO, duration_ms=4000),
        stored(C, start_at=ZERO + 6000, duration_ms=1000),
    ],
    VIDEO: [replace(ASKED, kind=Kind.VIDEO), PICTURE, POSTER],
    BELA: [stored(A, participant_id="bela", start_at=ZERO + 1000, duration_ms=9000), MESS],
    LATER: [replace(ASKED, at=5), REFUSED],
}  # fmt: skip
OWN: list[e.Event] = [CAME_BACK, CAME, JOINED]


def told(meeting: dict[str, list[e.Event]] | None = None) -> dict[str, Any]:
    """A meeting's manifest, as JSON has it."""
    session = Session.of(SESSION, OWN, MEETING if meeting is None else meeting)
    read: dict[str, Any] = json.loads(encoded(manifest(session)))
    return read


@pytest.mark.parametrize("known", [{}, {RID: []}, {RID: [ASKED]}, {BELA: [rejected(B)]}, MEETING], ids=len)
def test_a_manifest_keeps_to_its_schema(known: dict[str, list[e.Event]]) -> None:
    SCHEMA.validate(told(known))


def test_all_tracks_lie_on_one_clock() -> None:
    known = told()

    assert (known["zeroAt"], known["durationMs"]) == (ZERO, 10_000)
    tracks = {(p["participantId"], t["kind"]): t for p in known["participants"] for t in p["tracks"]}
    spans = {who: [(s["start"], s["end"]) for s in t["segments"]] for who, t in tracks.items()}
    assert spans == {
        (WHO, "audio"): [(0, 4000), (6000, 7000)],
        (WHO, "video"): [(500, 2500)],
        ("bela", "audio"): [(1000, 10_000), (None, None)],
    }
    assert tracks[WHO, "audio"]["gaps"] == [
        {"start": 4000, "end": 6000, "reason": "off"},
        {"start": 7000, "end": 10_000, "reason": "off"},
    ]
    assert tracks["bela", "audio"]["gaps"] == [{"start": 0, "end": 1000, "reason": "unknown"}]


def test_a_segment_tells_what_was_found_in_it() -> None:
    [anna, _] = told()["participants"]
    [segment] = anna["tracks"][1]["segments"]

    assert segment["state"] == "tail_lost"
    assert segment["holes"] == [{"start": 600, "end": 700}]
    assert (segment["codec"], segment["width"], segment["height"]) == ("vp8", 640, 480)
    assert segment["clock"] == {"source": "stamp", "uncertaintyMs": 100, "shiftMs": 0}


def test_a_rejected_file_is_shown_with_its_reason() -> None:
    [_, bela] = told()["participants"]
    rejects = [s for s in bela["tracks"][0]["segments"] if s["state"] == "rejected"]

    assert [(s["file"], s["reason"]) for s in rejects] == [(B, "it is something else")]


def test_a_track_gathers_every_recording_of_its_kind() -> None:
    [anna, _] = told()["participants"]

    assert [t["kind"] for t in anna["tracks"]] == ["audio", "video"]
    assert anna["tracks"][0]["recordings"] == [RID, LATER]


def test_a_participant_has_the_name_of_their_latest_presence() -> None:
    assert [p["name"] for p in told()["participants"]] == ["Anna B.", None]
    assert Session.of(SESSION, [replace(JOINED, at=99), CAME], MEETING).names == {WHO: "A. B."}
    assert Session.of(SESSION, [JOINED], MEETING).names == {WHO: "Anna"}


def marks(session: Session) -> list[tuple[int, str, str, str | None]]:
    """Those of the first participant."""
    found = read(session)["participants"][0]["marks"]
    return [(mark["at"], mark["what"], mark["clock"], mark["kind"]) for mark in found]


def test_marks_tell_what_happened_around_the_tracks_and_by_whose_clock() -> None:
    began = replace(asked("anna", AUDIO), at=ZERO - 700)
    over = e.StopRequested(at=ZERO + 89_000, by="app")
    sound = [fact for fact in SOUND if not isinstance(fact, e.RecordingRequested)]

    session = meeting([began, *sound, over, STARTED], own=[stay("anna", -3000, 95_000), JOINED])

    assert marks(session) == [
        (-3000, "joined", "videosdk", None),
        (-700, "start_requested", "ours", "audio"),
        (0, "started", "videosdk", "audio"),
        (89_000, "stop_requested", "ours", "audio"),
        (90_000, "stopped", "videosdk", "audio"),
        (95_000, "left", "videosdk", None),
    ]
    assert read(session)["participants"][0]["presence"] == [{"start": -3000, "end": 95_000}]


def test_who_came_twice_was_there_twice_and_a_stay_that_was_told_while_it_lasted_counts_once() -> None:
    stays = [stay("anna", 40_000, None), stay("anna", 0, 9000), stay("anna", 0, None), stay("bela", 1, 2)]

    [anna] = read(meeting(SOUND, own=stays))["participants"]

    assert anna["presence"] == [{"start": 0, "end": 9000}, {"start": 40_000, "end": None}]


def test_a_webhook_tells_no_moment() -> None:
    heard = [asked("anna", AUDIO), STARTED, stopped(A), segment("anna", AUDIO, 0, 9)]

    [anna] = read(meeting(heard, own=[JOINED]))["participants"]

    assert {mark["what"] for mark in anna["marks"]} == {"start_requested"}
    assert anna["presence"] == []


def test_every_repaired_segment_and_every_product_is_an_artifact() -> None:
    artifacts = told()["artifacts"]

    assert [a["product"] for a in artifacts].count("repaired") == 4
    [poster] = [a for a in artifacts if a["product"] == "poster"]
    assert (poster["start"], poster["end"], poster["bytes"]) == (500, 2500, 9)
    assert {a["contentType"] for a in artifacts} == {"audio/webm", "video/webm", "image/jpeg"}


def test_the_verdict_is_on_all_of_it() -> None:
    verdict = told()["verdict"]

    assert not verdict["complete"]
    assert {f["reason"] for f in verdict["missing"]} == {
        "tail_lost",
        "rejected",
        "start_refused",
        "still_open",
    }
    assert {f["recordingId"] for f in verdict["missing"]} == {VIDEO, BELA, LATER}
    assert told({RID: MEETING[RID]})["verdict"]["complete"]


def test_a_session_of_nothing_is_not_complete() -> None:
    assert not told({})["verdict"]["complete"]


@given(st.randoms(use_true_random=False))
def test_the_same_knowledge_gives_the_same_bytes_whenever_it_came(chance: random.Random) -> None:
    def heard(facts: list[e.Event]) -> list[e.Event]:
        order = chance.sample(facts, len(facts)) + chance.choices(facts, k=2)
        return [heard_at(fact, at) for at, fact in enumerate(order)]

    order = {rid: heard(MEETING[rid]) for rid in chance.sample(sorted(MEETING), len(MEETING))}

    body = encoded(manifest(Session.of(SESSION, heard(OWN), order)))

    assert body == encoded(manifest(Session.of(SESSION, OWN, MEETING)))


AUDIO = Kind.AUDIO
SOUND = recorded("anna", AUDIO, (0, 9000), (20_000, 90_000))
PICTURES = recorded("anna", Kind.VIDEO, (0, 90_040))
USUAL = Wanted(frozenset(plan.NAMES[name] for name in plan.PRODUCTS), -16.0)


def read(session: Session, wanted: Wanted = USUAL) -> dict[str, Any]:
    """A session's manifest, held against the schema."""
    told: dict[str, Any] = json.loads(encoded(manifest(session, wanted)))
    SCHEMA.validate(told)
    return told


def products(session: Session) -> list[e.Event]:
    """All that is planned, made."""
    return [
        e.ArtifactMade(
            at=70, product=output.product, key=f"{step.target}/{output.name}", content_type="audio/webm",
            bytes=1, participant_id=output.participant_id, kind=output.kind, source=output.source,
            start=step.zero_at + step.start, end=step.zero_at + step.end, step=step.target,
            notes=(("integrated_lufs", -16.2), ("codec", "opus")),
        )
        for step in plan.planned(session, USUAL)
        for output in step.outputs
    ]  # fmt: skip


@given(st.permutations(range(17)))
def test_nothing_that_was_concluded_depends_on_the_order_of_hearing(order: list[int]) -> None:
    picture, sound = segment("anna", Kind.VIDEO, 0, 90_040), segment("anna", AUDIO, 0, 9000)
    facts: dict[str, list[e.Event]] = {
        "own": [*products(meeting(SOUND, PICTURES))[:4], stay("anna", 0, 95_000), stay("anna", 0, None)],
        "sound": [
            *SOUND,
            e.SegmentUndecodable(
                at=1, source=sound.repaired_key, file=sound.file, code="hung", reason="it hung"
            ),
            e.SegmentUndecodable(
                at=1, source=sound.repaired_key, file=sound.file, code="crashed", reason="it crashed"
            ),
        ],
        "picture": [
            *PICTURES,
            e.SegmentCorrected(at=1, file=picture.file, shift_ms=40, number=1, by="ops"),
            e.SegmentCorrected(at=1, file=picture.file, shift_ms=60, number=1, by="ops"),
        ],
    }

    def known(at: list[int]) -> bytes:
        ages = iter(at)
        heard = {
            name: [heard_at(fact, next(ages)) for fact in (told if at[0] % 2 else told[::-1])]
            for name, told in facts.items()
        }
        return encoded(manifest(meeting(heard["sound"], heard["picture"], own=heard["own"]), USUAL))

    assert known(order) == known(list(range(17)))


def test_other_knowledge_gives_another_digest() -> None:
    less = {**MEETING, VIDEO: MEETING[VIDEO][:-1]}

    bodies = [encoded(manifest(Session.of(SESSION, OWN, known))) for known in (MEETING, less)]

    assert len({digest(body) for body in bodies}) == 2


def test_a_conclusion_changes_no_byte_and_weighs_nothing() -> None:
    reached = e.VerdictReached(at=50, complete=True, digest="d")
    made = e.ManifestMade(at=51, key="k", bytes=1, complete=True)
    concluded = Session.of(SESSION, [*OWN, made], {**MEETING, RID: [*MEETING[RID], reached]})
    plain = Session.of(SESSION, OWN, MEETING)

    assert encoded(manifest(concluded)) == encoded(manifest(plain))
    assert concluded.known == plain.known


# --- clocks, gaps and products ------------------------------------------------------------------------


def test_a_manifest_tells_how_far_each_wanted_product_is() -> None:
    session = meeting(SOUND, PICTURES)
    copies, _, sound = sorted(plan.pending(session, USUAL), key=lambda step: step.maker)
    failed = e.ProductFailed(
        at=9, product="copies", key=copies.target, source="", reason="h264", step=copies.target
    )
    given_up = e.WorkGivenUp(
        at=9, product="sound", target=sound.target, key="", etag="", session_id=SESSION, participant_id=None,
        kind=None, file="", tries=3, reason="it was killed",
    )  # fmt: skip

    known = read(meeting(SOUND, PICTURES, own=[failed, given_up]))

    assert known["products"] == [
        {"product": "av", "state": "failed", "reason": "h264"},
        {"product": "mix:opus", "state": "failed", "reason": "it was killed"},
        {"product": "peaks", "state": "failed", "reason": "it was killed"},
        {"product": "poster", "state": "pending", "reason": None},
        {"product": "sprite", "state": "failed", "reason": "h264"},
        {"product": "stem:flac", "state": "failed", "reason": "it was killed"},
        {"product": "track", "state": "failed", "reason": "h264"},
    ]
    odd = {(finding["reason"], finding["detail"]) for finding in known["verdict"]["odd"]}
    assert odd == {
        ("product_failed", f"{p['product']}: {p['reason']}") for p in known["products"] if p["reason"]
    }
    assert known["verdict"]["complete"]


def test_what_was_made_is_told_with_what_was_measured() -> None:
    session = meeting(SOUND, PICTURES)

    known = read(meeting(SOUND, PICTURES, own=products(session)))

    artifacts = {a["key"].rpartition("/")[2]: a for a in known["artifacts"] if a["product"] != "repaired"}
    assert set(artifacts) == {
        "av-vp8.webm", "mix.webm", "peaks-audio.dat", "peaks-audio.json", "poster.jpg",
        "sprite-video-vp8.vtt", "stem-audio.flac", "track-audio-opus.webm", "track-video-vp8.webm",
    }  # fmt: skip
    mix = artifacts["mix.webm"]
    assert (mix["start"], mix["end"], mix["participantId"], mix["kind"]) == (0, 90_040, None, None)
    assert mix["details"] == {"integratedLufs": -16.2, "codec": "opus"}
    assert {product["state"] for product in known["products"]} == {"made"}


def test_what_was_made_of_an_older_knowledge_is_told_no_more() -> None:
    before = products(meeting(SOUND, PICTURES))

    known = read(meeting(SOUND, PICTURES, recorded("bela", AUDIO, (50, 80)), own=before))

    kept = {(a["product"], a["participantId"]) for a in known["artifacts"] if a["product"] != "repaired"}
    assert kept == {(name, "anna") for name in ("av", "peaks", "poster", "sprite", "stem", "track")}
    assert {p["product"] for p in known["products"] if p["state"] == "made"} == {"av", "poster", "sprite"}


def test_a_part_of_a_mix_is_nobodys_artifact() -> None:
    long = meeting(*(recorded(f"p{number}", AUDIO, (0, 10 * HOUR)) for number in range(4)))
    parts = [
        fact for fact in products(long) if isinstance(fact, e.ArtifactMade) and fact.product == "mix_part"
    ]

    known = read(replace(long, facts=frozenset(parts)))

    assert len(parts) == 2
    assert {a["product"] for a in known["artifacts"]} == {"repaired"}


def test_a_participant_is_told_with_their_clocks_drift() -> None:
    fast = [segment("anna", AUDIO, 0, 2 * HOUR + 7200), segment("anna", AUDIO, 2 * HOUR, 3 * HOUR)]

    [anna] = read(meeting([asked("anna", AUDIO), *fast]))["participants"]

    assert anna["drift"] == {
        "ppm": 1000, "uncertaintyPpm": 20, "evidence": [{"source": "overlap", "count": 1}], "corrected": True,
        "soundPpm": None,
    }  # fmt: skip
    assert [(s["start"], s["end"]) for s in anna["tracks"][0]["segments"]] == [
        (0, 2 * HOUR),
        (2 * HOUR, 3 * HOUR - 3596),
    ]


def test_a_participant_is_told_with_how_far_sound_and_picture_are_apart() -> None:
    [anna, bela] = read(meeting(SOUND, PICTURES, recorded("bela", AUDIO, (0, 9))))["participants"]

    assert anna["avOffset"] == {"ms": 40, "count": 1}
    assert bela["avOffset"] is None


def test_a_segment_of_another_century_is_named_and_has_no_time() -> None:
    absurd = segment("anna", AUDIO, -9000 * HOUR, -8999 * HOUR)
    session = meeting([*SOUND, absurd], PICTURES)

    known = read(session)

    assert (known["zeroAt"], known["durationMs"]) == (ZERO, 90_040)
    [told] = [s for s in known["participants"][0]["tracks"][0]["segments"] if s["file"] == absurd.file]
    assert (told["state"], told["start"], told["end"]) == ("outside_session", None, None)
    assert [f["reason"] for f in known["verdict"]["missing"]] == ["outside_session"]
    heads = [recording_head(recording) for recording in session.recordings]
    head = session_head(SESSION, heads, 0, "")
    assert (head.zero_at, head.duration_ms) == (ZERO, 90_040)


def test_a_head_of_a_session_that_leaves_a_recording_out_is_not_complete() -> None:
    lost = recorded("bela", AUDIO, (-9000 * HOUR, -8999 * HOUR))
    heads = [recording_head(recording) for recording in meeting(SOUND, PICTURES, lost).recordings]

    assert all(head.complete for head in heads)
    assert session_head(SESSION, heads[:2], 0, "").complete
    assert not session_head(SESSION, heads, 0, "").complete


def test_a_file_inside_the_time_of_another_is_named() -> None:
    known = read(meeting(SOUND, PICTURES, recorded("anna", AUDIO, (30_000, 40_000))))

    [finding] = known["verdict"]["odd"]
    assert (finding["reason"], finding["file"]) == ("overlapped", segment("anna", AUDIO, 30_000, 40_000).file)


def test_a_correction_shows_in_place_clock_and_poster() -> None:
    picture = segment("anna", Kind.VIDEO, 0, 90_040)
    moved = e.SegmentCorrected(at=60, file=picture.file, shift_ms=500, number=1, by="ops")
    poster = [fact for fact in products(meeting(PICTURES)) if "poster" in str(fact)]

    known = read(meeting(SOUND, [*PICTURES, moved], own=poster))

    [told] = known["participants"][0]["tracks"][1]["segments"]
    assert (told["start"], told["end"]) == (500, 90_540)
    assert told["clock"] == {"source": "corrected", "uncertaintyMs": 40, "shiftMs": 500}
    [shown] = [a for a in known["artifacts"] if a["product"] == "poster"]
    assert (shown["start"], shown["end"]) == (500, 90_540)


def test_a_file_that_can_not_be_used_says_so() -> None:
    broken = segment("anna", AUDIO, 20_000, 90_000)
    told = e.SegmentUndecodable(
        at=60, source=broken.repaired_key, file=broken.file, code="hung", reason="it hung"
    )
    picture = segment("anna", AUDIO, 95_000, 96_000, codec="vp8")

    session = meeting([*SOUND, told, picture])

    states = [segment["state"] for segment in read(session)["participants"][0]["tracks"][0]["segments"]]
    assert states == ["ready", "undecodable", "wrong_media"]
    assert [s["state"] for s in recording_view(session.recordings[0])["segments"]] == states


# --- heads and lines ------------------------------------------------------------------------------


def test_a_recordings_head_says_what_lists_need() -> None:
    head = recording_head(Recording.of(RID, MEETING[RID]))

    assert (head.phase, head.settled, head.complete, head.segments) == ("done", True, True, 2)
    assert (head.start_at, head.end_at, head.requested_at) == (ZERO, ZERO + 7000, 1)
    assert recording_line(head)["recordingId"] == RID


def test_a_head_without_segments_has_no_times() -> None:
    head = recording_head(Recording.of(RID, [ASKED]))

    assert (head.start_at, head.end_at, head.session_id) == (None, None, None)


def test_an_unannounced_recording_counts_from_its_first_delivery() -> None:
    assert recording_head(Recording.of(BELA, MEETING[BELA])).requested_at == ZERO
    assert recording_head(Recording.of(BELA, MEETING[BELA])).room_id is None


@given(st.permutations([*MEETING[BELA], given_up(C), stored(C, modified_at=ZERO + 9, at=ZERO + 10)]))
def test_an_unannounced_recordings_place_in_the_list_never_moves_later(facts: list[e.Event]) -> None:
    told = [recording_head(Recording.of(BELA, facts[:upto])).requested_at for upto in range(1, 5)]

    assert told == sorted(told, reverse=True)


@given(st.permutations(MEETING[RID]))
def test_a_heads_knowledge_grows_with_every_fact(facts: list[e.Event]) -> None:
    known = [recording_head(Recording.of(RID, facts[:upto])).known for upto in range(len(facts) + 1)]

    assert known == list(range(len(facts) + 1))


def test_a_fact_told_twice_weighs_once() -> None:
    twice = Recording.of(RID, [*MEETING[RID], replace(MEETING[RID][1], at=99)])

    assert weight(twice.facts) == len(MEETING[RID])


def test_a_sessions_head_agrees_with_its_manifest() -> None:
    heads = [recording_head(Recording.of(rid, facts)) for rid, facts in MEETING.items()]
    head, known = session_head(SESSION, heads, len(OWN), "key"), told()

    assert (head.zero_at, head.duration_ms) == (known["zeroAt"], known["durationMs"])
    assert head.participants == len(known["participants"])
    assert (head.settled, head.complete) == (False, False)
    assert head.known == Session.of(SESSION, OWN, MEETING).known
    assert session_line(head)["manifestKey"] == "key"


def test_a_session_is_settled_when_every_recording_is() -> None:
    heads = [recording_head(Recording.of(rid, MEETING[rid])) for rid in (RID, LATER)]

    assert session_head(SESSION, heads, 0, "").settled
    assert not session_head(SESSION, [], 0, "").settled
    assert session_line(session_head(SESSION, heads, 0, ""))["manifestKey"] is None


def test_a_recording_is_told_with_its_failure() -> None:
    view = recording_view(Recording.of(LATER, MEETING[LATER]))

    assert view["failure"] == {"code": "participant_not_joined", "message": "not joined"}
    assert recording_view(Recording.of(RID, MEETING[RID]))["failure"] is None
    json.dumps(view)


def test_a_fact_is_told_in_camel_case() -> None:
    view = event_view(ended(A))

    assert view["type"] == "RecordingEnded"
    assert (view["listedId"], view["endAt"]) == ("track-1", ZERO + 30_000)
