"""A start, beside the call to VideoSDK, against a bare `requests` post and one bare write."""

import itertools

import boto3
import requests
from botocore.config import Config as BotoConfig

from bench import neighbours
from bench.measure import cpu_per_call, tell
from bench.webhook import TAG_KEY, environment
from chalicelib.config import Config
from chalicelib.core.ids import Kind
from chalicelib.flows.record import Wanted, start
from chalicelib.wiring import AwsWorld

AIM = 1.5


class BenchWorld(AwsWorld):
    """The real world, but for the secrets."""

    tag_key = TAG_KEY

    def _credentials(self) -> tuple[str, str]:
        return "key", "secret-of-at-least-thirty-two-bytes!"


def main() -> None:
    """Print the table."""
    with neighbours.aws(), neighbours.videosdk("") as videosdk:
        world = BenchWorld(Config.read(environment(videosdk)))
        numbers = itertools.count()
        bare = boto3.client("dynamodb", config=BotoConfig(retries={"mode": "standard"}))
        session = requests.Session()

        def baseline() -> None:
            number = next(numbers)
            told = {"roomId": "room", "participantId": f"bare-{number}", "kind": "audio"}
            url = f"{videosdk}/v2/recordings/participant/track/start"
            session.post(url, json=told, headers={"Authorization": "token"}, timeout=5).json()
            bare.put_item(
                TableName=neighbours.TABLE, Item={"pk": {"S": f"bare#{number}"}, "sk": {"S": "started"}}
            )

        def ours() -> None:
            wanted = Wanted("room", f"participant-{next(numbers)}", (Kind.AUDIO,))
            start(world, wanted, "bench", "https://bench.example")

        figures = cpu_per_call({"bare post + bare boto3 put": baseline, "start": ours}, rounds=15, calls=40)
    tell("start: CPU per recording, in process", figures, AIM)


if __name__ == "__main__":
    main()
