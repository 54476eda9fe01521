"""Objects in the bucket that no meeting of ours made, and messages that no bucket sent."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import pytest
import requests

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from local.videosdk import media
from ops.redrive import Redrive
from tests.e2e.stage import TIMEOUT_S, Stage, Told, until

pytestmark = pytest.mark.e2e

FILE = "track_1795000000000.webm"

type New = Callable[[str], str]


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A file as VideoSDK's recorder writes it, of two seconds."""
    return media.segment("audio", 0, 500, 2_500)


@pytest.fixture(scope="module")
def longer() -> bytes:
    """Another one, of three."""
    return media.segment("audio", 1, 500, 3_500)


def segments(stage: Stage, session_id: str) -> dict[str, Told]:
    """What is known of a session's segments, by key."""
    lines = [
        line for page in stage.api.pages("/recordings", sessionId=session_id) for line in page["recordings"]
    ]
    told = [stage.api.get(f"/recordings/{line['recordingId']}") for line in lines]
    return {segment["key"]: recording for recording in told for segment in recording["segments"]}


def all_of(stage: Stage, session_id: str, keys: set[str]) -> dict[str, Told]:
    """The same, once these keys are known."""

    def known() -> dict[str, Told]:
        found = segments(stage, session_id)
        return found if keys <= found.keys() else {}

    return until(f"{len(keys)} segments", known)


# --- what they are ------------------------------------------------------------------------------------

