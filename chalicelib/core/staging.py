"""Who is seen where, over time: a cast and a request become scenes.

| layout  | shows                                                                                            |
|---------|--------------------------------------------------------------------------------------------------|
| grid    | everybody who is there, and each shared screen before its owner, by arrival; 25 at most          |
| speaker | who speaks, large; beside them 8 others at most, screens among these                             |
| stage   | the screen that was shared last, large, and 8 people at most beside it; without one, the grid    |
| single  | one alone: the screen that was shared last, or else who speaks                                   |
| custom  | in each region a grid of whom it chooses                                                         |

Who is there is shown, if need be as a card; who is not leaves no hole. Where more are there than seats, who
came first has one, and a screen or one of the two who spoke last takes that of who has been silent longest:
nobody else moves. All is reckoned from session zero on, so that a range shows what the whole would.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chalicelib.core.cast import Person, Take, matches
from chalicelib.core.composition import CUSTOM, Region, Request
from chalicelib.core.ids import Kind
from chalicelib.core.layouts import BESIDE, SEATS, Rect, grid, inset, part, staged
from chalicelib.core.scenes import Card, Scene, Shown, Tile
from chalicelib.core.speaker import turns
from chalicelib.core.timeline import Span

# Whom a tile can show: a place in the cast, and whether the camera or the screen. A screen so comes before
# its owner.
type Actor = tuple[int, Kind]
type Placed = tuple[Rect, Actor]

DIALOGUE = 2  # so many of those who spoke last keep their seats


def scenes(cast: Sequence[Person], request: Request) -> tuple[Scene, ...]:
    """The scenes of a request `within` its session: they touch, and cover its frames."""
    directed = _LAYOUTS[request.layout](cast, request)
    found: list[Scene] = []
    for moment, until in _moments(cast, request):
        tiles = tuple(_tile(cast, moment.at, rect, actor) for rect, actor in directed(moment))
        first, end = (_frame(request, at) for at in (moment.at, until))
        if first == end:
            continue
        if found and found[-1].tiles == tiles:
            first = found.pop().first_frame
        found.append(Scene(first, end, tiles))
    return tuple(found)


def _frame(request: Request, at: int) -> int:
    """The first frame at or after a moment, of those that there are."""
    passed = (at - request.start) * request.frame_rate
    return max(0, min(request.frames, -(-passed // 1000)))


def _tile(cast: Sequence[Person], at: int, rect: Rect, actor: Actor) -> Tile:
    return Tile(rect.x, rect.y, rect.width, rect.height, _shown(cast, at, actor))


def _shown(cast: Sequence[Person], at: int, actor: Actor) -> Shown:
    person = cast[actor[0]]
    takes = person.screen if actor[1] is Kind.SCREEN_VIDEO else person.camera
    place = _over(takes, at)
    return Card(person.participant_id, person.name) if place is None else takes[place].video


# --- what changes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moment:
    """Who is there from a moment on: `actors` in order of the cast, `screens` the last shared one first, and
    who `spoke`, the last one first."""

    at: int
    actors: tuple[Actor, ...]
    screens: tuple[Actor, ...]
    spoke: tuple[int, ...]
    lit: frozenset[int]  # whose cameras are on

    @property
    def speaker(self) -> Actor | None:
        """Who spoke last of those who are there; before anybody has, the first whose camera is on."""
        present = [rank for rank, kind in self.actors if kind is Kind.VIDEO]
        spoke = (rank for rank in self.spoke if rank in present)
        lit = (rank for rank in present if rank in self.lit)
        found = next((rank for ranks in (spoke, lit, present) for rank in ranks), None)
        return None if found is None else (found, Kind.VIDEO)

    @property
    def wanted(self) -> list[Actor]:
        """Who must have a seat."""
        return [*self.screens, *((rank, Kind.VIDEO) for rank in self.spoke[:DIALOGUE])]

    def worth(self, actor: Actor) -> tuple[int, int]:
        """Least for who has been silent for longest, and of those who never spoke for who came last."""
        rank = actor[0]
        silent = self.spoke.index(rank) if rank in self.spoke else len(self.spoke)
        return -silent, -rank


def _moments(cast: Sequence[Person], request: Request) -> Iterator[tuple[_Moment, int]]:
    """All moments up to the range's end, each with the next; nothing changes between them."""
    assert request.end is not None
    upcoming = turns([person.levels for person in cast])
    edges = {request.start, request.end, *(at for at, _ in upcoming)}
    for person in cast:
        for span in (*person.present, *person.camera, *person.screen):
            edges |= {span.start, span.end}
    upcoming.reverse()
    spoke: tuple[int, ...] = ()
    for at, until in pairwise(sorted(edge for edge in edges if edge <= request.end)):
        while upcoming and upcoming[-1][0] <= at:
            _, rank = upcoming.pop()
            spoke = (rank, *(other for other in spoke if other != rank))
        yield _moment(cast, at, spoke), until


def _moment(cast: Sequence[Person], at: int, spoke: tuple[int, ...]) -> _Moment:
    there = [rank for rank, person in enumerate(cast) if _over(person.present, at) is not None]
    shared = {
        (rank, Kind.SCREEN_VIDEO): _begun(person.screen, place)
        for rank, person in enumerate(cast)
        if (place := _over(person.screen, at)) is not None
    }
    return _Moment(
        at=at,
        actors=tuple(sorted([*((rank, Kind.VIDEO) for rank in there), *shared])),
        screens=tuple(sorted(shared, key=lambda actor: (-shared[actor], actor))),
        spoke=spoke,
        lit=frozenset(rank for rank in there if _over(cast[rank].camera, at) is not None),
    )


