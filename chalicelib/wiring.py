"""Which adapter answers which port. Everything is made on first use and kept for the process's life."""

import functools
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property, partial
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.adapters.deadline import INVOCATION
from chalicelib.adapters.secrets import Secrets
from chalicelib.config import Config, MisconfiguredError
from chalicelib.core.step import Made, Step
from chalicelib.ports import (
    Bell,
    Catalog,
    Composer,
    Inbox,
    Leases,
    Ledger,
    Maker,
    Media,
    Post,
    Queue,
    Recorder,
    Settings,
    Shelf,
    Store,
    Work,
)

if TYPE_CHECKING:
    from chalicelib.adapters.callers import Callers

_LOCK = Lock()
# A secret is kept while it can not be read anew: whoever waits for that has something else to do.
SECRET: dict[str, Any] = {"read_timeout": 2, "retries": {"mode": "standard", "total_max_attempts": 2}}
# Signature v4 and regional addresses are what a presigned address must have everywhere.
STREAM: dict[str, Any] = {"read_timeout": 20, "signature_version": "s3v4"}


class AwsWorld:
    """Answers to the port `World` with AWS and VideoSDK. Heavy modules are imported where they are used:
    each function pays at its cold start for what it needs and for nothing else."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def settings(self) -> Settings:
        """The flows' part of the configuration."""
        return Settings(
            recordings_bucket=self.config.recordings_bucket,
            bucket_dir_path=self.config.bucket_dir_path.strip("/"),
            grace_ms=self.config.grace_minutes * 60_000,
            products=self.config.products,
            mix_lufs=self.config.mix_lufs,
            url_ms=self.config.url_seconds * 1000,
            chunks_at_once=self.config.composition_concurrency,
        )

    @cached_property
    def ledger(self) -> Ledger:
        """DynamoDB."""
        from chalicelib.adapters.dynamodb import DynamoLedger

        return DynamoLedger(self._dynamodb, self.config.table)

    @cached_property
    def catalog(self) -> Catalog:
        """DynamoDB."""
        from chalicelib.adapters.dynamodb import DynamoCatalog

        return DynamoCatalog(self._dynamodb, self.config.table)

    @cached_property
    def recorder(self) -> Recorder:
        """VideoSDK's API."""
        from chalicelib.adapters.videosdk.api import Api

        def forget() -> None:
            self.secrets.forget(self.config.videosdk_secret)

        left_s = INVOCATION.left_for_work_s
        return Api(self.config.videosdk_api, self._credentials, forget=forget, left_s=left_s)

    @cached_property
    def post(self) -> Post:
        """VideoSDK's deliveries."""
        from chalicelib.adapters.videosdk.post import SignedPost
        from chalicelib.adapters.videosdk.signature import Signature

        left_s = INVOCATION.left_for_work_s
        return SignedPost(Signature(self.config.videosdk_api, left_s=left_s))

    @cached_property
    def inbox(self) -> Inbox:
        """The recordings bucket."""
        from chalicelib.adapters.s3 import S3Inbox

        return S3Inbox(self._s3, self.config.recordings_bucket)

    @cached_property
    def shelf(self) -> Shelf:
        """The output bucket."""
        from chalicelib.adapters.s3 import S3Shelf

        return S3Shelf(self._s3, self.config.output_bucket, self.config.url_seconds)

    @cached_property
    def media(self) -> Media:
        """Our own repair; PyAV only where a picture is asked for."""
        return _OwnMedia()

    @cached_property
    def bell(self) -> Bell:
        """EventBridge."""
        from chalicelib.adapters.eventbridge import EventBridgeBell

        return EventBridgeBell(_client("events"))

    @cached_property
    def work(self) -> Work:
        """SQS."""
        from chalicelib.adapters.sqs import SqsWork

        return SqsWork(
            self._sqs,
            self.config.recordings_bucket,
            self.config.ingest_queue_url,
            self.config.render_queue_url,
        )

    @cached_property
    def leases(self) -> Leases:
        """DynamoDB."""
        from chalicelib.adapters.dynamodb_work import DynamoLeases

        return DynamoLeases(self._dynamodb, self.config.table)

    @cached_property
    def composer(self) -> Composer:
        """Step Functions."""
        from chalicelib.adapters.stepfunctions import StepFunctionsComposer

        return StepFunctionsComposer(_client("stepfunctions"), self.config.compositions)

    def queue(self, url: str) -> Queue:
        """SQS: a queue that a function is fed from."""
        from chalicelib.adapters.sqs import SqsQueue

        return SqsQueue(self._sqs, url, self.config.dead_letter_queue_url)

    @property
    def tag_key(self) -> bytes:
        """The keyed hashes' secret."""
        return self.secrets.text(self.config.webhook_tag_secret).encode()

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets Manager."""
        return Secrets(_client("secretsmanager", **SECRET))

    def now(self) -> int:
        """The wall clock."""
        return time.time_ns() // 1_000_000

    def random(self) -> bytes:
        """The system's randomness."""
        return secrets.token_bytes(16)

    def _credentials(self) -> tuple[str, str]:
        told = self.secrets.fields(self.config.videosdk_secret)
        return told["apiKey"], told["secret"]

    @cached_property
    def _dynamodb(self) -> Any:
        return _client("dynamodb")

    @cached_property
    def _sqs(self) -> Any:
        return _client("sqs")

    @cached_property
    def _s3(self) -> Any:
        style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
        left_s = INVOCATION.left_for_work_s
        return _client("s3", left_s, s3={"addressing_style": style}, **STREAM)


