"""The tests have teeth: without any one of the safety conditions, some test fails."""

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.reliability.mutants import MUTANTS, ROOT, Mutant
from tests.tally import Tally

WORKERS = 2
LONGEST_S = 120
LEFT_OUT = shutil.ignore_patterns(".git", ".local", ".venv", ".hypothesis", ".*_cache", "__pycache__")
# How a test ends that never came to the condition: the row is wrong, not the code.
NEVER_TRIED = re.compile(r"NameError|ImportError|SyntaxError|ModuleNotFoundError")


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, in which one condition at a time is missing."""

    root: Path

    @classmethod
    def of(cls, source: Path, root: Path) -> "Copy":
        """The tree as it is now."""
        shutil.copytree(source, root, ignore=LEFT_OUT)
        return cls(root)

    def survives(self, mutant: Mutant) -> str | None:
        """Why it has to be said that nobody noticed; None when a test failed."""
        path = self.root / mutant.file
        whole = path.read_text("utf-8")
        path.write_text(whole.replace(mutant.old, mutant.new), "utf-8")
        try:
            return _unnoticed(*self.run(mutant.tests))
        finally:
            path.write_text(whole, "utf-8")

    def run(self, tests: Iterable[str]) -> tuple[int | None, str]:
        """These tests as they go in this copy: pytest's exit code and what it printed."""
        told = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
        # A source that changes twice in one second has the same time: what is compiled must not be kept.
        calm = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
        calm.pop("PYTEST_XDIST_WORKER", None)
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "pytest", *told],
                cwd=self.root, env=calm, capture_output=True, text=True, timeout=LONGEST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, "it hangs"
        return ended.returncode, ended.stdout


def _unnoticed(code: int | None, printed: str) -> str | None:
    failed = [line for line in printed.splitlines() if line.startswith("FAILED ")]
    if code == 1 and failed and not NEVER_TRIED.search(failed[0]):
        return None
    return "it survives" if code == 0 else f"it was not tried ({code}): {printed[-300:]}"


def test_each_row_of_the_table_is_about_the_code_as_it_is() -> None:
    rotten = [(m.file, m.lost, m.stands) for m in MUTANTS if m.stands != 1 or m.old == m.new]
    nameless = [name for mutant in MUTANTS for name in mutant.unknown_tests]
    twice = [lost for lost, count in Counter(m.lost for m in MUTANTS).items() if count > 1]

    assert (rotten, nameless, twice) == ([], [], [])
    assert len(MUTANTS) >= 45


@pytest.mark.invariant(31, "without any one safety condition, a test fails")
def test_every_condition_that_is_taken_away_is_missed(
    tally: Tally, size: Callable[[int, int], int], tmp_path: Path
) -> None:
    chosen = random.Random(tally.seed).sample(MUTANTS, size(2, len(MUTANTS)))
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(WORKERS):
        copies.put(Copy.of(ROOT, tmp_path / f"copy-{number}"))

    def tried(mutant: Mutant) -> str | None:
        copy = copies.get()
        try:
            return copy.survives(mutant)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(WORKERS) as both:
        for mutant, why in zip(chosen, both.map(tried, chosen), strict=True):
            tally.case()
            if why is not None:
                tally.violation(f"{mutant.file}, {mutant.lost}: {why}")


OUTCOMES = [
    ("All tracks", "The tracks", "it survives"),
    ("from dataclasses import", "from dataklasses import", "it was not tried"),
    ('"stamp": 100', '"stamp": 999', "it was noticed"),
]


def test_only_a_test_that_fails_is_a_noticing(tmp_path: Path) -> None:
    copy, tests = Copy.of(ROOT, tmp_path / "copy"), ("tests/core/test_timeline.py",)

    for old, new, outcome in OUTCOMES:
        mutant = Mutant("nothing", "chalicelib/core/timeline.py", old, new, tests)
        assert (copy.survives(mutant) or "it was noticed").startswith(outcome)

    assert copy.run(tests)[0] == 0
