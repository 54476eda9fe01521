"""What is deployed, packaged once and shared; and the stack that it becomes."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from local import stack
from ops import package

type Clients = Callable[[str], Any]


STAGES = {"arm64": "prod", "x86_64": "prod-x86_64"}


@pytest.fixture(scope="session", params=list(STAGES))
def built(request: pytest.FixtureRequest) -> tuple[str, package.Package]:
    """An architecture, and what is packaged for it."""
    return request.param, package.build(STAGES[request.param], request.param)


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The template as it is deployed."""
    told: dict[str, Any] = json.loads(package.build("prod").template.read_text())
    return told


@pytest.fixture(scope="session")
def standing() -> dict[str, Any]:
    """The running stack, as its file tells of it."""
    return stack.up()


@pytest.fixture(scope="session")
def environ(standing: dict[str, Any]) -> dict[str, str]:
    """What an operator's shell would have, were the embedded AWS a real one."""
    aws = standing["aws"]
    return {
        "AWS_ENDPOINT_URL": aws["endpoint"],
        "AWS_DEFAULT_REGION": aws["region"],
        "AWS_ACCESS_KEY_ID": aws["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": aws["secretAccessKey"],
    }


@pytest.fixture(scope="session")
def client(environ: dict[str, str]) -> Clients:
    """Clients of the embedded AWS."""
    session = boto3.Session(
        environ["AWS_ACCESS_KEY_ID"],
        environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_DEFAULT_REGION"],
    )
    return lambda service: session.client(service, endpoint_url=environ["AWS_ENDPOINT_URL"])
