"""What goes into Lambda: the zip of all functions and the layer of one, for both architectures."""

import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
import uharfbuzz as hb

from chalicelib.media.compose.text import FONTS
from ops import elf, package
from ops.package import ROOT, UNZIPPED_LIMIT, Package
from tests.deployment.conftest import STAGES

type Built = tuple[str, Package]

# Lambda brings the first four itself; the rest is for building and testing.
UNWANTED = ("boto3", "botocore", "s3transfer", "jmespath", "av", "pip", "setuptools", "moto", "pytest")
WANTED = ("app.py", "chalice/app.py", "chalicelib/config.py", "requests/__init__.py", "jwt/__init__.py")
ELF_MACHINE = {"x86_64": 62, "arm64": 183}


def names(path: Path) -> list[str]:
    return zipfile.ZipFile(path).namelist()


def unzipped(path: Path) -> int:
    return sum(entry.file_size for entry in zipfile.ZipFile(path).infolist())


def test_zip_and_layer_fit_into_lambda_with_room_to_grow(built: Built) -> None:
    assert sum(unzipped(path) for path in (built[1].function, built[1].layer)) < 0.92 * UNZIPPED_LIMIT


def test_the_functions_without_the_layer_stay_small(built: Built) -> None:
    assert built[1].function.stat().st_size < 10 * 2**20


def test_the_zip_has_what_the_functions_need(built: Built) -> None:
    assert set(WANTED) <= set(names(built[1].function))


def test_the_page_is_in_the_zip(built: Built) -> None:
    web = {str(path.relative_to(ROOT)) for path in (ROOT / "chalicelib/web").rglob("*") if path.is_file()}

    assert web
    assert web <= set(names(built[1].function))


def test_nothing_is_in_the_zip_that_lambda_has_or_nobody_needs(built: Built) -> None:
    tops = {Path(name).parts[0] for name in names(built[1].function)}

    assert tops.isdisjoint(UNWANTED)
    assert tops.isdisjoint({"tests", "local", "ops", "bench"})


def test_the_layer_has_what_media_needs_and_nothing_else(built: Built) -> None:
    tops = {Path(name).parts[:2] for name in names(built[1].layer)}

    packages = {top for _, top in tops if not top.endswith(".dist-info")}
    letters = {"uharfbuzz", "manimgx_fonts", "manimgx_fonts_cjk"}
    assert packages == {"av", "av.libs", "numpy", "numpy.libs"} | letters
    assert {first for first, _ in tops} == {"python"}


@pytest.mark.parametrize("font", FONTS, ids=lambda font: font.stem)
def test_the_layer_s_fonts_are_smaller_and_have_every_character(built: Built, font: Path) -> None:
    cut = zipfile.ZipFile(built[1].layer).read(f"python/{font.parent.name}/{font.name}")

    assert len(cut) < 0.75 * font.stat().st_size
    assert set(hb.Face(hb.Blob(cut)).unicodes) == set(hb.Face(hb.Blob.from_file_path(str(font))).unicodes)


@pytest.mark.parametrize("which", ["function", "layer"])
def test_every_binary_is_for_the_architecture(built: Built, which: str) -> None:
    arch, made = built
    packed = zipfile.ZipFile(getattr(made, which))

    binaries = [packed.read(name) for name in packed.namelist() if ".so" in Path(name).suffixes]

    assert binaries
    assert {int.from_bytes(binary[18:20], "little") for binary in binaries} == {ELF_MACHINE[arch]}


def test_nothing_is_in_the_layer_that_only_builders_and_testers_need(built: Built) -> None:
    paths = [Path(name) for name in names(built[1].layer)]

    assert {path.suffix for path in paths}.isdisjoint({".pyi", ".pyx", ".pxd", ".h", ".c", ".a"})
    assert not [path for path in paths if {"tests", "f2py"} & set(path.parts)]


