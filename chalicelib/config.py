"""Every setting, read once; all that are missing are named together."""

from collections.abc import Mapping
from dataclasses import dataclass


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
    videosdk_api: str
    public_url: str
    token_audience: str
    grace_minutes: int
    url_seconds: int
    log_level: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Config":
        """Take the settings from environment variables; `MisconfiguredError` names every fault."""
        missing = [name for name in REQUIRED if not environ.get(name)]
        if missing:
            raise MisconfiguredError(f"set these environment variables: {', '.join(missing)}")
        told = {name: environ.get(name) or default for name, default in DEFAULTS.items()}
        told |= {name: environ[name] for name in REQUIRED}
        numbers = [name for name in NUMBERS if not told[name].isdecimal()]
        if numbers:
            raise MisconfiguredError(f"these must be whole numbers: {', '.join(numbers)}")
        return cls(**{name.lower(): int(value) if name in NUMBERS else value for name, value in told.items()})  # type: ignore[arg-type]  # names and types are held equal by a test


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
)
DEFAULTS = {
    "VIDEOSDK_API": "https://api.videosdk.live",
    "PUBLIC_URL": "",
    "TOKEN_AUDIENCE": "tracklane",
    "GRACE_MINUTES": "15",
    "URL_SECONDS": "900",
    "LOG_LEVEL": "INFO",
}
NUMBERS = frozenset({"GRACE_MINUTES", "URL_SECONDS"})
