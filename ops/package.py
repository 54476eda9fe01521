"""Build what a stage runs: the template, the functions' zip and the media layer.

`chalice package` makes template and zip; this wraps it, because by itself Chalice only prints a warning when
a package has no wheel for Lambda, ships no bytecode (imports then take more than twice as long), ships stale
`__pycache__`, and writes a template with YAML anchors. The same inputs make the same bytes.

    python -m ops.package --stage prod [--arch arm64|x86_64]
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from ops import elf, fonts

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".local" / "package"

# The template asks for one of these of every function; the embedded AWS runs on the machine that is there.
REAL_ARCH = "arm64"
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

# Lambda's python3.13 runs on Amazon Linux 2023, whose glibc is 2.34; a wheel for any older one does as well.
GLIBC = ("2_34", "2_28", "2_17")
WHEEL_ARCH = {"x86_64": "x86_64", "arm64": "aarch64"}
ARCHITECTURES = tuple(WHEEL_ARCH)

TOOLS = ("ops/package.py", "ops/elf.py", "ops/fonts.py", "chalicelib/media/compose/text.py")
INPUTS = ("app.py", "chalicelib", ".chalice", "requirements.txt", "requirements-media.txt", *TOOLS)
NEVER_INPUTS = ("__pycache__", "deployed", "deployments")
# What wheels carry for compilers, type checkers and installers.
CHAFF = (
    *("*.pyi", "*.pyx", "*.pxd", "*.h", "*.c", "*.a", "*.pc", "py.typed"),
    *("*.dist-info/RECORD", "*.dist-info/INSTALLER"),
)
CHAFF_DIRECTORIES = ("bin", "include", "numpy/f2py", "**/tests")

# What may be sent to Lambda itself is smaller, but CloudFormation has it fetch zips from S3.
UNZIPPED_LIMIT = 250 * 2**20


class PackagingError(Exception):
    """Nothing was packaged, for this reason."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was built, in `directory`."""

    directory: Path

    @property
    def key(self) -> str | None:
        """What it was made from, once it is whole."""
        key = self.directory / "key"
        return key.read_text() if key.exists() else None

    @property
    def template(self) -> Path:
        """The SAM template, as JSON."""
        return self.directory / "sam.json"

    @property
    def function(self) -> Path:
        """The zip that all functions share."""
        return self.directory / "deployment.zip"

    @property
    def layer(self) -> Path:
        """The zip of the media layer."""
        return self.directory / "layer.zip"


def machine() -> str:
    """The architecture that runs this, as Lambda names it."""
    return MACHINES[platform.machine().lower()]


def build(stage: str, arch: str | None = None, *, root: Path = ROOT, into: Path = BUILD) -> Package:
    """Make a stage's package, or return the one that these very inputs made before."""
    arch = arch or (machine() if stage == "local" else REAL_ARCH)
    package = Package(into / stage)
    wanted = _fingerprint(root, stage, arch)
    with _alone(into):
        if package.key != wanted:
            shutil.rmtree(package.directory, ignore_errors=True)
            package.directory.mkdir(parents=True)
            _chalice(root, stage, arch, package, _installed(root / "requirements.txt", arch, into))
            shutil.copy(_layer(root / "requirements-media.txt", arch, into), package.layer)
            _fits(package)
            (package.directory / "key").write_text(wanted)
    return package


@contextmanager
def _alone(into: Path) -> Iterator[None]:
    """One build at a time."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(root: Path, stage: str, arch: str) -> str:
    digest = hashlib.sha256(f"{stage} {arch} {sys.version}".encode())
    for path in sorted(path for name in INPUTS for path in _files(root / name)):
        digest.update(f"\0{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.name not in NEVER_INPUTS and path.is_dir():
        for inner in path.iterdir():
            yield from _files(inner)


def _installed(requirements: Path, arch: str, into: Path) -> Path:
    """A requirements file's wheels, unpacked and compiled; kept for as long as the file stays the same."""
    decides = (requirements, *(ROOT / tool for tool in TOOLS))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in decides)).hexdigest()[:16]
    target = into / "wheels" / f"{requirements.stem}-{arch}-{digest}"
    if not target.exists():
        fresh = target.with_suffix(f".{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
        ]
        _run([*pip, "--no-deps", "--target", fresh, "--requirement", requirements, *_platform(arch)])
        _strip(fresh)
        _compile(fresh, fresh)
        fresh.replace(target)
    return target


