"""What the stream, the queues and the schedule do between the journeys, and how a story is told short."""

from collections import deque
from collections.abc import Callable
from functools import partial

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.recording import Recording
from chalicelib.core.work import Busy, GivenUp
from chalicelib.flows.ingest import ingest
from chalicelib.flows.receive import receive_of_recording
from chalicelib.flows.reconcile import reconcile
from chalicelib.flows.record import Wanted, start
from chalicelib.flows.render import render
from chalicelib.flows.settle import settle
from chalicelib.ports import recording_subject
from tests.builders import ROOM, SESSION, WHO
from tests.fakes import NOON, SIGNED, MemoryWorld, film

URL = "https://api.example/v1"
AUDIO = Wanted(ROOM, WHO, (Kind.AUDIO,))
ALL = Wanted(ROOM, WHO, tuple(Kind))
ABOUT = (ROOM, WHO, "audio")
FILE = f"track_recording_{WHO}_audio_{NOON}.webm"
DAY_MS = 86_400_000


def begun(world: MemoryWorld, wanted: Wanted = AUDIO) -> str:
    """A recording that was asked for, and its id."""
    return str(start(world, wanted, "app", URL)["recordings"][0]["recordingId"])


def known(world: MemoryWorld, recording_id: str) -> Recording:
    """A recording as the ledger has it."""
    return Recording.of(recording_id, world.ledger.read(recording_subject(recording_id)))


def facts(world: MemoryWorld, recording_id: str) -> list[str]:
    """The types of a recording's facts."""
    return sorted(type(fact).__name__ for fact in known(world, recording_id).facts)


def remember(world: MemoryWorld, recording_id: str, *told: e.Event) -> None:
    """Facts that somebody wrote down before the story begins."""
    for fact in told:
        world.ledger.append(recording_subject(recording_id), fact)


def key_of(recording_id: str, file: str = FILE, participant_id: str = WHO, kind: str = "audio") -> str:
    """Where VideoSDK delivers a recording's file."""
    return f"recordings/{recording_id}/{SESSION}/{participant_id}/{kind}/{file}"


def deliver(world: MemoryWorld, key: str, body: bytes | None = None, *, silently: bool = False) -> None:
    """VideoSDK writes an object; `silently`, when the bucket's event is lost."""
    world.inbox.put(key, film() if body is None else body)
    if not silently:
        world.work.ingest([key])


def webhook(
    world: MemoryWorld, recording_id: str, fact: e.Event, about: tuple[str, str, str] = ABOUT
) -> bool:
    """VideoSDK tells of a recording that we started."""
    body = world.post.write(fact, about, session_id=SESSION)
    return receive_of_recording(world, world.token(recording_id, about), body, SIGNED)


def until_quiet(world: MemoryWorld) -> None:
    """Let the stream and the queues run dry; what raises stays in its queue, what is given up is buried."""
    for _ in range(2000):
        if world.ledger.stream:
            settle(world, [world.ledger.stream[0]])
            world.ledger.stream.popleft()
        elif world.work.objects:
            _work_off(world, world.work.objects, lambda told: ingest(world, told))
        elif world.work.steps:
            _work_off(world, world.work.steps, lambda told: render(world, told))
        else:
            return
    raise AssertionError("the world never comes to rest")


def _work_off[Told](world: MemoryWorld, queue: deque[Told], do: Callable[[Told], None]) -> None:
    try:
        do(queue[0])
    except Busy as busy:
        world.pass_time(busy.again_s * 1000)
        return
    except GivenUp as given_up:
        world.work.buried.append((given_up, partial(queue.append, queue[0])))
    queue.popleft()


def redrive(world: MemoryWorld) -> None:
    """The operator has all that was given up tried again."""
    while world.work.buried:
        given_up, again = world.work.buried.pop()
        world.leases.redrive(given_up.target)
        redriven = e.WorkRedriven(at=world.now(), target=given_up.target, by="the operator")
        world.ledger.append(given_up.subject, redriven)
        again()


def pass_by(world: MemoryWorld, ms: int = 0) -> int:
    """Time passes, the schedule runs once, and all that follows from it."""
    world.pass_time(ms)
    looked_at = reconcile(world, lambda: True)
    until_quiet(world)
    return looked_at


def at_rest(world: MemoryWorld) -> bool:
    """Whether a further run of the schedule has no effect at all."""
    before = len(world.tape.done)
    pass_by(world)
    return not [done for done in world.tape.done[before:] if not done.startswith("ledger.append")] and not (
        world.ledger.stream
    )
