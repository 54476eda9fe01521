"""The videos of a meeting: their doors' own flows over a world in memory. What the state machine would have
done of them, a test has done piece by piece; what can be played was rendered beforehand."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from chalice.app import Response

from chalicelib.adapters.s3 import attachment
from chalicelib.core import events as e
from chalicelib.core.chunks import INIT, WHOLE, Chunk, Picture, Rendered, Whole
from chalicelib.core.playlist import CONTENT_TYPE, MASTER
from chalicelib.core.progress import Composition
from chalicelib.core.scenes import Card, Scene, Tile
from chalicelib.flows import compose
from chalicelib.media.compose.chunk import render_chunk
from chalicelib.media.compose.finish import finish
from chalicelib.media.sound.mp4 import Mp4
from chalicelib.ports import composition_subject, recording_subject
from chalicelib.routes import http
from tests.fakes import MemoryShelf, MemoryWorld
from tests.media.shelf import Shelf, Store
from tests.page.meeting import Meeting

RATE = 10
SIZE = (320, 180)
LASTS_S = 16
# What a request for the reel says.
ASKED = {"width": SIZE[0], "height": SIZE[1], "frameRate": RATE}
_EDGES = (0, 10, LASTS_S)
_MEMORY_MB = 1769


@dataclass(frozen=True)
class Reel:
    """A stream in two chunks: Ada alone at the left in even seconds, Ben at the right in odd ones, a tone."""

    shelf: Shelf
    chunks: tuple[Rendered, ...]

    @classmethod
    def made(cls, folder: Path) -> "Reel":
        """Render it."""
        shelf = Shelf(folder)
        store, picture = Store(shelf, "reel"), Picture(*SIZE, RATE, "#000000", False, "ultrafast", 28)
        scenes = [Scene(RATE * at, RATE * (at + 1), (_tile(at % 2),)) for at in range(LASTS_S)]
        cuts = [tuple(scenes[first:end]) for first, end in pairwise(_EDGES)]
        chunks = tuple(
            render_chunk(Chunk("reel", number, 0, picture, cut), store) for number, cut in enumerate(cuts, 1)
        )
        tone = Mp4(shelf.write("mix.mp4"))
        tone.write(0.3 * np.sin(np.arange(LASTS_S * 48_000, dtype=np.float32) / 9)[:, None])
        tone.finish()
        finish(Whole("reel", picture, chunks, "mix.mp4", 0, LASTS_S * 1000), ("mp4", "hls"), store)
        return cls(shelf, chunks)

    def file(self, name: str) -> bytes:
        """A file of it."""
        return self.shelf.data(f"reel/{name}")

    @property
    def others(self) -> list[str]:
        """The files that are no chunks."""
        found = {path.name for path in self.shelf.path("reel").iterdir()}
        return sorted(found - {chunk.name for chunk in self.chunks})


def _tile(place: int) -> Tile:
    who = ("Ada", "Ben")[place]
    return Tile(place * SIZE[0] // 2, 0, SIZE[0] // 2, SIZE[1], Card(who, who))


@dataclass
class _Addressed(MemoryShelf):
    """Whose files somebody serves."""

    address: Callable[..., str] = str

    def url(self, key: str, save_as: str | None = None) -> str:
        return self.address(key, "inline" if save_as is None else attachment(save_as))


class Studio:
    """Answers for one meeting's compositions, at `base`; `address` tells where a file can be had."""

    def __init__(self, meeting: Meeting, reel: Reel, base: str, address: Callable[..., str]) -> None:
        self.session_id, self.reel, self.base = meeting.session_id, reel, base
        self.world = MemoryWorld(now=meeting.zero_at + 3_600_000)
        self.world.shelf = _Addressed(self.world.tape, self.world.now, address=address)
        for recording_id, facts in meeting.facts.items():
            for fact in facts:
                self.world.ledger.append(recording_subject(recording_id), fact)
        for head in meeting.heads():
            self.world.catalog.keep_recording(head)

    # --- its doors ------------------------------------------------------------------------------------

    def answer(self, method: str, rest: list[str], told: dict[str, Any]) -> Response:
        """What the API answers."""
        world, session_id = self.world, self.session_id

        def view() -> Any:
            match method, *rest:
                case ("POST",):
                    return compose.compose(world, session_id, told, "app")
                case ("GET",):
                    return compose.compositions(world, session_id, self.base)
                case "DELETE", composition_id:
                    compose.cancel(world, session_id, composition_id, "app")
            return compose.composition(world, session_id, rest[0], self.base)

        return http.answers(202 if method == "POST" else 200)(view)()

    def told(self) -> list[dict[str, Any]]:
        """All of them, as the API lists them."""
        told = compose.compositions(self.world, self.session_id, self.base)["compositions"]
        assert isinstance(told, list)
        return told

    def stream(self, composition_id: str, token: str, name: str) -> Response:
        """What a player gets."""

        def view() -> Response:
            found = compose.streamed(self.world, self.session_id, composition_id, token, name)
            if found.text is None:
                return Response("", {"Location": found.address}, 302)
            return Response(found.text, {"Content-Type": CONTENT_TYPE}, 200)

        return http.answers(200)(view)()

    # --- what the machine does ------------------------------------------------------------------------

    def asked(self, **told: Any) -> str:
        """Somebody asks for one; its id."""
        return str(compose.compose(self.world, self.session_id, {**ASKED, **told}, "app")["compositionId"])

    def planned(self, composition_id: str, chunks: int = 2) -> None:
        """It is known how much there is to do."""
        self._told(composition_id, e.CompositionPlanned, chunks=chunks, frames=LASTS_S * RATE)

    def rendered(self, composition_id: str, number: int, slates: dict[str, str] | None = None) -> None:
        """A chunk is there; its seconds took half of a second each."""
        chunk = self.reel.chunks[number - 1]
        self.world.pass_time(chunk.frames * 50)
        self._put(composition_id, INIT, chunk.name)
        self._told(
            composition_id,
            e.ChunkRendered,
            number=number,
            key=f"{self._run(composition_id).folder}/{chunk.name}",
            bytes=chunk.bytes,
            frames=chunk.frames,
            billed_ms=chunk.frames * 50,
            memory_mb=_MEMORY_MB,
            slates=tuple((slates or {}).items()),
        )

    def finished(self, composition_id: str, files: tuple[tuple[str, str], ...] = ()) -> None:
        """All of it is there."""
        folder = self._run(composition_id).folder
        self._put(composition_id, *self.reel.others)
        named = files or (("hls", MASTER), ("mp4", WHOLE))
        told = tuple((form, f"{folder}/{name}") for form, name in named)
        self._told(composition_id, e.CompositionFinished, files=told, dollars=0.01)

    def failed(self, composition_id: str, code: str, reason: str) -> None:
        """It was given up."""
        self._told(composition_id, e.CompositionFailed, code=code, reason=reason)

    def ready(self, **told: Any) -> str:
        """One from beginning to end; its id."""
        composition_id = self.asked(**told)
        self.planned(composition_id)
        for number in (1, 2):
            self.rendered(composition_id, number)
        self.finished(composition_id)
        return composition_id

    def _put(self, composition_id: str, *names: str) -> None:
        folder = self._run(composition_id).folder
        for name in names:
            self.world.shelf.put(f"{folder}/{name}", self.reel.file(name), "")

    def _run(self, composition_id: str) -> compose.Run:
        facts = self.world.ledger.read(composition_subject(composition_id))
        return compose.Run.of(self.session_id, Composition.of(composition_id, facts))

    def _told(self, composition_id: str, kind: Callable[..., e.Event], **said: Any) -> None:
        run = self._run(composition_id)
        self.world.ledger.append(run.subject, kind(at=self.world.now(), run=run.number, **said))
