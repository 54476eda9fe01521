"""What a recording's whole life costs in the table: write units, as DynamoDB counts them."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from chalicelib.adapters.dynamodb import DynamoCatalog, DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.config import DEFAULTS
from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.work import Lease
from chalicelib.flows.record import Once, Wanted, start, stop
from chalicelib.ports import recording_subject
from tests.builders import ROOM, SESSION, WHO, listed, name
from tests.contracts.conftest import TABLE
from tests.e2e.stage import Stage
from tests.fakes import NOON, MemoryWorld, film
from tests.flows.stage import URL, deliver, key_of, pass_by, until_quiet, webhook

pytestmark = pytest.mark.e2e

USUAL = tuple(DEFAULTS["PRODUCTS"].split(","))
# Of a recording that is a session of its own: its kind, what is made of it, the write units with one segment,
# and those of each segment more: two witnesses name every file, a few kilobytes for many, and each segment of
# pictures has a poster. What is made of a session costs the same however many segments it has.
COSTS = [
    ("sound, and nothing made of it", Kind.AUDIO, (), 40, 8.25),
    ("sound, and the usual made of it", Kind.AUDIO, USUAL, 63, 8.25),
    ("pictures, and posters made of them", Kind.VIDEO, ("poster",), 45, 13.25),
    ("pictures, and the usual made of them", Kind.VIDEO, USUAL, 58, 13.25),
]
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


type Metered = Callable[[tuple[str, ...]], tuple[Any, Meter]]


@pytest.fixture
def metered(stage: Stage, new: Callable[[str], str]) -> Iterator[Metered]:
    """Begins a world whose table is a real one, where these products are made; and what its writes cost."""
    client, table = stage.client("dynamodb"), new("capacity")
    told = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=table, **{part: TABLE[part] for part in told})

    def begin(products: tuple[str, ...]) -> tuple[Any, Meter]:
        world, ledger = MemoryWorld(products=products), StreamedLedger(client, table)
        world.ledger = ledger  # type: ignore[assignment]  # answers to the same port
        world.catalog = DynamoCatalog(client, table)  # type: ignore[assignment]
        world.leases = StreamedLeases(client, table, stream=ledger.stream)  # type: ignore[assignment]
        return world, Meter(client)

    yield begin
    client.delete_table(TableName=table)


def lived(world: Any, segments: int, kind: Kind = Kind.AUDIO) -> None:
    """A recording from its start to its last product. Each of its news is settled by itself, which costs
    most: the stream hands over in one batch what comes within a second."""
    once, about = Once("once", "digest"), (ROOM, WHO, str(kind))
    wanted = Wanted(ROOM, WHO, (kind,))
    recording_id = str(start(world, wanted, "app", URL, once)["recordings"][0]["recordingId"])
    world.ledger.stream.append(recording_subject(recording_id))
    files = [name(NOON + 10_000 * number, kind=kind) for number in range(segments)]

    def hear(fact: e.Event) -> None:
        webhook(world, recording_id, fact, about)

    def get(file: str) -> None:
        deliver(world, key_of(recording_id, file, kind=kind), film(10_000, kind=kind))

    steps: list[Callable[[], object]] = [
        lambda: hear(e.RecordingStarting(at=1, session_id=SESSION)),
        lambda: hear(e.RecordingStarted(at=1, session_id=SESSION)),
        *(partial(get, file) for file in files),
        lambda: stop(world, [recording_id], "app"),
        lambda: hear(e.RecordingStopping(at=1, session_id=SESSION)),
        lambda: _list(world, files, kind),
        lambda: hear(e.RecordingStopped(at=1, session_id=SESSION, files=tuple(files))),
    ]
    for step in steps:
        step()
        until_quiet(world)
    assert world.catalog.session(SESSION).complete


def _list(world: Any, files: list[str], kind: Kind) -> None:
    world.recorder.tracks[ROOM] = [listed(*files, kind=str(kind), start_at=NOON, end_at=NOON)]


@pytest.mark.parametrize("segments", [1, 2, 40])
@pytest.mark.parametrize(
    ("kind", "products", "first", "further"), [c[1:] for c in COSTS], ids=[c[0] for c in COSTS]
)
def test_a_recordings_whole_life_costs_no_more_write_units_than_the_readme_says(
    metered: Metered, kind: Kind, products: tuple[str, ...], first: int, further: float, segments: int
) -> None:
    world, meter = metered(products)

    lived(world, segments, kind)

    print(segments, "segments:", meter.total, "write units", dict(meter.units))
    assert meter.total <= first + further * (segments - 1)


def test_a_round_of_the_schedule_that_finds_all_well_costs_no_write_at_all(metered: Metered) -> None:
    world, meter = metered(USUAL)
    lived(world, 1)
    before = meter.total

    pass_by(world, 300_000)

    assert meter.total == before
