"""Once a day over both buckets: what came unheard is processed, and what nobody committed is deleted.

The reconciler looks below the paths of recordings that are open; here everything is seen that lies below the
watched prefixes, also what was never announced and what came after its recording was settled. S3 lists 1,000
keys for $0.000005 in about 0.1 s, so a run passes millions of objects that are too old to be asked about; a
bucket is to be seen within the three days in which a delivery is looked for.

| walk       | looks at                | asks                                        | costs            |
|------------|-------------------------|---------------------------------------------|------------------|
| deliveries | 10 minutes to 3 days    | a recording's facts, once for all its files | some 3 RCU each  |
| outputs    | 24 hours to 10 days     | the work item they were made under          | 1 RCU each step  |

Facts are asked and not work items, because S3 lists a recording's files one behind the other and one query
answers for all of them, and because a rejected file has a fact and no output.

Manifests are not made under a lease and are never swept: each is what was told to others at its time. A large
step's plan lies beside its files and stays too: whoever tries the step again reads it.
Both walks end with their time and go on there the next day. When all is well nothing is written.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.core.order import PLAN
from chalicelib.core.recording import Recording
from chalicelib.flows.ingest import MISPLACED
from chalicelib.flows.reconcile import undelivered
from chalicelib.ports import Object, World, recording_subject

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
UNHEARD_MS = range(10 * MINUTE_MS, 3 * DAY_MS)  # the age of a delivery whose event must have come by now
ORPHANED_MS = range(DAY_MS, 10 * DAY_MS)  # the age of an output that must have been committed by now
FAULTS_AT_MOST = 25
OUTPUTS = "sessions/"


@dataclass
class Walk:
    """One bucket, piece by piece. `upto` is the last key that was dealt with, None before the first and
    after the last."""

    name: str
    pieces: Iterator[list[Object]]
    deal_with: Callable[[list[Object]], int]
    began: str | None
    upto: str | None
    done: int = 0
    over: bool = False
    faults: list[Exception] = field(default_factory=list)

    def step(self) -> bool:
        """Deal with the next piece, if there is one. What can not be dealt with is passed, and told later."""
        if self.over or len(self.faults) >= FAULTS_AT_MOST:
            return False
        try:
            piece = next(self.pieces, None)
        except Exception as fault:
            self.over = True
            self.faults.append(fault)
            return False
        if piece is None:
            self.over, self.upto = True, None
            return False
        self._deal_with(piece)
        return True

    def _deal_with(self, piece: list[Object]) -> None:
        try:
            self.done += self.deal_with(piece)
        except Exception as fault:
            fault.add_note(f"while looking at {piece[0].key}")
            self.faults.append(fault)
        self.upto = piece[-1].key


def sweep(world: World, more_time: Callable[[], bool]) -> dict[str, int]:
    """Go on with both walks by turns while there is time; how many objects each had to do something about."""
    walks = [_deliveries(world), _outputs(world)]
    going = walks
    while going and more_time():
        going = [walk for walk in going if walk.step()]
    for walk in walks:
        if walk.upto != walk.began:
            world.catalog.keep_bookmark(f"sweep {walk.name}", walk.upto)
    faults = [fault for walk in walks for fault in walk.faults]
    if faults:
        raise ExceptionGroup(f"{len(faults)} pieces of work could not be done", faults)
    return {walk.name: walk.done for walk in walks}


# --- what came unheard ----------------------------------------------------------------------------


def _deliveries(world: World) -> Walk:
    began = world.catalog.bookmark("sweep deliveries")
    prefixes = sorted(f"{lead}{world.settings.bucket_dir_path}/" for lead in ids.LEADS)
    found = (thing for prefix in prefixes for thing in world.inbox.under(prefix, began))
    pieces = (list(things) for _, things in groupby(found, lambda thing: _owner(world, thing)))
    return Walk("deliveries", pieces, lambda piece: _hear(world, piece), began, began)


def _owner(world: World, thing: Object) -> str:
    """The recording that an object belongs to; itself where it belongs to none."""
    try:
        return ids.place(thing.key, world.settings.bucket_dir_path).recording_id
    except Invalid:
        return thing.key


def _hear(world: World, piece: list[Object]) -> int:
    """Have processed what should have been heard of and was not."""
    things = [thing for thing in piece if world.now() - thing.modified_at in UNHEARD_MS]
    if not things:
        return 0
    owner = _owner(world, things[0])
    unheard = list(_unheard(world, owner, things))
    world.work.ingest(unheard)
    return len(unheard)


def _unheard(world: World, owner: str, things: list[Object]) -> Iterator[str]:
    if ids.is_recording_id(owner):
        yield from undelivered(Recording.of(owner, world.ledger.read(recording_subject(owner))), things)
    elif not world.ledger.has(MISPLACED, e.identity_of(e.ObjectMisplaced, key=owner)):
        yield owner


# --- what nobody committed ------------------------------------------------------------------------


def _outputs(world: World) -> Walk:
    began = world.catalog.bookmark("sweep outputs")
    files = (thing for thing in world.shelf.under(OUTPUTS, began) if not thing.key.endswith(f"/{PLAN}"))
    pieces = (list(things) for _, things in groupby(files, lambda thing: target_of(thing.key)))
    return Walk("outputs", pieces, lambda piece: _tidy(world, piece), began, began)


def target_of(key: str) -> str:
    """What a file was made under the lease of: a step's files lie below its target, an index beside its file.

    >>> target_of("sessions/s/sound/0123456789abcdef~1/anna/stem-audio.flac")
    'sessions/s/sound/0123456789abcdef~1'
    >>> target_of("sessions/s/anna/audio/index-1-0f.json")
    'sessions/s/anna/audio/repaired-1-0f.webm'
    """
    if step := _OF_A_STEP.match(key):
        return step[1]
    if index := _INDEX.fullmatch(key):
        return f"{index[1]}/repaired-{index[2]}.webm"
    return key


_OF_A_STEP = re.compile(r"(sessions/[^/]+/(?:copies/[^/]+|[a-z]+)/[0-9a-f]{16}(?:~\d+)?)/")
_INDEX = re.compile(r"(sessions/[^/]+/[^/]+/[^/]+)/index-([^/]+)\.json")


def _tidy(world: World, piece: list[Object]) -> int:
    """Delete files that were made under a lease and never committed; first nobody may commit them any more.

    Whoever is late finds the work collected and commits nothing; who tries again makes the next generation
    of the target, which a deletion that comes late does not touch.
    """
    now, target = world.now(), target_of(piece[0].key)
    old = [thing for thing in piece if now - thing.modified_at in ORPHANED_MS]
    if not old or not world.leases.unfinished(target) or not world.leases.collect(target, now):
        return 0
    for thing in old:
        world.shelf.delete(thing.key)
    return len(old)
