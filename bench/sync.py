"""How closely participants are heard and seen together over minutes, with gaps and seeks.

`python -m bench.sync [--minutes M]`. Beside our player: media elements that are started together when their
time comes, and left alone. Both play the same files in Chromium, one after the other. An offset is how far
the same second's beeps, or flashes, of two participants were apart as they came out; all of them count.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.browser import chromium
from tests.page.playing import Hall, Part, enter, offsets, opened, percentile

PEOPLE = ("ada", "ben", "chi", "dee")
SEEK_EVERY_S = 25
PLAYERS = {
    "plain elements, started together": "new Plain(manifest)",
    "Tracklane, from segments and tracks": "played(manifest)",
}


def main() -> None:
    """Play with each, and print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10)
    duration = int(asked.parse_args().minutes * 60_000)
    title = (
        f"offset between two participants, ms: {duration / 60_000:g} minutes, a seek every {SEEK_EVERY_S} s"
    )
    figures = [f"{sense} {name}" for sense in ("heard", "seen") for name in ("pairs", "p50", "p95", "p99")]
    table = Table("", *figures, title=title, title_justify="left")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = chromium(playwright)
        with opened(Hall(Path(folder), tuple(_parts(duration)), duration)) as hall:
            for name, player in PLAYERS.items():
                page = enter(browser.new_page(), hall, player)
                _play(page, duration)
                table.add_row(name, *_cells(page))
                page.close()
        browser.close()
    Console(width=130).print(table)


def _parts(duration: int) -> Iterator[Part]:
    """Four people, who mute themselves and turn their cameras off; one microphone is a whole track."""
    chance = random.Random(5)
    for place, who in enumerate(PEOPLE):
        yield Part(who, "audio", tuple(_spans(chance, duration)), joined=place == 1)
        if place % 2 == 0:
            yield Part(who, "video", tuple(_spans(chance, duration)))


def _spans(chance: random.Random, duration: int) -> Iterator[tuple[int, int]]:
    """On for up to a minute, off for some seconds; all on whole frames."""
    at = 0
    while at < duration - 5_000:
        end = min(duration, at + 200 * chance.randrange(40, 300))
        yield at, end
        at = end + 200 * chance.randrange(8, 40)


def _play(page: Page, duration: int) -> None:
    """As long as the session lasts, but here and there: each player hears the same."""
    chance = random.Random(7)
    page.evaluate("player.play()")
    for _ in range(duration // (1000 * SEEK_EVERY_S)):
        page.evaluate("(ms) => player.seek(ms)", chance.randrange(0, duration - 1000 * SEEK_EVERY_S))
        page.wait_for_timeout(1000 * SEEK_EVERY_S)


def _cells(page: Page) -> Iterator[str]:
    for sense in ("heard", "seen"):
        apart = offsets(page.evaluate("(sense) => witness[sense]", sense))
        yield str(len(apart))
        yield from (f"{percentile(apart, share):.0f}" for share in (0.5, 0.95, 0.99))


if __name__ == "__main__":
    main()
