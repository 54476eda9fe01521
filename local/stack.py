"""The whole stack here: the packaged template and zip in an embedded AWS, beside a simulated VideoSDK.

    python -m local.stack up | down | logs

`up` writes `.local/stack.json`, all that a client needs. Everything listens on 127.0.0.1, on ports that were
free. The embedded AWS enforces IAM: a right that is missing in `.chalice/policies` is missing here as well.
"""

import argparse
import fcntl
import json
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import processes
from ops import package, token, wire_bucket

ROOT = Path(__file__).resolve().parent.parent
# Another home is another stack, beside the usual one.
HOME = Path(os.environ.get("TRACKLANE_HOME") or ROOT / ".local").resolve()
AWS = ROOT / ".local" / "aws-venv" / "bin" / "ministack"
STACK_FILE = HOME / "stack.json"

NAME = "tracklane-local"
STAGE = "local"
REGION = "us-east-1"
ROOT_KEY = {"accessKeyId": "test", "secretAccessKey": "test"}
BUCKET = "tracklane-recordings"
BUCKET_DIR_PATH = "recordings"
ARTIFACTS = "tracklane-artifacts"
VIDEOSDK_SECRET = "tracklane/videosdk"  # noqa: S105  # a name
VIDEOSDK_KEY = {"apiKey": "local-api-key", "secret": "local-secret-as-long-as-a-real-one"}
# The embedded API Gateway takes a tag's value as the API's id, so the address is known before there is one.
API_ID = "tracklane"
TOKEN_DAYS = 30
PATIENCE_S = 60


class StackError(Exception):
    """The stack does not stand, for this reason."""


# --- up -------------------------------------------------------------------------------------------


def up() -> dict[str, Any]:
    """Have the stack of this very checkout stand, and say where; one that stands already is used."""
    with _alone():
        built = package.build(STAGE)
        told = read()
        if told and told.get("package") == built.key and _answers(told):
            return told
        _clear()
        try:
            return _raise(built)
        except BaseException:
            processes.end(HOME)
            raise


def read() -> dict[str, Any] | None:
    """What the last `up` wrote, unless `down` came after it."""
    return json.loads(STACK_FILE.read_text()) if STACK_FILE.exists() else None


def _answers(told: dict[str, Any]) -> bool:
    urls = (
        f"{told['aws']['endpoint']}/_ministack/health",
        f"{told['videosdk']['api']}/v2/public/rsa-public-key",
    )
    return all(_reached(url) for url in urls)


def _raise(built: package.Package) -> dict[str, Any]:
    (HOME / "aws").mkdir(parents=True)
    for log in HOME.glob("*.log"):
        log.unlink()
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    processes.start([str(AWS)], HOME, HOME / "aws.log", _aws_environ(port))
    aws = Aws(endpoint)
    _until("the embedded AWS", lambda: _reached(f"{endpoint}/_ministack/health"))
    uploader = _lay_ground(aws)
    videosdk = _start_videosdk(endpoint, uploader)
    outputs = _deploy(aws, built, {"VideoSdkApi": videosdk, "PublicUrl": _api(endpoint)})
    told = _told(aws, endpoint, videosdk, outputs) | {"package": built.key}
    fresh = STACK_FILE.with_suffix(".new")
    fresh.write_text(json.dumps(told, indent=2) + "\n")
    fresh.replace(STACK_FILE)
    return told


def _aws_environ(port: int) -> dict[str, str]:
    """Nothing of the caller's own AWS settings may reach the functions, so little else is handed on."""
    home = HOME / "aws"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        # Servers of services that we don't use.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


@dataclass(frozen=True)
class Aws:
    """The embedded AWS, spoken to as its root."""

    endpoint: str

    def client(self, service: str) -> Any:
        """A boto3 client of one service."""
        return self._session.client(
            service, endpoint_url=self.endpoint, config=Config(s3={"addressing_style": "path"})
        )

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(ROOT_KEY["accessKeyId"], ROOT_KEY["secretAccessKey"], region_name=REGION)


