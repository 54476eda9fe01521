"""The port `Composer`, in memory and over Step Functions: a name begins once, and what is over stays over."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.adapters.stepfunctions import StepFunctionsComposer
from chalicelib.core.errors import Unavailable
from chalicelib.ports import Composer
from tests.contracts.conftest import BOTH, Aws, Wire
from tests.fakes import MemoryComposer, MemoryWorld, Tape

IDLE = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": true}}}'
ROLE = "arn:aws:iam::123456789012:role/compositions"
TOLD = {"sessionId": "s", "run": 1}


@dataclass
class Machine:
    """A composer; `runs` tells of each run what it was told, and whether it goes on."""

    composer: Composer
    runs: Callable[[], dict[str, tuple[Any, bool]]]


@pytest.fixture(params=BOTH)
def machine(request: pytest.FixtureRequest) -> Machine:
    return _memory() if request.param == "memory" else _aws(request.getfixturevalue("aws"))


def _memory() -> Machine:
    composer = MemoryComposer(Tape())
    return Machine(
        composer, lambda: {name: (told, name in composer.running) for name, told in composer.begun.items()}
    )


def _aws(aws: Aws) -> Machine:
    client = aws.client("stepfunctions")
    arn = client.create_state_machine(name=aws.bucket(), definition=IDLE, roleArn=ROLE)["stateMachineArn"]

    def runs() -> dict[str, tuple[Any, bool]]:
        listed = client.list_executions(stateMachineArn=arn)["executions"]
        found = [client.describe_execution(executionArn=told["executionArn"]) for told in listed]
        return {told["name"]: (json.loads(told["input"]), told["status"] == "RUNNING") for told in found}

    return Machine(StepFunctionsComposer(client, arn), runs)


def test_a_run_begins_and_is_told_what_it_is_about(machine: Machine) -> None:
    machine.composer.start("comp-1", TOLD)

    assert machine.runs() == {"comp-1": (TOLD, True)}


def test_a_name_begins_once_whether_it_runs_or_is_over(machine: Machine) -> None:
    machine.composer.start("comp-1", TOLD)
    machine.composer.start("comp-1", TOLD)
    assert machine.runs() == {"comp-1": (TOLD, True)}

    machine.composer.stop("comp-1")
    machine.composer.start("comp-1", TOLD)
    assert machine.runs() == {"comp-1": (TOLD, False)}


def test_what_is_stopped_runs_no_more_and_others_go_on(machine: Machine) -> None:
    for name in ("comp-1", "comp-2"):
        machine.composer.start(name, TOLD)
    machine.composer.stop("comp-1")
    machine.composer.stop("comp-1")

    assert {name: runs for name, (_, runs) in machine.runs().items()} == {"comp-1": False, "comp-2": True}


def test_what_never_was_can_be_stopped(machine: Machine) -> None:
    machine.composer.stop("comp-1")

    assert machine.runs() == {}


@pytest.mark.parametrize("does", ["start", "stop"])
def test_where_it_can_not_be_told_whether_it_was_done_that_is_said(does: str, aws: Aws) -> None:
    client = aws.client("stepfunctions")
    Wire(client, broken={"*": EndpointConnectionError(endpoint_url="nowhere")})
    composer = StepFunctionsComposer(client, "arn:aws:states:us-east-1:123456789012:stateMachine:m")

    with pytest.raises(Unavailable):
        composer.start("comp-1", TOLD) if does == "start" else composer.stop("comp-1")


def test_a_machine_that_is_not_there_is_no_run_that_is_over(aws: Aws) -> None:
    nowhere = "arn:aws:states:us-east-1:123456789012:stateMachine:nowhere"

    with pytest.raises(Unavailable):
        StepFunctionsComposer(aws.client("stepfunctions"), nowhere).start("comp-1", TOLD)


def test_a_broken_door_is_told_by_the_fake_as_well() -> None:
    world = MemoryWorld()
    world.broken("composer.start")

    with pytest.raises(Unavailable):
        world.composer.start("comp-1", TOLD)
