"""The recordings bucket is the customer's: only EventBridge delivery is ours to turn on and off."""

from collections.abc import Iterator
from typing import Any

import pytest

from ops.wire_bucket import wire
from tests.deployment.conftest import Clients

pytestmark = pytest.mark.e2e

BUCKET = "somebodys-recordings"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:theirs"
TOPIC = "arn:aws:sns:us-east-1:000000000000:theirs"

THEIRS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a queue": {
        "QueueConfigurations": [
            {
                "Id": "theirs",
                "QueueArn": QUEUE,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}},
            }
        ]
    },
    "a topic": {
        "TopicConfigurations": [{"Id": "theirs", "TopicArn": TOPIC, "Events": ["s3:ObjectRemoved:Delete"]}]
    },
}


@pytest.fixture
def s3(client: Clients) -> Any:
    return client("s3")


@pytest.fixture(params=list(THEIRS.values()), ids=list(THEIRS))
def theirs(request: pytest.FixtureRequest, s3: Any) -> Iterator[dict[str, Any]]:
    """What the bucket told of before we came. moto does not tell of EventBridge, the embedded AWS does."""
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=request.param, SkipDestinationValidation=True
    )
    yield notifications(s3)
    s3.delete_bucket(Bucket=BUCKET)


def notifications(s3: Any) -> dict[str, Any]:
    answer = s3.get_bucket_notification_configuration(Bucket=BUCKET)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_wiring_adds_eventbridge_and_keeps_the_rest(s3: Any, theirs: dict[str, Any]) -> None:
    assert wire(s3, BUCKET)

    assert notifications(s3) == theirs | {"EventBridgeConfiguration": {}}


def test_wiring_twice_changes_nothing(s3: Any, theirs: dict[str, Any]) -> None:
    wire(s3, BUCKET)

    assert not wire(s3, BUCKET)

    assert notifications(s3) == theirs | {"EventBridgeConfiguration": {}}


def test_unwiring_leaves_what_was_there_before(s3: Any, theirs: dict[str, Any]) -> None:
    wire(s3, BUCKET)

    assert wire(s3, BUCKET, remove=True)

    assert notifications(s3) == theirs


def test_unwiring_what_is_not_wired_changes_nothing(s3: Any, theirs: dict[str, Any]) -> None:
    assert not wire(s3, BUCKET, remove=True)

    assert notifications(s3) == theirs
