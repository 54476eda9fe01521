"""The machine that renders compositions: a state machine of AWS Step Functions, as the template has it."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Unavailable


@dataclass(frozen=True)
class StepFunctionsComposer:
    """Answers to the port `Composer`. `client` is a boto3 Step Functions client."""

    client: Any
    arn: str

    def start(self, name: str, told: dict[str, Any]) -> None:
        """AWS lets the same name begin again while it runs; once it is over, it says that it was there."""
        asked = {"stateMachineArn": self.arn, "name": name, "input": json.dumps(told, sort_keys=True)}
        with _Failures("ExecutionAlreadyExists"):
            self.client.start_execution(**asked)

    def stop(self, name: str) -> None:
        """What is over already may be refused; tasks that run go on to their end."""
        execution = f"{self.arn.replace(':stateMachine:', ':execution:')}:{name}"
        with _Failures("ExecutionDoesNotExist", "ValidationException"):
            self.client.stop_execution(
                executionArn=execution, error="cancelled", cause="somebody called it off"
            )


class _Failures:
    """Lets no exception through but `Unavailable`, and passes over the codes that say that all is well."""

    def __init__(self, *fine: str) -> None:
        self._fine = fine

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in self._fine:
            return True
        if isinstance(error, ClientError | BotoCoreError):
            raise Unavailable(
                "composer_unavailable", "Step Functions can not be reached; try again"
            ) from error
        return False
