"""Medians of interleaved rounds, CPU seconds of this process; and tables of them."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of one candidate's rounds, with the least and the most; seconds of CPU per call."""

    name: str
    low: float
    median: float
    high: float


def cpu_per_call(candidates: dict[str, Callable[[], object]], *, rounds: int, calls: int) -> list[Figure]:
    """Each round runs every candidate in turn, so that a slow moment of the machine meets them all."""
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for call in candidates.values():
        call()
    for _ in range(rounds):
        for name, call in candidates.items():
            taken[name].append(_cpu(call, calls) / calls)
    return [figure(name, seconds) for name, seconds in taken.items()]


def figure(name: str, seconds: list[float]) -> Figure:
    """A candidate's rounds in three numbers."""
    return Figure(name, min(seconds), statistics.median(seconds), max(seconds))


def tell(
    title: str, figures: list[Figure], aim: float | None, *, unit: str = "ms", scale: float = 1e3
) -> None:
    """Print a table; the first figure is the baseline of all ratios."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in (f"median {unit}", "min", "max", "ratio", "aim"):
        table.add_column(column, justify="right")
    baseline = figures[0].median
    for place, told in enumerate(figures):
        numbers = (f"{value * scale:.3f}" for value in (told.median, told.low, told.high))
        wanted = f"≤ {aim}" if aim is not None and place else ""
        table.add_row(told.name, *numbers, f"{told.median / baseline:.2f}", wanted)
    Console(width=110).print(table)


def _cpu(call: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        call()
    return time.process_time() - began


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took, with the children that it waited for; `told` is what it printed last."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    told: Any


def in_child(command: list[str], folder: Path) -> Run:
    """Run it and measure it. What it prints last may be JSON; bytecode is kept in `folder`."""
    measure = [sys.executable, "-S", "-c", _MEASURE]
    # As where Python is installed: its bytecode is kept, though here not beside the sources.
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environ = os.environ | kept | THREADS
    done = subprocess.run([*measure, *command], check=True, stdout=subprocess.PIPE, env=environ)
    return Run(*json.loads(done.stdout))


# As the template has it of the function that decodes.
THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "SVT_LOG": "1"}


def median_run(runs: list[Run]) -> Run:
    """The median of each figure."""
    return Run(
        statistics.median(run.cpu_s for run in runs),
        statistics.median(run.wall_s for run in runs),
        statistics.median(run.peak_mb for run in runs),
        runs[-1].told,
    )


# A process's peak memory begins with that of the process it was forked from, so that one has to be small.
_MEASURE = """
import json, os, subprocess, sys, time
began = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
printed = child.stdout.read().decode().strip().splitlines()
_, status, used = os.wait4(child.pid, 0)
wall = time.monotonic() - began
assert status == 0, status
try:
    told = json.loads(printed[-1])
except (IndexError, ValueError):
    told = None
print(json.dumps([used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1000, told]))
"""
