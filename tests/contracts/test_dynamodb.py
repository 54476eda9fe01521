"""What only the table can show: how it is read, what it costs, and how it fails."""

from collections.abc import Callable
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib.adapters.dynamodb import DynamoCatalog, DynamoLedger
from chalicelib.core import events as e
from chalicelib.core.errors import Unavailable
from chalicelib.ports import Filter, recording_subject
from tests.builders import ASKED, RID, STARTED
from tests.contracts.conftest import Aws, Wire
from tests.contracts.test_catalog import claim, opening, recording, session

SUBJECT = recording_subject(RID)
FAULTS = [
    EndpointConnectionError(endpoint_url="https://dynamodb"),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
]


class Table:
    """A ledger and a catalog over one table, and their wire."""

    def __init__(self, aws: Aws, **said: Any) -> None:
        self.name = aws.table()
        self.wire = Wire(aws.client("dynamodb"))
        self.ledger = DynamoLedger(self.wire.client, self.name)
        self.catalog = DynamoCatalog(self.wire.client, self.name, pause=lambda _: None, **said)

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        """An item as it lies there."""
        found = self.wire.client.get_item(TableName=self.name, Key={"pk": {"S": pk}, "sk": {"S": sk}})
        item: dict[str, Any] = found["Item"]
        return item

    def calls(self, *names: str) -> list[dict[str, Any]]:
        """What was sent so far of these operations."""
        return [params for name, params in self.wire.calls if name in names]


@pytest.fixture
def table(aws: Aws) -> Table:
    return Table(aws)


DOORS: list[tuple[str, Callable[[Table], object]]] = [
    ("append", lambda t: t.ledger.append(SUBJECT, STARTED)),
    ("has", lambda t: t.ledger.has(SUBJECT, "x")),
    ("read", lambda t: t.ledger.read(SUBJECT)),
    ("read_each", lambda t: t.ledger.read_each([SUBJECT, "recording#other"])),
    ("open", lambda t: t.catalog.open([opening(1)], claim(1))),
    ("holder", lambda t: t.catalog.holder("r", "p", "audio")),
    ("recording", lambda t: t.catalog.recording("r")),
    ("bookmark", lambda t: t.catalog.bookmark("w")),
    ("keep_bookmark", lambda t: t.catalog.keep_bookmark("w", "p")),
    ("keep_recording", lambda t: t.catalog.keep_recording(recording(1, session_id="s"))),
    ("keep_session", lambda t: t.catalog.keep_session(session(1))),
    ("session", lambda t: t.catalog.session("s")),
    ("of_session", lambda t: t.catalog.of_session("s")),
    ("recordings", lambda t: t.catalog.recordings(Filter(), 10, None)),
    ("recordings of a session", lambda t: t.catalog.recordings(Filter(session_id="s"), 10, None)),
    ("unsettled", lambda t: t.catalog.unsettled(10, None)),
    ("sessions", lambda t: t.catalog.sessions(None, 10, None)),
]


@pytest.mark.parametrize("door", [door for _, door in DOORS], ids=[name for name, _ in DOORS])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_table_that_can_not_be_reached_is_unavailable(
    table: Table, door: Callable[[Table], object], fault: Exception
) -> None:
    table.wire.broken["*"] = fault

    with pytest.raises(Unavailable, match="ledger_unavailable"):
        door(table)


@pytest.mark.parametrize("door", [door for _, door in DOORS], ids=[name for name, _ in DOORS])
def test_a_table_that_says_no_is_unavailable(aws: Aws, door: Callable[[Table], object]) -> None:
    table = Table(aws)
    table.wire.client.delete_table(TableName=table.name)

    with pytest.raises(Unavailable, match="ledger_unavailable"):
        door(table)


def test_batches_that_can_not_be_read_are_unavailable(table: Table) -> None:
    table.catalog.keep_recording(recording(1))
    table.wire.broken["BatchGetItem"] = FAULTS[0]

    with pytest.raises(Unavailable, match="ledger_unavailable"):
        table.catalog.recordings(Filter(), 10, None)


def test_keys_that_dynamodb_leaves_over_are_asked_for_again(table: Table) -> None:
    heads = [recording(number) for number in range(5)]
    for head in heads:
        table.catalog.keep_recording(head)
    left_over = iter([3, 1])

    def leave_over(parsed: dict[str, Any], **_: Any) -> None:
        found = parsed["Responses"][table.name]
        over = [found.pop() for _ in range(next(left_over, 0))]
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in over]
        parsed["UnprocessedKeys"] = {table.name: {"Keys": keys}} if keys else {}

    table.wire.client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_over)

    assert len(table.catalog.recordings(Filter(), 10, None).items) == 5


def test_keys_that_dynamodb_always_leaves_over_are_unavailable(table: Table) -> None:
    table.catalog.keep_recording(recording(1))

    def leave_over(parsed: dict[str, Any], **_: Any) -> None:
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in parsed["Responses"][table.name]]
        parsed.update(Responses={}, UnprocessedKeys={table.name: {"Keys": keys}})

    table.wire.client.meta.events.register("after-call.dynamodb.BatchGetItem", leave_over)

    with pytest.raises(Unavailable, match="ledger_busy"):
        table.catalog.recordings(Filter(), 10, None)


