"""What shall be made of what: a plan is data, running it is dull.

What an output is made of is in its `source`, a digest: so what is made already is known from the facts alone,
and is not made again though other outputs of its step are. A step's target is a digest of all that is in it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chalicelib.core import events as e
from chalicelib.core.errors import Invalid
from chalicelib.core.layout import Laid
from chalicelib.core.session import Session
from chalicelib.core.step import Output, Step
from chalicelib.core.steps import PART, Wanted, all_steps, file_of, needed, posters, targeted

__all__ = ["Wanted", "posters"]  # for those who plan, with what is here


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a product is called and kept; another version gives other keys."""

    product: str
    version: str
    extension: str


REPAIRED = Recipe("repaired", "2", "webm")

# What can be asked for, as product and form; a name without a form means its first.
FORMS = {
    "track": ("webm",),
    "av": ("webm",),
    "stem": ("flac", "wav", "opus"),
    "mix": ("opus", "aac"),
    "peaks": ("json",),
    "poster": ("jpg",),
    "sprite": ("vtt",),
}
PRODUCTS = tuple(FORMS)
NAMES = {
    **{product: (product, forms[0]) for product, forms in FORMS.items()},
    **{
        f"{product}:{form}": (product, form)
        for product, forms in FORMS.items()
        if forms[1:]
        for form in forms
    },
}

EVERYTHING = frozenset(NAMES.values())


def asked(names: object) -> tuple[str, ...]:
    """The names of products that somebody sent; `Invalid` when they are not that."""
    if isinstance(names, list | tuple) and all(isinstance(name, str) and name in NAMES for name in names):
        return tuple(dict.fromkeys(names))
    expected = f"a list of {', '.join(NAMES)}"
    raise Invalid("invalid_products", "products names what can not be made", "products", expected)


def wanted(session: Session, usual: Iterable[str], lufs: float | None = None) -> Wanted:
    """What is wanted of a session by now: the usual once it is settled or somebody asked for no product by
    name, and whatever was asked for by name."""
    requests = [fact for fact in session.facts if isinstance(fact, e.FinishRequested)]
    names = {name for fact in requests for name in fact.products}
    if session.verdict.settled or any(not fact.products for fact in requests):
        names |= set(usual)
    return Wanted(frozenset(NAMES[name] for name in names if name in NAMES), lufs)


def planned(session: Session, wanted: Wanted) -> list[Step]:
    """All steps, whether made or not. What joins the slices of a long session is among them once all of
    these are made."""
    return [step for step in all_steps(session, wanted, _Done.of(session).made) if not _waits(step)]


def pending(session: Session, wanted: Wanted) -> list[Step]:
    """What is left to do now: of each step what is not made, unless that failed or was given up."""
    done = _Done.of(session)
    left = (done.left(step) for step in planned(session, wanted))
    return [step for step in left if step is not None and step.target not in done.failed]


def _waits(step: Step) -> bool:
    """Whether what a step joins is not made yet."""
    return step.maker == "join" and not step.parts


@dataclass(frozen=True, slots=True)
class _Done:
    """What the session's facts say of its steps: what was made, by what it is made of, and which steps."""

    made: dict[tuple[str, str], list[str]]
    steps: frozenset[str]
    failed: dict[str, str]

    @classmethod
    def of(cls, session: Session) -> "_Done":
        made: dict[tuple[str, str], list[str]] = {}
        for fact in session.made:
            made.setdefault((fact.product, fact.source), []).append(fact.key)
        return cls(made, frozenset(fact.step for fact in session.made), dict(_failures(session)))

    def left(self, step: Step) -> Step | None:
        """What of a step is not made yet: the same step while nothing is, None when all is."""
        if step.target in self.steps:
            return None
        left = tuple(output for output in step.outputs if (output.product, output.source) not in self.made)
        return targeted(replace(step, outputs=left, tracks=needed(step.tracks, left))) if left else None


def _failures(session: Session) -> Iterator[tuple[str, str]]:
    """The targets that nobody will make by himself, and why."""
    told = [fact for recording in session.recordings for fact in recording.facts]
    for fact in sorted([*session.facts, *told], key=lambda fact: fact.identity):
        if isinstance(fact, e.ProductFailed):
            yield fact.step or fact.key, fact.reason
        if isinstance(fact, e.WorkGivenUp):
            yield _GENERATION.sub("", fact.target), fact.reason


_GENERATION = re.compile(r"~\d+$")


# --- how far it has come ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """How far a wanted product is: `made`, `pending`, `failed` with a reason, or `none`: of nothing."""

    product: str
    form: str
    state: str
    reason: str | None = None

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return f"{self.product}:{self.form}" if len(FORMS[self.product]) > 1 else self.product


def states(session: Session, wanted: Wanted, laid: list[Laid] | None = None) -> list[State]:
    """How far each wanted product is; `laid` is the session's layout, where it is known."""
    done = _Done.of(session)
    steps = all_steps(session, wanted, done.made, laid)
    return [_state(product, form, steps, done) for product, form in sorted(wanted.products)]


def all_settled(session: Session, wanted: Wanted) -> bool:
    """Whether no wanted product may still come by itself."""
    return all(told.state != "pending" for told in states(session, wanted))


def sources(session: Session, lufs: float | None, laid: list[Laid]) -> frozenset[tuple[str, str]]:
    """The product and source of every output that could be made of the session as it is laid out now. What
    was made of anything else is out of date."""
    every = all_steps(session, Wanted(EVERYTHING, lufs), {}, laid)
    return frozenset((output.product, output.source) for step in every for output in step.outputs)


def _state(product: str, form: str, steps: list[Step], done: _Done) -> State:
    mine = [step for step in steps if any(_serves(output, product, form) for output in step.outputs)]
    left = [
        rest
        for step in mine
        if (rest := done.left(step)) and any(_serves(output, product, form) for output in rest.outputs)
    ]
    if not mine:
        return State(product, form, "none")
    if not left:
        return State(product, form, "made")
    reasons = [done.failed[step.target] for step in left if step.target in done.failed]
    return State(product, form, "failed", min(reasons)) if reasons else State(product, form, "pending")


def _serves(output: Output, product: str, form: str) -> bool:
    """Whether a product can not be without this output."""
    if output.product == PART:
        return product == "mix"
    return output.product == product and (product not in ("stem", "mix") or output.form == file_of(form))