@pytest.mark.slow
def test_the_layer_of_this_machine_decodes_scales_and_computes(tmp_path: Path) -> None:
    """Libraries that were cut too short would not load, or not work."""
    made = package.build(STAGES[package.machine()], package.machine())
    with zipfile.ZipFile(made.layer) as packed:
        packed.extractall(tmp_path)
    environ = {"PYTHONPATH": f"{tmp_path / 'python'}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}

    done = subprocess.run(
        [sys.executable, "-S", "-c", AT_WORK], env=environ, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert (
        done.stdout
        == f"{tmp_path}/python/av/__init__.py {tmp_path}/python/numpy/__init__.py 96 54 960 3.0 True\n"
    )


# What the media functions do, in a nutshell. Libraries are found by way of the path above, and nowhere else.
AT_WORK = """
import av, numpy
from fractions import Fraction
from chalicelib.media.compose.text import caption, drawable
from chalicelib.media.decoding import Decoding
encoder = av.CodecContext.create("libvpx", "w")
encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 180, "yuv420p", Fraction(1, 25)
key, = [*encoder.encode(av.VideoFrame(320, 180, "yuv420p")), *encoder.encode(None)]
with Decoding() as decoding:
    picture = decoding.picture("k", "vp8", b"", bytes(key), (96, 96))
    sound = decoding.sound(0, "k", b"", 1, [b"\\xf8"], True)
solved = numpy.linalg.solve(numpy.eye(3) / 3, numpy.ones(3))
name = "Ada 李 김 محمد 🎉"
written = drawable(name) == name and all(caption(one, 99, 30).max() > 200 for one in name.split())
print(av.__file__, numpy.__file__, picture.width, picture.height, len(sound), solved[0], written)
"""


@pytest.mark.parametrize("which", ["function", "layer"])
def test_every_module_is_there_as_bytecode_that_asks_for_no_time(built: Built, which: str) -> None:
    packed = zipfile.ZipFile(getattr(built[1], which))
    modules = [Path(name) for name in packed.namelist() if name.endswith(".py")]

    for module in modules:
        bytecode = packed.read(str(module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"))
        assert int.from_bytes(bytecode[4:8], "little") == 0b01, (
            f"{module} would be checked against its source"
        )


def test_there_is_no_bytecode_without_its_module(built: Built) -> None:
    there = set(names(built[1].function))
    bytecode = [Path(name) for name in there if name.endswith(".pyc")]

    orphans = [
        path for path in bytecode if str(path.parent.parent / (path.stem.split(".")[0] + ".py")) not in there
    ]

    assert orphans == []


@pytest.mark.slow
def test_the_same_checkout_makes_the_same_bytes() -> None:
    made, again = package.build("prod"), package.build("prod-again")

    assert made.function.read_bytes() == again.function.read_bytes()


@pytest.mark.slow
def test_a_package_without_a_wheel_for_lambda_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "app.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("sgmllib3k==1.0.0\n")
    (tmp_path / "requirements-media.txt").touch()

    with pytest.raises(package.PackagingError, match="sgmllib3k"):
        package.build("prod", "arm64", root=tmp_path, into=tmp_path / "made")


def test_too_much_for_lambda_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Package(tmp_path)
    for path in (made.function, made.layer):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("x", bytes(2**10))
    monkeypatch.setattr(package, "UNZIPPED_LIMIT", 2**10)

    with pytest.raises(package.PackagingError, match="more than Lambda takes: 2048 bytes"):
        package._fits(made)


def test_stripping_leaves_what_is_no_library_alone(tmp_path: Path) -> None:
    script = tmp_path / "libx.so"
    script.write_bytes(b"INPUT(libx.so.1)")

    elf.strip(script)

    assert script.read_bytes() == b"INPUT(libx.so.1)"


def test_a_stripped_library_is_no_larger_and_is_not_changed_by_being_stripped_again(tmp_path: Path) -> None:
    from av import packet

    library, whole = tmp_path / "packet.so", Path(packet.__file__).read_bytes()
    library.write_bytes(whole)

    elf.strip(library)
    once = library.read_bytes()
    elf.strip(library)

    assert library.read_bytes() == once
    assert len(once) <= len(whole)
    assert len(zlib.compress(once)) < len(zlib.compress(whole))
