"""Have a bucket tell EventBridge of its objects, and leave its other notifications as they are.

    python -m ops.wire_bucket --bucket my-recordings [--remove]

S3 keeps all of a bucket's notifications in one document that can only be replaced whole. So it is read,
changed in this one place, written, and read again. `--remove` is for when nothing else hears of the bucket
through EventBridge.
"""

import argparse
import sys
from typing import Any

import boto3

_KEY = "EventBridgeConfiguration"


class WiringError(Exception):
    """The bucket's notifications are not what they should be."""


def wire(s3: Any, bucket: str, *, remove: bool = False) -> bool:
    """Turn it on, or off; False when it was so already."""
    before = _notifications(s3, bucket)
    wanted = {key: value for key, value in before.items() if key != _KEY}
    if not remove:
        wanted[_KEY] = before.get(_KEY, {})
    if wanted == before:
        return False
    # Destinations that have gone since must not stand in the way: they are not ours to judge.
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=wanted, SkipDestinationValidation=True
    )
    after = _notifications(s3, bucket)
    if after != wanted:
        raise WiringError(
            f"{bucket} now has {after}, and should have {wanted}: did somebody else write as well?"
        )
    return True


def _notifications(s3: Any, bucket: str) -> dict[str, Any]:
    answer: dict[str, Any] = s3.get_bucket_notification_configuration(Bucket=bucket)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def main() -> None:
    """Wire the bucket of the command line."""
    parser = argparse.ArgumentParser(prog="python -m ops.wire_bucket", description=__doc__.split("\n")[0])
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--remove", action="store_true", help="turn it off again")
    asked = parser.parse_args()
    try:
        changed = wire(boto3.client("s3"), asked.bucket, remove=asked.remove)
    except WiringError as refused:
        sys.exit(str(refused))
    state = "does not send" if asked.remove else "sends"
    print(f"{asked.bucket} {state} its events to EventBridge{'' if changed else ', as before'}")


if __name__ == "__main__":
    main()
