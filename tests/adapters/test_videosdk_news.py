"""What VideoSDK's webhooks say, and that nothing which it signs can make us stumble."""

import doctest
import hashlib
import json
import time
from dataclasses import fields
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.adapters.videosdk import answers, shapes
from chalicelib.adapters.videosdk.news import DEPTH, KEPT, News, fact_of, parse
from chalicelib.core import events as e
from tests.adapters import vendor as v

TRACK = "participant-track-recording-"
AT = 1_721_198_084_716


def heard(body: bytes) -> e.Event:
    return fact_of(parse(body), AT)


def reason(body: bytes) -> str:
    """Why a body is odd; it must be, and be kept."""
    fact = heard(body)
    assert isinstance(fact, e.OddHeard)
    assert fact.body_sha256 == hashlib.sha256(body).hexdigest()
    assert fact.body == body[:KEPT].decode("utf-8", "replace")
    return fact.reason


# --- each type tells its fact ---------------------------------------------------------------------

FACTS: dict[str, e.Event] = {
    f"{TRACK}starting": e.RecordingStarting(at=AT, session_id=v.SESSION),
    f"{TRACK}started": e.RecordingStarted(at=AT, session_id=v.SESSION),
    f"{TRACK}stopping": e.RecordingStopping(at=AT, session_id=v.SESSION),
    f"{TRACK}stopped": e.RecordingStopped(at=AT, session_id=v.SESSION, files=(v.FILE,)),
    f"{TRACK}failed": e.RecordingFailed(at=AT, session_id=v.SESSION),
    "session-started": e.SessionStarted(at=AT, room_id=v.ROOM, start_at=1_657_036_535_047),
    "session-ended": e.SessionEnded(at=AT, room_id=v.ROOM, end_at=None),
    "participant-joined": e.ParticipantJoined(at=AT, room_id=v.ROOM, participant_id=v.PERSON, name="Zoë"),
    "participant-left": e.ParticipantLeft(at=AT, room_id=v.ROOM, participant_id=v.PERSON),
}


@pytest.mark.parametrize(("webhook_type", "fact"), FACTS.items(), ids=FACTS)
def test_each_documented_type_tells_its_fact(webhook_type: str, fact: e.Event) -> None:
    assert heard(v.body_of(webhook_type)) == fact


def test_the_documents_types_are_all_tried() -> None:
    assert FACTS.keys() == v.DATA.keys()


@pytest.mark.parametrize("webhook_type", FACTS)
def test_fields_that_are_new_change_nothing(webhook_type: str) -> None:
    told = v.body_of(webhook_type, id="composer", encryption={"keyUrl": "https://x"}, list=[1, 2.5, True])

    assert heard(told) == FACTS[webhook_type]


def test_a_recordings_news_says_whom_and_what_it_is_about() -> None:
    news = parse(v.body_of(f"{TRACK}started"))

    assert (news.meeting_id, news.participant_id, news.kind) == (v.ROOM, v.PERSON, "audio")
    assert news.of_recording
    assert not parse(v.body_of("participant-joined")).of_recording


def test_the_envelope_may_say_type() -> None:
    body = json.dumps({"type": "session-ended", "data": v.DATA["session-ended"]}).encode()

    assert heard(body) == FACTS["session-ended"]


def test_a_session_may_end_at_a_time() -> None:
    told = heard(v.body_of("session-ended", end="2022-07-05T16:00:35.047+00:00"))

    assert told == e.SessionEnded(at=AT, room_id=v.ROOM, end_at=1_657_036_835_047)


FILES: list[tuple[str, object, tuple[str, ...]]] = [
    ("missing", None, ()),
    ("none", [], ()),
    ("a path", [{"filePath": "a/b.webm"}], ("a/b.webm",)),
    ("a leading slash", [{"filePath": "/a/b.webm", "fileUrl": "https://cdn/c.webm"}], ("/a/b.webm",)),
    ("a null address", [{"filePath": "a/b.webm", "fileUrl": None}], ("a/b.webm",)),
    ("an address alone", [{"fileUrl": "https://cdn/b.webm?sig=1"}], ("https://cdn/b.webm",)),
    ("a null path", [{"filePath": None, "fileUrl": "https://cdn/b.webm"}], ("https://cdn/b.webm",)),
    ("no name at all", [{}, {"filePath": None}, {"filePath": 7}, {"filePath": "a.webm"}], ("a.webm",)),
    ("several", [{"filePath": f"{n}.webm"} for n in range(3)], ("0.webm", "1.webm", "2.webm")),
]