class _OwnMedia:
    """Answers to the port `Media`."""

    def repair(self, chunks: Any, sink: Any) -> Any:
        from chalicelib.media.repair import repair

        return repair(chunks, sink)

    @property
    def makers(self) -> dict[str, Maker]:
        return {name: partial(_made, *where) for name, where in MAKERS.items()}

    def render_chunk(self, chunk: Any, store: Any) -> Any:
        from chalicelib.media.compose.chunk import render_chunk

        return render_chunk(chunk, store)

    def finish(self, whole: Any, formats: Any, store: Any) -> Any:
        from chalicelib.media.compose.finish import finish

        return finish(whole, formats, store)


# Where the makers of a plan's steps are: each costs the start of its libraries only where it is wanted.
MAKERS = {
    "poster": ("poster", "make_poster"),
    "copies": ("copies", "copies"),
    "sound": ("sound", "sound"),
    "join": ("sound.join", "join"),
    "encode": ("sound.aac", "encode"),
    "mux": ("sound.aac", "mux"),
}


def _made(module: str, name: str, step: Step, store: Store) -> list[Made]:
    make: Maker = getattr(import_module(f"chalicelib.media.{module}"), name)
    return make(step, store)


@functools.cache
def world() -> AwsWorld:
    """The one world of this process."""
    config = Config.read(os.environ)
    logging.getLogger().setLevel(config.log_level)
    return AwsWorld(config)


@functools.cache
def callers() -> "Callers":
    """Who may call."""
    from chalicelib.adapters.callers import Callers

    config = world().config
    return Callers(lambda: world().secrets.text(config.app_token_secret), config.token_audience)


def public_url(request_context: dict[str, Any]) -> str:
    """Where VideoSDK reaches us: the configured address, else the one that the request came to."""
    configured = world().config.public_url.rstrip("/")
    if configured:
        return configured
    return f"https://{request_context['domainName']}{_stage_path(request_context)}"


def outputs_origin() -> str:
    """Where the addresses of files lead; empty in a function without settings, which has no files."""
    try:
        told = urlsplit(world().shelf.url("sessions/"))
    except MisconfiguredError:
        return ""
    return f"{told.scheme}://{told.netloc}"


def _stage_path(request_context: dict[str, Any]) -> str:
    """The part of the path that API Gateway takes off: the stage, or a custom domain's base path."""
    path, inner = request_context["path"], request_context["resourcePath"]
    return str(path[: -len(inner)]) if path.endswith(inner) else f"/{request_context['stage']}"


def within(left_ms: float | None) -> AbstractContextManager[None]:
    """While an invocation runs, which Lambda ends after so long: all calls to neighbours end before."""
    return INVOCATION.within(left_ms)


def _client(service: str, left_s: Callable[[], float] = INVOCATION.left_s, **settings: Any) -> Any:
    from chalicelib.adapters import aws

    with _LOCK:  # botocore makes one client at a time
        return aws.client(_session(), service, left_s, **settings)


@functools.cache
def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()
