"""The API function's cold start from its packaged zip, against a bare Chalice app that imports boto3.

Each run is a fresh process of the embedded AWS's Python, whose environment has what Lambda has by itself
(boto3) and nothing of ours. Both sides go as far as a DynamoDB client, which every request needs: ours
imports boto3 only then.
"""

import os
import resource
import subprocess
import tempfile
import zipfile
from pathlib import Path

from bench.measure import figure, tell
from ops import package

AIM = 1.15
ROUNDS = 15
PYTHON = package.ROOT / ".local" / "aws-venv" / "bin" / "python"
BARE = """
from chalice import Chalice
import boto3
app = Chalice(app_name="bare")
@app.route("/")
def index():
    return {}
boto3.client("dynamodb")
"""
OURS = """
import app
from chalicelib import wiring
wiring.world().ledger
"""
SETTINGS = (
    "TABLE", "RECORDINGS_BUCKET", "BUCKET_DIR_PATH", "OUTPUT_BUCKET", "INGEST_QUEUE_URL", "RENDER_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL", "VIDEOSDK_SECRET", "APP_TOKEN_SECRET", "WEBHOOK_TAG_SECRET", "COMPOSITIONS",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as place:
        code = Path(place)
        zipfile.ZipFile(package.build("local").function).extractall(code)
        taken: dict[str, list[float]] = {"bare Chalice + boto3 client": [], "API function": []}
        for program in (BARE, OURS):
            _cpu(program, code)
        for _ in range(ROUNDS):
            taken["bare Chalice + boto3 client"].append(_cpu(BARE, code))
            taken["API function"].append(_cpu(OURS, code))
    figures = [figure(name, seconds) for name, seconds in taken.items()]
    tell("cold import of the API function: CPU per process", figures, AIM)


def _cpu(program: str, code: Path) -> float:
    """User and system seconds of one process, from its start to its end."""
    environ = dict.fromkeys(SETTINGS, "bench") | {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(code)}
    before = _of_children()
    command = [str(PYTHON), "-B", "-c", program]
    subprocess.run(command, env=os.environ | environ, cwd=code, check=True, capture_output=True)
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
