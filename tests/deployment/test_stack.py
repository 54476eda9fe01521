"""The stack that `make up` raises, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import psutil
import pytest
import requests

from local import processes
from local.stack import HOME, ROOT, up
from tests.deployment.conftest import Clients

pytestmark = pytest.mark.e2e

KEYS = {
    "api",
    "page",
    "token",
    "bucket",
    "bucketDirPath",
    "outputBucket",
    "table",
    "queue",
    "deadLetterQueue",
}


def test_the_stacks_file_tells_a_client_all_it_needs(standing: dict[str, Any]) -> None:
    assert standing.keys() >= KEYS
    assert standing["aws"].keys() == {"endpoint", "region", "accessKeyId", "secretAccessKey"}
    assert standing["videosdk"].keys() == {"api", "apiKey", "secret", "webhookPrivateKey"}
    assert (ROOT / standing["videosdk"]["webhookPrivateKey"]).read_text().startswith("-----BEGIN")


def test_a_second_up_finds_the_stack_as_it_stands(standing: dict[str, Any]) -> None:
    assert up() == standing


def test_only_what_the_file_names_is_listened_on(standing: dict[str, Any]) -> None:
    told = {
        urlsplit(standing[who][where]).netloc for who, where in (("aws", "endpoint"), ("videosdk", "api"))
    }

    bound = {
        f"{listener.laddr.ip}:{listener.laddr.port}"
        for process in processes.running(HOME)
        for listener in process.net_connections()
        if listener.status == psutil.CONN_LISTEN
    }

    assert bound == told


ANSWERS = {
    "no token": ("GET", "/recordings", {}, 401, "unauthenticated"),
    "a forged token": ("GET", "/recordings", {"Authorization": "Bearer x.y.z"}, 401, "unauthenticated"),
    "no such door": ("GET", "/nothing/here", {}, 404, "not_found"),
    "no such method": ("PATCH", "/recordings", {}, 404, "not_found"),
}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"), list(ANSWERS.values()), ids=list(ANSWERS)
)
def test_api_gateway_answers_in_our_shape(
    standing: dict[str, Any], method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = requests.request(method, standing["api"] + path, headers=headers, timeout=30)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_token_opens_the_door(standing: dict[str, Any]) -> None:
    bearer = {"Authorization": f"Bearer {standing['token']}"}

    assert requests.get(f"{standing['api']}/recordings", headers=bearer, timeout=30).status_code == 200


def test_rights_are_enforced(client: Clients, standing: dict[str, Any]) -> None:
    key = client("iam").create_access_key(UserName="videosdk")["AccessKey"]
    uploader = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1").client(
        "s3", endpoint_url=standing["aws"]["endpoint"]
    )

    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        uploader.list_objects_v2(Bucket=standing["bucket"])
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        uploader.put_object(Bucket=standing["outputBucket"], Key="x", Body=b"")


def test_the_functions_see_no_package_of_the_development_environment() -> None:
    python = ROOT / ".local/aws-venv/bin/python"
    named = "import importlib.util as u, sys; print(*(name for name in sys.argv[1:] if u.find_spec(name)))"
    ours = ("requests", "jwt", "cryptography", "av", "chalice", "chalicelib")

    told = subprocess.run([python, "-I", "-c", named, *ours], capture_output=True, text=True, check=True)

    assert told.stdout.split() == []


# --- in a home of its own ---------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.end(tmp_path)


def stack(home: Path, action: str) -> list[str]:
    return ["/usr/bin/env", f"TRACKLANE_HOME={home}", sys.executable, "-m", "local.stack", action]


def test_down_ends_what_a_killed_up_left_behind(home: Path) -> None:
    starting = subprocess.Popen(stack(home, "up"), cwd=ROOT)
    last = time.monotonic() + 60
    while not processes.running(home):
        assert time.monotonic() < last
        time.sleep(0.02)
    os.kill(starting.pid, signal.SIGKILL)
    starting.wait()

    subprocess.run(stack(home, "down"), cwd=ROOT, check=True)

    assert processes.running(home) == []
    assert not (home / "stack.json").exists()


def test_a_stack_whose_server_was_killed_is_raised_anew(home: Path) -> None:
    subprocess.run(stack(home, "up"), cwd=ROOT, check=True)
    before = json.loads((home / "stack.json").read_text())
    for process in processes.running(home):
        process.kill()

    subprocess.run(stack(home, "up"), cwd=ROOT, check=True)

    after = json.loads((home / "stack.json").read_text())
    assert after["package"] == before["package"]
    assert requests.get(f"{after['api']}/health", timeout=30).status_code == 200
    subprocess.run(stack(home, "down"), cwd=ROOT, check=True)
    with socket.socket() as probe:
        port = int(after["aws"]["endpoint"].rsplit(":", 1)[1])
        assert probe.connect_ex(("127.0.0.1", port)) != 0
