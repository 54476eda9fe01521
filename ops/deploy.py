"""Put the packaged stack into a real account, with the aws CLI: one change set, rolled back if it fails.

python -m ops.deploy --stage prod --recordings-bucket my-recordings [--parameter GraceMinutes=30]
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import package

# The one that is pinned beside boto3, whatever else is on PATH.
CLI = Path(sys.executable).with_name("aws")


class DeployError(Exception):
    """Nothing was deployed, for this reason."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to deploy where; `parameters` are the template's."""

    stage: str
    parameters: dict[str, str]
    artifacts_bucket: str | None = None
    arch: str | None = None

    @property
    def stack(self) -> str:
        """The stack's name."""
        return f"tracklane-{self.stage}"


def deploy(deployment: Deployment) -> dict[str, str]:
    """Package, upload and deploy; the stack's outputs."""
    _has_secret(deployment.parameters["VideoSdkSecretName"])
    built = package.build(deployment.stage, deployment.arch)
    bucket = deployment.artifacts_bucket or _artifacts_bucket()
    uploaded = built.directory / "uploaded.yaml"
    where = ["--s3-bucket", bucket, "--s3-prefix", deployment.stack]
    files = ["--template-file", str(built.template), "--output-template-file", str(uploaded)]
    _aws("cloudformation", "package", *files, *where)
    told = [f"{name}={value}" for name, value in deployment.parameters.items()]
    what = ["--template-file", str(uploaded), "--stack-name", deployment.stack, *where]
    how = ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-fail-on-empty-changeset"]
    _aws("cloudformation", "deploy", *what, *how, "--parameter-overrides", *told)
    stack = _asked("cloudformation", "describe-stacks", "--stack-name", deployment.stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _has_secret(name: str) -> None:
    try:
        _aws("secretsmanager", "describe-secret", "--secret-id", name)
    except DeployError as error:
        raise DeployError(
            f"The secret {name} is not there. Make it from VideoSDK's dashboard:\n"
            f"  aws secretsmanager create-secret --name {name} "
            """--secret-string '{"apiKey": "...", "secret": "..."}'"""
            f"\n{error}"
        ) from None


def _artifacts_bucket() -> str:
    """One for each account and region, made when it is first needed."""
    account = _asked("sts", "get-caller-identity")["Account"]
    region = _aws("configure", "get", "region", checked=False).strip() or os.environ["AWS_DEFAULT_REGION"]
    bucket = f"tracklane-artifacts-{account}-{region}"
    try:
        _aws("s3api", "head-bucket", "--bucket", bucket)
    except DeployError:
        _aws("s3", "mb", f"s3://{bucket}")
    return bucket


def _asked(*arguments: str) -> Any:
    return json.loads(_aws(*arguments, "--output", "json"))


def _aws(*arguments: str, checked: bool = True) -> str:
    done = subprocess.run([str(CLI), *arguments], capture_output=True, text=True, check=False)
    if checked and done.returncode:
        raise DeployError(f"aws {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def main() -> None:
    """Deploy, and say where it stands and what is left to do."""
    parser = argparse.ArgumentParser(prog="python -m ops.deploy", description=__doc__.split("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--recordings-bucket", required=True)
    parser.add_argument("--bucket-dir-path", default="recordings")
    parser.add_argument("--videosdk-secret", default="tracklane/videosdk", help="its name in Secrets Manager")
    parser.add_argument("--artifacts-bucket", help="for template and zips; else one is made")
    parser.add_argument("--arch", choices=package.ARCHITECTURES, default=package.REAL_ARCH)
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="any other")
    asked = parser.parse_args()
    parameters = {
        "Stage": asked.stage,
        "RecordingsBucket": asked.recordings_bucket,
        "BucketDirPath": asked.bucket_dir_path,
        "VideoSdkSecretName": asked.videosdk_secret,
    } | dict(parameter.split("=", 1) for parameter in asked.parameter)
    deployment = Deployment(asked.stage, parameters, asked.artifacts_bucket, asked.arch)
    try:
        outputs = deploy(deployment)
    except (DeployError, package.PackagingError) as refused:
        sys.exit(str(refused))
    print(f"{deployment.stack} stands at {outputs['Api']}")
    print(f"Have the bucket tell of its objects:  make wire RECORDINGS_BUCKET={asked.recordings_bucket}")
    print(f"Mint an app's token:  {sys.executable} -m ops.token --stack {deployment.stack} --subject my-app")


if __name__ == "__main__":
    main()
