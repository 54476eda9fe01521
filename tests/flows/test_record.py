"""Starting and stopping: the intent is on paper before VideoSDK is asked, and its outcome after."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Barrier

import pytest

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import (
    BadGateway,
    KeyReused,
    NotFound,
    NotNow,
    TracklaneError,
    Unavailable,
)
from chalicelib.core.ids import Kind
from chalicelib.flows.record import Once, Wanted, holders, read, start, stop
from chalicelib.ports import (
    Accepted,
    Claim,
    Declined,
    Opening,
    Outcome,
    Taken,
    Unconfirmed,
    recording_subject,
)
from tests.builders import ROOM, SESSION, STARTED, WHO, ended, listed, stopped
from tests.fakes import Died, MemoryCatalog, MemoryWorld
from tests.flows.stage import ABOUT, ALL, AUDIO, URL, begun, facts, known, pass_by, remember, until_quiet

LOST = Unconfirmed("no answer within 5 s")
ONCE = Once("key-1", "digest-1")


def declined(code: str) -> Declined:
    """VideoSDK says no."""
    return Declined(code, f"{code}, as VideoSDK words it")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


# --- start ----------------------------------------------------------------------------------------


def test_the_intent_is_written_before_and_the_outcome_after_the_call(world: MemoryWorld) -> None:
    begun(world)

    assert world.tape.done == ["catalog.open audio", "recorder.start audio", "ledger.append StartAccepted"]


def test_videosdk_is_given_the_recordings_own_address_and_folder(world: MemoryWorld) -> None:
    recording_id = begun(world)

    [url], [path] = world.recorder.webhook_urls, world.recorder.bucket_dir_paths
    assert path == f"recordings/{recording_id}"
    token = url.removeprefix(f"{URL}/webhooks/videosdk/")
    assert ids.recording_of_token(world.tag_key, token) == recording_id
    assert ids.token_agrees(world.tag_key, token, ABOUT)


def test_the_answer_is_the_recording(world: MemoryWorld) -> None:
    [told] = start(world, AUDIO, "app", URL)["recordings"]

    assert (told["roomId"], told["participantId"], told["kind"]) == ABOUT
    assert (told["phase"], told["requestedAt"]) == ("starting", world.clock)


STARTS: list[tuple[str, Outcome, str, type[TracklaneError] | None]] = [
    ("accepted", Accepted(), "StartAccepted", None),
    ("lost", LOST, "StartUnconfirmed", None),
    ("not joined", declined("participant_not_joined"), "StartRefused", NotNow),
    ("no session", declined("no_active_session"), "StartRefused", NotNow),
    ("no room", declined("room_not_found"), "StartRefused", NotFound),
    ("refused", declined("videosdk_refused"), "StartRefused", BadGateway),
    ("unauthorized", declined("videosdk_unauthorized"), "StartRefused", BadGateway),
    ("rate limited", declined("videosdk_rate_limited"), "StartRefused", Unavailable),
    ("unreachable", declined("videosdk_unreachable"), "StartRefused", Unavailable),
    ("a new reason", declined("something_new"), "StartRefused", BadGateway),
]


@pytest.mark.parametrize(("outcome", "fact", "raised"), [s[1:] for s in STARTS], ids=[s[0] for s in STARTS])
def test_each_outcome_of_a_start_is_a_fact_and_an_answer(
    world: MemoryWorld, outcome: Outcome, fact: str, raised: type[TracklaneError] | None
) -> None:
    world.recorder.script.append(outcome)

    if raised is None:
        begun(world)
    else:
        with pytest.raises(raised, match="as VideoSDK words it"):
            begun(world)

    held = world.catalog.holder(*ABOUT)
    assert held is not None
    assert facts(world, held) == sorted(["RecordingRequested", fact])


def test_a_refusal_keeps_its_exact_class(world: MemoryWorld) -> None:
    world.recorder.script.append(declined("videosdk_rate_limited"))

    with pytest.raises(Unavailable) as refusal:
        begun(world)

    assert type(refusal.value) is Unavailable


def test_kinds_that_are_partly_refused_are_told_apart(world: MemoryWorld) -> None:
    world.recorder.of_kind = {"video": declined("participant_not_joined"), "screen_audio": LOST}

    told = start(world, ALL, "app", URL)["recordings"]

    assert [r["phase"] for r in told] == ["starting", "failed", "requested", "starting"]
    assert [r["kind"] for r in told] == list(ids.KINDS)
    assert told[1]["failure"]["code"] == "participant_not_joined"


def test_when_every_kind_is_refused_the_first_refusal_is_raised(world: MemoryWorld) -> None:
    world.recorder.of_kind = dict.fromkeys(ids.KINDS, declined("videosdk_refused"))
    world.recorder.of_kind["audio"] = declined("room_not_found")

    with pytest.raises(NotFound, match="room_not_found"):
        start(world, ALL, "app", URL)


def test_videosdk_is_asked_for_all_kinds_at_once(world: MemoryWorld) -> None:
    everybody_is_here = Barrier(len(ids.KINDS))

    def slow() -> Accepted:
        everybody_is_here.wait(timeout=5)
        return Accepted()

    world.recorder.script.extend([slow] * len(ids.KINDS))

    assert [r["kind"] for r in start(world, ALL, "app", URL)["recordings"]] == list(ids.KINDS)


def test_a_running_recording_is_returned_and_nothing_is_sent(world: MemoryWorld) -> None:
    recording_id = begun(world)
    done = len(world.tape.done)

    again = begun(world)

    assert again == recording_id
    assert world.recorder.sent == [("start", *ABOUT)]
    assert world.tape.done[done:] == ["catalog.open audio"]


def test_kinds_that_run_and_kinds_that_do_not_are_answered_in_order(world: MemoryWorld) -> None:
    recording_id = begun(world, Wanted(ROOM, WHO, (Kind.SCREEN_AUDIO,)))

    told = start(world, ALL, "app", URL)["recordings"]

    assert [r["kind"] for r in told] == list(ids.KINDS)
    assert told[2]["recordingId"] == recording_id
    assert len(world.recorder.sent) == 4


@pytest.mark.parametrize("end", [stopped(), ended(), e.RecordingFailed(at=9, session_id=SESSION)])
def test_over_an_ended_recording_another_begins(world: MemoryWorld, end: e.Event) -> None:
    first = begun(world)
    remember(world, first, end)

    second = begun(world)

    assert second != first
    assert world.catalog.holder(*ABOUT) == second
    assert len(world.recorder.sent) == 2


@pytest.mark.parametrize(
    "word",
    [
        e.StopAccepted(at=9),
        e.StopUnneeded(at=9, message="not started"),
        e.RecordingStopping(at=9, session_id=SESSION),
    ],
)
def test_right_after_a_stop_another_begins_before_its_end_was_heard(
    world: MemoryWorld, word: e.Event
) -> None:
    first = begun(world)
    remember(world, first, word)

    assert begun(world) != first
    assert len(world.recorder.sent) == 2


def test_over_a_refused_one_another_begins(world: MemoryWorld) -> None:
    world.recorder.script.append(declined("participant_not_joined"))
    with pytest.raises(NotNow):
        begun(world)

    assert known(world, begun(world)).phase == "starting"


def test_another_participants_kind_is_another_slot(world: MemoryWorld) -> None:
    assert begun(world) != begun(world, replace(AUDIO, participant_id="bela"))


def test_a_slot_whose_end_nobody_told_us_of_is_asked_about(world: MemoryWorld) -> None:
    # Anna left, the webhook was lost, and she is back: to record nothing of her would be worse than to ask.
    first = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{first}/a.webm")]
    world.pass_time(2_000)

    second = begun(world)

    assert second != first
    assert "RecordingEnded" in facts(world, first)


def test_a_slot_that_videosdk_says_is_running_stays_as_it_is(world: MemoryWorld) -> None:
    first = begun(world)
    world.recorder.tracks[ROOM] = [listed(end_at=None, start_at=world.clock)]
    world.pass_time(120_000)

    assert begun(world) == first
    assert len(world.recorder.sent) == 1


def test_a_slot_of_which_videosdk_can_not_be_asked_stays_as_it_is(world: MemoryWorld) -> None:
    first = begun(world)
    world.pass_time(120_000)
    world.broken("recorder.listed")

    assert begun(world) == first


# --- once -----------------------------------------------------------------------------------------


def test_the_same_key_gets_the_same_answer_and_nothing_is_done_again(world: MemoryWorld) -> None:
    first = start(world, ALL, "app", URL, ONCE)
    world.pass_time(1000)
    remember(world, first["recordings"][0]["recordingId"], replace(STARTED, at=world.clock))

    again = start(world, ALL, "app", URL, ONCE)

    assert json.dumps(again) == json.dumps(first)
    assert len(world.recorder.sent) == 4


def test_the_same_key_after_the_end_still_gets_its_answer(world: MemoryWorld) -> None:
    first = start(world, AUDIO, "app", URL, ONCE)
    world.pass_time(1000)
    remember(world, first["recordings"][0]["recordingId"], stopped(at=world.clock))

    assert start(world, AUDIO, "app", URL, ONCE) == first
    assert len(world.recorder.sent) == 1


def test_the_same_key_gets_the_answer_to_a_start_that_was_taken_back_since(world: MemoryWorld) -> None:
    world.recorder.script.extend([Unconfirmed("no answer"), declined("not_started")])
    first = start(world, AUDIO, "app", URL, ONCE)
    for _ in range(2):
        pass_by(world, 100_000)
    [recording_id] = [told["recordingId"] for told in first["recordings"]]
    assert known(world, recording_id).refused

    assert start(world, AUDIO, "app", URL, ONCE) == first


def test_the_same_key_gets_the_answer_about_what_was_running_then(world: MemoryWorld) -> None:
    running = begun(world)
    world.pass_time(1000)
    remember(world, running, replace(STARTED, at=world.clock))
    first = start(world, ALL, "app", URL, ONCE)
    world.pass_time(1000)
    remember(world, running, stopped(at=world.clock))

    assert start(world, ALL, "app", URL, ONCE) == first


def test_the_same_key_with_another_body_is_refused(world: MemoryWorld) -> None:
    start(world, AUDIO, "app", URL, ONCE)

    with pytest.raises(KeyReused, match="idempotency_key_reused"):
        start(world, ALL, "app", URL, Once("key-1", "digest-2"))

    assert len(world.recorder.sent) == 1


def test_a_key_under_which_nothing_began_is_refused_with_another_body_too(world: MemoryWorld) -> None:
    begun(world)
    start(world, AUDIO, "app", URL, ONCE)

    with pytest.raises(KeyReused, match="idempotency_key_reused"):
        start(world, AUDIO, "app", URL, Once("key-1", "digest-2"))


def test_the_same_key_of_another_caller_is_another_key(world: MemoryWorld) -> None:
    start(world, AUDIO, "app", URL, ONCE)

    start(world, replace(AUDIO, participant_id="bela"), "other app", URL, ONCE)

    assert len(world.recorder.sent) == 2


def test_a_refusal_is_repeated_under_its_key(world: MemoryWorld) -> None:
    world.recorder.script.append(declined("participant_not_joined"))

    for _ in range(2):
        with pytest.raises(NotNow, match="participant_not_joined"):
            start(world, AUDIO, "app", URL, ONCE)

    assert len(world.recorder.sent) == 1


def test_a_key_is_free_again_after_a_day(world: MemoryWorld) -> None:
    first = begun(world)
    start(world, AUDIO, "app", URL, ONCE)
    remember(world, first, stopped())
    world.pass_time(86_400_001)

    [told] = start(world, AUDIO, "app", URL, Once("key-1", "digest-2"))["recordings"]

    assert told["recordingId"] != first


@pytest.mark.parametrize("effects", range(3))
def test_a_start_killed_anywhere_is_never_sent_twice_under_its_key(world: MemoryWorld, effects: int) -> None:
    world.tape.dies_before = effects
    with pytest.raises(Died):
        start(world, AUDIO, "app", URL, ONCE)
    world.tape.dies_before = None

    [told] = start(world, AUDIO, "app", URL, ONCE)["recordings"]

    # Before the claim nothing was done; after it nobody knows whether it was sent, and it is not sent again.
    assert told["phase"] == ("starting" if effects == 0 else "requested")
    assert len(world.recorder.sent) == (0 if effects == 1 else 1)


@pytest.mark.parametrize("effects", range(3))
def test_a_start_killed_anywhere_comes_to_rest(world: MemoryWorld, effects: int) -> None:
    world.tape.dies_before = effects
    with pytest.raises(Died):
        begun(world)
    world.tape.dies_before = None
    running = len(world.recorder.sent) == 1

    world.recorder.script.append(Accepted() if running else declined("not_started"))
    for _ in range(8):
        pass_by(world, 300_000)

    assert not world.catalog.unsettled(10, None).items
    assert [command for command, *_ in world.recorder.sent].count("start") == int(running)
    assert [command for command, *_ in world.recorder.sent].count("stop") == int(effects > 0)


# --- two at once ----------------------------------------------------------------------------------


def test_of_two_starts_at_once_one_is_sent(world: MemoryWorld) -> None:
    told: list[str] = []

    def meanwhile() -> Outcome:
        told.append(begun(world))
        return Accepted()

    world.recorder.script.append(meanwhile)
    told.append(begun(world))

    assert len(set(told)) == 1
    assert len(world.recorder.sent) == 1


def test_a_slot_that_changes_hands_at_every_look_is_given_up_politely(world: MemoryWorld) -> None:
    class Busy(MemoryCatalog):
        """Somebody else always begins and ends a recording just before us."""

        def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
            for opening in openings:
                rival = replace(opening, recording_id=ids.recording_id(world.random()), over=None)
                self._begin(rival)
                remember(world, rival.recording_id, stopped())
            return super().open(openings, claim)

    world.catalog = Busy(world.ledger)

    with pytest.raises(Unavailable, match="slot_busy"):
        begun(world)
    assert world.recorder.sent == []


# --- stop -----------------------------------------------------------------------------------------

STOPS: list[tuple[str, Outcome, str, type[TracklaneError] | None]] = [
    ("accepted", Accepted(), "StopAccepted", None),
    ("lost", LOST, "StopUnconfirmed", None),
    ("not started", declined("not_started"), "StopUnneeded", None),
    ("gone", declined("participant_not_joined"), "StopUnneeded", None),
    ("no session", declined("no_active_session"), "StopUnneeded", None),
    ("no room", declined("room_not_found"), "StopUnneeded", None),
    ("refused", declined("videosdk_refused"), "", BadGateway),
    ("unauthorized", declined("videosdk_unauthorized"), "", BadGateway),
    ("rate limited", declined("videosdk_rate_limited"), "", Unavailable),
    ("unreachable", declined("videosdk_unreachable"), "", Unavailable),
]


@pytest.mark.parametrize(("outcome", "fact", "raised"), [s[1:] for s in STOPS], ids=[s[0] for s in STOPS])
def test_each_outcome_of_a_stop_is_a_fact_or_raised(
    world: MemoryWorld, outcome: Outcome, fact: str, raised: type[TracklaneError] | None
) -> None:
    recording_id = begun(world)
    remember(world, recording_id, STARTED)
    world.recorder.script.append(outcome)

    def ask() -> None:
        [told] = stop(world, [recording_id], "app")["recordings"]
        assert told["phase"] == "stopping"

    if raised is None:
        ask()
    else:
        with pytest.raises(raised, match="as VideoSDK words it"):
            ask()

    told = set(facts(world, recording_id)) - {"RecordingRequested", "StartAccepted", "RecordingStarted"}
    assert told == {"StopRequested", fact} - {""}


def test_a_stops_intent_is_written_before_the_call(world: MemoryWorld) -> None:
    recording_id = begun(world)
    done = len(world.tape.done)

    stop(world, [recording_id], "app")

    effects = ["ledger.append StopRequested", "recorder.stop audio", "ledger.append StopAccepted"]
    assert world.tape.done[done:] == effects


ENDS: list[tuple[str, Callable[[MemoryWorld, str], object]]] = [
    ("the webhook told its end", lambda world, rid: remember(world, rid, stopped())),
    ("the list told its end", lambda world, rid: remember(world, rid, ended())),
    ("it failed", lambda world, rid: remember(world, rid, e.RecordingFailed(at=9, session_id=SESSION))),
    ("it was stopped", lambda world, rid: stop(world, [rid], "app")),
]


@pytest.mark.parametrize("end", [end for _, end in ENDS], ids=[name for name, _ in ENDS])
def test_stopping_what_is_stopped_succeeds_and_sends_nothing(
    world: MemoryWorld, end: Callable[[MemoryWorld, str], object]
) -> None:
    recording_id = begun(world)
    end(world, recording_id)
    before, sent = facts(world, recording_id), len(world.recorder.sent)

    [told] = stop(world, [recording_id], "app")["recordings"]

    assert told["recordingId"] == recording_id
    assert (facts(world, recording_id), len(world.recorder.sent)) == (before, sent)


@pytest.mark.parametrize("outcome", [LOST, declined("not_started"), declined("videosdk_rate_limited")])
def test_a_stop_that_may_not_have_worked_can_be_asked_for_again(world: MemoryWorld, outcome: Outcome) -> None:
    recording_id = begun(world)
    world.recorder.script.append(outcome)
    with suppress(Unavailable):
        stop(world, [recording_id], "app")

    stop(world, [recording_id], "app")

    assert world.recorder.sent[1:] == [("stop", *ABOUT)] * 2
    assert "StopAccepted" in facts(world, recording_id)


def test_a_stop_never_reaches_the_recording_that_came_after(world: MemoryWorld) -> None:
    first = begun(world)
    world.recorder.script.append(declined("not_started"))
    stop(world, [first], "app")
    second = begun(world)
    assert second != first

    stop(world, [first], "app")

    assert [command for command, *_ in world.recorder.sent] == ["start", "stop", "start"]


def test_several_recordings_are_stopped_in_one_go(world: MemoryWorld) -> None:
    started = [r["recordingId"] for r in start(world, ALL, "app", URL)["recordings"]]

    told = stop(world, holders(world, ALL), "app")["recordings"]

    assert [r["recordingId"] for r in told] == started
    assert {r["phase"] for r in told} == {"stopping"}


def test_what_was_never_recorded_can_not_be_stopped(world: MemoryWorld) -> None:
    begun(world)

    with pytest.raises(NotFound, match="video, screen_audio, screen_video of anna was never recorded"):
        holders(world, ALL)


def test_an_unknown_recording_is_not_found(world: MemoryWorld) -> None:
    with pytest.raises(NotFound, match="recording_not_found"):
        stop(world, ["rec-" + "f" * 32], "app")
    with pytest.raises(NotFound, match="recording_not_found"):
        read(world, "rec-" + "f" * 32)


def test_what_we_did_not_start_we_can_not_stop(world: MemoryWorld) -> None:
    remember(world, "rec-" + "a" * 32, stopped("a.webm"))

    with pytest.raises(NotNow, match="not_ours"):
        stop(world, ["rec-" + "a" * 32], "app")
    assert world.recorder.sent == []


def test_a_stop_without_a_ledger_is_not_sent(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.broken("ledger.append")

    with pytest.raises(Unavailable):
        stop(world, [recording_id], "app")
    assert len(world.recorder.sent) == 1


def test_a_start_without_a_ledger_is_not_sent(world: MemoryWorld) -> None:
    world.broken("catalog.open")

    with pytest.raises(Unavailable):
        begun(world)
    assert world.recorder.sent == []


def test_a_start_whose_outcome_can_not_be_written_is_not_forgotten(world: MemoryWorld) -> None:
    world.broken("ledger.append")
    with pytest.raises(Unavailable):
        begun(world)
    world.broken()

    held = world.catalog.holder(*ABOUT)

    assert held is not None
    assert facts(world, held) == ["RecordingRequested"]
    assert world.ledger.subjects() == [recording_subject(held)]
    until_quiet(world)
    assert [head.recording_id for head in world.catalog.unsettled(10, None).items] == [held]