PLAYLIST = b"ffconcat version 1.0\nfile 'file:///etc/passwd'\n"
CLUSTER = bytes.fromhex("1f43b675")
# What an object holds, made from a good one; its state then, and why where it is rejected.
OBJECTS: dict[str, tuple[Callable[[bytes], bytes], str, str | None]] = {
    "a-recording": (lambda good: good, "ready", None),
    "cut-short": (lambda good: good[: len(good) * 2 // 3], "tail_lost", None),
    "only-a-head": (lambda good: good.partition(CLUSTER)[0], "rejected", "no_packets"),
    "no-bytes": (lambda _: b"", "rejected", "empty"),
    "noise": (lambda _: bytes(range(256)) * 64, "rejected", "not_webm"),
    "a-list-for-ffmpeg": (lambda _: PLAYLIST, "rejected", "not_webm"),
    "an-error-page": (lambda _: b"<Error><Code>AccessDenied</Code></Error>", "rejected", "not_webm"),
}
REJECTED = sum(state == "rejected" for _, state, _ in OBJECTS.values())


@dataclass(frozen=True)
class Delivered:
    """Objects that were put under the watched prefix, all at once, and what became of them."""

    session_id: str
    bodies: dict[str, bytes]
    recordings: dict[str, Told]


@pytest.fixture(scope="module")
def delivered(stage: Stage, new: New, sound: bytes) -> Delivered:
    session_id = new("objects")
    bodies = {
        stage.under(session_id, name, "audio", FILE): made(sound) for name, (made, _, _) in OBJECTS.items()
    }
    for key, body in bodies.items():
        stage.put(key, body)
    return Delivered(session_id, bodies, all_of(stage, session_id, set(bodies)))


@pytest.mark.parametrize(
    ("name", "state", "code"), [(n, s, c) for n, (_, s, c) in OBJECTS.items()], ids=OBJECTS
)
def test_an_object_is_read_or_rejected_by_what_it_holds(
    stage: Stage, delivered: Delivered, name: str, state: str, code: str | None
) -> None:
    recording = delivered.recordings[stage.under(delivered.session_id, name, "audio", FILE)]

    (segment,) = recording["segments"]

    assert (segment["state"], segment.get("code")) == (state, code)
    assert recording["participantId"] == name
    assert [finding["reason"] for finding in recording["verdict"]["odd"]] == ["unannounced"]
    assert recording["verdict"]["complete"] == (state == "ready")


def test_every_object_is_kept_as_it_was_delivered(stage: Stage, delivered: Delivered) -> None:
    assert {key: stage.delivered(key) for key in delivered.bodies} == delivered.bodies
    assert sorted(stage.keys(stage.under(delivered.session_id))) == sorted(delivered.bodies)


def test_the_verdict_names_what_was_rejected_and_what_came_unannounced(
    stage: Stage, delivered: Delivered
) -> None:
    def manifest() -> Told | None:
        told = stage.api.get(f"/sessions/{delivered.session_id}")
        return told if len(told["verdict"]["odd"]) == len(OBJECTS) else None

    verdict = until("all of them in one verdict", manifest)["verdict"]

    assert not verdict["complete"]
    assert Counter(finding["reason"] for finding in verdict["missing"]) == {
        "rejected": REJECTED,
        "tail_lost": 1,
    }
    assert {finding["reason"] for finding in verdict["odd"]} == {"unannounced"}


# --- where they lie -----------------------------------------------------------------------------------

# A key below the prefix and the session, and whose track that is.
KEYS: dict[str, tuple[str, str]] = {
    "spaces": ("p a/audio/a b 1795000000000.webm", "p a"),
    "plus": ("p+a/audio/a+b_1795000000000.webm", "p+a"),
    "an encoded slash": ("p%2Fb/audio/a%2Fb_1795000000000.webm", "p%2Fb"),
    "beyond ASCII": ("pü/audio/ä😀_1795000000000.webm", "pü"),
    "doubled slashes": ("/pp//audio//x_1795000000000.webm", "pp"),
    "more folders": ("individual-recordings/{session}/pi/audio/x_1795000000000.webm", "pi"),
}
MISPLACED = {
    "dots": "../{session}/px/audio/x_1795000000000.webm",
    "too short": "x_1795000000000.webm",
    "no kind": "px/hologram/x_1795000000000.webm",
}
# Full keys that the rule does not watch.
ELSEWHERE = ("other/{session}/pe/audio/{file}", "recordings-old/{session}/pe/audio/{file}")


@dataclass(frozen=True)
class Placed:
    """Recordings that were put under all sorts of keys, and what became of them."""

    session_id: str
    recordings: dict[str, Told]


@pytest.fixture(scope="module")
def placed(stage: Stage, new: New, sound: bytes) -> Placed:
    session_id = new("keys ü+")
    for key in ELSEWHERE:
        stage.put(key.format(session=session_id, file=FILE), sound)
    below = [key for key, _ in KEYS.values()] + list(MISPLACED.values())
    for key in below:
        stage.put(stage.under(session_id, key.format(session=session_id)), sound)
    wanted = {stage.under(session_id, key.format(session=session_id)) for key, _ in KEYS.values()}
    return Placed(session_id, all_of(stage, session_id, wanted))


@pytest.mark.parametrize(("key", "participant_id"), list(KEYS.values()), ids=list(KEYS))
def test_a_key_is_taken_as_it_is(stage: Stage, placed: Placed, key: str, participant_id: str) -> None:
    recording = placed.recordings[stage.under(placed.session_id, key.format(session=placed.session_id))]

    assert recording["participantId"] == participant_id
    assert [segment["state"] for segment in recording["segments"]] == ["ready"]


@pytest.mark.parametrize("key", list(MISPLACED.values()), ids=list(MISPLACED))
def test_a_key_that_names_no_segment_is_written_down(stage: Stage, placed: Placed, key: str) -> None:
    whole = stage.under(placed.session_id, key.format(session=placed.session_id))

    def written() -> list[Told]:
        return [fact for fact in stage.facts("misplaced") if fact["key"] == whole]

    (fact,) = until("the misplaced object", written)

    assert fact["type"] == "ObjectMisplaced"


def test_what_lies_outside_the_prefix_is_not_looked_at(stage: Stage, placed: Placed) -> None:
    seen = {recording["participantId"] for recording in placed.recordings.values()}

    assert seen == {participant_id for _, participant_id in KEYS.values()}
    assert not [fact for fact in stage.facts("misplaced") if not fact["key"].startswith(stage.under(""))]


def test_a_session_of_any_name_gets_its_manifest(stage: Stage, placed: Placed) -> None:
    def written() -> bool:
        lines = stage.api.get("/sessions", limit=20)["sessions"]
        return any(line["sessionId"] == placed.session_id and line["manifestKey"] for line in lines)

    assert until("the manifest", written)


def test_files_under_any_key_can_be_had(stage: Stage, placed: Placed) -> None:
    def manifest() -> Told | None:
        told = stage.api.get(f"/sessions/{quote(placed.session_id, safe='')}")
        repaired = [made for made in told["artifacts"] if made["product"] == "repaired"]
        return told if len(repaired) == len(KEYS) else None

    for made in until("all of them in one manifest", manifest)["artifacts"]:
        answer = requests.get(made["url"], timeout=TIMEOUT_S)

        assert (answer.status_code, len(answer.content)) == (200, made["bytes"])


# --- how they are told of -----------------------------------------------------------------------------


def by_eventbridge(bucket: str, key: str) -> str:
    """As the rule puts it into the queue."""
    return json.dumps(
        {"detail-type": "Object Created", "detail": {"bucket": {"name": bucket}, "object": {"key": key}}}
    )


def by_s3(bucket: str, key: str) -> str:
    """As a bucket's own notification has it: the key URL-encoded."""
    s3 = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]})


def first(stage: Stage, session_id: str, key: str) -> Told:
    """The recording of a key, once it is known."""
    return all_of(stage, session_id, {key})[key]