def _lay_ground(aws: Aws) -> dict[str, str]:
    """What is there before deploying: the wired bucket, VideoSDK's secret, and a user for its uploads."""
    s3 = aws.client("s3")
    for bucket in (BUCKET, ARTIFACTS):
        s3.create_bucket(Bucket=bucket)
    wire_bucket.wire(s3, BUCKET)
    aws.client("secretsmanager").create_secret(Name=VIDEOSDK_SECRET, SecretString=json.dumps(VIDEOSDK_KEY))
    iam = aws.client("iam")
    iam.create_user(UserName="videosdk")
    right = {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/{BUCKET_DIR_PATH}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [right]})
    iam.put_user_policy(UserName="videosdk", PolicyName="deliver", PolicyDocument=policy)
    key = iam.create_access_key(UserName="videosdk")["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def _start_videosdk(endpoint: str, uploader: dict[str, str]) -> str:
    ready = HOME / "videosdk.url"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "local.videosdk", "--port", "0", "--ready-file", str(ready)]
    command += ["--api-key", VIDEOSDK_KEY["apiKey"], "--secret", VIDEOSDK_KEY["secret"]]
    command += ["--private-key", str(_private_key()), "--bucket", BUCKET, "--aws-endpoint", endpoint]
    command += [
        "--region",
        REGION,
        "--access-key-id",
        uploader["id"],
        "--secret-access-key",
        uploader["secret"],
    ]
    processes.start(command, HOME, HOME / "videosdk.log", {"PYTHONPATH": str(ROOT)})
    _until("the simulated VideoSDK", ready.exists)
    return ready.read_text().strip()


def _private_key() -> Path:
    return HOME / "videosdk.pem"


def _deploy(aws: Aws, built: package.Package, parameters: dict[str, str]) -> dict[str, str]:
    """The packaged template as it is: what `aws cloudformation package` and `deploy` do, only quicker."""
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    for path in (built.function, built.layer):
        s3.upload_file(str(path), ARTIFACTS, path.name)
    template = json.dumps(_uploaded(json.loads(built.template.read_text())))
    s3.put_object(Bucket=ARTIFACTS, Key="template", Body=template.encode())
    cloudformation.create_stack(
        StackName=NAME,
        TemplateURL=f"{aws.endpoint}/{ARTIFACTS}/template",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in (_PARAMETERS | parameters).items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Tags=[{"Key": "ms-custom-id", "Value": API_ID}],
    )
    stack = _settled(cloudformation)
    _mend_gateway_responses(aws, json.loads(template))
    _mend_concurrency(aws)
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


_PARAMETERS = {
    "Stage": STAGE,
    "RecordingsBucket": BUCKET,
    "BucketDirPath": BUCKET_DIR_PATH,
    "VideoSdkSecretName": VIDEOSDK_SECRET,
    "RequireTls": "false",
}


def _uploaded(template: Any) -> Any:
    """The template with the places of local files replaced by those that they were uploaded to."""
    match template:
        case dict():
            return {
                key: _place(value) if key in _FILES else _uploaded(value) for key, value in template.items()
            }
        case list():
            return [_uploaded(value) for value in template]
        case _:
            return template


_FILES = frozenset({"CodeUri", "ContentUri"})


def _place(file: str) -> str:
    return f"s3://{ARTIFACTS}/{Path(file).name}"


def _settled(cloudformation: Any) -> dict[str, Any]:
    def stack() -> dict[str, Any]:
        return cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]  # type: ignore[no-any-return]

    _until("the stack", lambda: not stack()["StackStatus"].endswith("_IN_PROGRESS"), every=0.1)
    if stack()["StackStatus"] != "CREATE_COMPLETE":
        raise StackError("\n".join(_failures(cloudformation)))
    return stack()


def _failures(cloudformation: Any) -> Iterator[str]:
    for event in reversed(cloudformation.describe_stack_events(StackName=NAME)["StackEvents"]):
        if event["ResourceStatus"].endswith("_FAILED"):
            yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"


def _mend_gateway_responses(aws: Aws, template: dict[str, Any]) -> None:
    """The embedded API Gateway honours these, and only its import of the API's definition overlooks them."""
    api = aws.client("apigateway")
    for kind, said in template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][_RESPONSES].items():
        told = {key: str(said[key]) if key == "statusCode" else said[key] for key in said}
        api.put_gateway_response(restApiId=API_ID, responseType=kind, **told)
    api.create_deployment(restApiId=API_ID, stageName=_STAGE_PATH)


def _mend_concurrency(aws: Aws) -> None:
    """The embedded CloudFormation hands the number on as text; and more would only take turns here."""
    functions = aws.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        if "ScalingConfig" in mapping:
            at_once = {"MaximumConcurrency": max(2, os.cpu_count() or 2)}
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=at_once)


