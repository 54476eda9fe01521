"""A deployed stack, asked for what it is made of."""

from dataclasses import dataclass
from typing import Any

import boto3


@dataclass(frozen=True, slots=True)
class Stack:
    """A CloudFormation stack by its name."""

    name: str

    @property
    def outputs(self) -> dict[str, str]:
        """What the template says of it, by name."""
        stack = _cloudformation().describe_stacks(StackName=self.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resource(self, logical_id: str) -> str:
        """What AWS calls a resource of the template."""
        asked = {"StackName": self.name, "LogicalResourceId": logical_id}
        detail = _cloudformation().describe_stack_resource(**asked)["StackResourceDetail"]
        return str(detail["PhysicalResourceId"])


def _cloudformation() -> Any:
    return boto3.client("cloudformation")
