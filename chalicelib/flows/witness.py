"""VideoSDK's list, the second witness, asked as seldom as will do: how often it may be is not documented.

A witness serves one run: a batch of the ledger's stream, or one round of the schedule.
"""

from collections import Counter
from dataclasses import dataclass, field

from chalicelib.core.errors import BadGateway, Unavailable
from chalicelib.ports import Listed, World

FRESH_MS = 30_000  # so long an answer serves others too; what begins after it is not in it
ONE_BY_ONE = 4  # so many participants of a session are asked about each; then the whole session, once
SILENT_AFTER = 2  # so many questions in a row without an answer, and none is asked in this run any more

type Question = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the list had for a question, and when we began to ask: what it lacks may have come since."""

    at: int
    items: list[Listed]


@dataclass
class Witness:
    """Asks the list on behalf of many recordings."""

    world: World
    _heard: dict[Question, Testimony] = field(default_factory=dict)
    _asked: Counter[Question] = field(default_factory=Counter)
    _too_long: set[Question] = field(default_factory=set)
    _unanswered: int = 0

    def listed(self, room_id: str, session_id: str | None, participant_id: str) -> Testimony:
        """What there is of one participant, perhaps among others; `Unavailable` when it can not be asked."""
        narrow: Question = (room_id, session_id, participant_id)
        known = next(filter(None, map(self._fresh, (narrow, (room_id, session_id, None)))), None)
        return known or self._ask_best(narrow)

    def _fresh(self, question: Question) -> Testimony | None:
        heard = self._heard.get(question)
        return heard if heard and self.world.now() - heard.at < FRESH_MS else None

    def _ask_best(self, narrow: Question) -> Testimony:
        """Where many of one session want to know, one answer for all; unless it is too long to be given."""
        room_id, session_id, _ = narrow
        whole: Question = (room_id, session_id, None)
        self._asked[whole] += 1
        if session_id is not None and self._asked[whole] > ONE_BY_ONE and whole not in self._too_long:
            try:
                return self._ask(whole)
            except Unavailable:
                self._too_long.add(whole)
        return self._ask(narrow)

    def _ask(self, question: Question) -> Testimony:
        if self._unanswered >= SILENT_AFTER:
            raise Unavailable("videosdk_silent", "VideoSDK did not answer before in this run")
        at, (room_id, session_id, participant_id) = self.world.now(), question
        try:
            items = list(
                self.world.recorder.listed(room_id, session_id=session_id, participant_id=participant_id)
            )
        except BadGateway:  # an answer: it knows of nothing there, and will not at the next question either
            items = []
        except Unavailable:
            self._unanswered += 1
            raise
        self._unanswered = 0
        self._heard[question] = Testimony(at, items)
        return self._heard[question]
