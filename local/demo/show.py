"""What the demo shows: a live table on a terminal, plain lines elsewhere, and the summary."""

from collections import Counter, defaultdict
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

BARS = {
    "requested": "[dim]▱▱▱▱▱▱[/]",
    "starting": "[cyan]▰▱▱▱▱▱[/]",
    "recording": "[red]▰▰▱▱▱▱[/] ●",
    "stopping": "[yellow]▰▰▰▱▱▱[/]",
    "stopped": "[yellow]▰▰▰▰▱▱[/]",
    "done": "[green]▰▰▰▰▰▰[/]",
    "failed": "[red]✗[/]",
}

# What a session's files are, from the whole to its parts.
PRODUCTS = {
    "mix": "everybody's sound in one file",
    "av": "camera and microphone, or screen and its sound, in one file",
    "track": "one camera, microphone or screen over the whole session",
    "stem": "one track's sound over the whole session, for editors",
    "peaks": "how loud a track is when, for drawing waves",
    "sprite": "small pictures of a track, for seeking",
    "poster": "a segment's first picture",
    "repaired": "a delivered file, made seekable",
}
SEEN_MS = 50  # what would be shown as 0.0 s is left out

type Recording = dict[str, Any]
type Delivered = dict[str, set[str]]


class Show(Protocol):
    """Shows the recordings as they are now, and what just happened."""

    def say(self, line: str) -> None:
        """Something happened in the meeting."""
        ...

    def update(self, recordings: list[Recording], delivered: Delivered) -> None:
        """This is how far they have come; `delivered` has the names of the files that lie in the bucket."""
        ...

    def close(self) -> None:
        """No more of it."""
        ...


class PlainShow:
    """A line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, int, int, bool]] = {}

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def update(self, recordings: list[Recording], delivered: Delivered) -> None:
        for told in recordings:
            processed, complete = len(told["segments"]), told["verdict"]["complete"]
            now = (told["phase"], len(_files(told, delivered)), processed, complete)
            if self._shown.get(told["recordingId"]) != now:
                self._shown[told["recordingId"]] = now
                counts = f"{now[1]} delivered, {processed} processed"
                self.say(f"    {_name(told):<20} {now[0]:<9} {counts:<24} {'complete' * complete}".rstrip())

    def close(self) -> None:
        return None


class LiveShow:
    """A table that moves, with the last things that happened below it."""

    def __init__(self, console: Console) -> None:
        self._said: list[str] = []
        self._recordings: list[Recording] = []
        self._delivered: Delivered = {}
        self._live = Live(self._drawn(), console=console, refresh_per_second=8)
        self._live.start()

    def say(self, line: str) -> None:
        self._said.append(line)
        self._live.update(self._drawn())

    def update(self, recordings: list[Recording], delivered: Delivered) -> None:
        self._recordings, self._delivered = recordings, delivered
        self._live.update(self._drawn())

    def close(self) -> None:
        self._live.stop()

    def _drawn(self) -> Table:
        table = Table(box=None, pad_edge=False, caption="\n".join(self._said[-4:]), caption_justify="left")
        for title in ("recording", "phase", "", "segments delivered and processed"):
            table.add_column(title, style="bold" if title == "recording" else None)
        for told in self._recordings:
            processed = {segment["file"]: _segment(segment) for segment in told["segments"]}
            files = sorted(_files(told, self._delivered) | processed.keys())
            segments = " ".join(processed.get(file, "[yellow]↓[/]") for file in files)
            table.add_row(_name(told), told["phase"], BARS[told["phase"]], segments)
        return table


def show(console: Console) -> Show:
    """The one that fits where the output goes."""
    return LiveShow(console) if console.is_terminal else PlainShow(console)


def summary(manifest: dict[str, Any], verdicts: dict[str, dict[str, Any]]) -> Table:
    """A line for each track of the session."""
    length = manifest["durationMs"]
    table = Table(title=f"Session {manifest['sessionId']}, {length / 1000:.1f} s", title_justify="left")
    for title in ("participant", "kind"):
        table.add_column(title)
    for title in ("segments", "recorded"):
        table.add_column(title, justify="right")
    for title in ("gaps, in s", "verdict"):
        table.add_column(title)
    for participant in manifest["participants"]:
        name = participant["name"] or participant["participantId"]
        for track in participant["tracks"]:
            told = [verdicts[recording_id] for recording_id in track["recordings"]]
            table.add_row(name, track["kind"], *_track(track), _verdict(told))
    return table


def products(manifest: dict[str, Any]) -> Table:
    """A line for each product of the session."""
    made: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for artifact in manifest["artifacts"]:
        made[artifact["product"]].append(artifact)
    table = Table(title="What was made of it", title_justify="left")
    table.add_column("product")
    for title in ("files", "size"):
        table.add_column(title, justify="right")
    for title in ("what each is", "as"):
        table.add_column(title)
    for product, words in PRODUCTS.items():
        if files := made.get(product):
            size = f"{sum(file['bytes'] for file in files) / 1000:.0f} kB"
            forms = sorted({file["key"].rpartition(".")[2] for file in files})
            table.add_row(product, str(len(files)), size, words, ", ".join(forms))
    return table


def not_made(manifest: dict[str, Any]) -> list[str]:
    """The products that are not made, and why."""
    rows = [row for row in manifest["products"] if row["state"] != "made"]
    return [
        f"{row['product']} is {row['state']}: {row['reason'] or 'there is nothing to make it of'}"
        for row in rows
    ]


def _track(track: dict[str, Any]) -> tuple[str, str, str]:
    spans = [segment for segment in track["segments"] if segment["start"] is not None]
    recorded = sum(segment["end"] - segment["start"] for segment in spans)
    empty: Counter[str] = Counter()
    for gap in track["gaps"]:
        empty[gap["reason"].replace("_", " ")] += gap["end"] - gap["start"]
    why = ", ".join(f"{reason} {ms / 1000:.1f}" for reason, ms in empty.most_common() if ms >= SEEN_MS)
    return str(len(spans)), f"{recorded / 1000:.1f} s", why


def _verdict(verdicts: list[dict[str, Any]]) -> str:
    if all(verdict["complete"] for verdict in verdicts):
        return "[green]complete[/]"
    reasons = sorted({finding["reason"] for verdict in verdicts for finding in verdict["missing"]})
    return f"[red]{', '.join(reasons) or 'open'}[/]"


def _files(told: Recording, delivered: Delivered) -> set[str]:
    return delivered.get(told["recordingId"], set())


def _name(told: Recording) -> str:
    return f"{told['participantId']} {told['kind']}"


def _segment(segment: dict[str, Any]) -> str:
    if segment["state"] == "rejected":
        return "[red]✗[/]"
    return f"[green]✓[/]{segment['durationMs'] / 1000:.1f}s"
