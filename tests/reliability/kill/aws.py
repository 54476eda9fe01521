"""An AWS in a process of its own: the stack's table, buckets, queues and secrets in moto's server."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import Any

import boto3
import requests
import yaml
from botocore.config import Config

REGION = "us-east-1"
TABLE, INBOX, OUTPUT = "kill-table", "kill-recordings", "kill-output"
QUEUES = ("ingest", "render")
API_KEY, SECRET = "the-key", "the-secret-of-the-project-that-is-long-enough"
TAG_KEY = "the-tag-key"
_ROOT = Path(__file__).parents[3]
_KEYS = {"AWS_ACCESS_KEY_ID": "kill", "AWS_SECRET_ACCESS_KEY": "kill", "AWS_DEFAULT_REGION": REGION}
_SECRETS = {"videosdk": json.dumps({"apiKey": API_KEY, "secret": SECRET}), "app": "x" * 64, "tag": TAG_KEY}
_ACCOUNT = "123456789012"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what follows their tag."""


_Loader.add_multi_constructor("!", lambda _, __, node: node.value)
_TEMPLATE = yaml.load((_ROOT / ".chalice" / "template.yaml").read_text(), _Loader)["Resources"]  # noqa: S506  # a SafeLoader


class Aws:
    """What the test itself asks of that AWS, and what the deployed functions are told of it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.dynamodb, self.s3, self.sqs = (self._client(name) for name in ("dynamodb", "s3", "sqs"))
        self._secrets, self._events = self._client("secretsmanager"), self._client("events")
        self._http = requests.Session()
        self._http.trust_env = False

    def anew(self) -> None:
        """Forget everything, and make what the stack has."""
        self._http.post(f"{self.endpoint}/moto-api/reset", timeout=10)
        wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        told = _TEMPLATE["Table"]["Properties"]
        self.dynamodb.create_table(TableName=TABLE, **{name: told[name] for name in wanted})
        for bucket in (INBOX, OUTPUT):
            self.s3.create_bucket(Bucket=bucket)
        for name, value in _SECRETS.items():
            self._secrets.create_secret(Name=name, SecretString=value)
        for name in ("dead", "bell"):
            self.sqs.create_queue(QueueName=name)
        for name in QUEUES:
            self.sqs.create_queue(QueueName=name, Attributes=_queue(name))

    def listen(self) -> None:
        """From here on what is told to other systems waits in the queue `bell`."""
        self._events.put_rule(Name="bell", EventPattern=json.dumps({"source": ["tracklane"]}))
        target = {"Id": "bell", "Arn": f"arn:aws:sqs:{REGION}:{_ACCOUNT}:bell"}
        self._events.put_targets(Rule="bell", Targets=[target])

    def environment(self, videosdk: str) -> dict[str, str]:
        """What the template tells each function."""
        return _KEYS | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "TABLE": TABLE,
            "RECORDINGS_BUCKET": INBOX,
            "BUCKET_DIR_PATH": "recordings",
            "OUTPUT_BUCKET": OUTPUT,
            "INGEST_QUEUE_URL": self.queue("ingest"),
            "RENDER_QUEUE_URL": self.queue("render"),
            "DEAD_LETTER_QUEUE_URL": self.queue("dead"),
            "VIDEOSDK_SECRET": "videosdk",
            "APP_TOKEN_SECRET": "app",
            "WEBHOOK_TAG_SECRET": "tag",
            "COMPOSITIONS": "none",
            "VIDEOSDK_API": videosdk,
            "PRODUCTS": "poster",
        }

    def queue(self, name: str) -> str:
        """A queue's address."""
        return f"{self.endpoint}/{_ACCOUNT}/{name}"

    # --- what there is

    def items(self) -> list[dict[str, Any]]:
        """The whole table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def objects(self) -> dict[str, str]:
        """What lies in the output bucket: keys and etags."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=OUTPUT)
        return {told["Key"]: told["ETag"] for page in pages for told in page.get("Contents", ())}

    def body(self, key: str) -> bytes | None:
        """What an object of the output bucket holds; None when it is not there."""
        try:
            return bytes(self.s3.get_object(Bucket=OUTPUT, Key=key)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def uploads(self) -> list[dict[str, Any]]:
        """Multipart uploads that were begun and not ended."""
        found: list[dict[str, Any]] = self.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", [])
        return found

    def letters(self, queue: str = "dead") -> list[dict[str, Any]]:
        """The first messages of a queue; they stay in it."""
        asked = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "MessageAttributeNames": ["All"]}
        answer = self.sqs.receive_message(QueueUrl=self.queue(queue), **asked)
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def age(self) -> None:
        """A day goes by in the output bucket: its lifecycle rule ends the uploads that nobody ended."""
        (rule,) = _TEMPLATE["OutputBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        for told in self.uploads():
            self.s3.abort_multipart_upload(Bucket=OUTPUT, Key=told["Key"], UploadId=told["UploadId"])

    def waiting(self, queue: str) -> int:
        """How many messages a queue has, also those that it hides."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.queue(queue), AttributeNames=names)["Attributes"]
        return sum(map(int, told.values()))

    def _client(self, service: str) -> Any:
        told = Config(parameter_validation=False, s3={"addressing_style": "path"})
        keys = {"aws_access_key_id": "kill", "aws_secret_access_key": "kill"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, config=told, **keys)


def _queue(name: str) -> dict[str, str]:
    """The template's own settings of a queue."""
    told = _TEMPLATE[f"{name.capitalize()}Queue"]["Properties"]
    most = told["RedrivePolicy"]["maxReceiveCount"]
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{_ACCOUNT}:dead", "maxReceiveCount": most}
    return {"VisibilityTimeout": str(told["VisibilityTimeout"]), "RedrivePolicy": json.dumps(redrive)}


@contextmanager
def server() -> Iterator[Aws]:
    """moto's server, while it is wanted."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(f"http://127.0.0.1:{port}/")
        yield Aws(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def _await(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(requests.ConnectionError):
            requests.get(url, timeout=5)
            return
        time.sleep(0.05)
    raise TimeoutError("moto's server did not start")
