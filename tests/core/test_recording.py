"""What is asked of a recording's facts: phase and verdict, whatever the order and however often told."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import encoded, manifest
from chalicelib.core.recording import SAYS, Phase, Recording
from chalicelib.core.session import Session
from chalicelib.core.verdict import REASONS
from tests.builders import (
    ACCEPTED,
    ASKED,
    END_OVERDUE,
    FAILED,
    ODD,
    REFUSED,
    RID,
    RUNS,
    SESSION,
    STARTED,
    STARTING,
    STOP_ACCEPTED,
    STOP_ASKED,
    STOP_UNCONFIRMED,
    STOP_UNNEEDED,
    STOPPING,
    UNCONFIRMED,
    ZERO,
    A,
    B,
    C,
    ended,
    given_up,
    overdue,
    rejected,
    stopped,
    stored,
)

REDRIVEN = e.WorkRedriven(at=26, target=given_up(A).target, by="ops")
NEVER_WAS = e.StartRefused(at=9, code="never_started", message="nobody confirmed it")

PHASES: list[tuple[str, list[e.Event], Phase]] = [
    ("nothing is known", [], Phase.REQUESTED),
    ("asked for", [ASKED], Phase.REQUESTED),
    ("the answer was lost", [ASKED, UNCONFIRMED], Phase.REQUESTED),
    ("accepted", [ASKED, ACCEPTED], Phase.STARTING),
    ("the answer was lost, the webhook was not", [ASKED, UNCONFIRMED, STARTING], Phase.STARTING),
    ("it runs", [ASKED, ACCEPTED, STARTING, STARTED], Phase.RECORDING),
    ("only the list knows that it runs", [ASKED, UNCONFIRMED, RUNS], Phase.RECORDING),
    ("a segment came before any word", [ASKED, stored(A)], Phase.RECORDING),
    ("a broken segment came before any word", [ASKED, rejected(A)], Phase.RECORDING),
    ("a segment came before any word and was given up", [ASKED, given_up(A)], Phase.RECORDING),
    ("refused", [ASKED, REFUSED], Phase.FAILED),
    ("refused while somebody stopped it", [ASKED, REFUSED, STOP_ASKED, STOP_UNNEEDED], Phase.FAILED),
    ("we believed a refusal and it runs", [ASKED, UNCONFIRMED, NEVER_WAS, STARTED], Phase.RECORDING),
    ("we believed a refusal and it ended", [ASKED, NEVER_WAS, stopped(A)], Phase.STOPPED),
    ("a stop is asked for", [ASKED, ACCEPTED, STARTED, STOP_ASKED], Phase.STOPPING),
    ("a stop is accepted", [ASKED, ACCEPTED, STARTED, STOP_ASKED, STOP_ACCEPTED], Phase.STOPPING),
    ("a stop was not needed", [ASKED, ACCEPTED, STOP_ASKED, STOP_UNNEEDED], Phase.STOPPING),
    ("a stop's answer was lost", [ASKED, ACCEPTED, STOP_ASKED, STOP_UNCONFIRMED], Phase.STOPPING),
    ("an unconfirmed start is stopped", [ASKED, UNCONFIRMED, STOP_ACCEPTED], Phase.STOPPING),
    ("it is stopping by itself", [ASKED, ACCEPTED, STARTED, STOPPING], Phase.STOPPING),
    ("only the end was heard", [ASKED, stopped(A)], Phase.STOPPED),
    ("the webhook waits for its second witness", [ASKED, stopped(A), stored(A)], Phase.STOPPED),
    ("the list waits for the file", [ASKED, ended(A)], Phase.STOPPED),
    ("all is in", [ASKED, stopped(A), ended(A), stored(A)], Phase.DONE),
    ("the list was read early", [ASKED, ended(A, early=True), stored(A)], Phase.STOPPED),
    ("the file could not be processed", [ASKED, stopped(A), ended(A), given_up(A)], Phase.DONE),
    ("the file is given up", [ASKED, stopped(A), ended(A), overdue(A)], Phase.DONE),
    ("the list never confirmed", [ASKED, stopped(A), stored(A), END_OVERDUE], Phase.DONE),
    ("it failed", [ASKED, ACCEPTED, STARTED, FAILED], Phase.FAILED),
    ("it failed and ended", [ASKED, STARTED, FAILED, stopped(A), ended(A), stored(A)], Phase.FAILED),
    ("nobody announced it", [stored(A)], Phase.RECORDING),
]

UNDECODABLE = e.SegmentUndecodable(
    at=40, source=stored(A).repaired_key, file=A, code="crashed", reason="it crashed its decoder"
)
OF_A_SESSION = {"outside_session", "overlapped", "product_failed"}  # their stories are in test_manifest.py
type Tale = tuple[str, list[e.Event], bool, bool, set[str], set[str]]
VERDICTS: list[Tale] = [
    # story, facts, settled, complete, missing, odd
    ("complete", [ASKED, stopped(A, B), ended(A, B), stored(A), stored(B)], True, True, set(), set()),
    ("asked for", [ASKED], False, False, {"still_open"}, set()),
    ("it runs", [ASKED, ACCEPTED, STARTED, stored(A)], False, False, {"still_open"}, set()),
    ("no second witness", [ASKED, stopped(A), stored(A)], False, False, {"still_open"}, set()),
    ("a file is awaited", [ASKED, stopped(A), ended(A)], False, False, {"still_open"}, set()),
    ("the list knows of one more", [ASKED, stopped(A), ended(A, B), stored(A)], False, False, {"still_open"},
     set()),
    ("the webhook was lost", [ASKED, STARTED, ended(A), stored(A)], True, True, set(), set()),
    ("the list never came", [ASKED, stopped(A), stored(A), END_OVERDUE], True, True, set(),
     {"unconfirmed_by_list"}),
    ("never delivered", [ASKED, stopped(A), ended(A), overdue(A)], True, False, {"not_delivered"}, set()),
    ("given up, and then it came", [ASKED, stopped(A), ended(A), overdue(A), stored(A)], True, True, set(),
     set()),
    ("refused", [ASKED, REFUSED], True, False, {"start_refused"}, set()),
    ("we believed a refusal and it ran", [ASKED, NEVER_WAS, STARTED, stopped(A), ended(A), stored(A)], True,
     True, set(), {"refused_and_ran"}),
    ("we believed a refusal and it runs", [ASKED, NEVER_WAS, STARTED], False, False, {"still_open"},
     {"refused_and_ran"}),
    ("failed", [ASKED, STARTED, FAILED, ended(A), stored(A)], True, False, {"failed"}, set()),
    ("rejected", [ASKED, stopped(A), ended(A), rejected(A)], True, False, {"rejected"}, set()),
    ("its tail is lost", [ASKED, stopped(A), ended(A), stored(A, tail_lost=True)], True, False,
     {"tail_lost"}, set()),
    ("its middle is damaged", [ASKED, stopped(A), ended(A), stored(A, lost_bytes=7)], True, False,
     {"damaged"}, set()),
    ("its clock jumps", [ASKED, stopped(A), ended(A), stored(A, clock_breaks=1)], True, True, set(),
     {"broken_clock"}),
    ("nobody ever said anything", [ASKED, ACCEPTED, STOP_ASKED, STOP_ACCEPTED, END_OVERDUE], True, False,
     {"unproven"}, set()),
    ("segments came and nobody said which", [ASKED, STOP_ASKED, STOP_ACCEPTED, stored(A), END_OVERDUE], True,
     False, {"unproven"}, set()),
    ("unannounced", [stored(A)], True, True, set(), {"unannounced"}),
    ("never unmuted", [ASKED, STARTED, stopped(), ended()], True, True, set(), {"no_segments"}),
    ("nobody named it", [ASKED, stopped(A), ended(A), stored(A), stored(B)], True, True, set(),
     {"unlisted_file"}),
    ("an odd delivery", [ASKED, ODD, stopped(A), ended(A), stored(A)], True, True, set(), {"odd_delivery"}),
    ("another's key", [ASKED, stopped(A), ended(A), stored(A, participant_id="bela")], True, True, set(),
     {"disagrees"}),
    ("another kind's key", [ASKED, stopped(A), ended(A), stored(A, kind=Kind.SCREEN_AUDIO)], True, True,
     set(), {"disagrees"}),
    ("a picture instead of sound", [ASKED, stopped(A), ended(A), stored(A, codec="h264")], True, False,
     {"wrong_media"}, set()),
    ("it can not be decoded", [ASKED, stopped(A), ended(A), stored(A), UNDECODABLE], True, False,
     {"undecodable"}, set()),
    ("another delivery of it could not be decoded", [ASKED, stopped(A), ended(A), stored(A),
                                                     replace(UNDECODABLE, source="another")], True, True,
     set(), set()),
    ("it ends short of the list's end", [ASKED, stopped(A), ended(A), stored(A, duration_ms=27_500)], True,
     True, set(), {"short_tail"}),
    ("it is muted at the end", [ASKED, stopped(A), ended(A), stored(A, duration_ms=25_000)], True, True,
     set(), set()),
    ("an early list tells of no tail", [ASKED, stopped(A), ended(A, early=True),
                                        stored(A, duration_ms=27_500)], True, True, set(), set()),
    ("no stamp", [ASKED, stopped(A), ended(A), stored(A, clock="last_modified", uncertainty_ms=5000)], True,
     True, set(), {"uncertain_clock"}),
    ("overwritten by a good one", [ASKED, stopped(A), ended(A), rejected(A),
                                   stored(A, modified_at=ZERO + 1, etag="e2")], True, True, set(), set()),
    ("overwritten by a bad one", [ASKED, stopped(A), ended(A), stored(A),
                                  rejected(A, etag="e2", modified_at=ZERO + 1)], True, False, {"rejected"},
     set()),
    ("the overwritten one was read last", [ASKED, stopped(A), ended(A), rejected(A, modified_at=ZERO + 1),
                                           stored(A, at=99, etag="e2")], True, False, {"rejected"}, set()),
    ("given up", [ASKED, stopped(A), ended(A), given_up(A)], True, False, {"given_up"}, set()),
    ("given up, and nobody named it", [ASKED, ended(), given_up(A)], True, False, {"given_up"}, set()),
    ("given up, redriven and stored", [ASKED, stopped(A), ended(A), given_up(A), REDRIVEN, stored(A)], True,
     True, set(), set()),
    ("given up twice", [ASKED, stopped(A), ended(A), given_up(A), REDRIVEN, given_up(A, tries=6)], True,
     False, {"given_up"}, set()),
    ("only its picture is given up", [ASKED, stopped(A), ended(A), stored(A), given_up(A, product="poster")],
     True, True, set(), set()),
    ("given up, and nobody announced it", [given_up(A)], True, False, {"given_up"}, {"unannounced"}),
    ("the list was read early", [ASKED, ended(A, early=True), stored(A)], False, False, {"still_open"},
     set()),
    ("the list was read early and then again", [ASKED, ended(A, early=True), ended(A), stored(A)], True, True,
     set(), set()),
    ("an early list confirms the webhook", [ASKED, stopped(A), ended(A, early=True), stored(A)], True, True,
     set(), set()),
    ("the list was only ever read early", [ASKED, ended(A, early=True), stored(A), END_OVERDUE], True, False,
     {"unproven"}, set()),
    ("read, then tidied away", [ASKED, stopped(A), ended(A), stored(A),
                                rejected(A, code="object_gone", etag="", modified_at=ZERO + 99)], True, True,
     set(), set()),
    ("gone before it was read", [ASKED, stopped(A), ended(A), rejected(A, code="object_gone", etag="")],
     True, False, {"rejected"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "phase"), [(f, p) for _, f, p in PHASES], ids=[name for name, *_ in PHASES]
)
def test_the_phase_is_what_the_facts_say(facts: list[e.Event], phase: Phase) -> None:
    assert Recording.of(RID, facts).phase == phase


@pytest.mark.parametrize("story", VERDICTS, ids=[name for name, *_ in VERDICTS])
def test_the_verdict_is_what_the_facts_prove(story: Tale) -> None:
    _, facts, settled, complete, missing, odd = story

    verdict = Recording.of(RID, facts).verdict

    assert (verdict.settled, verdict.complete) == (settled, complete)
    assert {finding.reason for finding in verdict.missing} == missing
    assert {finding.reason for finding in verdict.odd} == odd


def test_every_fact_that_speaks_of_the_phase_has_a_story_that_turns_on_it() -> None:
    decisive = {
        type(fact)
        for _, facts, phase in PHASES
        for fact in facts
        if Recording.of(RID, [f for f in facts if f is not fact]).phase != phase
    }

    # A request stands behind every other word; these three never come without the request they answer.
    echoes: set[type[e.Event]] = {e.StartUnconfirmed, e.StopUnneeded, e.StopUnconfirmed}
    assert set(SAYS) - decisive <= {e.RecordingRequested, *echoes}


def test_every_reason_has_a_story() -> None:
    told = {reason for *_, missing, odd in VERDICTS for reason in missing | odd}

    assert told | OF_A_SESSION == set(REASONS)


def test_a_verdict_that_is_not_complete_says_why() -> None:
    for name, facts, *_ in VERDICTS:
        verdict = Recording.of(RID, facts).verdict
        assert verdict.complete or verdict.missing, name


@pytest.mark.parametrize("name", ["missing", "odd"])
def test_each_finding_names_its_recording_and_reads_as_a_sentence(name: str) -> None:
    for _, facts, *_ in VERDICTS:
        for finding in getattr(Recording.of(RID, facts).verdict, name):
            assert finding.told()["recordingId"] == RID
            assert finding.told()["message"] == REASONS[finding.reason]


# --- order and repeats ----------------------------------------------------------------------------

EVERYTHING: list[e.Event] = [
    ASKED, ACCEPTED, REFUSED, UNCONFIRMED, STARTING, STARTED, STOP_ASKED, STOP_ACCEPTED, STOP_UNNEEDED,
    STOP_UNCONFIRMED, STOPPING, FAILED, RUNS, END_OVERDUE, ODD, NEVER_WAS, stopped(), stopped(A),
    stopped(A, B), stopped(B), ended(), ended(A), ended(A, B), stored(A), stored(B, start_at=ZERO + 10_000),
    stored(C, start_at=ZERO + 20_000, tail_lost=True),
    stored(A, modified_at=ZERO + 1, etag="e2", duration_ms=900),
    rejected(A), rejected(B, modified_at=ZERO + 2, etag="e2"), rejected(C, code="object_gone", etag=""),
    overdue(A), overdue(B), overdue(C), given_up(A), given_up(B), given_up(B, tries=6), REDRIVEN,
    ended(A, early=True),
]  # fmt: skip


def concluded(facts: list[e.Event]) -> tuple[Any, ...]:
    """All that anybody is told."""
    recording = Recording.of(RID, facts)
    session = Session.of(SESSION, [], {RID: facts})
    return recording.phase, recording.verdict, recording.session_id, encoded(manifest(session))


def test_equal_news_of_one_type_are_told_apart_by_what_they_say() -> None:
    """Of two that differ, neither may push the other out: chance says which comes first."""
    pairs: list[tuple[e.Event, e.Event]] = [
        (REFUSED, NEVER_WAS),
        (ended(A), ended(A, early=True)),
        (given_up(A), given_up(A, tries=6)),
    ]

    for one, other in pairs:
        assert Recording.of(RID, [ASKED, one, other]).facts == {ASKED, one, other}


@settings(max_examples=60)
@given(st.data())
def test_repeats_heard_later_change_nothing(data: st.DataObject) -> None:
    facts = data.draw(st.lists(st.sampled_from(EVERYTHING), unique_by=lambda fact: fact.identity))
    again = data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else []

    repeated = [replace(fact, at=fact.at + 1000) for fact in again]

    assert concluded(data.draw(st.permutations(facts + repeated))) == concluded(facts)


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(EVERYTHING)), st.sampled_from([stopped(A), ended(A), STARTED, RUNS, stored(A)])
)
def test_news_never_takes_a_word_of_videosdk_back(facts: list[e.Event], more: e.Event) -> None:
    before, after = Recording.of(RID, facts), Recording.of(RID, [*facts, more])

    assert before.expected <= after.expected
    assert before.delivered.keys() <= after.delivered.keys()


AWAITS: list[tuple[str, list[e.Event], bool]] = [
    ("it runs", [ASKED, STARTED], False),
    ("a webhook told the end", [ASKED, stopped(A)], True),
    ("the list told the end early", [ASKED, ended(A, early=True)], True),
    ("the list told the end", [ASKED, ended(A)], False),
    ("the early list agrees with the webhook", [ASKED, stopped(A), ended(A, early=True)], False),
    ("the wait is over", [ASKED, ended(A, early=True), END_OVERDUE], False),
    ("nobody announced it", [ended(A, early=True)], False),
]


@pytest.mark.parametrize(("facts", "awaits"), [(f, a) for _, f, a in AWAITS], ids=[n for n, *_ in AWAITS])
def test_the_list_is_asked_until_it_confirms_the_end(facts: list[e.Event], awaits: bool) -> None:
    assert Recording.of(RID, facts).awaits_confirmation == awaits
