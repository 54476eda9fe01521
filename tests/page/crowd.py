"""Large and lifelike meetings: 25 people for three hours, and a review that pictures are taken of."""

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.plan import NAMES
from chalicelib.core.session import Session
from chalicelib.core.step import Step
from chalicelib.core.steps import Wanted
from tests.page import people
from tests.page.meeting import ZERO, Meeting, Take
from tests.page.people import LOOKS, Look, Span

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
PICTURES = {"video": (320, 180), "screen_video": (640, 360)}
TYPES = {"webm": "video/webm", "jpg": "image/jpeg", "vtt": "text/vtt", "json": "application/json"}
PRODUCTS = Wanted(frozenset(NAMES[name] for name in ("track", "av", "stem", "peaks", "poster", "sprite")))
MAKERS = ("poster", "copies", "sound")
VOICES = 3


class Gathering(Meeting):
    """A meeting whose media are loops of people. Few files are written, and many keys lead to each."""

    def manifest(self) -> dict[str, Any]:
        """Told once: 5,000 segments take the core most of a second."""
        return {**self._manifest, "artifacts": [dict(made) for made in self._manifest["artifacts"]]}

    @cached_property
    def session(self) -> Session:
        """With when everybody came and went, as VideoSDK lists it."""
        told = super().session
        return replace(told, facts=told.facts | {self._stay(who, name) for who, name in self.names.items()})

    def _stay(self, who: str, name: str) -> e.Event:
        spans = [span for take in self.takes if take.participant_id == who for span in take.segments]
        came, left = min(start for start, _ in spans) - 4_000, max(end for _, end in spans) + 2_500
        return e.ParticipantListed(
            at=self.zero_at + left,
            participant_id=who,
            name=name,
            start_at=self.zero_at + came,
            end_at=self.zero_at + left,
        )

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return super().manifest()

    def make_media(self, folder: Path) -> None:
        """Have a file for each artifact, but for those that only lie there to be taken away."""
        shared = folder / "shared"
        shared.mkdir(parents=True)
        for made in self._manifest["artifacts"]:
            file = self._file_of(made, shared)
            if file:
                (folder / made["key"].rpartition("/")[2]).symlink_to(file)

    def _file_of(self, made: dict[str, Any], shared: Path) -> Path | None:
        who, kind = made["participantId"], made["kind"]
        match made["product"], made["key"].rpartition(".")[2]:
            case "repaired", _ if kind in PICTURES:
                lasts, look = made["end"] - made["start"], self._look(who, kind)
                path = shared / f"{self._named(look)}-{lasts}.webm"
                return _once(path, lambda: people.picture(path, lasts, look, PICTURES[kind]))
            case "repaired", _:
                lasts, seed, begin = made["end"] - made["start"], self._voice(who), _begin(made["start"])
                path = shared / f"voice{seed}-{begin}-{lasts}.webm"
                return _once(path, lambda: people.voice(path, lasts, seed, begin))
            case "poster", _:
                look = self._look(who, kind)
                path = shared / f"{self._named(look)}.jpg"
                return _once(path, lambda: people.poster(path, look, PICTURES[kind]))
            case "peaks", "dat":
                path = shared / f"{who}-{kind}.dat"
                said = [((start, end), _begin(start)) for start, end in self._spans(who, kind)]
                return _once(path, lambda: people.peaks(path, made["end"], said, self._voice(who)))
            case "sprite", suffix:
                return self._sprite(who, kind, shared, made["key"].rpartition("/")[2], suffix)
        return None

    def _sprite(self, who: str, kind: str, shared: Path, name: str, suffix: str) -> Path:
        """An index and its sheet; either makes both."""
        stem = name.rpartition(".")[0].removesuffix("-1")
        index, sheet = shared / f"{stem}.vtt", shared / f"{stem}-1.jpg"
        _once(index, lambda: people.sprite(index, sheet, self._spans(who, kind), self._look(who, kind)))
        return index if suffix == "vtt" else sheet

    def _spans(self, who: str, kind: str) -> list[Span]:
        takes = [take for take in self.takes if (take.participant_id, take.kind) == (who, kind)]
        return [span for take in takes for span in take.segments]

    def _look(self, who: str, kind: str) -> Look | None:
        return LOOKS[list(self.names).index(who) % len(LOOKS)] if kind == "video" else None

    def _named(self, look: Look | None) -> str:
        return f"face{look.seed}" if look else "slides"

    def _voice(self, who: str) -> int:
        return list(self.names).index(who) % VOICES

    def _products(self, step: Step) -> Iterable[e.Event]:
        """As the steps would have made them, each under a name that no other file has."""
        own = step.target.rpartition("/")[2]
        for fact in super()._products(step):
            assert isinstance(fact, e.ArtifactMade)
            name = fact.key.removeprefix(f"{step.target}/").replace("/", "-")
            stem, _, suffix = name.rpartition(".")
            told = replace(fact, content_type=TYPES.get(suffix, "application/octet-stream"))
            yield replace(told, key=f"{step.target}/{own}-{name}")
            if suffix == "vtt":
                yield replace(told, key=f"{step.target}/{own}-{stem}-1.jpg", content_type=TYPES["jpg"])


