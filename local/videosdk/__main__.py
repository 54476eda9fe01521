"""Serve the simulated VideoSDK until told to end."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from local.videosdk.courier import Storage
from local.videosdk.simulation import Simulation, private_key
from local.videosdk.switches import Switches


def main(arguments: Sequence[str]) -> int:
    """Serve; 0 when ended by a signal."""
    told = _parser().parse_args(arguments)
    over = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: over.set())
    with _simulation(told) as simulation:
        print(simulation.url, flush=True)
        if told.ready_file:
            _ready(told.ready_file, simulation.url)
        over.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.videosdk", description="A simulated VideoSDK.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument(
        "--private-key", type=Path, required=True, help="PEM that webhooks are signed with; made if absent"
    )
    parser.add_argument(
        "--bucket", help="without it nothing is delivered, as without a storage configuration"
    )
    parser.add_argument("--aws-endpoint")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--access-key-id", default="test")
    parser.add_argument("--secret-access-key", default="test")
    parser.add_argument("--switch", action="append", default=[], type=_switch, metavar="NAME=VALUE")
    parser.add_argument("--ready-file", type=Path, help="gets the base URL once it listens")
    return parser


def _simulation(told: argparse.Namespace) -> Simulation:
    switches = Switches().turned(dict(told.switch))
    key = private_key(told.private_key)
    return Simulation(
        told.api_key, told.secret, key, storage=_storage(told), switches=switches, port=told.port
    )


def _switch(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    try:
        Switches().turned({name: value})
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
    return name, value


def _storage(told: argparse.Namespace) -> Storage | None:
    if not told.bucket:
        return None
    return Storage(told.bucket, told.aws_endpoint, told.region, told.access_key_id, told.secret_access_key)


def _ready(path: Path, url: str) -> None:
    """Written whole or not at all: somebody is polling for it."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(url)
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