@pytest.mark.parametrize(("told", "files"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_the_files_of_a_stopped_recording_are_as_they_were_told(told: object, files: tuple[str, ...]) -> None:
    fact = heard(v.body_of(f"{TRACK}stopped", fileDetails=told))

    assert fact == e.RecordingStopped(at=AT, session_id=v.SESSION, files=files)


@pytest.mark.parametrize("name", [None, "", "Zoë", "名前", "🎙", "a" * 256])
def test_a_participant_may_have_any_name_or_none(name: str | None) -> None:
    fact = heard(v.body_of("participant-joined", participantName=name))

    assert isinstance(fact, e.ParticipantJoined)
    assert fact.name == (name or "")


# --- what is not understood is kept ---------------------------------------------------------------


@pytest.mark.parametrize(
    "webhook_type",
    [
        "recording-started",
        "participant-recording-stopped",
        "transcription-started",
        "participant-track-recording-paused",
        "Session-Started",
        "x" * 256,
    ],
)
def test_a_type_that_we_do_not_know_is_kept_with_its_session(webhook_type: str) -> None:
    body = v.body_of(webhook_type, meetingId=v.ROOM, sessionId=v.SESSION)

    assert reason(body) == "this type of webhook is not known"
    assert parse(body).session_id == v.SESSION
    assert parse(v.body_of(webhook_type, sessionId="../x")).session_id is None


def nested(depth: int) -> bytes:
    return b'{"webhookType":"x","data":{"a":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}}"


ENDED = v.body_of("session-ended")
started = partial(v.body_of, f"{TRACK}started")
stopped = partial(v.body_of, f"{TRACK}stopped")
joined = partial(v.body_of, "participant-joined")
NO_JSON = "the body is not JSON"
NO_NUMBER = "the body holds a number that JSON does not have"
NO_FILES = "data.fileDetails is not a list of files"
NO_NAME = "data.participantName is not a short text"
NO_KIND = "data.kind is none of audio, video, screen_audio, screen_video"
HALF = "the body holds half a character (a lone surrogate)"
DEEP = f"the body is nested deeper than {DEPTH}"

ODD: list[tuple[str, bytes, str]] = [
    ("nothing", b"", NO_JSON),
    ("no JSON", b"webhookType=x", NO_JSON),
    ("half of it", ENDED[:-1], NO_JSON),
    ("more than it", ENDED + b"{}", NO_JSON),
    ("a byte order mark", b"\xef\xbb\xbf" + ENDED, NO_JSON),
    ("UTF-16", ENDED.decode().encode("utf-16"), "the body is not UTF-8"),
    ("UTF-16 without a mark", ENDED.decode().encode("utf-16-le"), NO_JSON),
    ("Latin-1", '{"webhookType":"é"}'.encode("latin-1"), "the body is not UTF-8"),
    ("a raw surrogate", b'{"webhookType":"\xed\xa0\x80"}', "the body is not UTF-8"),
    (
        "half a character",
        b'{"webhookType":"x","data":{"a":"\\ud800"}}',
        HALF,
    ),
    (
        "half a name",
        b'{"webhookType":"x","data":{"\\udfff":1}}',
        HALF,
    ),
    ("a list", b"[]", "the body is not an object"),
    ("a text", b'"webhookType"', "the body is not an object"),
    ("null", b"null", "the body is not an object"),
    ("depth", b"[" * 200_000, DEEP),
    ("deep objects", b'{"a":' * 60_000, DEEP),
    ("one too deep", nested(DEPTH + 1), DEEP),
    ("a huge number", b'{"a":' + b"9" * 5000 + b"}", NO_JSON),
    ("NaN", b'{"webhookType":"x","data":{"a":NaN}}', NO_NUMBER),
    ("-Infinity", b'{"webhookType":"x","data":{"a":-Infinity}}', NO_NUMBER),
    ("a type twice", b'{"webhookType":"x","webhookType":"y"}', "the body names a field twice"),
    ("a field twice", b'{"webhookType":"x","data":{"a":1,"a":1}}', "the body names a field twice"),
    ("no type", b'{"data":{}}', "the body names no webhookType"),
    ("an empty type", b'{"webhookType":""}', "the body names no webhookType"),
    ("a long type", json.dumps({"webhookType": "x" * 257}).encode(), "the body names no webhookType"),
    ("a null type", b'{"webhookType":null,"type":"session-ended"}', "the body names no webhookType"),
    ("a number for a type", b'{"webhookType":7}', "the body names no webhookType"),
    ("a list for data", b'{"webhookType":"session-ended","data":[]}', "data is not an object"),
    ("null for data", b'{"webhookType":"session-ended","data":null}', "data is not an object"),
    ("no data", b'{"webhookType":"session-ended"}', "data.meetingId is not an id"),
    ("no session", started(sessionId=None), "data.sessionId is not an id"),
    ("no participant", v.body_of("participant-left", participantId=None), "data.participantId is not an id"),
    ("a number for an id", started(meetingId=7), "data.meetingId is not an id"),
    ("a list for an id", started(participantId=["a"]), "data.participantId is not an id"),
    ("a path for an id", started(sessionId="../../x"), "data.sessionId is not an id"),
    ("a key for an id", started(sessionId="a#b"), "data.sessionId is not an id"),
    ("a long id", started(sessionId="a" * 129), "data.sessionId is not an id"),
    (
        "another kind",
        started(kind="share"),
        NO_KIND,
    ),
    (
        "a list for a kind",
        started(kind=["audio"]),
        NO_KIND,
    ),
    ("a text for files", stopped(fileDetails="a"), NO_FILES),
    ("texts for files", stopped(fileDetails=["a"]), NO_FILES),
    ("a number for a name", joined(participantName=7), NO_NAME),
    ("a long name", joined(participantName="a" * 257), NO_NAME),
    ("no time", v.body_of("session-started", start="2022-07-05T15:60:35Z"), "data.start is no time"),
    ("no start", v.body_of("session-started", start=None), "data.start is no time"),
]


@pytest.mark.parametrize(("body", "why"), [odd[1:] for odd in ODD], ids=[odd[0] for odd in ODD])
def test_what_can_not_be_understood_is_kept_and_the_reason_told(body: bytes, why: str) -> None:
    assert reason(body) == why


def test_brackets_in_texts_and_deep_enough_bodies_are_no_depth() -> None:
    in_text = v.body_of("participant-joined", participantName='[[[[{{{{"\\' * 20)

    assert isinstance(heard(in_text), e.ParticipantJoined)
    assert reason(nested(DEPTH)) == "this type of webhook is not known"


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    body = v.body_of("participant-joined").replace("Zoë".encode(), b"\\ud83c\\udf99")

    assert heard(body) == e.ParticipantJoined(at=AT, room_id=v.ROOM, participant_id=v.PERSON, name="🎙")


@pytest.mark.parametrize(
    "body",
    [
        b"[]" * 9 + told
        for told in (b'\\"' * 32_000, b'"' * 65_000, b'"' + b'\\"' * 32_000, b'"' + b"\\\\" * 32_000)
    ],
    ids=["escaped quotes", "quotes", "a text of quotes", "a text of backslashes"],
)
def test_a_body_made_to_be_slow_is_not(body: bytes) -> None:
    began = time.process_time()

    reason(body)

    assert time.process_time() - began < 0.2


# --- whatever comes -------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENVELOPES = st.fixed_dictionaries(
    {"webhookType": st.sampled_from(sorted(v.DATA)) | JSON},
    optional={
        "data": JSON
        | st.fixed_dictionaries(
            {},
            optional={name: JSON | st.just(told) for data in v.DATA.values() for name, told in data.items()},
        )
    },
)
MANGLED = st.tuples(
    st.sampled_from(sorted(v.DATA)), st.integers(0, 300), st.integers(0, 300), st.binary(max_size=4)
).map(lambda how: v.body_of(how[0])[: how[1]] + how[3] + v.body_of(how[0])[how[2] :])
BODIES = st.binary(max_size=300) | ENVELOPES.map(lambda told: json.dumps(told).encode()) | MANGLED


@given(BODIES)
@example(b'{"webhookType":"x","data":{"a":1e999}}')
def test_no_body_makes_us_stumble(body: bytes) -> None:
    news = parse(body)
    fact = fact_of(news, AT)

    assert isinstance(fact, e.OddHeard) or news.odd is None
    assert e.from_record(json.loads(json.dumps(e.to_record(fact)))) == fact
    fact.identity.encode()
    news.text.encode()


@given(BODIES)
def test_news_is_typed_whatever_was_told(body: bytes) -> None:
    news = parse(body)

    texts = (news.meeting_id, news.session_id, news.participant_id, news.kind, news.name, news.odd)
    assert all(told is None or isinstance(told, str) for told in texts)
    assert all(isinstance(path, str) for path in news.files)
    assert all(told is None or type(told) is int for told in (news.start_at, news.end_at))


@given(BODIES)
def test_odd_news_says_no_more_than_whom_it_is_about(body: bytes) -> None:
    news = parse(body)
    told = {field.name: getattr(news, field.name) for field in fields(News)}
    about = ("meeting_id", "session_id", "participant_id", "kind")
    kept = {name: told.pop(name) for name in ("body", "body_sha256", "webhook_type", "odd", *about)}

    assert kept["odd"] is None or not any(told.values())


@pytest.mark.parametrize(
    "odd", [{"fileDetails": "x"}, {"sessionId": "../x"}, {"kind": "smell"}, {"meetingId": 7}]
)
def test_odd_news_is_about_what_can_be_read_of_it(odd: dict[str, Any]) -> None:
    news = parse(v.body_of(f"{TRACK}stopped", **odd))

    whole = {"meetingId": v.ROOM, "sessionId": v.SESSION, "participantId": v.PERSON, "kind": "audio"}
    read = {name: told if name not in odd else None for name, told in whole.items()}
    assert news.odd is not None
    assert [news.meeting_id, news.session_id, news.participant_id, news.kind] == list(read.values())


@given(JSON | st.datetimes().map(lambda d: d.isoformat() + "Z"))
def test_any_time_is_one_or_none(told: Any) -> None:
    at = shapes.millis(told)

    assert at is None or (isinstance(at, int) and at >= 0)


@pytest.mark.parametrize("module", [shapes, answers], ids=lambda module: module.__name__)
def test_what_the_docstrings_show_is_so(module: Any) -> None:
    told = doctest.testmod(module)

    assert (told.failed, told.attempted > 0) == (0, True)