def test_a_transaction_that_always_meets_another_is_unavailable(table: Table) -> None:
    conflicts = table.wire.client.exceptions.TransactionCanceledException(
        {"Error": {"Code": "TransactionCanceledException", "Message": ""},
         "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}, {"Code": "None"}]},
        "TransactWriteItems",
    )  # fmt: skip
    table.wire.broken["TransactWriteItems"] = conflicts

    with pytest.raises(Unavailable, match="ledger_busy"):
        table.catalog.open([opening(1)], None)
    assert len(table.calls("TransactWriteItems")) > 1


# --- how it is read -------------------------------------------------------------------------------


def test_whatever_is_decided_upon_is_read_consistently(table: Table) -> None:
    table.ledger.read(SUBJECT)
    table.ledger.has(SUBJECT, "x")
    table.catalog.holder("r", "p", "audio")
    table.catalog.recording("r")
    table.catalog.bookmark("w")
    table.catalog.session("s")
    table.catalog.of_session("s")

    reads = table.calls("GetItem", "Query")
    assert len(reads) == 7
    assert all(read["ConsistentRead"] for read in reads)


def test_of_many_subjects_some_are_read_at_a_time(table: Table) -> None:
    together = Barrier(2, timeout=10)

    def meet(**_: Any) -> None:
        together.wait()

    table.wire.client.meta.events.register("before-send.dynamodb.Query", meet)

    table.ledger.read_each([f"recording#{number}" for number in range(4)])

    assert all(read["ConsistentRead"] for read in table.calls("Query"))


def test_nothing_ever_scans_the_table(table: Table) -> None:
    for _, door in DOORS:
        door(table)

    allowed = {"PutItem", "GetItem", "UpdateItem", "Query", "BatchGetItem", "TransactWriteItems"}
    assert {name for name, _ in table.wire.calls} <= allowed


def test_a_fact_costs_one_conditional_write(table: Table) -> None:
    table.ledger.append(SUBJECT, STARTED)

    [(name, put)] = table.wire.calls
    assert (name, put["ConditionExpression"]) == ("PutItem", "attribute_not_exists(pk)")


def test_whoever_finds_a_head_finds_its_link(table: Table) -> None:
    table.catalog.keep_recording(recording(1, session_id="s"))

    assert [put["Item"]["sk"]["S"] for put in table.calls("PutItem")] == [
        f"link#{recording(1).recording_id}",
        "head",
    ]


def test_a_page_reads_one_more_than_it_shows(table: Table) -> None:
    for number in range(30):
        table.catalog.keep_recording(recording(number))

    assert len(table.catalog.recordings(Filter(), 10, None).items) == 10
    [batch] = table.calls("BatchGetItem")
    assert len(batch["RequestItems"][table.name]["Keys"]) == 11


def test_a_filter_with_rare_matches_reads_a_bounded_lot(aws: Aws) -> None:
    table = Table(aws, read_at_most=20)
    for number in range(70):
        table.catalog.keep_recording(recording(number, phase="failed" if number == 5 else "recording"))

    pages, cursor = [], None
    while True:
        page = table.catalog.recordings(Filter(phase="failed"), 10, cursor)
        pages.append([head.recording_id for head in page.items])
        cursor = page.cursor
        if cursor is None:
            break

    assert pages == [[], [], [], [recording(5).recording_id]]


def test_an_index_that_lags_behind_does_not_open_what_is_settled(table: Table) -> None:
    table.catalog.keep_recording(recording(1))

    def meanwhile(**_: Any) -> None:
        table.catalog.keep_recording(recording(1, known=2, settled=True))

    table.wire.client.meta.events.register("after-call.dynamodb.Query", meanwhile)

    assert table.catalog.unsettled(10, None).items == []


def test_what_is_settled_is_no_longer_in_the_index_of_the_open(table: Table) -> None:
    for settled in (False, True):
        table.catalog.keep_recording(recording(1, known=1 + settled, settled=settled))

    assert "openKey" not in table.item(recording_subject(recording(1).recording_id), "head")


def test_a_session_that_moves_while_it_is_read_hides_no_other(table: Table) -> None:
    for number in range(0, 12, 3):
        table.catalog.keep_session(session(number))
    moved = session(9)

    def meanwhile(**_: Any) -> None:
        table.catalog.keep_session(replace(moved, known=2, zero_at=1_000))

    table.wire.client.meta.events.register("after-call.dynamodb.Query", meanwhile)
    first = table.catalog.sessions(None, 1, None)
    rest = table.catalog.sessions(None, 10, first.cursor)

    assert {head.session_id for head in [*first.items, *rest.items]} == {
        session(number).session_id for number in range(0, 12, 3)
    }


# --- what lies in the table -----------------------------------------------------------------------


def test_the_stream_can_tell_news_from_conclusions_by_the_sort_key(table: Table) -> None:
    reached = e.VerdictReached(at=5, complete=True, digest="d")
    table.ledger.append(SUBJECT, STARTED)
    table.ledger.append(SUBJECT, reached)

    assert table.item(SUBJECT, f"event#{STARTED.identity}")
    assert table.item(SUBJECT, f"made#{reached.identity}")


def test_a_claim_is_swept_after_a_day(table: Table) -> None:
    table.catalog.open([], claim(1, at=1_750_000_000_999))

    [put] = table.calls("TransactWriteItems")[0]["TransactItems"]
    assert put["Put"]["Item"]["ttl"] == {"N": str(1_750_000_000 + 86_400)}


def test_nothing_but_claims_is_ever_swept(table: Table) -> None:
    table.catalog.open([opening(1)], None)
    table.ledger.append(SUBJECT, ASKED)
    table.catalog.keep_recording(recording(2, session_id="s"))
    table.catalog.keep_session(session(1))

    puts = [put["Put"] for told in table.calls("TransactWriteItems") for put in told["TransactItems"]]
    assert not [put for put in [*puts, *table.calls("PutItem")] if "ttl" in put["Item"]]
