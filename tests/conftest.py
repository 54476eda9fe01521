"""What all tests share: properties are tried with the same examples each time, so that red stays red."""

import os

import pytest
from hypothesis import settings

# As where it is deployed: for what the engine multiplies, threads cost more than they bring.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = ["tests.browser", "tests.tally"]

settings.register_profile("house", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of tests/reliability is run, and from which seed."""
    parser.addoption("--soak", action="store_true", help="the full figures: hours, not minutes")
    parser.addoption("--seed", type=int, help="repeat a run that began from this seed")
