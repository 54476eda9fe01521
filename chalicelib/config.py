"""Every setting, read once; all that are missing are named together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class MisconfiguredError(Exception):
    """The function can not run with this environment."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the deployment decides. Secrets are here by name only."""

    table: str
    recordings_bucket: str
    bucket_dir_path: str
    output_bucket: str
    ingest_queue_url: str
    render_queue_url: str
    dead_letter_queue_url: str
    videosdk_secret: str
    app_token_secret: str
    webhook_tag_secret: str
    compositions: str
    composition_concurrency: int
    videosdk_api: str
    public_url: str
    token_audience: str
    grace_minutes: int
    url_seconds: int
    log_level: str
    products: tuple[str, ...]
    mix_lufs: float | None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Config":
        """Take the settings from environment variables; `MisconfiguredError` names every fault."""
        missing = [name for name in REQUIRED if not environ.get(name)]
        if missing:
            raise MisconfiguredError(f"set these environment variables: {', '.join(missing)}")
        told = {name: environ.get(name) or default for name, default in DEFAULTS.items()}
        told |= {name: environ[name] for name in REQUIRED}
        read: dict[str, Any] = dict(told)
        faults = []
        for name, (reader, expected) in READERS.items():
            try:
                read[name] = reader(told[name])
            except ValueError:
                faults.append(f"{name} must be {expected}, not {told[name]!r}")
        if faults:
            raise MisconfiguredError("; ".join(faults))
        return cls(**{name.lower(): value for name, value in read.items()})


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _products(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if not PRODUCT_NAMES.issuperset(names):
        raise ValueError(text)
    return names


def _lufs(text: str) -> float | None:
    value = None if text == "off" else float(text)
    if value is not None and not -40 <= value <= -5:
        raise ValueError(text)
    return value


# What can be made, as `core/plan.py` has it: a test holds them equal, for the sake of quick starts.
PRODUCT_NAMES = frozenset(
    ("track", "av", "stem", "stem:flac", "stem:wav", "stem:opus", "mix", "mix:opus", "mix:aac",
     "peaks", "poster", "sprite")
)  # fmt: skip
# How settings are read that are no text, and what they must be.
READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "GRACE_MINUTES": (_number, "a whole number"),
    "URL_SECONDS": (_number, "a whole number"),
    "COMPOSITION_CONCURRENCY": (_number, "a whole number"),
    "PRODUCTS": (_products, f"some of {', '.join(sorted(PRODUCT_NAMES))}, with commas between"),
    "MIX_LUFS": (_lufs, "a loudness from -40 to -5, or off"),
}


REQUIRED = (
    "TABLE",
    "RECORDINGS_BUCKET",
    "BUCKET_DIR_PATH",
    "OUTPUT_BUCKET",
    "INGEST_QUEUE_URL",
    "RENDER_QUEUE_URL",
    "DEAD_LETTER_QUEUE_URL",
    "VIDEOSDK_SECRET",
    "APP_TOKEN_SECRET",
    "WEBHOOK_TAG_SECRET",
    "COMPOSITIONS",
)
DEFAULTS = {
    "VIDEOSDK_API": "https://api.videosdk.live",
    "PUBLIC_URL": "",
    "TOKEN_AUDIENCE": "tracklane",
    "GRACE_MINUTES": "15",
    "URL_SECONDS": "900",
    "LOG_LEVEL": "INFO",
    "PRODUCTS": "track,av,stem,mix,peaks,poster,sprite",
    "MIX_LUFS": "-16",
    "COMPOSITION_CONCURRENCY": "200",
}