def stored(stage: Stage, recording: Told) -> int:
    return stage.api.types(recording["recordingId"]).count("SegmentStored")


def test_an_object_is_processed_once_however_often_it_is_told_of(
    stage: Stage, new: New, sound: bytes
) -> None:
    session_id = new("twice")
    key = stage.under(session_id, "p", "audio", FILE)
    stage.put(key, sound)
    recording = first(stage, session_id, key)

    for told in (by_eventbridge, by_s3, by_eventbridge):
        stage.send(told(stage.told["bucket"], key))
    until("an idle queue", stage.idle)

    assert stored(stage, recording) == 1


def test_an_object_that_is_overwritten_is_processed_anew(
    stage: Stage, new: New, sound: bytes, longer: bytes
) -> None:
    session_id = new("overwritten")
    key = stage.under(session_id, "p", "audio", FILE)
    stage.put(key, sound)
    recording = first(stage, session_id, key)

    stage.put(key, longer)
    until("the second file's fact", lambda: stored(stage, recording) == 2)

    (segment,) = stage.api.get(f"/recordings/{recording['recordingId']}")["segments"]
    assert (segment["bytes"], segment["durationMs"]) == (len(longer), 3_000)


def test_a_bucket_may_tell_the_queue_itself(stage: Stage, new: New, sound: bytes) -> None:
    session_id = new("told-by-s3")
    key = stage.under(session_id, "p ü", "audio", f"a+b {FILE}")
    with stage.deaf():
        stage.put(key, sound)
        stage.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "x"}))
        stage.send(by_s3(stage.told["bucket"], key))

        recording = first(stage, session_id, key)

    assert [segment["state"] for segment in recording["segments"]] == ["ready"]


def test_an_object_that_is_gone_when_it_is_read_is_named_and_may_come_back(
    stage: Stage, new: New, sound: bytes
) -> None:
    session_id = new("gone")
    key = stage.under(session_id, "p", "audio", FILE)

    stage.send(by_eventbridge(stage.told["bucket"], key))
    recording = first(stage, session_id, key)

    assert [(segment["state"], segment["code"]) for segment in recording["segments"]] == [
        ("rejected", "object_gone")
    ]

    stage.put(key, sound)
    until("the file", lambda: stored(stage, recording))

    assert [s["state"] for s in stage.api.get(f"/recordings/{recording['recordingId']}")["segments"]] == [
        "ready"
    ]


def test_an_object_of_another_bucket_is_not_read(stage: Stage, new: New) -> None:
    key = stage.under(new("foreign"), "p", "audio", FILE)

    stage.send(by_eventbridge("somebody-elses", key))

    (fact,) = until("its fact", lambda: [f for f in stage.facts("misplaced") if f["key"] == key])
    assert fact["reason"] == "it lies in another bucket, somebody-elses"


# --- what can not be done -----------------------------------------------------------------------------


def dead_letters(stage: Stage, body: str) -> list[Told]:
    """The dead letters that say this; looking leaves them where they are."""
    received = stage.sqs.receive_message(
        QueueUrl=stage.told["deadLetterQueue"],
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageAttributeNames=["All"],
    )
    return [message for message in received.get("Messages", ()) if message["Body"] == body]


def tries(stage: Stage, body: str) -> int:
    """How often the function says that it failed with this message."""
    log = stage.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{stage.told['stackName']}/ingest", filterPattern=f'"{body}"'
    )
    return len([event for event in log["events"] if "a message failed" in event["message"]])


def test_a_poisonous_message_ends_with_the_dead_letters_and_can_be_tried_again(
    stage: Stage, new: New
) -> None:
    poison = new("poison")

    stage.send(poison)
    (letter,) = until("the dead letter", lambda: dead_letters(stage, poison))

    said = {name: told["StringValue"] for name, told in letter["MessageAttributes"].items()}
    assert stage.told["queue"].endswith(f"/{said['Queue']}")
    assert said["Reason"] == "unknown_message: the message tells of no object"
    until("the one try in the function's log", lambda: tries(stage, poison) == 1)

    went = Redrive(
        stage.sqs,
        stage.client("dynamodbstreams"),
        stage.client("lambda"),
        stage.told["deadLetterQueue"],
        stage.told["queue"],
        stage.resource("Settle"),
        DynamoLedger(stage.client("dynamodb"), stage.told["table"]),
        DynamoLeases(stage.client("dynamodb"), stage.told["table"]),
        "a test",
    ).run()

    assert went == {f"back to {said['Queue']}: {said['Reason']}": 1}
    (letter,) = until("the dead letter once more", lambda: dead_letters(stage, poison))
    until("one more", lambda: tries(stage, poison) == 2)
    stage.sqs.delete_message(QueueUrl=stage.told["deadLetterQueue"], ReceiptHandle=letter["ReceiptHandle"])
