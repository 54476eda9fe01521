"""The house keeps to its plan: who may know whom, and how large a file may be; each says what it is for."""

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")])
OTHERS = [
    path
    for room in ("bench", "local", "ops", "tests")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.stat().st_size and "node_modules" not in path.parts
]

# The world outside: a clock, chance, the environment, files, processes, the network.
OUTSIDE = {
    "asyncio", "ctypes", "glob", "http", "importlib", "io", "logging", "multiprocessing", "os", "pathlib",
    "platform", "random", "secrets", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
AWS = ["boto3", "boto3.*", "botocore", "botocore.*", "urllib3.exceptions"]

# room: (what of our own it may import, what of others', what of the standard library it may not).
# The first row that a module's path matches is its room's.
ROOMS: dict[str, tuple[list[str], list[str], set[str]]] = {
    "chalicelib/core/*": (["core"], [], OUTSIDE),
    "chalicelib/flows/*": (["flows", "ports", "core"], [], OUTSIDE - {"logging"}),
    "chalicelib/ports.py": (["core"], [], OUTSIDE),
    "chalicelib/config.py": ([], [], OUTSIDE),
    "chalicelib/adapters/callers.py": (["core"], ["jwt"], OUTSIDE),
    "chalicelib/adapters/videosdk/*": (
        ["adapters.videosdk", "ports", "core"],
        ["cryptography.*", "jwt", "requests", "requests.*", "urllib3", "urllib3.*"],
        {"os", "subprocess", "pathlib"},
    ),
    "chalicelib/adapters/dynamodb*.py": (
        ["adapters.dynamodb_items", "adapters.dynamodb_calls", "ports", "core"],
        AWS,
        {"os", "subprocess", "pathlib"},
    ),
    "chalicelib/adapters/aws.py": (["adapters.deadline"], AWS, {"os", "subprocess", "pathlib"}),
    "chalicelib/adapters/*": (["ports", "core"], AWS, {"os", "subprocess", "pathlib"}),
    "chalicelib/media/blank.py": ([], ["av", "av.*"], OUTSIDE),
    "chalicelib/media/compose/bidi.py": ([], [], OUTSIDE),
    "chalicelib/media/compose/text.py": (
        ["media"],
        ["manimgx_fonts", "manimgx_fonts_cjk", "numpy", "numpy.*", "uharfbuzz"],
        OUTSIDE - {"pathlib"},
    ),
    "chalicelib/media/compose/*": (["media", "core"], ["av", "av.*", "numpy", "numpy.*"], OUTSIDE),
    "chalicelib/media/contained.py": ([], [], OUTSIDE - {"ctypes", "os", "signal", "socket", "sys", "time"}),
    "chalicelib/media/decoding.py": (["media", "core"], ["av", "av.*", "numpy"], OUTSIDE),
    "chalicelib/media/jpeg.py": ([], ["av", "av.*"], OUTSIDE),
    "chalicelib/media/sprite.py": (["media", "core"], ["numpy"], OUTSIDE),
    "chalicelib/media/sound/*": (["media", "core"], ["av", "av.*", "numpy", "numpy.*"], OUTSIDE - {"io"}),
    "chalicelib/media/*": (["media", "core"], [], OUTSIDE - {"io"}),
    "chalicelib/routes/*": (
        ["routes", "flows", "wiring", "ports", "core"], ["chalice.app"], {"os", "subprocess", "time"}
    ),
    "chalicelib/wiring.py": (["adapters", "media", "config", "ports", "core"], AWS, {"subprocess", "random"}),
    "chalicelib/__init__.py": ([], [], OUTSIDE),
    "app.py": (["routes", "flows", "wiring", "core"], ["chalice.app"],
               {"subprocess", "random", "time"}),
}  # fmt: skip

AT_MOST = 400  # lines
# What is one thing and reads as one; it may not grow either.
LARGER = {
    "chalicelib/core/events.py": 660,  # every fact there is
    "chalicelib/ports.py": 545,  # every port there is
    "chalicelib/media/matroska.py": 570,  # the reading of one format
}


def named(path: Path) -> str:
    """A path as the tables have it."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)} imports by a relative name"
            yield from (_imported(node.module or "", alias.name) for alias in node.names)


def _imported(module: str, name: str) -> str:
    """`from a import b` imports a.b where that is a module of ours."""
    inner = ROOT.joinpath(*module.split("."), name)
    is_module = inner.with_suffix(".py").exists() or inner.is_dir()
    return f"{module}.{name}" if module.startswith("chalicelib") and is_module else module


def may(path: Path, wanted: str) -> bool:
    """Whether this file's room may know that module."""
    ours, theirs, never = next(rules for room, rules in ROOMS.items() if fnmatchcase(named(path), room))
    if wanted.partition(".")[0] == "chalicelib":
        inner = wanted.removeprefix("chalicelib").removeprefix(".")
        return any(inner == room or inner.startswith(f"{room}.") for room in ours)
    if wanted.partition(".")[0] in sys.stdlib_module_names:
        return not {wanted, wanted.partition(".")[0]} & never
    return any(fnmatchcase(wanted, allowed) for allowed in theirs)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_room_knows_only_the_rooms_that_it_may(path: Path) -> None:
    assert [wanted for wanted in imports(path) if not may(path, wanted)] == []


FORBIDDEN = [
    ("chalicelib/core/events.py", "chalicelib.ports"),
    ("chalicelib/core/events.py", "time"),
    ("chalicelib/core/ids.py", "uuid"),
    ("chalicelib/flows/record.py", "chalicelib.adapters.s3"),
    ("chalicelib/flows/record.py", "chalicelib.wiring"),
    ("chalicelib/flows/record.py", "boto3"),
    ("chalicelib/adapters/s3.py", "chalicelib.flows.record"),
    ("chalicelib/adapters/s3.py", "chalicelib.adapters.dynamodb"),
    ("chalicelib/adapters/s3.py", "chalicelib.config"),
    ("chalicelib/media/repair.py", "chalicelib.ports"),
    ("chalicelib/media/repair.py", "av"),
    ("chalicelib/media/poster.py", "av"),
    ("chalicelib/media/copies.py", "av"),
    ("chalicelib/media/contained.py", "chalicelib.core.scan"),
    ("chalicelib/routes/webhooks.py", "chalicelib.adapters.videosdk.post"),
    ("chalicelib/routes/webhooks.py", "boto3"),
    ("chalicelib/ports.py", "chalicelib.flows"),
    ("chalicelib/wiring.py", "chalicelib.flows.record"),
]


@pytest.mark.parametrize(("room", "wanted"), FORBIDDEN)
def test_the_plan_forbids_what_it_should(room: str, wanted: str) -> None:
    assert not may(ROOT / room, wanted)


IMPURE = {"open", "print", "input", "eval", "exec", "now", "utcnow", "today", "fromtimestamp"}


@pytest.mark.parametrize("path", sorted((ROOT / "chalicelib" / "core").glob("*.py")), ids=named)
def test_the_core_asks_nobody_anything(path: Path) -> None:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    names = {getattr(told, "id", getattr(told, "attr", "")) for told in calls}

    assert not names & IMPURE


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LARGER.get(named(path), AT_MOST)


@pytest.mark.parametrize("path", [*MODULES, *OTHERS], ids=named)
def test_a_module_begins_by_saying_what_it_is_for(path: Path) -> None:
    told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""

    first = told.partition("\n")[0]
    assert len(first) > 10
    assert first[0].isupper() or not first[0].isalpha()


def test_every_room_of_the_plan_is_there() -> None:
    for room in ROOMS:
        assert [path for path in MODULES if fnmatchcase(named(path), room)], room
