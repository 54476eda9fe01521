"""How many cases each invariant was tried in, from which seed, and what broke it; told when all is over.

A test of tests/reliability names its invariant by `@pytest.mark.invariant(number, "what must hold")`, takes
its number of cases from `size(quick, full)` and its chance from `seed`, and counts on its `tally`.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

QUICK_SEED = 20261122
TOLD = Path(".local") / "soak.md"
_NAME = "tally"


@dataclass
class Tally:
    """The count of one invariant."""

    number: int
    holds: str
    seed: int
    cases: int = 0
    violations: list[str] = field(default_factory=list)

    def case(self, many: int = 1) -> None:
        """So many more were tried."""
        self.cases += many

    def violation(self, what: str) -> None:
        """One broke it: say how, so that it can be repeated. The test fails at its end."""
        self.violations.append(what)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How many cases: the first number in `make test`, the second in `make soak`."""
    soak = request.config.getoption("--soak")
    return lambda quick, full: full if soak else quick


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Where chance begins: given, or always the same in `make test`, or new in `make soak`."""
    given: int | None = request.config.getoption("--seed")
    if given is not None:
        return given
    return int.from_bytes(os.urandom(4)) if request.config.getoption("--soak") else QUICK_SEED


@pytest.fixture
def tally(
    request: pytest.FixtureRequest, seed: int, record_property: Callable[[str, object], None]
) -> Iterator[Tally]:
    """The count of this test's invariant."""
    mark = request.node.get_closest_marker("invariant")
    assert mark is not None, "say which invariant this test is about"
    number, holds = mark.args
    counted, began = Tally(number, holds, seed), time.perf_counter()
    yield counted
    told = {
        "number": number,
        "holds": holds,
        "seed": seed,
        "cases": counted.cases,
        "violations": len(counted.violations),
        "seconds": round(time.perf_counter() - began, 1),
    }
    record_property(_NAME, json.dumps(told))
    assert counted.cases > 0, "nothing was tried"
    assert not counted.violations, f"seed {seed}: " + "\n".join(counted.violations[:10])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table of all invariants that were tried; `make soak` also writes it down."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = {
        (value, report.nodeid): json.loads(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _NAME
    }
    if not told:
        return
    lines = [_line(one) for one in sorted(_joined(told.values()), key=lambda one: one["number"])]
    terminalreporter.section("invariants")
    for line in [*_HEAD, *lines]:
        terminalreporter.write_line(line)
    if config.getoption("--soak"):
        TOLD.parent.mkdir(exist_ok=True)
        TOLD.write_text("\n".join([*_HEAD, *_beside(lines)]) + "\n")


def _beside(lines: list[str]) -> list[str]:
    """These lines, and what a run before wrote about other things: `make soak` is more than one run."""
    before = TOLD.read_text().splitlines()[len(_HEAD) :] if TOLD.exists() else []
    anew = {_about(line) for line in lines}
    return sorted([*(line for line in before if _about(line) not in anew), *lines], key=_about)


def _about(line: str) -> tuple[int, str]:
    number, holds = line.split("|")[1:3]
    return int(number), holds


def _joined(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for the parts that a test was split into: equal but for their counts."""
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for part in told:
        line = lines.setdefault((part["number"], part["holds"], part["seed"]), {**part, **_NOTHING})
        line.update({name: line[name] + part[name] for name in _NOTHING})
    return list(lines.values())


_NOTHING = {"cases": 0, "violations": 0, "seconds": 0}
_HEAD = ("| # | what holds | cases | seed | violations | s |", "|---|---|---|---|---|---|")


def _line(told: dict[str, Any]) -> str:
    return "| {number} | {holds} | {cases:,} | {seed} | {violations} | {seconds:.0f} |".format(**told)