def _layer(requirements: Path, arch: str, into: Path) -> Path:
    packages = _installed(requirements, arch, into)
    layer = packages.with_suffix(".zip")
    if not layer.exists():
        fresh = packages.with_suffix(f".zip.{os.getpid()}")
        _compact(packages, fresh, "python")
        fresh.replace(layer)
    return layer


def _platform(arch: str) -> list[str]:
    """Wheels for Lambda, on any machine; but what is to run on one that is no Linux has to fit it."""
    if sys.platform != "linux" and arch == machine():
        return ["--only-binary=:all:"]
    tags = [f"--platform=manylinux_{glibc}_{WHEEL_ARCH[arch]}" for glibc in GLIBC]
    return ["--only-binary=:all:", "--implementation=cp", "--python-version=3.13", *tags]


def _strip(tree: Path) -> None:
    for pattern in CHAFF:
        for path in tree.rglob(pattern):
            path.unlink()
    for name in CHAFF_DIRECTORIES:
        for path in list(tree.glob(name)):
            shutil.rmtree(path)
    for path in tree.rglob("*.so*"):
        elf.strip(path)
    fonts.cut(tree)


def _compile(tree: Path, *parts: Path) -> None:
    """Bytecode that is not checked against its source's time: all times in Lambda's zip are the same."""
    compileall = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    _run([*compileall, "-f", "-s", tree, "-p", "/var/task", *parts], PYTHONHASHSEED="0")


def _chalice(root: Path, stage: str, arch: str, package: Package, packages: Path) -> None:
    """Template and zip, from a copy of the checkout without caches that names this stage's architecture."""
    source, made = package.directory / "source", package.directory / "made"
    _lay_out(root, source, stage, arch, packages)
    chalice = Path(sys.executable).with_name("chalice")
    merge = ["--merge-template", source / ".chalice" / "template.yaml"]
    said = _run(
        [chalice, "--project-dir", source, "package", "--stage", stage, *merge, made],
        AWS_DEFAULT_REGION=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),  # asked for, and not used
        PYTHONDONTWRITEBYTECODE="1",
    )
    if "Could not install dependencies" in said:
        raise PackagingError(said)
    template = yaml.safe_load((made / "sam.yaml").read_text())
    package.template.write_text(json.dumps(template, indent=1, sort_keys=True) + "\n")
    unpacked = package.directory / "unpacked"
    with zipfile.ZipFile(made / "deployment.zip") as made_zip:
        made_zip.extractall(unpacked)
    _compile(unpacked, *(unpacked / name for name in ("app.py", "chalice", "chalicelib")))
    _compact(unpacked, package.function)
    for rest in (source, made, unpacked):
        shutil.rmtree(rest)


def _lay_out(root: Path, source: Path, stage: str, arch: str, packages: Path) -> None:
    source.mkdir()
    shutil.copy(root / "app.py", source)
    for name in ("chalicelib", ".chalice"):
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns(*NEVER_INPUTS))
    # Chalice takes vendor/ as it is. pip chose the wheels before, and would have failed on a missing one.
    (source / "vendor").symlink_to(packages)
    (source / "requirements.txt").touch()
    config = source / ".chalice" / "config.json"
    told = json.loads(config.read_text())
    told["stages"][stage] = {"lambda_architecture": arch} | told["stages"].get(stage, {})
    config.write_text(json.dumps(told))


def _compact(tree: Path, target: Path, prefix: str = "") -> None:
    """A zip whose bytes depend on nothing but names, contents and modes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(Path(prefix) / path.relative_to(tree)), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes())


def _fits(package: Package) -> None:
    """Lambda's limit: all that a function with the layer unpacks to."""
    zips = (package.function, package.layer)
    unpacked = sum(entry.file_size for path in zips for entry in zipfile.ZipFile(path).infolist())
    if unpacked > UNZIPPED_LIMIT:
        raise PackagingError(f"zip and layer unpack to more than Lambda takes: {unpacked} bytes")


def _run(command: Iterable[object], **environ: str) -> str:
    """Run it with all it says kept; `PackagingError` with just that when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagingError(done.stdout)
    return done.stdout


def main() -> None:
    """Build, and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m ops.package", description=__doc__.split("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--arch", choices=ARCHITECTURES)
    asked = parser.parse_args()
    try:
        package = build(asked.stage, asked.arch)
    except PackagingError as refused:
        sys.exit(f"Not packaged.\n{refused}")
    for path in (package.template, package.function, package.layer):
        print(f"{path.stat().st_size / 2**20:7.2f} MB  {os.path.relpath(path)}")


if __name__ == "__main__":
    main()
