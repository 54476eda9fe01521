"""What a child can be told to do: the functions of app.py and the doors of its API, over a given world."""

import json
from collections.abc import Callable
from typing import Any

import boto3
from chalice.app import SQSEvent

from chalicelib.core.ids import Kind
from chalicelib.core.trigger import appeared
from chalicelib.flows.ingest import ingest as ingest_object
from chalicelib.flows.receive import receive_of_recording
from chalicelib.flows.reconcile import reconcile as reconcile_all
from chalicelib.flows.record import Once, Wanted
from chalicelib.flows.record import start as start_recordings
from chalicelib.flows.record import stop as stop_recordings
from chalicelib.flows.render import render as render_step
from chalicelib.flows.settle import settle as settle_subjects
from chalicelib.flows.sweep import sweep as sweep_buckets
from chalicelib.routes.batch import each
from chalicelib.wiring import AwsWorld
from ops.redrive import Redrive


def start(
    world: AwsWorld, url: str, room_id: str, participant_id: str, kinds: list[str], key: str | None
) -> Any:
    """POST /recordings/start; `key` is the Idempotency-Key."""
    wanted = Wanted(room_id, participant_id, tuple(map(Kind, kinds)))
    return start_recordings(world, wanted, "app", url, Once(key, "the-body") if key else None)


def stop(world: AwsWorld, recording_ids: list[str]) -> Any:
    """POST /recordings/stop."""
    return stop_recordings(world, recording_ids, "app")


def webhook(world: AwsWorld, token: str, body: str, signature: str) -> Any:
    """POST /webhooks/videosdk/{token}; true or false is a 200."""
    return receive_of_recording(world, token, body.encode(), signature)


def ingest(world: AwsWorld, event: dict[str, Any]) -> Any:
    """The function of that name; answers which messages failed."""

    def process(body: str) -> None:
        for told in appeared(body):
            ingest_object(world, told)

    return each(SQSEvent(event, None), process, world.queue(world.config.ingest_queue_url))


def render(world: AwsWorld, event: dict[str, Any]) -> Any:
    """The function of that name; answers which messages failed."""
    queue = world.queue(world.config.render_queue_url)
    return each(SQSEvent(event, None), lambda body: render_step(world, json.loads(body)), queue)


def settle(world: AwsWorld, subjects: list[str]) -> Any:
    """The function of that name."""
    settle_subjects(world, subjects)


def reconcile(world: AwsWorld) -> Any:
    """The function of that name, with time enough."""
    return reconcile_all(world, lambda: True)


def sweep(world: AwsWorld) -> Any:
    """The function of that name, with time enough."""
    return sweep_buckets(world, lambda: True)


def redrive(world: AwsWorld) -> Any:
    """`make redrive`. SQS's clock can not be moved: what it hides of the dead letters is back in a second."""
    sqs = boto3.client("sqs")
    sqs.meta.events.register("provide-client-params.sqs.ReceiveMessage", _hide_briefly)
    queues = world.config.dead_letter_queue_url, world.config.ingest_queue_url
    return Redrive(sqs, None, None, *queues, "settle", world.ledger, world.leases, "the operator").run()


def _hide_briefly(params: dict[str, Any], **_: Any) -> None:
    params["VisibilityTimeout"] = 1


OPERATIONS: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (start, stop, webhook, ingest, render, settle, reconcile, sweep, redrive)
}
