"""The tasks of a composition's run: plan it, render its chunks and mix its sound at once, finish it.

| task  | reads                         | leaves                                                     |
|-------|-------------------------------|------------------------------------------------------------|
| plan  | the session's facts and peaks | the sheet: a line for each of the others                   |
| chunk | its line, pieces of segments  | one segment of the stream; the first one the beginning too |
| part  | its line, voices              | a slice of the mix                                         |
| encode| its line and the head, slices | the same slice in AAC                                      |
| mix   | the slices in AAC             | the sound as one MP4                                       |
| finish| all of these                  | the playlists, and the MP4                                 |

No task has a lease: the machine that runs them begins each once, counts its tries, and knows when it is over.
One that comes twice all the same does no harm: its files are decided by its line, lie under names that
nothing else has, and are never written over; what it tells is one fact however often it is told.
Law: who has written a file asks afterwards whether the run was called off, and takes it away again; who calls
it off says so before deleting. So one of the two sees the other's work.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.cast import cast, sizes, voices
from chalicelib.core.chunks import WHOLE, Chunk, Rendered, Whole, chunk_of
from chalicelib.core.composition import Request, composition_id
from chalicelib.core.cutting import chunks, picture
from chalicelib.core.errors import NotFound, NotNow
from chalicelib.core.ids import Kind
from chalicelib.core.layout import layout
from chalicelib.core.mixing import encoding, mixing, without
from chalicelib.core.plan import sources, states
from chalicelib.core.playlist import MASTER
from chalicelib.core.price import cost
from chalicelib.core.progress import Composition
from chalicelib.core.scan import BadSegment
from chalicelib.core.session import Session
from chalicelib.core.sheet import SHEET, Head, Place, Sheet, head_of, spelled
from chalicelib.core.speaker import levels
from chalicelib.core.staging import scenes
from chalicelib.core.step import Step, step_of
from chalicelib.core.timeline import Span
from chalicelib.flows.compose import Run, clear, run_of
from chalicelib.flows.render import Below
from chalicelib.flows.settle import read_session, wanted_of
from chalicelib.flows.work import Unleased
from chalicelib.ports import World, session_subject

log = logging.getLogger("tracklane")

BY_SPEAKER = ("speaker", "single")  # layouts that have to know who speaks
PATIENCE_MS = 600_000  # so long after the request, who speaks is waited for
PEAKS = "peaks"
_LINES = "application/jsonl"


class Over(NotNow):
    """The run was called off."""


# --- plan ---------------------------------------------------------------------------------------------


def plan(world: World, told: Mapping[str, Any], memory_mb: int) -> dict[str, Any]:
    """What is to be done, as places in the sheet; `waits` while it is not known who speaks."""
    run = run_of(told)
    with _task(world, run):
        return _planned(world, run, memory_mb)


def _planned(world: World, run: Run, memory_mb: int) -> dict[str, Any]:
    began, composition = world.now(), _composition(world, run)
    session = read_session(world, run.session_id)
    asked, request = composition.requested, composition.request
    assert asked is not None
    assert request is not None
    if composition_id(session, request) != run.composition_id:
        raise NotNow("session_changed", "more became known of the session since it was asked for: ask again")
    if _unheard(world, session, request) and world.now() < asked.at + PATIENCE_MS:
        return {**run.told(), "waits": True}
    sheet = _sheet(world, run, session, request)
    places = dict(zip(sheet.chunks, map(chunk_of, sheet.lines(sheet.chunks)), strict=True))
    told = e.CompositionPlanned(at=world.now(), run=run.number, chunks=len(places), frames=sheet.head.frames)
    world.ledger.append(run.subject, told)
    left = [place for place, chunk in places.items() if not _there(world, run, composition, chunk)]
    _bill(world, run, "plan", began, memory_mb)
    return {
        **run.told(),
        "waits": False,
        "head": sheet.begins,
        "slices": sheet.slices,
        "chunks": left,
    }


def _there(world: World, run: Run, composition: Composition, chunk: Chunk) -> bool:
    """Whether an earlier run has rendered it; then it is one of this run's too, and costs nothing."""
    known = composition.kept.get(f"{run.folder}/{chunk.name}")
    if known is None:
        return False
    made = Rendered(chunk.name, known.bytes, known.frames, known.slates)
    world.ledger.append(run.subject, _rendered(world, run, chunk, made, 0, known.memory_mb))
    return True


def _sheet(world: World, run: Run, session: Session, request: Request) -> Sheet:
    """The sheet that lies there: of several that are written at once the first stays."""
    key = f"{run.folder}/{SHEET}"
    try:
        return Sheet(b"".join(world.shelf.read(key)))
    except NotFound:
        world.shelf.put(key, _written(world, run, session, request), _LINES)
        return Sheet(b"".join(world.shelf.read(key)))


