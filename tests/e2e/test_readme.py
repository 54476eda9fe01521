"""The README's commands, run as they stand there, against the embedded AWS and the running stack."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import ROOT, VIDEOSDK_KEY, VIDEOSDK_SECRET
from local.videosdk import Meeting
from tests.e2e.stage import Stage, Told

pytestmark = pytest.mark.e2e

README = (ROOT / "README.md").read_text()
# `make test` is what runs this; the demo has a test of its own below.
RUN_ELSEWHERE = {"make demo\n", "make test\n"}


def blocks(language: str) -> list[str]:
    """The README's code blocks in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def holding(*texts: str) -> list[str]:
    """The shell blocks that hold one of these texts, in the README's order."""
    return [block for block in blocks("sh") if any(text in block for text in texts)]


MEETING = holding("/simulation/rooms")
DEPLOYING = holding("$RECORDINGS_BUCKET", "create-secret")
CALLING = holding("stack.json", "$API/")


@pytest.fixture
def environ(stack: Told) -> dict[str, str]:
    """What a reader's shell would have."""
    aws = stack["aws"]
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": aws["endpoint"],
        "AWS_ACCESS_KEY_ID": aws["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": aws["secretAccessKey"],
        "AWS_DEFAULT_REGION": aws["region"],
        "VIDEOSDK": stack["videosdk"]["api"],
        "VIDEOSDK_API_KEY": "key",
        "VIDEOSDK_API_SECRET": "secret",
        "RECORDINGS_BUCKET": "readme-recordings",
        "ALARM_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:alarms",
    }


def run(command: str, environ: dict[str, str]) -> str:
    """What it prints; it must succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_no_command_of_the_readme_is_left_out() -> None:
    assert set(blocks("sh")) == {*MEETING, *DEPLOYING, *CALLING, *RUN_ELSEWHERE}


def test_the_demo_ends_well(stack: Told, environ: dict[str, str]) -> None:
    said = run("make demo EXIT=1", environ)

    assert "every recording is complete" in said
    assert "Ada Lovelace" in said
    assert f"page:  {stack['page']}" in said


def test_a_meeting_is_played_by_hand(environ: dict[str, str]) -> None:
    [block] = MEETING

    assert '"unmuted":["audio"]' in run(block, environ).replace(" ", "")
    Meeting(environ["VIDEOSDK"], "my-room").end()


def test_the_api_is_called_with_curl(stage: Stage, environ: dict[str, str]) -> None:
    meeting = Meeting(environ["VIDEOSDK"], "jvsg-8rjn-j304")
    session_id = meeting.join("ann")

    said = run("\n".join(CALLING).replace("613731342f27f56e4fc4b6d0", session_id), environ)

    assert said.count('"recordingId"') >= 4
    assert '"manifestVersion": 2' in said or "session_not_found" in said
    assert '"phase": "starting"' in said
    assert '"compositions"' in said
    assert stage.waiting("deadLetterQueue") == 0
    meeting.end()


def test_the_stack_is_deployed_step_by_step(stage: Stage, environ: dict[str, str]) -> None:
    # The running stack has made VideoSDK's secret; a reader's account has none yet.
    stage.client("secretsmanager").delete_secret(SecretId=VIDEOSDK_SECRET, ForceDeleteWithoutRecovery=True)
    try:
        said = [run(block, environ) for block in DEPLOYING]
    finally:
        stage.client("cloudformation").delete_stack(StackName="tracklane-prod")
        told = json.dumps(VIDEOSDK_KEY)
        stage.client("secretsmanager").put_secret_value(SecretId=VIDEOSDK_SECRET, SecretString=told)

    assert "tracklane-prod stands at https://" in said[-1]
    assert re.search(r"^eyJ[\w-]+\.[\w-]+\.[\w-]+$", said[-1], re.MULTILINE)