def _begun(takes: Sequence[Take], place: int) -> int:
    """Since when it goes on without a gap."""
    while place and takes[place - 1].end == takes[place].start:
        place -= 1
    return takes[place].start


def _over(spans: Sequence[Span], at: int) -> int | None:
    """The place of the span over a moment."""
    place = bisect_right(spans, at, key=lambda span: span.start) - 1
    return place if place >= 0 and at < spans[place].end else None


# --- who sits where -------------------------------------------------------------------------------------


def reseated(
    seats: Sequence[Actor],
    present: Sequence[Actor],
    wanted: Sequence[Actor],
    worth: Callable[[Actor], Any],
    room: int,
) -> tuple[Actor, ...]:
    """The seats after some came, left or were wanted: nobody moves who need not.

    `present` is in order of arrival, `wanted` are those of them who must have a seat. For these who is worth
    least gives up theirs.
    """
    here, sitting = set(present), set(seats)
    waiting = [actor for actor in dict.fromkeys([*wanted, *present]) if actor not in sitting]
    fills = iter(waiting if min(len(seats), len(present)) >= room else ())
    kept = [found for actor in seats if (found := actor if actor in here else next(fills, None))]
    for actor in waiting:
        if actor not in kept and len(kept) < room:
            kept.insert(next((place for place, other in enumerate(kept) if other > actor), len(kept)), actor)
    for actor in wanted:
        givers = [other for other in kept if other not in wanted]
        if actor not in kept and givers:
            kept[kept.index(min(givers, key=worth))] = actor
    return tuple(kept)


@dataclass(slots=True)
class _Seats:
    """Seats over time."""

    room: int
    taken: tuple[Actor, ...] = ()

    def at(self, moment: _Moment, present: Sequence[Actor]) -> tuple[Actor, ...]:
        """Who of the present has one."""
        wanted = [actor for actor in moment.wanted if actor in present]
        self.taken = reseated(self.taken, present, wanted, moment.worth, self.room)
        return self.taken


@dataclass(slots=True)
class _Beside:
    """Seats beside somebody large. Who becomes large and who was so before change places."""

    seats: _Seats = field(default_factory=lambda: _Seats(BESIDE))
    large: Actor | None = None

    def at(self, moment: _Moment, large: Actor) -> tuple[Actor, ...]:
        """The large one and those who are beside."""
        before, self.large = self.large, large
        if before is not None and before not in self.seats.taken:
            changed = (before if actor == large else actor for actor in self.seats.taken)
            self.seats.taken = tuple(changed)
        return large, *self.seats.at(moment, [actor for actor in moment.actors if actor != large])


# --- the layouts ----------------------------------------------------------------------------------------

type _Directed = Callable[[_Moment], Iterable[Placed]]


def _grid(_: Sequence[Person], request: Request) -> _Directed:
    canvas, seats = _canvas(request), _Seats(SEATS)

    def directed(moment: _Moment) -> Iterable[Placed]:
        taken = seats.at(moment, moment.actors)
        area = inset(canvas) if len(taken) > 1 else canvas
        return zip(grid(area, len(taken)), taken, strict=True)

    return directed


def _speaker(_: Sequence[Person], request: Request) -> _Directed:
    canvas, beside = _canvas(request), _Beside()

    def directed(moment: _Moment) -> Iterable[Placed]:
        return () if moment.speaker is None else _around(canvas, beside.at(moment, moment.speaker))

    return directed


def _stage(cast: Sequence[Person], request: Request) -> _Directed:
    canvas, beside, without = _canvas(request), _Beside(), _grid(cast, request)

    def directed(moment: _Moment) -> Iterable[Placed]:
        together = without(moment)  # at every moment, for it remembers who sat where
        return _around(canvas, beside.at(moment, moment.screens[0])) if moment.screens else together

    return directed


def _single(_: Sequence[Person], request: Request) -> _Directed:
    canvas = _canvas(request)

    def directed(moment: _Moment) -> Iterable[Placed]:
        alone = next(iter(moment.screens), moment.speaker)
        return () if alone is None else ((canvas, alone),)

    return directed


def _custom(cast: Sequence[Person], request: Request) -> _Directed:
    regions = [
        _region(cast, region, part(_canvas(request), region.x, region.y, region.width, region.height))
        for region in sorted(request.regions, key=lambda region: region.z)
    ]
    return lambda moment: [placed for directed in regions for placed in directed(moment)]


def _region(cast: Sequence[Person], region: Region, area: Rect) -> _Directed:
    room = min(SEATS, region.columns * region.rows)
    taken: tuple[Actor, ...] = ()
    meant = {rank for rank, person in enumerate(cast) if _chooses(region, person.participant_id)}

    def directed(moment: _Moment) -> Iterable[Placed]:
        nonlocal taken
        present = [actor for actor in moment.actors if actor[0] in meant and actor[1] in region.kinds]
        wanted = present[-room:] if region.reuse == "show_newest" else ()
        taken = reseated(taken, present, wanted, lambda actor: actor, room)
        return zip(grid(area, len(taken), region.columns, region.rows), taken, strict=True)

    return directed


def _chooses(region: Region, participant_id: str) -> bool:
    chosen, excluded = (
        any(matches(pattern, participant_id) for pattern in patterns)
        for patterns in (region.participants, region.exclude)
    )
    return chosen and not excluded


def _around(canvas: Rect, actors: Sequence[Actor]) -> Iterable[Placed]:
    return zip(staged(canvas, len(actors) - 1), actors, strict=True)


def _canvas(request: Request) -> Rect:
    return Rect(0, 0, request.width, request.height)


_LAYOUTS: Mapping[str, Callable[[Sequence[Person], Request], _Directed]] = {
    "grid": _grid,
    "speaker": _speaker,
    "stage": _stage,
    "single": _single,
    CUSTOM: _custom,
}
