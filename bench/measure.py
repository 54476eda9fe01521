"""Medians of interleaved rounds, CPU seconds of this process; and tables of them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

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