_RESPONSES = "x-amazon-apigateway-gateway-responses"
_STAGE_PATH = "v1"


def _api(endpoint: str) -> str:
    return f"{endpoint}/restapis/{API_ID}/{_STAGE_PATH}/_user_request_"


def _told(aws: Aws, endpoint: str, videosdk: str, outputs: dict[str, str]) -> dict[str, Any]:
    secret = aws.client("secretsmanager").get_secret_value(SecretId=outputs["AppTokenSecret"])["SecretString"]
    bearer = token.mint(secret, subject="demo", days=TOKEN_DAYS, now=int(time.time()))
    return {
        "api": _api(endpoint),
        "page": f"{_api(endpoint)}/#token={bearer}",
        "token": bearer,
        "bucket": BUCKET,
        "bucketDirPath": BUCKET_DIR_PATH,
        "outputBucket": outputs["OutputBucket"],
        "table": outputs["Table"],
        "queue": outputs["IngestQueueUrl"],
        "renderQueue": outputs["RenderQueueUrl"],
        "deadLetterQueue": outputs["DeadLetterQueueUrl"],
        "stackName": NAME,
        "aws": {"endpoint": endpoint, "region": REGION, **ROOT_KEY},
        "videosdk": {
            "api": videosdk,
            **VIDEOSDK_KEY,
            "webhookPrivateKey": os.path.relpath(_private_key(), ROOT),
        },
    }


# --- down -----------------------------------------------------------------------------------------


def down() -> int:
    """End all that `up` started, however that ended, and say how many processes there were."""
    with _alone():
        return _clear()


def _clear() -> int:
    STACK_FILE.unlink(missing_ok=True)
    ended = processes.end(HOME)
    shutil.rmtree(HOME / "aws", ignore_errors=True)
    return ended


# --- logs -----------------------------------------------------------------------------------------


def logs(follow: bool) -> None:
    """What the functions said, oldest first; with `follow`, also what they say from now on."""
    told = read()
    if not told:
        raise StackError("nothing is up; make up first")
    client = Aws(told["aws"]["endpoint"]).client("logs")
    seen: set[tuple[str, int, str]] = set()
    while True:
        for event in _unseen(client, seen):
            at = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
            print(f"{at} {event['function']:<10} {event['message'].rstrip()}", flush=True)
        if not follow:
            return
        time.sleep(1)


def _unseen(client: Any, seen: set[tuple[str, int, str]]) -> list[dict[str, Any]]:
    events = []
    for group in client.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}/")["logGroups"]:
        name = group["logGroupName"]
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=name):
            told = [event | {"function": name.rsplit("/", 1)[1]} for event in page["events"]]
            events += [event for event in told if _identity(event) not in seen]
    seen |= {_identity(event) for event in events}
    return sorted(events, key=lambda event: event["timestamp"])


def _identity(event: dict[str, Any]) -> tuple[str, int, str]:
    return event["logStreamName"], event["timestamp"], event["message"]


# --- waiting --------------------------------------------------------------------------------------


@contextmanager
def _alone() -> Iterator[None]:
    """One `up` or `down` at a time."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reached(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # an address of our own
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _until(what: str, there: Callable[[], bool], every: float = 0.05) -> None:
    last = time.monotonic() + PATIENCE_S
    while not there():
        if not processes.running(HOME):
            raise StackError(f"{what} ended at once; .local/*.log say why")
        if time.monotonic() > last:
            raise StackError(f"{what} is not there after {PATIENCE_S} s; .local/*.log say why")
        time.sleep(every)


# --- the command ----------------------------------------------------------------------------------


def main() -> None:
    """Do as told on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.stack", description="The whole stack on this machine."
    )
    parser.add_argument("action", choices=["up", "down", "logs"])
    parser.add_argument("--follow", action="store_true", help="logs: go on until Ctrl-C")
    asked = parser.parse_args()
    try:
        match asked.action:
            case "up":
                print(f"The stack stands at {up()['api']} (more in {os.path.relpath(STACK_FILE)})")
            case "down":
                print(f"Ended {down()} processes")
            case "logs":
                logs(asked.follow)
    except (StackError, package.PackagingError) as refused:
        sys.exit(str(refused))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