def _begin(start: int) -> int:
    """Where in the loop somebody begins to speak: not always the same, and not ever another."""
    return start // 1000 % 4 * 13_000


def _once(path: Path, make: Any) -> Path:
    if not path.exists():
        make()
    return path


# --- a hall -------------------------------------------------------------------------------------------


def hall(room_id: str, people: int, lasts: int, spoken: int, seen: int) -> Gathering:
    """So many people for so long; each speaks and is seen so many times."""
    chance, names = random.Random(people), {f"guest-{n:02}": _NAMES[n] for n in range(people)}
    kinds = (("audio", spoken, (8_000, 20_000, 36_000)), ("video", seen, (60_000, 180_000, 300_000)))
    takes = tuple(
        Take(who, kind, tuple(_scattered(chance, lasts, count, lengths)))
        for who in names
        for kind, count, lengths in kinds
    )
    return Gathering(
        f"{people:04x}-{room_id}",
        room_id,
        names,
        takes,
        zero_at=ZERO - people * HOUR_MS,
        wanted=PRODUCTS,
        made=MAKERS,
    )


def _scattered(chance: random.Random, lasts: int, count: int, lengths: tuple[int, ...]) -> list[Span]:
    """So many spans of these lengths, the first at the beginning, the last at the end."""
    sizes = [chance.choice(lengths) for _ in range(count)]
    while sum(sizes) > 0.9 * lasts:
        sizes[sizes.index(max(sizes))] = min(lengths)
    silent = lasts - sum(sizes)
    silences = [0, *sorted(chance.randrange(0, silent, 20) for _ in range(count - 2)), silent]
    starts = [silence + said for silence, said in zip(silences, accumulate(sizes, initial=0), strict=False)]
    return [(start, start + size) for start, size in zip(starts, sizes, strict=True)]


_NAMES = (
    "Ada Okafor", "Ben Lindqvist", "Chidi Anagonye", "Dora Novak", "Emil Sørensen", "Farah Haddad",
    "Grace Kim", "Hugo Marchetti", "Ines Carvalho", "Jonas Weber", "Kaveh Rahimi", "Lena Brandt",
    "Marta Kowalska", "Noor Siddiqui", "Otto Virtanen", "Priya Raman", "Quentin Dubois", "Rosa Delgado",
    "Sami Aalto", "Tomás Herrera", "Uma Joshi", "Viktor Petrov", "Wen Li", "Ximena Ruiz", "Yara Mansour",
)  # fmt: skip

CROWD = hall("all-hands", 25, 3 * HOUR_MS, spoken=180, seen=20)
PAIR = hall("one-to-one", 2, 10 * MINUTE_MS, spoken=12, seen=2)


# --- what pictures are taken of -----------------------------------------------------------------------


def _cut(*marks: str) -> tuple[Span, ...]:
    """Spans, from "m:ss-m:ss"."""
    return tuple((_at(start), _at(end)) for start, end in (mark.split("-") for mark in marks))


def _at(mark: str) -> int:
    minutes, seconds = mark.split(":")
    return int(minutes) * MINUTE_MS + int(float(seconds) * 1000)


STUDIO = Gathering(
    "7c2e-design-review",
    "design-review",
    dict(zip(("ada", "ben", "chi", "dora", "emil"), _NAMES, strict=False)),
    (
        Take("ada", "audio", _cut("0:00-3:20", "3:52-9:10", "9:31-18:00")),
        Take("ada", "video", _cut("0:02-18:00")),
        Take("ben", "audio", _cut("0:09-1:40", "2:30-4:48", "6:05-7:02", "8:15-13:30", "14:12-17:58")),
        Take("ben", "video", _cut("0:10-6:30", "8:00-17:58")),
        Take("ben", "screen_video", _cut("4:20-11:05")),
        Take(
            "chi",
            "audio",
            _cut("0:40-2:00", "3:05-5:40", "11:20-12:31", "12:58-16:44"),
            missing=(f"chi-audio-{ZERO + 480_000}.webm",),
        ),
        Take("chi", "video", _cut("0:41-16:46")),
        Take("dora", "audio", _cut("2:12-2:50", "5:01-6:20", "10:02-10:40", "15:00-15:44")),
        Take("dora", "video", _cut("2:10-10:48", "12:20-17:20")),
        Take("emil", "audio", _cut("0:20-0:58", "7:10-8:05", "13:00-14:20", "16:10-17:59")),
        Take("emil", "video", _cut("0:20-17:59"), holes=((360_000, 371_000),)),
    ),
    wanted=PRODUCTS,
    made=MAKERS,
)  # fmt: skip
