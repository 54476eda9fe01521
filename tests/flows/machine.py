"""Runs the template's state machine in this process, over a world in memory: as Step Functions would, but for
time, which passes at once, and branches and items, which take turns."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chalicelib.flows import composing
from tests.fakes import Died, MemoryWorld
from tests.flows.stage import until_quiet

TEMPLATE = Path(__file__).parents[2] / ".chalice" / "template.yaml"
MEMORY_MB = 1769


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what follows their tag."""


def _short(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _short)


@cache
def definition() -> dict[str, Any]:
    """What the template says that the machine does."""
    told = yaml.load(TEMPLATE.read_text(), _Loader)  # noqa: S506  # a SafeLoader
    spelled = told["Resources"]["Compositions"]["Properties"]["DefinitionString"]
    return dict(json.loads(spelled.replace("${CompositionConcurrency}", "2")))


class Failed(Exception):
    """A state failed, with a name and a cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error)
        self.told = {"Error": error, "Cause": cause}


@dataclass
class Machine:
    """Runs what the world's composer was told to begin. `before` may break each task, or pass time."""

    world: MemoryWorld
    before: Callable[[str, dict[str, Any]], None] = lambda _, __: None
    entered: list[str] = field(default_factory=list)
    calls: int = 0

    def work(self) -> None:
        """Run all that was begun and is not over, to its end."""
        for name in sorted(self.world.composer.running):
            told = self.world.composer.begun[name]
            end = self._ran(name, told)
            self.world.composer.running.discard(name)
            if end is not None:
                composing.ended(self.world, {**end, "input": json.dumps(told)})

    def _ran(self, name: str, told: dict[str, Any]) -> dict[str, Any] | None:
        """How it ended, if not well."""

        def runs() -> bool:
            return name in self.world.composer.running

        try:
            self._states(definition(), told, runs)
        except Failed as failed:
            if runs():
                return {"status": "FAILED", "error": failed.told["Error"], "cause": failed.told["Cause"]}
        return None if runs() else {"status": "ABORTED"}

    def _states(self, machine: dict[str, Any], told: Any, runs: Callable[[], bool]) -> Any:
        name: str | None = machine["StartAt"]
        while name is not None and runs():
            self.entered.append(name)
            state = machine["States"][name]
            told, name = getattr(self, f"_{state['Type'].lower()}")(name, state, told, runs)
        return told

    def _task(self, name: str, state: dict[str, Any], told: Any, _: object) -> tuple[Any, str | None]:
        tries = [0] * len(state["Retry"])
        while True:
            try:
                result = self._called(name, state["Resource"], _selected(state.get("Parameters"), told, {}))
                return _left(state, told, result), state.get("Next")
            except Failed as failed:
                rule = _rule(state["Retry"], failed)
                if rule is not None and tries[rule] < state["Retry"][rule].get("MaxAttempts", 3):
                    self.world.pass_time(1000 * state["Retry"][rule].get("IntervalSeconds", 1))
                    tries[rule] += 1
                    continue
                rule = _rule(state.get("Catch", []), failed)
                if rule is None:
                    raise
                caught = state["Catch"][rule]
                return {**told, caught["ResultPath"].removeprefix("$."): failed.told}, caught["Next"]

    def _called(self, name: str, resource: str, told: Any) -> Any:
        """As a function: JSON in, JSON out, and of what it raises only what can be said."""
        self.calls += 1
        told = json.loads(json.dumps(told))
        try:
            self.before(name, told)
            if resource == "${ComposePlan.Arn}":
                return json.loads(json.dumps(composing.plan(self.world, told, MEMORY_MB)))
            assert resource == "${Compose.Arn}"
            composing.perform(self.world, told, MEMORY_MB)
        except Died:
            raise Failed("Lambda.Unknown", "the function was killed") from None
        except Exception as fault:
            kind = type(fault).__name__
            said = {"errorMessage": str(fault), "errorType": kind}
            raise Failed(kind, json.dumps(said)) from fault

    def _choice(self, _: str, state: dict[str, Any], told: Any, __: object) -> tuple[Any, str]:
        for rule in state["Choices"]:
            if _found(rule["Variable"], told) is rule["BooleanEquals"]:
                return told, rule["Next"]
        return told, state["Default"]

    def _wait(self, _: str, state: dict[str, Any], told: Any, __: object) -> tuple[Any, str]:
        """The stream and the queues go on meanwhile."""
        self.world.pass_time(1000 * state["Seconds"])
        until_quiet(self.world)
        return told, state["Next"]

    def _parallel(
        self, _: str, state: dict[str, Any], told: Any, runs: Callable[[], bool]
    ) -> tuple[Any, str | None]:
        result = [self._states(branch, told, runs) for branch in state["Branches"]]
        return _left(state, told, result), state.get("Next")

    def _map(
        self, _: str, state: dict[str, Any], told: Any, runs: Callable[[], bool]
    ) -> tuple[Any, str | None]:
        items = [
            _selected(state["ItemSelector"], told, item)
            for item in _found(state["ItemsPath"], told)
            if runs()
        ]
        result = [self._states(state["ItemProcessor"], item, runs) for item in items]
        return _left(state, told, result), state.get("Next")

    def _fail(self, _: str, state: dict[str, Any], __: Any, ___: object) -> tuple[Any, str | None]:
        raise Failed(state["Error"], "")


def _rule(rules: list[dict[str, Any]], failed: Failed) -> int | None:
    """The first that is for this fault."""
    error = failed.told["Error"]
    names = (rule["ErrorEquals"] for rule in rules)
    return next((place for place, named in enumerate(names) if {error, "States.ALL"} & set(named)), None)


def _left(state: dict[str, Any], told: Any, result: Any) -> Any:
    if state.get("OutputPath", "$") is None:
        return {}
    return told if state.get("ResultPath", "$") is None else result


def _selected(template: dict[str, Any] | None, told: Any, item: Any) -> Any:
    if template is None:
        return told
    return {
        name.removesuffix(".$"): _found(value, told, item) if name.endswith(".$") else value
        for name, value in template.items()
    }


def _found(path: str, told: Any, item: Any = None) -> Any:
    return item if path == "$$.Map.Item.Value" else told[path.removeprefix("$.")]
