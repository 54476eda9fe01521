"""What a recording's whole life costs in the table: write units, as DynamoDB counts them."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.adapters.dynamodb import DynamoCatalog, DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.core import events as e
from chalicelib.core.work import Lease
from chalicelib.flows.record import Once, start, stop
from chalicelib.ports import recording_subject
from tests.builders import ROOM, SESSION, listed, name
from tests.contracts.conftest import TABLE
from tests.e2e.stage import Stage
from tests.fakes import NOON, MemoryWorld
from tests.flows.stage import AUDIO, URL, deliver, key_of, pass_by, until_quiet, webhook

pytestmark = pytest.mark.e2e

AT_MOST = 40  # write units for a recording with one segment
FURTHER = 8.25  # and for each segment more: two witnesses name every file, a few kilobytes for many
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


class Meter:
    """Counts what a client's writes cost: as each answer says, and what a refused condition costs unsaid."""

    def __init__(self, client: Any) -> None:
        self.units: Counter[str] = Counter()
        for call in WRITES:
            client.meta.events.register(f"provide-client-params.dynamodb.{call}", self._ask)
            client.meta.events.register(f"after-call.dynamodb.{call}", self._count)

    @property
    def total(self) -> int:
        """All together."""
        return round(self.units.total())

    def _ask(self, params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"

    def _count(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if "Error" in parsed:
            assert parsed["Error"]["Code"] == "ConditionalCheckFailedException"
            self.units["refused"] += 1  # what is there has less than 1 KB wherever a condition of ours fails
            return
        told = parsed["ConsumedCapacity"]
        self.units[model.name] += sum(
            one["CapacityUnits"] for one in (told if isinstance(told, list) else [told])
        )


@dataclass(frozen=True)
class StreamedLedger(DynamoLedger):
    """Tells of its news as the table's stream does."""

    stream: deque[str] = field(default_factory=deque)

    def append(self, subject: str, event: e.Event) -> bool:
        """Written, and streamed."""
        news = super().append(subject, event)
        if news and not isinstance(event, e.CONCLUSIONS):
            self.stream.append(subject)
        return news


@dataclass(frozen=True)
class StreamedLeases(DynamoLeases):
    """The same of what is committed."""

    stream: deque[str] = field(default_factory=deque)

    def commit(self, lease: Lease, subject: str, facts: Sequence[e.Event]) -> bool:
        """Written, and streamed."""
        news = super().commit(lease, subject, facts)
        if news:
            self.stream.append(subject)
        return news


@pytest.fixture
def metered(stage: Stage, new: Callable[[str], str]) -> Iterator[tuple[Any, Meter]]:
    """A world whose table is a real one, and what its writes cost."""
    client, table, world = stage.client("dynamodb"), new("capacity"), MemoryWorld()
    told = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=table, **{part: TABLE[part] for part in told})
    ledger = StreamedLedger(client, table)
    world.ledger = ledger  # type: ignore[assignment]  # answers to the same port
    world.catalog = DynamoCatalog(client, table)  # type: ignore[assignment]
    world.leases = StreamedLeases(client, table, stream=ledger.stream)  # type: ignore[assignment]
    yield world, Meter(client)
    client.delete_table(TableName=table)


def lived(world: Any, segments: int) -> None:
    """A recording from its start to its manifest. Each of its news is settled by itself, which costs most:
    the stream hands over in one batch what comes within a second."""
    once = Once("once", "digest")
    recording_id = str(start(world, AUDIO, "app", URL, once)["recordings"][0]["recordingId"])
    world.ledger.stream.append(recording_subject(recording_id))
    files = [name(NOON + 10_000 * number) for number in range(segments)]
    steps: list[Callable[[], object]] = [
        lambda: webhook(world, recording_id, e.RecordingStarting(at=1, session_id=SESSION)),
        lambda: webhook(world, recording_id, e.RecordingStarted(at=1, session_id=SESSION)),
        *(lambda file=file: deliver(world, key_of(recording_id, file)) for file in files),
        lambda: stop(world, [recording_id], "app"),
        lambda: webhook(world, recording_id, e.RecordingStopping(at=1, session_id=SESSION)),
        lambda: _list(world, files),
        lambda: webhook(
            world, recording_id, e.RecordingStopped(at=1, session_id=SESSION, files=tuple(files))
        ),
    ]
    for step in steps:
        step()
        until_quiet(world)
    assert world.catalog.session(SESSION).complete


def _list(world: Any, files: list[str]) -> None:
    world.recorder.tracks[ROOM] = [listed(*files, start_at=NOON, end_at=NOON)]


@pytest.mark.parametrize("segments", [1, 2, 10, 40])
def test_a_recording_costs_at_most_forty_write_units_and_as_much_for_each_further_segment(
    metered: tuple[Any, Meter], segments: int
) -> None:
    world, meter = metered

    lived(world, segments)

    print(segments, "segments:", meter.total, "write units", dict(meter.units))
    assert meter.total <= AT_MOST + FURTHER * (segments - 1)


def test_a_round_of_the_schedule_that_finds_all_well_costs_no_write_at_all(
    metered: tuple[Any, Meter],
) -> None:
    world, meter = metered
    lived(world, 1)
    before = meter.total

    pass_by(world, 300_000)

    assert meter.total == before
