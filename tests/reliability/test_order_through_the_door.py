"""Random histories through the app's own doors and DynamoDB's own conditions end as the model's do.

The app hears many recordings at once, in any order and often. The model hears the same flows' doors over the
world in memory: each delivery once, one recording after the other.
"""

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import pytest

import app
from chalicelib import wiring
from chalicelib.adapters.videosdk.post import SignedPost
from chalicelib.adapters.videosdk.signature import Signature
from chalicelib.core.events import Event, RecordingRequested, StartAccepted, StartUnconfirmed
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import encoded, manifest
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session
from chalicelib.core.trigger import Appeared
from chalicelib.core.views import recording_view
from chalicelib.flows.ingest import ingest
from chalicelib.flows.receive import receive_of_recording
from chalicelib.ports import recording_subject
from tests.adapters import vendor as v
from tests.fakes import MemoryWorld
from tests.media.live import OPUS, live, opus
from tests.reliability.receiver import TAG_KEY, Receiver, receiving, recording_id, token
from tests.routes.gateway import Gateway
from tests.tally import Tally

BUCKET = "deliveries"
AT_ONCE = 10  # recordings; their table is thrown away after them
SHARDS = 2
DELIVERIES = 10
A, B, C = (f"track_recording_{v.PERSON}_audio_{1_721_198_084_716 + 10_000 * n}.webm" for n in range(3))
OBJECTS = {A: live(OPUS, opus(100)), B: b"this is no film"}  # and C is gone before anybody reads it


def news(what: str, **said: Any) -> bytes:
    """A letter about the recording's track."""
    return v.body_of(f"participant-track-recording-{what}", **{**v.TRACK, **said})


def ended(*files: str) -> bytes:
    """The letter that names files."""
    return news("stopped", fileDetails=[{"filePath": f"{v.SESSION}/{v.PERSON}/audio/{f}"} for f in files])


LETTERS = [
    news("starting"),
    news("started"),
    news("started", sessionId="another-session"),
    news("stopping"),
    ended(),
    ended(A),
    ended(A, B, C),
    news("failed"),
    news("paused"),
    news("started", kind="smell"),
    b"not even JSON",
    b'{"webhookType":"a","webhookType":"b"}',
]
BEGINNINGS: list[list[Event]] = [[], [StartAccepted(at=2)], [StartUnconfirmed(at=2, reason="no answer")]]


@dataclass(frozen=True)
class History:
    """What comes of one recording, once each. `files` are keys of objects whose events come."""

    number: int
    begun: list[Event]
    letters: list[bytes]
    files: list[str]

    @property
    def recording_id(self) -> str:
        """Its id."""
        return recording_id(self.number)

    @cached_property
    def token(self) -> str:
        """The end of its address."""
        return token(self.number)

    @property
    def subject(self) -> str:
        """Its name in the ledger."""
        return recording_subject(self.recording_id)

    def key(self, file: str) -> str:
        """Where VideoSDK puts its file."""
        return f"recordings/{self.recording_id}/{v.SESSION}/{v.PERSON}/audio/{file}"


def lived(number: int, chance: random.Random) -> History:
    """A history by chance. Objects cost a whole pass of the media: few have one."""
    asked = RecordingRequested(at=1, room_id=v.ROOM, participant_id=v.PERSON, kind=Kind.AUDIO, by="my-app")
    letters = chance.sample(LETTERS, chance.randint(2, 6))
    files = [C] * chance.randint(0, 1) + (chance.sample([A, B], 1) if chance.random() < 0.05 else [])
    return History(number, [asked, *chance.choice(BEGINNINGS)], letters, files)


class House:
    """The app with its table and buckets."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self._s3 = boto3.client("s3")
        for bucket in (BUCKET, "output"):
            here = {"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]}
            self._s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
        sqs = boto3.client("sqs")
        queue = sqs.create_queue(QueueName="a-queue")["QueueUrl"]
        os.environ.update(RECORDINGS_BUCKET=BUCKET, OUTPUT_BUCKET="output", BUCKET_DIR_PATH="recordings")
        os.environ.update(dict.fromkeys(("INGEST_QUEUE_URL", "RENDER_QUEUE_URL"), queue))
        receiver.cold()

    def begin(self, history: History) -> None:
        """It was asked for, and its objects are there."""
        for fact in history.begun:
            wiring.world().ledger.append(history.subject, fact)
        for file in history.files:
            if file in OBJECTS:
                self._s3.put_object(Bucket=BUCKET, Key=history.key(file), Body=OBJECTS[file])

    def hear(self, history: History, letter: bytes, signature: str) -> bool | None:
        """Whether a letter was news; None when it was not taken."""
        answer = self.receiver(letter, signature, token=history.token)
        return answer.news if answer.status == 200 else None

    def appears(self, history: History, file: str) -> bool:
        """The bucket's event, as the queue brings it; whether it was taken."""
        told = {"bucket": {"name": BUCKET}, "object": {"key": history.key(file), "size": 1, "eTag": "e"}}
        body = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": told}]}
        attributes = {"ApproximateReceiveCount": "1"}
        message = {"messageId": "m", "receiptHandle": "r", "attributes": attributes, "body": json.dumps(body)}
        taken: dict[str, Any] = app.ingest({"Records": [message]}, Context())
        return taken == {"batchItemFailures": []}

    def told(self, history: History) -> Any:
        """What the API says of it."""
        return Gateway(app.app, lambda: None, lambda: None).get(f"/recordings/{history.recording_id}").told


