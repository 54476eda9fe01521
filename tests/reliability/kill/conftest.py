"""The stage is made once for all tests of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.kill.platform import Stage, staged

# These run as processes of their own, and change botocore and the log as soon as they are imported.
collect_ignore = ["worker.py", "handlers.py"]


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(Path(tmp_path_factory.mktemp("kill"))) as made:
        yield made
