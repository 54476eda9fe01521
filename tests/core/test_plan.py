"""A session's products as steps: what is made of what, under which key, and what changes what."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core import plan
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind, safe_part
from chalicelib.core.session import Session
from chalicelib.core.step import Output, Step, step_of
from chalicelib.core.steps import MARGIN_MS, PART, RECIPES, SOUND_BUDGET, STEMS_AT_ONCE, Wanted, posters
from tests.builders import SESSION, ZERO
from tests.core.stories import HOUR, MINUTE, asked, meeting, recorded, segment

AUDIO, VIDEO, SCREEN, SCREEN_SOUND = Kind.AUDIO, Kind.VIDEO, Kind.SCREEN_VIDEO, Kind.SCREEN_AUDIO
USUAL = Wanted(frozenset(plan.NAMES[name] for name in plan.PRODUCTS))

ANNA = [recorded("anna", AUDIO, (0, 10), (20, 90)), recorded("anna", VIDEO, (5, 60))]
LINUS = [recorded("linus.x", AUDIO, (0, 100)), recorded("linus.x", SCREEN, (30, 50))]
MEETING = meeting(*ANNA, *LINUS)


def wish(*names: str, lufs: float | None = None) -> Wanted:
    """These products."""
    return Wanted(frozenset(plan.NAMES[name] for name in names), lufs)


def outputs(steps: Iterable[Step]) -> dict[str, list[str]]:
    """The files of each maker."""
    found: dict[str, list[str]] = {}
    for step in steps:
        found.setdefault(step.maker, []).extend(output.name for output in step.outputs)
    return {maker: sorted(names) for maker, names in found.items()}


def made(step: Step, output: Output, **said: Any) -> e.ArtifactMade:
    """The fact of a file of a step."""
    told: dict[str, Any] = {
        "at": 70, "product": output.product, "key": f"{step.target}/{output.name}", "content_type": "x/y",
        "bytes": 1, "participant_id": output.participant_id, "kind": output.kind, "source": output.source,
        "start": step.zero_at + step.start, "end": step.zero_at + step.end, "step": step.target,
    }  # fmt: skip
    return e.ArtifactMade(**{**told, **said})


def after(session: Session, *facts: e.Event) -> Session:
    """The same session when more was heard of it."""
    return replace(session, facts=session.facts | set(facts))


def done(steps: Iterable[Step]) -> list[e.Event]:
    """The facts of these steps, all made."""
    return [made(step, output) for step in steps for output in step.outputs]


# --- what is made -------------------------------------------------------------------------------------


def test_every_product_is_made_by_its_maker() -> None:
    linus = safe_part("linus.x")

    assert outputs(plan.planned(MEETING, USUAL)) == {
        "copies": ["av-vp8.webm", "sprite-screen_video-vp8.vtt", "sprite-video-vp8.vtt",
                   "track-audio-opus.webm", "track-audio-opus.webm", "track-screen_video-vp8.webm",
                   "track-video-vp8.webm"],
        "poster": ["poster.jpg", "poster.jpg"],
        "sound": sorted(["anna/peaks-audio.dat", "anna/peaks-audio.json", "anna/stem-audio.flac",
                         f"{linus}/peaks-audio.dat", f"{linus}/peaks-audio.json", f"{linus}/stem-audio.flac",
                         "mix.webm"]),
    }  # fmt: skip


ASKED = [
    ("stem", {"sound": ["anna/stem-audio.flac"]}),
    ("stem:wav", {"sound": ["anna/stem-audio.wav"]}),
    ("stem:opus", {"sound": ["anna/stem-audio.webm"]}),
    ("mix", {"sound": ["mix.webm"]}),
    ("mix:aac", {"sound": ["mix.mp4"]}),
    ("peaks", {"sound": ["anna/peaks-audio.dat", "anna/peaks-audio.json"]}),
    ("poster", {"poster": ["poster.jpg"]}),
    ("sprite", {"copies": ["sprite-video-vp8.vtt"]}),
    ("track", {"copies": ["track-audio-opus.webm", "track-video-vp8.webm"]}),
    ("av", {"copies": ["av-vp8.webm"]}),
]


@pytest.mark.parametrize(("name", "expected"), ASKED)
def test_what_is_asked_for_is_made_and_no_more(name: str, expected: dict[str, list[str]]) -> None:
    assert outputs(plan.planned(meeting(*ANNA), wish(name))) == expected


def test_every_name_has_a_story() -> None:
    assert {name for name, _ in ASKED} | {"stem:flac", "mix:opus"} == set(plan.NAMES)


def test_a_step_reads_no_more_than_its_outputs_need() -> None:
    [sprite] = plan.planned(meeting(*ANNA), wish("sprite"))
    [stem] = plan.planned(meeting(*ANNA, LINUS[0]), wish("mix", "stem"))

    assert [track.kind for track in sprite.tracks] == [VIDEO]
    assert [track.participant_id for track in stem.tracks] == ["anna", "linus.x"]


def test_a_screen_has_its_own_file_of_both() -> None:
    shared = meeting(recorded("anna", SCREEN, (0, 9)), recorded("anna", SCREEN_SOUND, (0, 9)), *ANNA)

    assert outputs(plan.planned(shared, wish("av")))["copies"] == ["av-vp8.webm", "screen-av-vp8.webm"]


def test_each_codec_has_its_own_files() -> None:
    both = [*recorded("anna", VIDEO, (5, 60)), segment("anna", VIDEO, 70, 80, codec="av1")]

    assert outputs(plan.planned(meeting(ANNA[0], both), wish("av", "sprite")))["copies"] == [
        "av-av1.webm", "av-vp8.webm", "sprite-video-av1.vtt", "sprite-video-vp8.vtt",
    ]  # fmt: skip


def test_every_step_covers_the_session_from_zero_to_its_end() -> None:
    steps = [step for step in plan.planned(MEETING, USUAL) if step.maker != "poster"]

    assert {(step.zero_at, step.start, step.end) for step in steps} == {(ZERO, 0, 100)}


def test_a_poster_is_planned_before_anybody_knows_the_session() -> None:
    picture = segment("anna", VIDEO, 5, 60)
    [step] = posters([picture, segment("anna", AUDIO, 0, 90), segment("anna", VIDEO, 70, 80, codec="opus")])

    assert (step.zero_at, step.start, step.end) == (ZERO + 5, 0, 55)
    assert [output.source for output in step.outputs] == [picture.repaired_key]
    assert step in plan.planned(MEETING, USUAL)


def test_steps_survive_the_queue() -> None:
    for step in plan.planned(MEETING, replace(USUAL, lufs=-16.0)):
        assert step_of(json.loads(json.dumps(step.told()))) == step


def test_files_of_a_step_never_share_a_key() -> None:
    keys = [f"{step.target}/{o.name}" for step in plan.planned(MEETING, USUAL) for o in step.outputs]

    assert len(set(keys)) == len(keys)
    assert all(key.startswith(f"sessions/{SESSION}/") for key in keys)


def test_a_session_without_a_file_has_nothing_to_make() -> None:
    empty = meeting([asked("anna", AUDIO)])

    assert plan.planned(empty, USUAL) == []
    assert {state.state for state in plan.states(empty, USUAL)} == {"none"}


# --- what changes what --------------------------------------------------------------------------------

CHANGES: list[tuple[str, list[list[e.Event]], set[str], set[str]]] = [
    # what, the recordings then, whose copies change, and whose sound
    ("nothing", [*ANNA, *LINUS], set(), set()),
    ("the order of hearing", [[*reversed(told)] for told in (*LINUS, *ANNA)], set(), set()),
    ("one more file of Anna's sound", [recorded("anna", AUDIO, (0, 10), (12, 15), (20, 90)), ANNA[1], *LINUS],
     {"anna"}, {"anna"}),
    ("one more file of Anna's camera", [ANNA[0], recorded("anna", VIDEO, (5, 60), (70, 80)), *LINUS],
     {"anna"}, set()),
    ("a file of Anna's moved by hand", [[*ANNA[0], e.SegmentCorrected(
        at=9, file=segment("anna", AUDIO, 20, 90).file, shift_ms=3, number=1, by="ops")], ANNA[1], *LINUS],
     {"anna"}, {"anna"}),
    ("the end moved", [*ANNA, recorded("linus.x", AUDIO, (0, 101)), LINUS[1]], {"anna", "linus.x"},
     {"anna", "linus.x"}),
    ("the beginning moved", [*ANNA, recorded("linus.x", AUDIO, (-1, 100)), LINUS[1]], {"anna", "linus.x"},
     {"anna", "linus.x"}),
]  # fmt: skip


def whose(steps: list[Step], maker: str) -> dict[str | None, set[str]]:
    """The sources of what a maker makes of each participant, and of all."""
    found: dict[str | None, set[str]] = {}
    for step in steps:
        for output in step.outputs if step.maker == maker else ():
            found.setdefault(output.participant_id, set()).add(output.source)
    return found


@pytest.mark.parametrize(
    ("then", "copies", "sound"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES]
)
def test_a_change_changes_only_what_depends_on_it(
    then: list[list[e.Event]], copies: set[str], sound: set[str]
) -> None:
    before, now = plan.planned(MEETING, USUAL), plan.planned(meeting(*then), USUAL)

    def changed(maker: str) -> set[str | None]:
        one, other = whose(before, maker), whose(now, maker)
        return {who for who in one if one[who] != other[who]}

    assert changed("copies") == copies
    assert changed("sound") == sound | ({None} if sound else set())
    targets = {step.target for step in before} & {step.target for step in now}
    kept = {
        step.tracks[0].participant_id for step in before if step.maker == "copies" and step.target in targets
    }
    assert kept == {"anna", "linus.x"} - copies


def test_the_same_meeting_at_another_time_has_other_keys() -> None:
    def at(start: int) -> set[str]:
        told = [
            segment("anna", AUDIO, start, start + 10, repaired_key="repaired-1.webm"),
            asked("anna", AUDIO),
        ]
        return {output.source for step in plan.planned(meeting(told), wish("mix")) for output in step.outputs}

    assert at(0) != at(1000)


START = st.integers(1, 80)


@settings(max_examples=40)
@given(START, st.integers(1, 19), st.sampled_from([AUDIO, VIDEO]))
def test_no_file_of_annas_changes_what_linus_has(start: int, length: int, kind: Kind) -> None:
    more = recorded("anna", kind, (start, start + length))

    now = plan.planned(meeting(*ANNA, more, *LINUS), USUAL)

    theirs = whose(plan.planned(MEETING, USUAL), "copies"), whose(plan.planned(MEETING, USUAL), "sound")
    assert (whose(now, "copies")["linus.x"], whose(now, "sound")["linus.x"]) == tuple(
        t["linus.x"] for t in theirs
    )


def test_another_recipe_and_another_loudness_give_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {step.maker: step.target for step in plan.planned(MEETING, USUAL)}
    loud = {step.maker: step.target for step in plan.planned(MEETING, replace(USUAL, lufs=-16.0))}

    assert {maker for maker in usual if usual[maker] != loud[maker]} == {"sound"}
    sound = [whose(plan.planned(MEETING, replace(USUAL, lufs=lufs)), "sound") for lufs in (None, -16.0)]
    assert {who for who in sound[0] if sound[0][who] != sound[1][who]} == {None}
    for maker in usual:
        monkeypatch.setitem(RECIPES, maker, "next")
    again = {step.maker: step.target for step in plan.planned(MEETING, USUAL)}
    assert all(usual[maker] != again[maker] for maker in usual)


# --- what is left to do -------------------------------------------------------------------------------


def test_what_is_made_is_not_made_again() -> None:
    steps = plan.pending(MEETING, USUAL)

    assert steps == plan.planned(MEETING, USUAL)
    assert plan.pending(after(MEETING, *done(steps)), USUAL) == []


def test_only_what_is_not_made_yet_is_left_of_a_step() -> None:
    then = after(MEETING, *done(plan.pending(MEETING, wish("stem", "track"))))

    left = plan.pending(then, wish("stem", "stem:wav", "track", "av"))

    assert outputs(left) == {
        "copies": ["av-vp8.webm"],
        "sound": ["anna/stem-audio.wav", f"{safe_part('linus.x')}/stem-audio.wav"],
    }


def test_after_a_change_only_what_depends_on_it_is_left() -> None:
    now = meeting(ANNA[0], recorded("anna", VIDEO, (5, 60), (70, 80)), *LINUS)

    left = plan.pending(after(now, *done(plan.pending(MEETING, USUAL))), USUAL)

    assert outputs(left) == {
        "copies": ["av-vp8.webm", "sprite-video-vp8.vtt", "track-video-vp8.webm"],
        "poster": ["poster.jpg"],
    }


def test_a_step_that_came_to_less_than_was_hoped_for_is_done() -> None:
    [step] = plan.pending(meeting(*ANNA), wish("track", "sprite"))
    track = next(output for output in step.outputs if output.product == "track")

    then = after(meeting(*ANNA), made(step, track))

    assert plan.pending(then, wish("track", "sprite")) == []


def test_a_picture_that_can_not_be_decoded_has_no_poster() -> None:
    bad = segment("anna", VIDEO, 5, 60)
    told = e.SegmentUndecodable(at=9, source=bad.repaired_key, file=bad.file, code="hung", reason="it hung")

    assert plan.planned(meeting([*ANNA[1], told]), wish("poster")) == []


def fails(step: Step) -> e.ProductFailed:
    """A step that can not be made."""
    return e.ProductFailed(
        at=70, product=step.maker, key=f"{step.target}~1", source="", reason="it can not be", step=step.target
    )


def gives_up(step: Step, generation: str = "") -> e.WorkGivenUp:
    """A step that nobody will try again."""
    return e.WorkGivenUp(
        at=70, product=step.maker, target=step.target + generation, key="", etag="", session_id=SESSION,
        participant_id=None, kind=None, file="", tries=3, reason="it was killed",
    )  # fmt: skip


def test_what_failed_or_was_given_up_is_not_tried_again() -> None:
    copies, other, *rest = sorted(plan.pending(MEETING, USUAL), key=lambda step: step.maker)

    then = after(MEETING, fails(copies), gives_up(other, "~2"), *done(rest))

    assert plan.pending(then, USUAL) == []
    assert plan.all_settled(then, USUAL)
    assert {state.name: (state.state, state.reason) for state in plan.states(then, USUAL)}["track"] == (
        "failed",
        "it can not be",
    )


def test_an_undecodable_segment_is_planned_around() -> None:
    bad = segment("anna", AUDIO, 20, 90)
    [step] = plan.pending(meeting(ANNA[0]), wish("mix"))
    told = e.SegmentUndecodable(at=9, source=bad.repaired_key, file=bad.file, code="hung", reason="it hung")

    [again] = plan.pending(after(meeting([*ANNA[0], told]), fails(step)), wish("mix"))

    assert [piece.source for track in again.tracks for piece in track.pieces] == [
        segment("anna", AUDIO, 0, 10).repaired_key
    ]
    assert (again.start, again.end) == (step.start, step.end)
    assert again.target != step.target


STATES = [
    ("nothing is made", lambda _: [], "pending"),
    ("all is made", done, "made"),
    ("it failed", lambda steps: [fails(step) for step in steps], "failed"),
    ("it is given up", lambda steps: [gives_up(step) for step in steps], "failed"),
]


@pytest.mark.parametrize(("facts", "state"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
def test_it_is_told_how_far_a_product_is(facts: Any, state: str) -> None:
    then = after(MEETING, *facts(plan.pending(MEETING, USUAL)))

    told = plan.states(then, USUAL)

    assert {found.state for found in told} == {state}
    assert {found.name for found in told} == {
        "av", "mix:opus", "peaks", "poster", "sprite", "stem:flac", "track",
    }  # fmt: skip
    assert plan.all_settled(then, USUAL) is (state != "pending")


# --- what is wanted -----------------------------------------------------------------------------------


def finish(*products: str) -> e.FinishRequested:
    """Somebody asked."""
    return e.FinishRequested(at=9, by="app", products=products)


OPEN = meeting([asked("anna", AUDIO)])
WANTED = [
    ("an open session", OPEN, [], set()),
    ("a settled session", MEETING, [], {"poster", "mix"}),
    ("asked for the usual", OPEN, [finish()], {"poster", "mix"}),
    ("asked for one", OPEN, [finish("stem:wav")], {"stem:wav"}),
    (
        "settled, and asked for one",
        MEETING,
        [finish("stem:wav"), finish("av")],
        {"poster", "mix", "stem:wav", "av"},
    ),
    ("asked for one, then for the usual", OPEN, [finish("av"), finish()], {"poster", "mix", "av"}),
]


@pytest.mark.parametrize(("session", "own", "expected"), [w[1:] for w in WANTED], ids=[w[0] for w in WANTED])
def test_what_is_wanted_is_the_usual_and_what_was_asked_for(
    session: Session, own: list[e.Event], expected: set[str]
) -> None:
    assert plan.wanted(after(session, *own), ("poster", "mix"), -16.0) == wish(*expected, lufs=-16.0)


@pytest.mark.parametrize("names", [["tracks"], ["stem", "STEM"], "stem", [1], None, [["stem"]], {"stem": 1}])
def test_names_of_what_can_not_be_made_are_refused(names: object) -> None:
    with pytest.raises(Invalid) as refused:
        plan.asked(names)

    assert (refused.value.code, refused.value.field) == ("invalid_products", "products")
    assert all(name in refused.value.expected for name in plan.NAMES)


def test_names_of_what_can_be_made_are_kept_once_each() -> None:
    assert plan.asked(["stem:wav", "mix", "stem:wav"]) == ("stem:wav", "mix")
    assert plan.asked([]) == ()


# --- what is too much for one step --------------------------------------------------------------------


def crowd(people: int, minutes: int, kinds: Iterable[Kind] = (AUDIO,)) -> Session:
    """So many people who spoke for so long, each with a pause."""
    length = minutes * MINUTE
    return meeting(
        *(
            recorded(f"p{number}", kind, (0, length // 3), (length // 2 + number, length))
            for number in range(people)
            for kind in kinds
        )
    )


def test_a_session_at_the_budget_is_one_step_and_one_beyond_it_is_split() -> None:
    at, beyond = (
        plan.planned(crowd(25, 60), wish("mix", "stem")),
        plan.planned(crowd(26, 60), wish("mix", "stem")),
    )

    assert [step.maker for step in at] == ["sound"]
    assert len(beyond) == 26 + 2
    assert sorted(step.end for step in beyond if step.outputs[0].product == PART) == [57 * MINUTE, HOUR]


def test_more_stems_than_tmp_has_room_for_are_made_one_by_one() -> None:
    few, many, mixed = (
        plan.planned(crowd(STEMS_AT_ONCE, 5), wish("mix", "stem")),
        plan.planned(crowd(STEMS_AT_ONCE + 1, 5), wish("mix", "stem")),
        plan.planned(crowd(STEMS_AT_ONCE + 1, 5), wish("mix")),
    )

    assert [len(steps) for steps in (few, many, mixed)] == [1, STEMS_AT_ONCE + 2, 1]
    assert {len(step.outputs) for step in many} == {1}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 50), st.integers(1, 24 * 60), st.booleans())
def test_every_step_is_within_the_budget_and_every_moment_is_mixed_once(
    people: int, minutes: int, screens: bool
) -> None:
    session = crowd(people, minutes, (AUDIO, SCREEN_SOUND) if screens else (AUDIO,))
    length = session.extent.end - session.extent.start

    steps = plan.planned(session, wish("mix", "stem", "peaks"))

    assert all(len(s.tracks) * (s.end - s.start) <= SOUND_BUDGET * MINUTE for s in steps)
    mixing = [s for s in steps if any(o.product in ("mix", PART) for o in s.outputs)]
    spans = sorted((s.start, s.end) for s in mixing)
    assert [edge for span in spans for edge in span][1:-1:2] == [start for start, _ in spans[1:]]
    assert (spans[0][0], spans[-1][1]) == (0, length)
    assert all(start % MINUTE == 0 for start, _ in spans)
    near = {
        (step.start, track.participant_id, track.kind, piece.source)
        for step in mixing
        for track in step.tracks
        for piece in track.pieces
    }
    whole = plan.planned(session, wish("track"))
    every = {(t.participant_id, t.kind, p) for s in whole for t in s.tracks for p in t.pieces}
    for participant_id, kind, piece in every:
        for start, end in spans:
            heard = piece.start < end + MARGIN_MS and piece.end > start - MARGIN_MS
            assert ((start, participant_id, kind, piece.source) in near) is heard
    stems = [o for s in steps for o in s.outputs if o.product == "stem"]
    assert (
        len({(o.participant_id, o.kind) for o in stems}) == len(stems) == len(session.people) * (1 + screens)
    )


LONG = crowd(4, 10 * 60)


def test_slices_are_joined_once_all_are_made() -> None:
    wanted = wish("mix", "mix:aac", lufs=-16.0)
    slices = plan.pending(LONG, wanted)
    ordered = sorted(slices, key=lambda step: step.start)
    most = after(LONG, *done(ordered[:-1]))

    assert [step.maker for step in slices] == ["sound", "sound"]
    assert {step.lufs for step in slices} == {None}
    assert plan.pending(most, wanted) == ordered[-1:]
    assert {state.state for state in plan.states(most, wanted)} == {"pending"}

    joins = plan.pending(after(most, *done(ordered[-1:])), wanted)

    assert sorted(output.name for step in joins for output in step.outputs) == ["mix.mp4", "mix.webm"]
    for join in joins:
        assert (join.maker, join.start, join.end, join.lufs) == ("join", 0, 10 * HOUR, -16.0)
        assert join.parts == tuple(f"{step.target}/mix.part" for step in ordered)
    everything = after(most, *done([ordered[-1], *joins]))
    assert plan.pending(everything, wanted) == []
    assert {state.state for state in plan.states(everything, wanted)} == {"made"}


def test_parts_under_other_keys_are_joined_by_another_step() -> None:
    parts = [fact for fact in done(plan.pending(LONG, wish("mix"))) if isinstance(fact, e.ArtifactMade)]
    swept = [replace(fact, key=fact.key.replace("/mix.part", "~1/mix.part")) for fact in parts]

    [one], [other] = (plan.pending(after(LONG, *facts), wish("mix")) for facts in (parts, swept))

    assert (one.parts == other.parts, one.target == other.target) == (False, False)
    assert one.outputs == other.outputs


def test_a_slice_hears_a_little_of_what_comes_before_and_after() -> None:
    edge = 375 * MINUTE
    near = [recorded("p0", AUDIO, (0, edge - 1000), (edge + 1000, 600 * MINUTE))]
    others = [recorded(f"p{number}", AUDIO, (0, 600 * MINUTE)) for number in (1, 2, 3)]

    slices = plan.planned(meeting(*near, *others), wish("mix"))

    assert [len(step.tracks[0].pieces) for step in slices] == [2, 2]


def test_a_slice_that_failed_fails_the_mix_and_nothing_else() -> None:
    first, *rest = plan.pending(LONG, wish("mix", "stem"))
    stem = [step for step in (first, *rest) if step.outputs[0].product == "stem"]
    part = [step for step in (first, *rest) if step.outputs[0].product == PART]

    then = after(LONG, fails(part[0]), *done([*stem, *part[1:]]))

    assert plan.pending(then, wish("mix", "stem")) == []
    assert [(state.name, state.state) for state in plan.states(then, wish("mix", "stem"))] == [
        ("mix:opus", "failed"),
        ("stem:flac", "made"),
    ]


def test_a_change_within_a_slice_leaves_the_other_slices_alone() -> None:
    before = {step.start: step.target for step in plan.planned(LONG, wish("mix"))}
    more = meeting(
        *(recorded(f"p{n}", AUDIO, (0, 200 * MINUTE), (300 * MINUTE + n, 600 * MINUTE)) for n in range(4)),
        recorded("p0", AUDIO, (250 * MINUTE, 251 * MINUTE)),
    )

    now = {step.start: step.target for step in plan.planned(more, wish("mix"))}

    assert {start for start in before if before[start] != now[start]} == {0}