def _written(world: World, run: Run, session: Session, request: Request) -> bytes:
    assert request.end is not None
    people = cast(session, request.participants, _levels(world, session))
    cut = chunks(run.folder, request, scenes(people, request), sizes(session))
    heard = voices(session, request.participants)
    span = Span(request.start, request.end)
    steps = mixing(session, heard, span, run.folder, world.settings.mix_lufs)
    begins = steps[-1].start if steps else request.start
    head = Head(
        picture=picture(request),
        formats=request.formats,
        start=request.start - begins,
        end=request.end - begins,
        frames=request.frames,
        slices=len(steps[:-1]),
        join=steps[-1] if steps else None,
    )
    return spelled(head, steps[:-1], cut)


def _levels(world: World, session: Session) -> dict[str, bytes]:
    """How loud everybody's microphone is, where that was made of what is known now."""
    current = sources(session, world.settings.mix_lufs, layout(session))
    made = [
        fact
        for fact in session.made
        if (fact.product, fact.source) in current
        and (fact.product, fact.kind) == (PEAKS, Kind.AUDIO)
        and fact.key.endswith(".dat")
    ]
    return {
        fact.participant_id: levels(b"".join(world.shelf.read(fact.key)))
        for fact in made
        if fact.participant_id is not None
    }


def _unheard(world: World, session: Session, request: Request) -> bool:
    """Whether who speaks will be known and is not yet; it is asked for where nobody did."""
    if request.layout not in BY_SPEAKER:
        return False
    wanted = wanted_of(world, session)
    if not any(product == PEAKS for product, _ in wanted.products):
        asked = e.FinishRequested(at=world.now(), by="compositions", products=(PEAKS,))
        return world.ledger.append(session_subject(session.session_id), asked)
    return any((told.product, told.state) == (PEAKS, "pending") for told in states(session, wanted))


# --- render -------------------------------------------------------------------------------------------


def chunk(world: World, run: Run, place: Place, memory_mb: int, fault: str = "") -> None:
    """Render the chunk of this line. After a `fault` that no try got over, all its videos are slates."""
    began = world.now()
    meant = chunk_of(json.loads(_line(world, run, place)))
    slates = tuple((source, fault) for source in meant.sources) if fault else ()
    meant = meant.without(dict(slates))
    files = Below(world.shelf, Unleased(run.folder))
    try:
        made = world.media.render_chunk(meant, files)
    finally:
        files.abandon()
    log.info("chunk %s: %s bytes read, %s written", meant.number, files.taken, files.given)
    made = Rendered(made.name, made.bytes, made.frames, made.slates or slates)
    lasted = world.now() - began
    world.ledger.append(run.subject, _rendered(world, run, meant, made, lasted, memory_mb))


def _rendered(
    world: World, run: Run, of: Chunk, made: Rendered, billed_ms: int, memory_mb: int
) -> e.ChunkRendered:
    return e.ChunkRendered(
        at=world.now(),
        run=run.number,
        number=of.number,
        key=f"{run.folder}/{made.name}",
        bytes=made.bytes,
        frames=made.frames,
        billed_ms=billed_ms,
        memory_mb=memory_mb,
        slates=made.slates,
    )


def part(world: World, run: Run, place: Place, memory_mb: int) -> None:
    """Mix the slice of this line."""
    began = world.now()
    _mixed(world, run, step_of(json.loads(_line(world, run, place))), began, memory_mb)


def encode(world: World, run: Run, place: Place, memory_mb: int, head: Place) -> None:
    """Encode the slice of this line."""
    began = world.now()
    join, part = head_of(_line(world, run, head)).join, step_of(json.loads(_line(world, run, place)))
    assert join is not None
    _mixed(world, run, encoding(part, join), began, memory_mb)


def mix(world: World, run: Run, head: Place, memory_mb: int) -> None:
    """Join the slices, where anybody is heard."""
    began = world.now()
    step = head_of(_line(world, run, head)).join
    if step is not None:
        _mixed(world, run, step, began, memory_mb)


def _mixed(world: World, run: Run, step: Step, began: int, memory_mb: int) -> None:
    """What can not be decoded of a voice is not heard."""
    bad = _made(world, run, step)
    while bad is not None:
        left = without(step, bad.source)
        if left == step:
            raise bad
        log.warning("%s is not heard: %s", bad.source, bad)
        step, bad = left, _made(world, run, left)
    _bill(world, run, step.outputs[0].name, began, memory_mb)


def _made(world: World, run: Run, step: Step) -> BadSegment | None:
    """Make it, or say whose fault it is that it was not."""
    files = Below(world.shelf, Unleased(run.folder))
    try:
        world.media.makers[step.maker](step, files)
    except BadSegment as bad:
        return bad
    finally:
        files.abandon()
    return None


# --- finish -------------------------------------------------------------------------------------------