class Context:
    """What Lambda gives beside the event."""

    def get_remaining_time_in_millis(self) -> int:
        """Time enough."""
        return 60_000


class Model(MemoryWorld):
    """The world in memory, but for signatures and media, which are real."""

    def __init__(self, vendor: v.Vendor) -> None:
        super().__init__()
        self.tag_key = TAG_KEY
        self.post = SignedPost(Signature(vendor.url, now=self.now))  # type: ignore[assignment]  # the real one
        self.media = wiring.world().media  # type: ignore[assignment]  # the real one

    def live(self, history: History, signed: dict[bytes, str]) -> tuple[Event, ...]:
        """All of it once, in the order in which it is written down."""
        for fact in history.begun:
            self.ledger.append(history.subject, fact)
        for file in history.files:
            if file in OBJECTS:
                self.inbox.put(history.key(file), OBJECTS[file])
            ingest(self, Appeared(BUCKET, history.key(file)))
        for letter in history.letters:
            receive_of_recording(self, history.token, letter, signed[letter])
        return self.ledger.read(history.subject)


@pytest.fixture(scope="module")
def signer() -> v.Signer:
    return v.Signer()


@pytest.fixture
def house(signer: v.Signer) -> Iterator[House]:
    with receiving(signer) as receiver:
        yield House(receiver)


def concluded(history: History, facts: Iterable[Event]) -> tuple[Any, ...]:
    """Phase, verdict and the manifest's bytes."""
    recording = Recording.of(history.recording_id, facts)
    session = Session(v.SESSION, frozenset(), (recording,))
    return recording.phase, recording.verdict, encoded(manifest(session))


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.invariant(
    3, "random histories through the app's doors and DynamoDB's conditions end as the model's"
)
def test_a_history_through_the_doors_ends_as_the_models_does(
    shard: int, house: House, signer: v.Signer, tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    chance, signed = random.Random(seed + shard), {letter: signer.sign(letter) for letter in LETTERS}
    model = Model(house.receiver.vendor)
    for first in range(0, size(60, 10_000) // SHARDS, AT_ONCE):
        histories = [lived(number, chance) for number in range(first, first + AT_ONCE)]
        for what in delivered(house, histories, signed, chance):
            tally.violation(what)
        for history in histories:
            tally.case()
            wanted = concluded(history, model.live(history, signed))
            if concluded(history, wiring.world().ledger.read(history.subject)) != wanted:
                tally.violation(f"{history} does not end as the model's")
        if house.told(histories[0]) != view(model, histories[0]):
            tally.violation(f"the API tells {histories[0]} otherwise")
        house.receiver.empty()


def delivered(
    house: House, histories: list[History], signed: dict[bytes, str], chance: random.Random
) -> Iterator[str]:
    """Deliver all that comes of these, mixed and with repeats; what was not taken, or was news twice."""
    coming: list[tuple[History, bytes | str]] = []
    for history in histories:
        house.begin(history)
        once: list[bytes | str] = [*history.letters, *history.files]
        coming += [(history, one) for one in once + chance.choices(once, k=DELIVERIES - len(once))]
    chance.shuffle(coming)
    heard = set()
    for history, one in coming:
        if isinstance(one, str):
            if not house.appears(history, one):
                yield f"the event of {one} of {history} was not taken"
        elif house.hear(history, one, signed[one]) != ((history.number, one) not in heard):
            yield f"{one!r} of {history} was not news once"
        heard.add((history.number, one))


def view(model: Model, history: History) -> Any:
    """What the API should say of it."""
    return json.loads(
        json.dumps(recording_view(Recording.of(history.recording_id, model.ledger.read(history.subject))))
    )
