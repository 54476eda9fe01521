"""What nobody told us: lost webhooks, lost objects, lost answers. And rest, when nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import BadGateway, Unavailable
from chalicelib.core.ids import Kind
from chalicelib.flows.ingest import ingest
from chalicelib.flows.reconcile import reconcile
from chalicelib.flows.record import Wanted, start, stop
from chalicelib.flows.review import finish_session
from chalicelib.ports import Accepted, Declined, Listed, Object, Outcome, Unconfirmed, session_subject
from tests.builders import ROOM, RUNS, SESSION, STARTED, STARTING, STOPPING, WHO, ended, listed, stopped
from tests.fakes import NOON, Died, MemoryInbox, MemoryWorld, ScriptedRecorder, film
from tests.flows.stage import (
    ALL,
    AUDIO,
    FILE,
    at_rest,
    begun,
    deliver,
    facts,
    key_of,
    known,
    pass_by,
    remember,
    until_quiet,
    webhook,
)

MINUTES = 60_000
LOST = Unconfirmed("no answer within 5 s")
NOT_STARTED = Declined("not_started", "no such recording")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def reasons(world: MemoryWorld, recording_id: str) -> set[str]:
    """What is missing of a recording."""
    return {finding.reason for finding in known(world, recording_id).verdict.missing}


def sent(world: MemoryWorld, command: str) -> int:
    """How often VideoSDK got it."""
    return [told for told, *_ in world.recorder.sent].count(command)


# --- lost webhooks and objects --------------------------------------------------------------------


def test_without_a_single_webhook_the_list_tells_all(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]
    deliver(world, key_of(recording_id))

    pass_by(world, 5 * MINUTES)

    assert known(world, recording_id).verdict.complete
    assert at_rest(world)


def test_without_a_single_event_of_the_bucket_its_objects_are_found(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]
    deliver(world, key_of(recording_id), silently=True)
    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)
    assert reasons(world, recording_id) == {"still_open"}

    pass_by(world, 5 * MINUTES)

    assert known(world, recording_id).verdict.complete
    assert at_rest(world)


@pytest.mark.parametrize("prefix", ids.LEADS)
def test_objects_are_found_however_videosdk_joins_the_path(world: MemoryWorld, prefix: str) -> None:
    recording_id = begun(world)
    deliver(world, prefix + key_of(recording_id), silently=True)

    pass_by(world)

    assert "SegmentStored" in facts(world, recording_id)


def test_an_object_that_is_known_is_not_read_again(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    deliver(world, key_of(recording_id, "text.webm"), b"no film at all")
    until_quiet(world)
    queued = len([done for done in world.tape.done if done.startswith("work.ingest")])

    pass_by(world)

    assert len([done for done in world.tape.done if done.startswith("work.ingest")]) == queued


def test_an_object_that_was_overwritten_is_read_again(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id), b"no film at all")
    until_quiet(world)
    deliver(world, key_of(recording_id), film(2000), silently=True)

    pass_by(world)

    assert [s.duration_ms for s in known(world, recording_id).segments] == [2000]


def test_only_a_recording_of_ours_is_looked_for_in_the_list(world: MemoryWorld) -> None:
    deliver(world, f"recordings/{SESSION}/bela/audio/{FILE}")
    until_quiet(world)

    assert pass_by(world) == 0


# --- overdue --------------------------------------------------------------------------------------


def test_what_does_not_come_within_the_grace_period_is_given_up(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, stopped(FILE))

    pass_by(world, 14 * MINUTES)
    assert reasons(world, recording_id) == {"still_open"}

    pass_by(world, 2 * MINUTES)

    assert reasons(world, recording_id) == {"not_delivered"}
    assert known(world, recording_id).phase == "done"
    assert at_rest(world)
    assert world.bell.rung[-1]["complete"] is False


def test_of_an_end_that_the_list_confirmed_only_the_files_are_overdue(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]
    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)

    pass_by(world, 16 * MINUTES)

    assert known(world, recording_id).knows(e.SegmentOverdue)
    assert not known(world, recording_id).knows(e.EndOverdue)


def test_what_is_given_up_and_comes_after_all_is_taken(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]
    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)
    pass_by(world, 16 * MINUTES)

    deliver(world, key_of(recording_id))
    until_quiet(world)

    assert known(world, recording_id).verdict.complete
    assert [told["complete"] for told in world.bell.rung] == [False, True]


def test_a_list_that_never_confirms_is_said_to_be_so(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    webhook(world, recording_id, stopped(FILE))

    pass_by(world, 16 * MINUTES)

    verdict = known(world, recording_id).verdict
    assert (verdict.complete, [f.reason for f in verdict.odd]) == (True, ["unconfirmed_by_list"])


def test_news_after_the_grace_period_opens_it_again_and_closes_it(world: MemoryWorld) -> None:
    recording_id = begun(world)
    stop(world, [recording_id], "app")
    pass_by(world, 16 * MINUTES)
    assert reasons(world, recording_id) == {"unproven"}

    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)
    assert reasons(world, recording_id) == {"still_open"}
    pass_by(world, 16 * MINUTES)

    assert reasons(world, recording_id) == {"not_delivered"}
    assert at_rest(world)


def test_a_recording_that_runs_for_days_is_left_alone(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    world.recorder.tracks[ROOM] = [listed(end_at=None, start_at=NOON)]

    for _ in range(5):
        pass_by(world, 24 * 60 * MINUTES)

    assert known(world, recording_id).phase == "recording"
    assert sent(world, "stop") == 0
    assert at_rest(world)


# --- compensation ---------------------------------------------------------------------------------


def test_a_start_that_nobody_confirms_is_stopped(world: MemoryWorld) -> None:
    world.recorder.script.extend([LOST, NOT_STARTED])
    recording_id = begun(world)

    pass_by(world, MINUTES)
    assert sent(world, "stop") == 0
    pass_by(world, MINUTES)

    assert sent(world, "stop") == 1
    assert known(world, recording_id).phase == "failed"
    assert reasons(world, recording_id) == {"start_refused"}
    assert at_rest(world)


@pytest.mark.parametrize(
    "confirmation",
    [
        lambda world, rid: webhook(world, rid, STARTED),
        lambda world, rid: remember(world, rid, RUNS),
        lambda world, _: world.recorder.tracks.update({ROOM: [listed(end_at=None, start_at=NOON)]}),
        lambda world, rid: deliver(world, key_of(rid)),
    ],
    ids=["a webhook", "the list, before", "the list, now", "an object"],
)
def test_a_start_that_anybody_confirmed_is_not_stopped(
    world: MemoryWorld, confirmation: Callable[[MemoryWorld, str], object]
) -> None:
    world.recorder.script.append(LOST)
    recording_id = begun(world)
    confirmation(world, recording_id)
    until_quiet(world)

    pass_by(world, 10 * MINUTES)

    assert sent(world, "stop") == 0
    assert known(world, recording_id).phase == "recording"


@pytest.mark.parametrize("outcome", [LOST, Declined("videosdk_unreachable", "no route")])
def test_a_compensation_that_fails_is_tried_again(world: MemoryWorld, outcome: Outcome) -> None:
    world.recorder.script.extend([LOST, outcome, outcome, Accepted()])
    recording_id = begun(world)

    for _ in range(4):
        pass_by(world, 5 * MINUTES)

    assert sent(world, "stop") == 3
    assert "StopAccepted" in facts(world, recording_id)


def test_a_start_that_came_to_life_after_its_compensation_is_stopped(world: MemoryWorld) -> None:
    # The caller was told that nothing runs: nobody else will ever stop it.
    world.recorder.script.extend([LOST, NOT_STARTED])
    recording_id = begun(world)
    pass_by(world, 5 * MINUTES)
    assert known(world, recording_id).phase == "failed"

    webhook(world, recording_id, STARTED)
    until_quiet(world)
    assert known(world, recording_id).phase == "recording"
    pass_by(world, 5 * MINUTES)

    assert sent(world, "stop") == 2
    assert known(world, recording_id).phase == "stopping"


def test_a_late_life_does_not_stop_the_recording_that_came_after_it(world: MemoryWorld) -> None:
    world.recorder.script.extend([LOST, NOT_STARTED])
    first = begun(world)
    pass_by(world, 5 * MINUTES)
    second = begun(world)
    webhook(world, second, STARTED)

    webhook(world, first, STARTED)
    until_quiet(world)
    pass_by(world, 5 * MINUTES)

    assert sent(world, "stop") == 1
    assert known(world, second).phase == "recording"


STOPS: list[tuple[str, list[Outcome]]] = [
    ("its answer was lost", [LOST, LOST, Accepted()]),
    ("VideoSDK was too busy", [Declined("videosdk_rate_limited", "slow down"), Accepted()]),
    ("VideoSDK could not be reached for long", [*[Declined("videosdk_unreachable", "-")] * 9, Accepted()]),
]  # fmt: skip


@pytest.mark.parametrize("script", [s[1] for s in STOPS], ids=[s[0] for s in STOPS])
def test_a_stop_that_was_not_confirmed_is_sent_again(world: MemoryWorld, script: list[Outcome]) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    world.recorder.script.extend(script)
    with suppress(Unavailable):
        stop(world, [recording_id], "app")

    for _ in range(len(script)):
        pass_by(world, 5 * MINUTES)

    assert sent(world, "stop") == len(script)
    assert "StopAccepted" in facts(world, recording_id)


def test_a_stop_that_died_before_its_call_is_sent(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    world.tape.dies_before = len(world.tape.done) + 1
    with pytest.raises(Died):
        stop(world, [recording_id], "app")
    world.tape.dies_before = None
    assert sent(world, "stop") == 0

    pass_by(world, MINUTES)
    assert sent(world, "stop") == 0
    pass_by(world, MINUTES)

    assert sent(world, "stop") == 1


def test_what_starts_after_its_stop_was_not_needed_is_stopped(world: MemoryWorld) -> None:
    world.recorder.script.extend([LOST, NOT_STARTED])
    recording_id = begun(world)
    stop(world, [recording_id], "app")
    world.pass_time(1000)
    webhook(world, recording_id, STARTED)

    pass_by(world, 5 * MINUTES)

    assert sent(world, "stop") == 2
    assert "StopAccepted" in facts(world, recording_id)


def test_a_stop_that_was_accepted_or_not_needed_is_not_sent_again(world: MemoryWorld) -> None:
    for outcome in (Accepted(), NOT_STARTED):
        recording_id = begun(world)
        webhook(world, recording_id, STARTED)
        world.recorder.script.append(outcome)
        stop(world, [recording_id], "app")
        before = sent(world, "stop")
        pass_by(world, 5 * MINUTES)
        assert sent(world, "stop") == before
        remember(world, recording_id, stopped())


# --- rest, order and trouble ----------------------------------------------------------------------


def brought(world: MemoryWorld, recording_id: str, key: str, end: e.Event) -> None:
    """A text was delivered, and the end was told."""
    deliver(world, key, b"text")
    webhook(world, recording_id, end)


PLOTS: list[tuple[str, Callable[[MemoryWorld, str], object]]] = [
    ("nothing ever comes", lambda world, rid: stop(world, [rid], "app")),
    ("it fails", lambda world, rid: webhook(world, rid, e.RecordingFailed(at=1, session_id=SESSION))),
    ("it ends without a file", lambda world, rid: webhook(world, rid, stopped())),
    ("a file is no film", lambda world, rid: brought(world, rid, key_of(rid), stopped(FILE))),
    ("an object at no place", lambda world, rid: brought(world, rid, f"recordings/{rid}/a.txt", stopped())),
    ("the list says it ended", lambda world, rid: remember(world, rid, ended(FILE))),
]  # fmt: skip


@pytest.mark.parametrize("plot", [plot for _, plot in PLOTS], ids=[name for name, _ in PLOTS])
def test_everything_comes_to_rest_with_a_reason(
    world: MemoryWorld, plot: Callable[[MemoryWorld, str], object]
) -> None:
    recording_id = begun(world)
    plot(world, recording_id)

    for _ in range(5):
        pass_by(world, 5 * MINUTES)

    verdict = known(world, recording_id).verdict
    assert verdict.settled
    assert verdict.complete or verdict.missing
    assert not world.catalog.unsettled(10, None).items
    before = len(world.tape.done)
    assert pass_by(world) == 0
    assert len(world.tape.done) == before


def test_a_running_recording_is_looked_at_without_effect(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    world.recorder.tracks[ROOM] = [listed(end_at=None, start_at=NOON)]
    pass_by(world, 5 * MINUTES)
    before, done = known(world, recording_id), list(world.tape.done)

    assert pass_by(world, 5 * MINUTES) == 1

    assert known(world, recording_id) == before
    assert world.tape.done == done


def test_one_that_can_not_be_looked_at_does_not_keep_the_others_waiting(world: MemoryWorld) -> None:
    started = [r["recordingId"] for r in _begun_all(world)]
    for recording_id in started:
        remember(world, recording_id, ended())
    broken = f"recordings/{started[0]}/"

    class Sick(MemoryInbox):
        """One folder can not be listed."""

        def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
            if prefix == broken:
                raise Unavailable("bucket_unavailable", "S3 can not be reached")
            return super().under(prefix, after)

    world.inbox = Sick(world.tape, world.now)

    with pytest.raises(ExceptionGroup) as trouble:
        reconcile(world, lambda: True)

    assert [str(fault) for fault in trouble.value.exceptions] == ["bucket_unavailable: S3 can not be reached"]
    until_quiet(world)
    assert [known(world, rid).phase for rid in started[1:]] == ["done"] * 3


def _begun_all(world: MemoryWorld) -> list[dict[str, str]]:
    told: list[dict[str, str]] = start(world, ALL, "app", "https://api.example")["recordings"]
    return told


# --- rounds ---------------------------------------------------------------------------------------


def only(many: int) -> Callable[[], bool]:
    """Time for so many recordings."""
    left = iter([True] * many)
    return lambda: next(left, False)


def crowd(world: MemoryWorld, many: int) -> list[str]:
    """Recordings of many participants, asked for one after the other, of which nothing is heard."""
    begun_ids = []
    for number in range(many):
        world.pass_time(1)
        begun_ids.append(begun(world, Wanted(ROOM, f"guest-{number:03}", AUDIO.kinds)))
    return begun_ids


def looked_at(world: MemoryWorld, more_time: Callable[[], bool]) -> list[str]:
    """Whom a round looked at, in its order."""
    seen: list[str] = []

    class Watched(MemoryInbox):
        """Notes whose folder is listed first."""

        def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
            if prefix.startswith("recordings/"):
                seen.append(prefix.split("/")[1])
            return super().under(prefix, after)

    world.inbox = Watched(world.tape, world.now)
    assert reconcile(world, more_time) == len(seen)
    return seen


def test_it_stops_when_its_time_is_up(world: MemoryWorld) -> None:
    _begun_all(world)

    assert reconcile(world, only(2)) == 2


@pytest.mark.parametrize(("many", "at_once"), [(7, 3), (60, 25), (60, 1), (3, 3), (5, 4)])
def test_more_than_one_round_can_look_at_are_looked_at_by_turns(
    world: MemoryWorld, many: int, at_once: int
) -> None:
    crowded = crowd(world, many)
    rounds = -(-many // at_once)

    seen = [rid for _ in range(rounds) for rid in looked_at(world, only(at_once))]

    assert seen[:many] == crowded
    assert seen[many:] == crowded[: len(seen) - many]


def test_a_round_that_has_time_again_turns_to_those_that_it_began_behind(world: MemoryWorld) -> None:
    crowded = crowd(world, 40)
    looked_at(world, only(30))

    assert looked_at(world, lambda: True) == crowded[30:] + crowded[:30]
    assert looked_at(world, lambda: True) == crowded


def test_who_comes_while_others_are_stuck_is_looked_at_in_the_end(world: MemoryWorld) -> None:
    crowd(world, 10)
    looked_at(world, only(4))
    newest = begun(world)

    assert newest in looked_at(world, only(7))


def test_the_place_is_kept_only_while_there_is_one(world: MemoryWorld) -> None:
    def kept() -> int:
        return world.tape.done.count("catalog.keep_bookmark reconcile")

    crowd(world, 5)
    reconcile(world, lambda: True)
    assert kept() == 0
    reconcile(world, only(2))
    reconcile(world, only(0))
    assert kept() == 1
    reconcile(world, lambda: True)
    assert kept() == 2
    reconcile(world, lambda: True)
    assert kept() == 2


def test_a_place_whose_recordings_are_settled_is_no_trouble(world: MemoryWorld) -> None:
    crowded = crowd(world, 6)
    reconcile(world, only(4))
    for recording_id in crowded[2:]:
        remember(world, recording_id, ended(), STARTED)
    until_quiet(world)

    assert looked_at(world, lambda: True) == crowded[:2]


def test_one_that_can_never_be_looked_at_does_not_hold_the_rounds_up(world: MemoryWorld) -> None:
    crowded = crowd(world, 3)
    world.broken("inbox.under")
    with pytest.raises(ExceptionGroup):
        reconcile(world, only(1))
    world.broken()

    assert looked_at(world, only(2)) == crowded[1:]


# --- hurried rounds -------------------------------------------------------------------------------


def test_a_hurried_round_asks_videosdk_and_the_bucket_only_about_who_may_run_and_should_not(
    world: MemoryWorld,
) -> None:
    running = begun(world)
    webhook(world, running, STARTED)
    over = begun(world, Wanted(ROOM, "cora", AUDIO.kinds))
    remember(world, over, stopped(FILE))
    world.recorder.script.extend([LOST, NOT_STARTED])
    doubtful = begun(world, Wanted(ROOM, "bela", AUDIO.kinds))
    until_quiet(world)
    world.recorder = recorder = Counting(world)
    world.recorder.script.append(NOT_STARTED)
    world.pass_time(2 * MINUTES)

    assert reconcile(world, lambda: True, hurried=True) == 3

    assert recorder.asked == [(ROOM, None, "bela")]
    assert recorder.sent == [("stop", ROOM, "bela", "audio")]
    assert known(world, doubtful).phase == "failed"


def test_a_hurried_round_does_not_disturb_the_others(world: MemoryWorld) -> None:
    crowded = crowd(world, 6)
    looked_at(world, only(2))
    reconcile(world, only(1), hurried=True)

    assert looked_at(world, only(2)) == crowded[2:4]
    assert world.tape.done.count("catalog.keep_bookmark hurry") == 1


def test_a_hurried_round_in_which_all_is_well_writes_nothing(world: MemoryWorld) -> None:
    webhook(world, begun(world), STARTED)
    until_quiet(world)
    before = list(world.tape.done)

    reconcile(world, lambda: True, hurried=True)

    assert world.tape.done == before


# --- how often VideoSDK is asked ------------------------------------------------------------------


class Counting(ScriptedRecorder):
    """Notes what the list is asked."""

    def __init__(self, world: MemoryWorld, fails: Exception | None = None) -> None:
        super().__init__(world.tape)
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.fails = fails

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        self.asked.append((room_id, session_id, participant_id))
        if self.fails:
            raise self.fails
        return super().listed(room_id, session_id=session_id, participant_id=participant_id)


def test_the_list_is_asked_once_for_all_kinds_of_a_participant(world: MemoryWorld) -> None:
    world.recorder = recorder = Counting(world)
    _begun_all(world)

    reconcile(world, lambda: True)

    assert recorder.asked == [(ROOM, None, WHO)]


def test_where_many_of_a_session_want_to_know_its_list_is_asked_once_for_all(world: MemoryWorld) -> None:
    crowded = crowd(world, 30)
    for recording_id in crowded:
        remember(world, recording_id, STARTED)
    world.recorder = recorder = Counting(world)
    world.recorder.tracks[ROOM] = [
        listed(f"{rid}/{FILE}", participant_id=f"guest-{number:03}", listed_id=rid)
        for number, rid in enumerate(crowded)
    ]

    reconcile(world, lambda: True)

    assert [who for _, _, who in recorder.asked] == ["guest-000", "guest-001", "guest-002", "guest-003", None]
    assert all("RecordingEnded" in facts(world, rid) for rid in crowded)


def test_a_list_that_is_too_long_to_be_given_whole_is_asked_one_by_one(world: MemoryWorld) -> None:
    crowded = crowd(world, 8)
    for recording_id in crowded:
        remember(world, recording_id, STARTED)

    class Endless(Counting):
        """Nobody gets the whole of it."""

        def listed(
            self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
        ) -> Iterator[Listed]:
            self.fails = None if participant_id else Unavailable("videosdk_unavailable", "too many pages")
            return super().listed(room_id, session_id=session_id, participant_id=participant_id)

    world.recorder = recorder = Endless(world)

    reconcile(world, lambda: True)

    assert [who for _, _, who in recorder.asked].count(None) == 1
    assert len(recorder.asked) == 8 + 1


def test_an_answer_does_not_serve_for_longer_than_it_is_fresh(world: MemoryWorld) -> None:
    # What began after the list was given must not be stopped because the list did not have it.
    _begun_all(world)
    world.recorder = recorder = Counting(world)

    def slow() -> bool:
        world.pass_time(20_000)
        return True

    reconcile(world, slow)

    assert len(recorder.asked) == 2


def test_a_videosdk_that_does_not_answer_is_left_alone_for_the_rest_of_the_round(world: MemoryWorld) -> None:
    crowd(world, 20)
    world.recorder = recorder = Counting(world, Unavailable("videosdk_unavailable", "it answered 429"))

    assert reconcile(world, lambda: True) == 20
    assert len(recorder.asked) == 2
    assert reconcile(world, lambda: True) == 20
    assert len(recorder.asked) == 4


def test_a_question_without_an_answer_now_and_then_silences_nobody(world: MemoryWorld) -> None:
    crowd(world, 20)

    class Shaky(Counting):
        """Answers every second question."""

        def listed(
            self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
        ) -> Iterator[Listed]:
            odd = len(self.asked) % 2
            self.fails = Unavailable("videosdk_unavailable", "it answered 503") if odd else None
            return super().listed(room_id, session_id=session_id, participant_id=participant_id)

    world.recorder = recorder = Shaky(world)

    reconcile(world, lambda: True)

    assert len(recorder.asked) == 20


def test_a_room_that_videosdk_does_not_know_keeps_no_other_from_being_asked_about(world: MemoryWorld) -> None:
    crowd(world, 20)
    world.recorder = recorder = Counting(world, BadGateway("videosdk_refused", "VideoSDK answered 404"))

    reconcile(world, lambda: True)

    assert len(recorder.asked) == 20


@pytest.mark.parametrize("code", ["videosdk_rate_limited", "videosdk_unreachable"])
def test_a_videosdk_that_can_not_take_a_stop_is_sent_no_other_in_this_round(
    world: MemoryWorld, code: str
) -> None:
    world.recorder.script.extend([LOST] * 6)
    crowd(world, 6)
    world.pass_time(5 * MINUTES)
    world.recorder.script.append(Declined(code, "not now"))

    reconcile(world, lambda: True)
    assert sent(world, "stop") == 1
    reconcile(world, lambda: True)

    assert sent(world, "stop") == 1 + 6


def test_a_list_that_raises_what_nobody_expected_ends_no_round(world: MemoryWorld) -> None:
    crowded = crowd(world, 4)
    world.recorder = Counting(world, ValueError("a bug"))

    with pytest.raises(ExceptionGroup) as trouble:
        reconcile(world, lambda: True)

    [bug, *_] = trouble.value.exceptions
    assert bug.__notes__ == [f"while looking at {rid}" for rid in crowded]


# --- who was never heard of again -----------------------------------------------------------------

DAY = 24 * 60 * MINUTES
LIVES: list[tuple[str, list[e.Event]]] = [
    ("only its start was accepted", []),
    ("it was starting", [replace(STARTING, at=NOON)]),
    ("it ran", [replace(STARTED, at=NOON)]),
    ("the list once had it", [replace(RUNS, at=NOON)]),
    ("somebody was stopping it", [replace(STOPPING, at=NOON)]),
]


@pytest.mark.parametrize("lived", [life for _, life in LIVES], ids=[name for name, _ in LIVES])
@pytest.mark.parametrize("answer", [Accepted(), NOT_STARTED], ids=["it is stopped", "nothing ran"])
def test_who_is_not_heard_of_for_a_day_is_stopped_and_given_up(
    world: MemoryWorld, lived: list[e.Event], answer: Outcome
) -> None:
    recording_id = begun(world)
    remember(world, recording_id, *lived)
    until_quiet(world)
    world.recorder.script.append(answer)

    pass_by(world, DAY - MINUTES)
    assert sent(world, "stop") == 0
    pass_by(world, MINUTES)
    assert sent(world, "stop") == 1
    pass_by(world, 16 * MINUTES)

    assert reasons(world, recording_id) == {"unproven"}
    assert known(world, recording_id).phase == "done"
    assert at_rest(world)
    assert sent(world, "stop") == 1


def test_who_is_in_the_list_is_not_stopped_however_long_nobody_spoke_of_it(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(end_at=None, start_at=NOON)]

    for _ in range(10):
        pass_by(world, DAY)

    assert sent(world, "stop") == 0
    assert known(world, recording_id).phase == "recording"
    world.recorder.tracks.clear()
    pass_by(world, MINUTES)
    assert sent(world, "stop") == 1


def test_while_the_list_can_not_be_asked_nobody_is_stopped_for_their_silence(world: MemoryWorld) -> None:
    begun(world)
    world.broken("recorder.listed")

    for _ in range(5):
        pass_by(world, DAY)

    assert sent(world, "stop") == 0


def test_who_was_overtaken_is_given_up_without_a_stop(world: MemoryWorld) -> None:
    # A stop would end the recording that has its place now.
    first = begun(world)
    webhook(world, first, replace(STOPPING, at=NOON))
    second = begun(world)
    webhook(world, second, STARTED)
    assert first != second
    running = listed(end_at=None, start_at=NOON, listed_id=second)

    for _ in range(3):
        world.recorder.tracks[ROOM] = [replace(running, files=(f"{second}/{FILE}",))]
        pass_by(world, DAY)

    assert sent(world, "stop") == 0
    assert reasons(world, first) == {"unproven"}
    assert known(world, second).phase == "recording"


def test_who_can_not_be_stopped_is_given_up_after_two_days(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.of_kind["audio"] = Declined("videosdk_refused", "the room is gone")

    pass_by(world, DAY)
    assert not known(world, recording_id).verdict.settled
    pass_by(world, DAY)

    assert reasons(world, recording_id) == {"unproven"}
    assert at_rest(world)


def test_an_end_is_not_given_up_while_the_list_can_not_be_asked(world: MemoryWorld) -> None:
    recording_id = begun(world)
    stop(world, [recording_id], "app")
    deliver(world, key_of(recording_id))
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]
    world.broken("recorder.listed")
    pass_by(world, 60 * MINUTES)
    assert reasons(world, recording_id) == {"still_open"}

    world.broken()
    pass_by(world, 5 * MINUTES)

    assert known(world, recording_id).verdict.complete


def test_a_list_that_can_not_be_asked_for_a_day_is_waited_for_no_longer(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, stopped(FILE))
    deliver(world, key_of(recording_id))
    world.broken("recorder.listed")

    pass_by(world, DAY)

    verdict = known(world, recording_id).verdict
    assert (verdict.complete, [f.reason for f in verdict.odd]) == (True, ["unconfirmed_by_list"])


# --- what was given up ----------------------------------------------------------------------------


def given_up(world: MemoryWorld, at: int) -> e.WorkGivenUp:
    """The delivered file was tried in vain."""
    [thing] = world.inbox.under("")
    return e.WorkGivenUp(
        at=at, product="repaired", target="t", key=thing.key, etag=thing.etag, tries=3, reason="it broke",
        session_id=SESSION, participant_id=WHO, kind=Kind.AUDIO, file=FILE,
    )  # fmt: skip


def test_a_file_that_was_given_up_is_not_queued_again_unless_it_is_redriven(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id), silently=True)
    remember(world, recording_id, given_up(world, world.now()))
    world.broken("recorder.listed")

    reconcile(world, lambda: True)
    assert not world.work.objects
    world.pass_time(1000)
    remember(world, recording_id, e.WorkRedriven(at=world.now(), target="t", by="operator"))
    reconcile(world, lambda: True)

    assert [thing.key for thing in world.work.objects] == [key_of(recording_id)]


# --- and rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", range(12))
def test_a_reconciler_killed_anywhere_is_made_good_by_the_next(world: MemoryWorld, effects: int) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id), silently=True)
    webhook(world, recording_id, stopped(FILE, "never.webm"))
    until_quiet(world)
    world.pass_time(16 * MINUTES)

    world.tape.dies_before = len(world.tape.done) + effects
    with suppress(Died):
        pass_by(world)
    world.tape.dies_before = None
    until_quiet(world)
    pass_by(world)

    assert reasons(world, recording_id) == {"not_delivered"}
    assert known(world, recording_id).phase == "done"


# --- finishing ------------------------------------------------------------------------------------


def test_finishing_makes_what_was_never_made(world: MemoryWorld) -> None:
    clip = FILE.replace("audio", "video")
    recording_id = begun(world, Wanted(ROOM, WHO, (Kind.VIDEO,)))
    deliver(world, key_of(recording_id, clip, kind="video"), film(kind="video"))
    ingest(world, world.work.objects.popleft())
    world.work.steps.clear()
    until_quiet(world)

    finish_session(world, SESSION, ("poster",), "app")
    until_quiet(world)

    assert "ArtifactMade" in facts(world, recording_id)
    told = world.ledger.read(session_subject(SESSION))
    assert [fact.by for fact in told if isinstance(fact, e.FinishRequested)] == ["app"]