def finish(world: World, run: Run, head: Place, memory_mb: int) -> None:
    """Join all of it, and say what it has cost."""
    began, composition = world.now(), _composition(world, run)
    told = head_of(_line(world, run, head))
    files = Below(world.shelf, Unleased(run.folder))
    try:
        made = world.media.finish(_whole(run, composition, told), told.formats, files)
    finally:
        files.abandon()
    _bill(world, run, "finish", began, memory_mb)
    forms = sorted((_FORMS[file.name], file.name) for file in made if file.name in _FORMS)
    fact = e.CompositionFinished(
        at=world.now(),
        run=run.number,
        files=tuple((form, f"{run.folder}/{name}") for form, name in forms),
        dollars=round(cost(world.ledger.read(run.subject)), 6),
    )
    world.ledger.append(run.subject, fact)


_FORMS = {WHOLE: "mp4", MASTER: "hls"}


def _whole(run: Run, composition: Composition, head: Head) -> Whole:
    facts = composition.playable
    if sum(fact.frames for fact in facts) != head.frames:
        raise NotNow("chunks_missing", "not every frame was rendered")
    return Whole(
        target=run.folder,
        picture=head.picture,
        chunks=tuple(Rendered(fact.key.rpartition("/")[2], fact.bytes, fact.frames) for fact in facts),
        mix=f"{run.folder}/{head.join.outputs[0].name}" if head.join else None,
        start=head.start,
        end=head.end,
    )


# --- what the machine says ----------------------------------------------------------------------------


def perform(world: World, told: Mapping[str, Any], memory_mb: int) -> None:
    """One of the tasks behind the plan, as the machine tells of it."""
    begin, end = told["place"]
    fault, head = told.get("fault"), told.get("head")
    more: dict[str, Any] = {"fault": reason(fault["Error"], fault["Cause"])} if fault else {}
    more |= {"head": (head[0], head[1])} if head else {}
    run = run_of(told)
    with _task(world, run):
        TASKS[told["task"]](world, run, (begin, end), memory_mb, **more)


TASKS: dict[str, Callable[..., None]] = {
    "chunk": chunk,
    "part": part,
    "encode": encode,
    "mix": mix,
    "finish": finish,
}


def ended(world: World, told: Mapping[str, Any]) -> None:
    """The machine gave a run up, or somebody stopped it there. Its chunks serve the next one."""
    run, code = run_of(json.loads(told["input"])), told.get("error") or told["status"].lower()
    if not _called_off(world, run):
        fact = e.CompositionFailed(
            at=world.now(), run=run.number, code=code, reason=reason(code, told.get("cause"))
        )
        world.ledger.append(run.subject, fact)
        log.error("a composition failed: %s: %s: %s", run.name, code, fact.reason)


def reason(error: str, cause: str | None) -> str:
    """What the machine says of a task that failed, short: a function's fault comes as JSON.

    >>> reason("Died", '{"errorMessage": "its decoder died", "errorType": "Died"}')
    'its decoder died'
    >>> reason("States.Timeout", None)
    'States.Timeout'
    """
    try:
        told = json.loads(cause or "")
    except ValueError:
        return (cause or error)[:_REASON_AT_MOST]
    message = told.get("errorMessage") if isinstance(told, dict) else None
    return str(message or error)[:_REASON_AT_MOST]


_REASON_AT_MOST = 500  # characters


# --- what all have to do ------------------------------------------------------------------------------


def _composition(world: World, run: Run) -> Composition:
    """The composition; `Over` when its run was called off."""
    found = Composition.of(run.composition_id, world.ledger.read(run.subject))
    if found.run != run.number or found.phase == "cancelled":
        raise _over()
    return found


@contextmanager
def _task(world: World, run: Run) -> Iterator[None]:
    """While a task works. `Over` when its run was called off; where that happens meanwhile, nothing of it is
    left behind."""
    if _called_off(world, run):
        raise _over()
    try:
        yield
    except Exception:
        _clean(world, run)
        raise
    _clean(world, run)


def _over() -> Over:
    return Over("cancelled", "the run was called off")


def _called_off(world: World, run: Run) -> bool:
    return world.ledger.has(run.subject, e.identity_of(e.CompositionCancelled, run=run.number))


def _clean(world: World, run: Run) -> None:
    if _called_off(world, run):
        clear(world, run.folder)


def _bill(world: World, run: Run, task: str, began: int, memory_mb: int) -> None:
    lasted = world.now() - began
    fact = e.CompositionBilled(
        at=world.now(), run=run.number, task=task, billed_ms=lasted, memory_mb=memory_mb
    )
    world.ledger.append(run.subject, fact)


def _line(world: World, run: Run, place: Place) -> bytes:
    return b"".join(world.shelf.read(f"{run.folder}/{SHEET}", *place))
