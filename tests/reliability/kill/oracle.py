"""What must be so when all has come to rest, whatever was struck on the way."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.core import events as e
from chalicelib.core.ids import index_key
from chalicelib.core.order import PLAN
from chalicelib.core.recording import Recording
from chalicelib.media.repair import repair
from tests.media.live import Nowhere
from tests.reliability.kill import aws
from tests.reliability.kill.platform import Stage
from tests.reliability.kill.stories import HEARD, App

# Facts that tell what VideoSDK and the bucket hold: no accident may add to them or take from them.
OF_THE_WORLD = (
    e.SegmentStored,
    e.SegmentRejected,
    e.ArtifactMade,
    e.ProductFailed,
    e.SegmentOverdue,
    e.EndOverdue,
    e.OddHeard,
    e.ObjectMisplaced,
    e.WorkGivenUp,
)


@dataclass(frozen=True)
class End:
    """How a story ended: what a run that nothing struck has to have in common with all others."""

    facts: dict[str, int]
    complete: bool
    missing: tuple[str, ...]
    odd: tuple[str, ...]
    products: dict[str, int]

    @classmethod
    def of(cls, stage: Stage) -> "End":
        """The end that the ledger and the output bucket tell of."""
        stage.look()
        recordings = stage.recordings()
        told = _facts(stage, recordings)
        facts = Counter(type(fact).__name__ for fact in told if isinstance(fact, OF_THE_WORLD))
        wanted = [r for r in recordings if not r.refused]
        return cls(
            dict(facts),
            all(r.verdict.complete for r in wanted),
            tuple(sorted(f.reason for r in wanted for f in r.verdict.missing)),
            tuple(sorted(f.reason for r in wanted for f in r.verdict.odd)),
            dict(Counter(_product(key) for key in stage.aws.objects() if "manifest" not in key)),
        )


def faults(stage: Stage, app: App, wanted: End) -> list[str]:
    """Everything that is not as it must be."""
    found = list(stage.broken)
    end = End.of(stage)
    if end != wanted:
        found.append(f"it ended as {end}, undisturbed as {wanted}")
    recordings = stage.recordings()
    for rule in (_acked, _videosdk, _objects, _sidecars, _manifest, _work, _queues):
        found.extend(rule(stage, app, recordings))
    found.extend(_quiet(stage))
    return found


def _acked(stage: Stage, _: App, recordings: list[Recording]) -> Iterator[str]:
    known = {r.recording_id: r for r in recordings}
    for delivery in stage.acked:
        told = json.loads(delivery["body"])["webhookType"]
        recording = known.get(delivery["token"].partition(".")[0])
        if recording is None or not recording.knows(HEARD[told]):
            yield f"{told} was acknowledged and is not in the ledger"


def _videosdk(_: Stage, app: App, recordings: list[Recording]) -> Iterator[str]:
    if app.running():
        yield "VideoSDK still records what was stopped"
    for track in app.tracks():
        ours = [r for r in recordings if r.recording_id in track.dir_path]
        if not ours or ours[0].refused:
            yield "VideoSDK recorded something of which the ledger does not know"
    for recording in recordings:
        if not recording.verdict.settled:
            yield f"{recording.recording_id} is never settled: {recording.verdict}"


def _objects(stage: Stage, _: App, recordings: list[Recording]) -> Iterator[str]:
    there, told, plans = set(stage.aws.objects()), set[str](), set[str]()
    for fact in _facts(stage, recordings):
        told.update(_files(fact))
        plans.update(f"{step}/{PLAN}" for step in _steps(fact))
    yield from (f"nobody knows of {key}" for key in sorted(there - told - plans))
    yield from (f"{key} is said to be there" for key in sorted(told - there))
    if uploads := stage.aws.uploads():
        yield f"{len(uploads)} uploads were never ended"


def _sidecars(stage: Stage, _: App, recordings: list[Recording]) -> Iterator[str]:
    """Each tells what is told when its file is repaired once more."""
    for fact in (f for r in recordings for f in r.facts if isinstance(f, e.SegmentStored)):
        delivered = stage.aws.s3.get_object(Bucket=aws.INBOX, Key=fact.key)
        if delivered["ETag"].strip('"') != fact.etag.strip('"'):
            continue
        key = index_key(fact.repaired_key)
        if stage.aws.body(key) != _index(delivered["Body"].read()):
            yield f"{key} is not what a second repair gives"


@lru_cache(maxsize=4)
def _index(delivered: bytes) -> bytes:
    return repair([delivered], Nowhere()).index


def _manifest(stage: Stage, _: App, __: list[Recording]) -> Iterator[str]:
    heads = [i for i in stage.aws.items() if i["sk"]["S"] == "head" and i["pk"]["S"].startswith("session#")]
    rung = {json.loads(told["Body"])["detail"]["manifestKey"] for told in stage.aws.letters("bell")}
    for head in heads:
        key = json.loads(head["told"]["S"])["manifest_key"]
        body = stage.aws.body(key)
        if body is None:
            yield f"the session's head names no manifest that is there: {key!r}"
            continue
        if not json.loads(body)["verdict"]["settled"]:
            yield "the session's manifest is not of its end"
        if key not in rung:
            yield "nobody was told of the session's manifest"
    if not heads:
        yield "the session has no head"


def _work(stage: Stage, _: App, __: list[Recording]) -> Iterator[str]:
    for item in stage.aws.items():
        if item["pk"]["S"].startswith("work#") and not item.keys() & {"done", "collected"}:
            yield f"work is left over: {item}"


def _queues(stage: Stage, _: App, __: list[Recording]) -> Iterator[str]:
    for name in (*aws.QUEUES, "dead"):
        if left := stage.aws.waiting(name):
            yield f"{left} messages are left in the queue {name}"


def _quiet(stage: Stage) -> Iterator[str]:
    """Once more the schedule runs, and finds nothing to do."""
    before = stage.aws.items(), stage.aws.objects()
    stage.pass_by()
    if (stage.aws.items(), stage.aws.objects()) != before:
        yield "one more pass of the schedule still writes something"


def _facts(stage: Stage, recordings: list[Recording]) -> Iterator[e.Event]:
    for recording in recordings:
        yield from recording.facts
    yield from stage.session_facts()


def _files(fact: e.Event) -> tuple[str, ...]:
    """What a fact says is there: a segment's sidecar with it, of the same generation."""
    match fact:
        case e.SegmentStored():
            return fact.repaired_key, index_key(fact.repaired_key)
        case e.ArtifactMade() | e.ManifestMade():
            return (fact.key,)
    return ()


def _steps(fact: e.Event) -> tuple[str, ...]:
    """The step of which a fact tells that it is over: its plan may be there, if it was a large one."""
    return (fact.step,) if isinstance(fact, e.ArtifactMade | e.ProductFailed) and fact.step else ()


def _product(key: str) -> str:
    return key.rpartition("/")[2].partition("-")[0]
