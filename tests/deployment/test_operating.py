"""The operator's commands, run against the embedded AWS as they would be against an account."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.adapters.sqs import SqsQueue
from chalicelib.core.events import WorkRedriven
from local.stack import ROOT
from ops import package
from tests.deployment.conftest import Clients

pytestmark = pytest.mark.e2e

type Operator = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def operate(environ: dict[str, str]) -> Operator:
    """Run a module of ops as an operator does."""

    def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", f"ops.{module}", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, check=False
        )

    return run


# --- deploying --------------------------------------------------------------------------------------


@pytest.fixture
def deployed(client: Clients, operate: Operator) -> Iterator[subprocess.CompletedProcess[str]]:
    """A stage that the aws CLI deployed beside the running one."""
    client("s3").create_bucket(Bucket="trial-recordings")
    yield operate(
        "deploy",
        "--stage",
        "trial",
        "--recordings-bucket",
        "trial-recordings",
        "--arch",
        package.machine(),
        "--parameter",
        "RequireTls=false",
    )
    client("cloudformation").delete_stack(StackName="tracklane-trial")


@pytest.mark.slow
def test_the_aws_cli_deploys_the_package(
    deployed: subprocess.CompletedProcess[str], client: Clients, environ: dict[str, str], operate: Operator
) -> None:
    assert deployed.returncode == 0, deployed.stderr
    assert "tracklane-trial stands at https://" in deployed.stdout
    resource = client("cloudformation").describe_stack_resource(
        StackName="tracklane-trial", LogicalResourceId="RestAPI"
    )
    api = resource["StackResourceDetail"]["PhysicalResourceId"]
    base = f"{environ['AWS_ENDPOINT_URL']}/restapis/{api}/v1/_user_request_"
    token = operate("token", "--stack", "tracklane-trial", "--subject", "an-app").stdout.strip()

    answer = requests.get(f"{base}/recordings", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    assert answer.status_code == 200, answer.text


def test_deploying_without_videosdks_secret_says_how_to_make_it(operate: Operator) -> None:
    refused = operate("deploy", "--stage", "x", "--recordings-bucket", "y", "--videosdk-secret", "not/there")

    assert refused.returncode == 1
    assert "aws secretsmanager create-secret --name not/there" in refused.stderr


# --- wiring -----------------------------------------------------------------------------------------


def test_the_bucket_is_wired_and_unwired(client: Clients, operate: Operator) -> None:
    client("s3").create_bucket(Bucket="wired")

    said = [
        operate("wire_bucket", "--bucket", "wired", *more).stdout.strip() for more in ([], [], ["--remove"])
    ]

    assert said == [
        "wired sends its events to EventBridge",
        "wired sends its events to EventBridge, as before",
        "wired does not send its events to EventBridge",
    ]


# --- dead letters -----------------------------------------------------------------------------------


@pytest.fixture
def dead_letters(client: Clients, standing: dict[str, Any]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Put a message where dead letters go; what the test leaves there is taken out again."""
    sqs, queue = client("sqs"), standing["deadLetterQueue"]
    yield lambda told: sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(told))
    sqs.purge_queue(QueueUrl=queue)


def redriven(operate: Operator, standing: dict[str, Any]) -> list[str]:
    done = operate("redrive", "--stack", standing["stackName"])
    assert done.stdout, done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


def test_without_dead_letters_there_is_nothing_to_do(operate: Operator, standing: dict[str, Any]) -> None:
    assert redriven(operate, standing) == ["There are no dead letters."]


def test_an_object_whose_event_was_not_taken_is_ingested(
    operate: Operator, standing: dict[str, Any], dead_letters: Callable[[dict[str, Any]], None]
) -> None:
    bucket = {"name": standing["bucket"]}
    key = f"{standing['bucketDirPath']}/nobody/{uuid.uuid4().hex}"
    dead_letters({"detail-type": "Object Created", "detail": {"bucket": bucket, "object": {"key": key}}})

    assert redriven(operate, standing) == ["1 objects' events to the ingest queue"]


def test_what_a_queue_gave_up_goes_back_to_it(
    operate: Operator, standing: dict[str, Any], client: Clients
) -> None:
    sqs = client("sqs")
    attributes = {"AttributeNames": ["QueueArn"]}
    dead = sqs.get_queue_attributes(QueueUrl=standing["deadLetterQueue"], **attributes)
    redrive = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": "1"}
    source = sqs.create_queue(QueueName="gives-up", Attributes={"RedrivePolicy": json.dumps(redrive)})
    sqs.send_message(QueueUrl=source["QueueUrl"], MessageBody="again")
    for _ in range(2):
        sqs.receive_message(QueueUrl=source["QueueUrl"], VisibilityTimeout=0)
        time.sleep(0.1)

    assert redriven(operate, standing) == ["1 back to gives-up"]

    (message,) = sqs.receive_message(QueueUrl=source["QueueUrl"])["Messages"]
    assert message["Body"] == "again"
    sqs.delete_queue(QueueUrl=source["QueueUrl"])


def test_what_was_given_up_is_allowed_again_and_the_ledger_says_by_whom(
    operate: Operator, standing: dict[str, Any], client: Clients
) -> None:
    sqs, target, subject = client("sqs"), f"sessions/s/p/audio/{uuid.uuid4().hex}.webm", "nothing#redriven"
    dynamodb, table = client("dynamodb"), standing["table"]
    leases = DynamoLeases(dynamodb, table)
    for _ in range(3):
        leases.fail(leases.take(target, 1), "no room")
    source = sqs.create_queue(QueueName="given-up")["QueueUrl"]
    said = {"Reason": "tried 3 times: no room", "Subject": subject, "Target": target}
    SqsQueue(sqs, source, standing["deadLetterQueue"]).bury("again", said)

    assert redriven(operate, standing) == ["1 back to given-up: tried 3 times: no room"]

    (message,) = sqs.receive_message(QueueUrl=source)["Messages"]
    assert message["Body"] == "again"
    (fact,) = [f for f in DynamoLedger(dynamodb, table).read(subject) if getattr(f, "target", "") == target]
    assert isinstance(fact, WorkRedriven)
    assert fact.by.startswith("arn:")
    assert leases.take(target, 1).tries == 4
    sqs.delete_queue(QueueUrl=source)


def test_a_batch_that_was_not_settled_is_settled(
    operate: Operator,
    standing: dict[str, Any],
    client: Clients,
    dead_letters: Callable[[dict[str, Any]], None],
) -> None:
    table = standing["table"]
    key = {"pk": {"S": "nothing#x"}, "sk": {"S": f"event#{uuid.uuid4().hex}"}}
    client("dynamodb").put_item(TableName=table, Item=key)
    streams = client("dynamodbstreams")
    arn = client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    (shard, *_) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    where = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    records = streams.get_records(ShardIterator=streams.get_shard_iterator(**where)["ShardIterator"])
    number = records["Records"][-1]["dynamodb"]["SequenceNumber"]
    batch = {"shardId": shard["ShardId"], "streamArn": arn}
    dead_letters({"DDBStreamBatchInfo": batch | {"startSequenceNumber": number, "endSequenceNumber": number}})

    assert redriven(operate, standing) == ["1 batches of facts settled"]


def test_what_nobody_knows_stays(
    operate: Operator, standing: dict[str, Any], dead_letters: Callable[[dict[str, Any]], None]
) -> None:
    dead_letters({"what": "ever"})

    assert redriven(operate, standing) == ["1 kept: nobody knows where it came from"]
