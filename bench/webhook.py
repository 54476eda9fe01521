"""A webhook, from bytes to durable fact, against the same RSA verify and one bare conditional write."""

import base64
import itertools
import json
import os

import boto3
from botocore.config import Config as BotoConfig
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench import neighbours
from bench.measure import cpu_per_call, tell
from chalicelib.config import Config
from chalicelib.core import ids
from chalicelib.flows.receive import receive_of_recording
from chalicelib.wiring import AwsWorld

AIM = 1.3
ABOUT = ("jvsg-8rjn-j304", "abcd", "audio")
TAG_KEY = b"bench"


class BenchWorld(AwsWorld):
    """The real world, but for the one secret that the receiver reads."""

    tag_key = TAG_KEY


def main() -> None:
    """Print the table."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
    body = _body()
    signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    with neighbours.aws(), neighbours.videosdk(pem) as videosdk:
        world = BenchWorld(Config.read(environment(videosdk)))
        numbers = itertools.count()
        bare = boto3.client("dynamodb", config=BotoConfig(retries={"mode": "standard"}))

        def baseline() -> None:
            key.public_key().verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
            bare.put_item(
                TableName=neighbours.TABLE,
                Item={
                    "pk": {"S": f"bare#{next(numbers)}"},
                    "sk": {"S": "event#RecordingStarted"},
                    "told": {"S": body.decode()},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )

        def ours() -> None:
            token = ids.webhook_token(TAG_KEY, ids.recording_id(next(numbers).to_bytes(16)), ABOUT)
            receive_of_recording(world, token, body, base64.b64encode(signature).decode())

        figures = cpu_per_call(
            {"RSA verify + bare boto3 put": baseline, "verify, parse, write": ours}, rounds=15, calls=60
        )
    tell("webhook: CPU per delivery, in process", figures, AIM)


def environment(videosdk: str) -> dict[str, str]:
    """The settings that a function would have."""
    queues = ("INGEST_QUEUE_URL", "RENDER_QUEUE_URL", "DEAD_LETTER_QUEUE_URL")
    secrets = ("VIDEOSDK_SECRET", "APP_TOKEN_SECRET", "WEBHOOK_TAG_SECRET", "COMPOSITIONS")
    told = dict.fromkeys(("RECORDINGS_BUCKET", "OUTPUT_BUCKET", *queues, *secrets), "bench")
    return told | {
        "TABLE": neighbours.TABLE,
        "BUCKET_DIR_PATH": "recordings",
        "VIDEOSDK_API": videosdk,
        "PUBLIC_URL": "https://bench.example",
        **{name: os.environ[name] for name in ("AWS_ENDPOINT_URL",)},
    }


def _body() -> bytes:
    room_id, participant_id, kind = ABOUT
    told = {
        "webhookType": "participant-track-recording-started",
        "data": {
            "meetingId": room_id,
            "sessionId": "613731342f27f56e4fc4b6d0",
            "participantId": participant_id,
            "kind": kind,
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
