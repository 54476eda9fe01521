"""The simulation as a process of its own, delivering into S3."""

import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from local.videosdk import Meeting, Simulation, Storage, private_key
from tests.simulation.stage import API_KEY, SECRET, TRACK, Call

KEYS = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret", "region_name": "eu-central-1"}


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """An S3 with a bucket named `simulated`; its address."""
    server = ThreadedMotoServer("127.0.0.1", _free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    where = {"LocationConstraint": "eu-central-1"}
    _s3(address).create_bucket(Bucket="simulated", CreateBucketConfiguration=where)
    yield address
    server.stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _s3(address: str) -> Any:
    return boto3.client("s3", endpoint_url=address, **KEYS)


@pytest.fixture
def url(aws: str, tmp_path: Path) -> Iterator[str]:
    """The address of a simulation that runs as a process, told by its ready file."""
    told = {
        "--api-key": API_KEY,
        "--secret": SECRET,
        "--private-key": str(tmp_path / "keys" / "webhooks.pem"),
        "--bucket": "simulated",
        "--aws-endpoint": aws,
        "--region": KEYS["region_name"],
        "--access-key-id": KEYS["aws_access_key_id"],
        "--secret-access-key": KEYS["aws_secret_access_key"],
        "--switch": "keep_individual_recordings=true",
        "--ready-file": str(tmp_path / "ready"),
    }
    arguments = [word for pair in told.items() for word in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", "local.videosdk", *arguments], stdout=subprocess.DEVNULL
    )
    yield _ready(tmp_path / "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def _ready(path: Path) -> str:
    until = time.monotonic() + 20
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return path.read_text()


def test_it_serves_delivers_and_ends_when_told(url: str, aws: str, tmp_path: Path) -> None:
    meeting, call = Meeting(url, "room-1"), Call(url)
    session_id = meeting.join("ann")
    meeting.unmute("ann", "audio")
    assert call.start("ann", "audio").ok
    meeting.advance(3_000)
    assert call.stop("ann", "audio").ok
    assert meeting.settle()

    [stored] = _s3(aws).list_objects_v2(Bucket="simulated")["Contents"]

    [file] = call("GET", TRACK).json()["data"][0]["files"]
    assert (stored["Key"], stored["Size"]) == (file["filePath"], file["size"])
    assert stored["Key"].startswith(f"rec/a/individual-recordings/{session_id}/ann/audio/")
    assert call("GET", "/simulation/switches").json()["keep_individual_recordings"] is True
    assert stat.S_IMODE((tmp_path / "keys" / "webhooks.pem").stat().st_mode) == 0o600
    meeting.close()


def test_a_private_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"

    assert private_key(path).private_numbers() == private_key(path).private_numbers()


def test_a_key_that_is_not_rsa_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("not a key")

    with pytest.raises(ValueError, match="Unable to load PEM"):
        private_key(path)


def test_what_the_bucket_refuses_is_not_told_to_anybody(aws: str, tmp_path: Path) -> None:
    gone = Storage("no-such-bucket", aws, KEYS["region_name"], "an-id", "a-secret")
    with Simulation(API_KEY, SECRET, private_key(tmp_path / "key.pem"), storage=gone) as sim:
        _record(sim)

        assert Call(sim.url).listed()[0]["end"] is not None


def test_without_a_storage_configuration_nothing_is_delivered_and_no_error_raised(tmp_path: Path) -> None:
    with Simulation(API_KEY, SECRET, private_key(tmp_path / "key.pem")) as sim:
        _record(sim)

        assert len(Call(sim.url).listed()[0]["files"]) == 1


def _record(sim: Simulation) -> None:
    meeting = Meeting(sim.url, "room-1")
    meeting.join("ann")
    meeting.unmute("ann", "audio")
    Call(sim.url).start("ann", "audio")
    meeting.advance(1_000)
    meeting.end()
    assert meeting.settle()
    meeting.close()


def test_an_unknown_switch_ends_it_at_once(tmp_path: Path) -> None:
    arguments = [
        "--api-key",
        "k",
        "--secret",
        "s",
        "--private-key",
        str(tmp_path / "k"),
        "--switch",
        "up=down",
    ]

    ran = subprocess.run(
        [sys.executable, "-m", "local.videosdk", *arguments], capture_output=True, timeout=30
    )

    assert ran.returncode == 2
    assert b"there is no switch 'up'" in ran.stderr
