"""The map: which doors there are, and the thin functions behind events.

Event handlers stand here because Chalice binds a blueprint's handlers to another module. Each imports its own
flow: all functions share this file, and a cold start of the API should not pay for the others.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol, cast

from chalice.app import Chalice, CloudWatchEvent, DynamoDBEvent, Request, SQSEvent

from chalicelib import wiring
from chalicelib.routes import authorizer, compositions, openapi, pages, recordings, sessions, shares, webhooks
from chalicelib.routes.batch import all_of, each

app = Chalice(app_name="tracklane", configure_logs=False)
for blueprint in (authorizer, compositions, openapi, pages, recordings, sessions, shares, webhooks):
    app.register_blueprint(blueprint.bp)

SPARE_MS = 60_000  # what a run on schedule leaves unused, so that a piece of work begun can be ended
log = logging.getLogger("tracklane")


class LambdaContext(Protocol):
    """What Lambda gives beside the event; Chalice types it as a mapping, which it is not."""

    memory_limit_in_mb: int | str  # text, whatever the name says

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is ended."""
        ...


@app.middleware("all")
def in_time(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """All that is asked of neighbours ends before the function is ended."""
    context = getattr(event, "lambda_context" if isinstance(event, Request) else "context", None)
    with wiring.within(context.get_remaining_time_in_millis() if context else None):
        return get_response(event)


@app.on_sqs_message(queue="placeholder", batch_size=1, name="ingest")
def ingest(event: SQSEvent) -> dict[str, Any]:
    """Objects that appeared in the recordings bucket. The template puts the real queue in."""
    from chalicelib.core.trigger import appeared
    from chalicelib.flows.ingest import ingest as ingest_object

    world = wiring.world()

    def process(body: str) -> None:
        all_of(appeared(body), lambda told: ingest_object(world, told))

    return each(event, process, world.queue(world.config.ingest_queue_url))


@app.on_sqs_message(queue="placeholder", batch_size=1, name="render")
def render(event: SQSEvent) -> dict[str, Any]:
    """Steps of plans, which carry the media layer."""
    from chalicelib.flows.render import render as render_order

    world = wiring.world()
    queue = world.queue(world.config.render_queue_url)
    return each(event, lambda body: render_order(world, json.loads(body)), queue)


@app.on_dynamodb_record(stream_arn="placeholder", name="settle")
def settle(event: DynamoDBEvent) -> None:
    """News in the ledger."""
    from chalicelib.flows.settle import settle as settle_subjects

    settle_subjects(wiring.world(), [record.keys["pk"]["S"] for record in event])


@app.schedule("rate(5 minutes)", name="reconcile")
def reconcile(event: CloudWatchEvent) -> None:
    """What nobody told us. The template has a second rule, which comes every minute and is named for it."""
    from chalicelib.flows.reconcile import reconcile as reconcile_all

    left = cast("LambdaContext", event.context).get_remaining_time_in_millis
    hurried = any("Hurry" in rule for rule in event.resources)
    looked_at = reconcile_all(wiring.world(), lambda: left() > SPARE_MS, hurried=hurried)
    log.info("looked at %s recordings", looked_at)


@app.schedule("rate(1 day)", name="sweep")
def sweep(event: CloudWatchEvent) -> None:
    """What nobody heard of, and what nobody committed."""
    from chalicelib.flows.sweep import sweep as sweep_buckets

    left = cast("LambdaContext", event.context).get_remaining_time_in_millis
    done = sweep_buckets(wiring.world(), lambda: left() > SPARE_MS)
    log.info("queued %(deliveries)s deliveries, deleted %(outputs)s orphans", done)


@app.lambda_function(name="compose_plan")
def compose_plan(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """The first task of a composition's run: what is to be done."""
    from chalicelib.flows import composing

    return composing.plan(wiring.world(), event, int(context.memory_limit_in_mb))


@app.lambda_function(name="compose")
def compose(event: dict[str, Any], context: LambdaContext) -> None:
    """All other tasks of a composition's run, which carry the media layer."""
    from chalicelib.flows import composing

    composing.perform(wiring.world(), event, int(context.memory_limit_in_mb))


@app.on_cw_event({"source": ["aws.states"]}, name="compose_end")
def compose_end(event: CloudWatchEvent) -> None:
    """A composition's run failed or was stopped. The template says whose runs these are."""
    from chalicelib.flows import composing

    composing.ended(wiring.world(), event.detail)
