"""Ids and keys: what came from outside never leaves the place that is meant for it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind

RID = "rec-" + "0123456789abcdef" * 2
STAMP = 1_750_000_000_000
FILE = f"track_recording_anna_audio_{STAMP}.webm"

# name, key, recording id (None: unannounced), session, participant, kind, stamp
PLACES = [
    ("ours", f"recordings/{RID}/s1/anna/audio/{FILE}", RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("a leading slash", f"/recordings/{RID}/s1/anna/audio/{FILE}", RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("empty parts", f"recordings//{RID}//s1/anna//audio/{FILE}", RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("VideoSDK's own prefix before our path", f"individual-recordings/recordings/{RID}/s1/anna/audio/{FILE}",
     RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("VideoSDK's own prefix after the id", f"recordings/{RID}/individual-recordings/s1/anna/audio/{FILE}",
     RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("VideoSDK's own prefix before the id", f"recordings/individual-recordings/{RID}/s1/anna/audio/{FILE}",
     RID, "s1", "anna", Kind.AUDIO, STAMP),
    ("unannounced", f"recordings/s1/anna/audio/{FILE}", None, "s1", "anna", Kind.AUDIO, STAMP),
    ("unannounced, behind something", f"recordings/x/s1/anna/audio/{FILE}", None, "s1", "anna", Kind.AUDIO,
     STAMP),
    ("a kind with an underscore", f"recordings/{RID}/s1/anna/screen_video/x_{STAMP}.webm", RID, "s1", "anna",
     Kind.SCREEN_VIDEO, STAMP),
    ("a participant with underscores", f"recordings/{RID}/s1/a_audio_b/video/t_a_audio_b_video_{STAMP}.webm",
     RID, "s1", "a_audio_b", Kind.VIDEO, STAMP),
    ("a participant called as a kind", f"recordings/{RID}/video/audio/audio/{FILE}", RID, "video", "audio",
     Kind.AUDIO, STAMP),
    ("a participant that looks like an id of ours", f"recordings/s1/{RID}/audio/{FILE}", None, "s1", RID,
     Kind.AUDIO, STAMP),
    ("no stamp", f"recordings/{RID}/s1/anna/audio/track.webm", RID, "s1", "anna", Kind.AUDIO, None),
    ("a stamp of twelve digits", f"recordings/{RID}/s1/anna/audio/t_175000000000.webm", RID, "s1", "anna",
     Kind.AUDIO, None),
    ("a stamp of fourteen digits", f"recordings/{RID}/s1/anna/audio/t_17500000000000.webm", RID, "s1", "anna",
     Kind.AUDIO, None),
    ("a stamp that is not last", f"recordings/{RID}/s1/anna/audio/{STAMP}_t.webm", RID, "s1", "anna",
     Kind.AUDIO, None),
    ("spaces and plus signs", f"recordings/{RID}/s 1/an+na/audio/a b+c_{STAMP}.webm", RID, "s 1", "an+na",
     Kind.AUDIO, STAMP),
    ("an encoded slash is no slash", f"recordings/{RID}/s%2F1/anna/audio/{FILE}", RID, "s%2F1", "anna",
     Kind.AUDIO, STAMP),
    ("unicode", f"recordings/{RID}/s1/ännä-😀/audio/{FILE}", RID, "s1", "ännä-😀", Kind.AUDIO, STAMP),
    ("dots that are names", f"recordings/{RID}/s1/.hidden/audio/{FILE}", RID, "s1", ".hidden", Kind.AUDIO,
     STAMP),
]  # fmt: skip
MISPLACED = [
    ("above the prefix", f"recordings/../{RID}/s1/anna/audio/{FILE}"),
    ("a participant that climbs", f"recordings/{RID}/s1/../audio/{FILE}"),
    ("a file that climbs", f"recordings/{RID}/s1/anna/audio/.."),
    ("another prefix", f"other/{RID}/s1/anna/audio/{FILE}"),
    ("a prefix that only begins so", f"recordings-old/{RID}/s1/anna/audio/{FILE}"),
    ("an unknown kind", f"recordings/{RID}/s1/anna/smell/{FILE}"),
    ("a kind in capitals", f"recordings/{RID}/s1/anna/AUDIO/{FILE}"),
    ("too short", f"recordings/anna/audio/{FILE}"),
    ("a folder's own key", f"recordings/{RID}/s1/anna/audio/"),
    ("the prefix alone", "recordings/"),
    ("nothing", ""),
    ("a session too long for a key of the ledger", f"recordings/{RID}/{'s' * 129}/anna/audio/{FILE}"),
    ("a participant too long for a key", f"recordings/{RID}/s1/{'p' * 129}/audio/{FILE}"),
    ("half a character", f"recordings/{RID}/s1/\ud800/audio/{FILE}"),
]


@pytest.mark.parametrize("story", PLACES, ids=[name for name, *_ in PLACES])
def test_a_key_is_read_from_its_end(
    story: tuple[str, str, str | None, str, str, Kind, int | None],
) -> None:
    _, key, recording_id, session_id, participant_id, kind, stamp_at = story

    where = ids.place(key, "recordings")

    assert where.announced == (recording_id is not None)
    assert where.recording_id == (recording_id or ids.unannounced_id(session_id, participant_id, kind))
    assert (where.session_id, where.participant_id, where.kind) == (session_id, participant_id, kind)
    assert (where.file, where.stamp_at) == (key.rpartition("/")[2], stamp_at)


@pytest.mark.parametrize("key", [key for _, key in MISPLACED], ids=[name for name, _ in MISPLACED])
def test_a_key_that_names_no_segment_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="misplaced_key"):
        ids.place(key, "recordings")


def test_a_nested_prefix_is_matched_as_a_whole() -> None:
    assert ids.place(f"a/b/s1/anna/audio/{FILE}", "a/b").session_id == "s1"
    with pytest.raises(Invalid, match="misplaced_key"):
        ids.place(f"a/s1/anna/audio/{FILE}", "a/b")


@given(st.text(), st.sampled_from(["recordings", "a/b", ""]))
def test_any_key_is_placed_or_refused(key: str, prefix: str) -> None:
    try:
        where = ids.place(f"{prefix}/{key}", prefix)
    except Invalid:
        return

    assert ids.is_recording_id(where.recording_id)
    assert key.rpartition("/")[2] == where.file


NAME = st.one_of(st.text(min_size=1), st.text("abc-_~.", min_size=1, max_size=3), st.text("x", min_size=60))


@given(NAME, NAME)
def test_safe_parts_are_safe_and_injective(one: str, other: str) -> None:
    assert re.fullmatch(r"~?[A-Za-z0-9_-]{1,64}", ids.safe_part(one))
    assert (ids.safe_part(one) == ids.safe_part(other)) == (one == other)


def test_a_safe_part_can_not_be_given_for_what_it_stands_for() -> None:
    hashed = ids.safe_part("a/b")

    assert ids.safe_part(hashed) != hashed


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200), st.sampled_from(list(Kind)))
def test_an_artifact_lies_below_its_session_whatever_the_names(
    session_id: str, participant_id: str, kind: Kind
) -> None:
    where = ids.Place(RID, True, session_id, participant_id, kind, "f.webm", STAMP)

    key = ids.artifact_key(where, "repaired", "0" * 16, "webm")

    assert re.fullmatch(r"sessions(/~?[A-Za-z0-9_-]{1,64}){3}/repaired-\d{13}-0{16}\.webm", key)
    assert ids.manifest_key(session_id, "0" * 16).startswith(f"{key.rsplit('/', 3)[0]}/manifest-")


INPUT = st.tuples(*[st.text("ab\0/", max_size=3)] * 2, st.text("ab", max_size=3), st.sampled_from("12"))


@given(INPUT, INPUT)
def test_other_input_other_artifact(one: tuple[str, str, str, str], other: tuple[str, str, str, str]) -> None:
    # S3 allows no NUL in the name of a bucket, so the parts can not run into each other.
    bucketless = [("bucket", *told[1:]) for told in (one, other) if "\0" not in told[1]]

    assert len({ids.input_digest(*told) for told in bucketless}) == len(set(bucketless))


def test_quotes_around_an_etag_say_nothing() -> None:
    assert ids.input_digest("b", "k", '"e"', "1") == ids.input_digest("b", "k", "e", "1")


# --- ids ------------------------------------------------------------------------------------------


@given(st.binary(min_size=16, max_size=16))
def test_a_minted_id_is_known_as_one(random: bytes) -> None:
    assert ids.known_recording_id(ids.recording_id(random)) == ids.recording_id(random)


@pytest.mark.parametrize(
    "text",
    ["", "rec-", RID.upper(), RID + "0", RID[:-1], f" {RID}", f"{RID}\n", "rec-" + "g" * 32, None, 7, [RID]],
)
def test_what_we_never_minted_is_refused(text: object) -> None:
    with pytest.raises(Invalid, match="invalid_recording_id"):
        ids.known_recording_id(text)


@pytest.mark.parametrize("text", ["a", "abcd-efgh-ijkl", "a_b.c@d:e+f=g~h", "x" * 128, ".a", "a.."])
def test_an_id_of_videosdk_is_taken(text: str) -> None:
    assert ids.external_id(text, "roomId") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a/b",
        "a#b",
        "a b",
        "a\n",
        "ä",
        "%2F",
        "x" * 129,
        "a\0",
        None,
        1,
        True,
        ["a"],
        {},
    ],
)
def test_what_can_be_no_id_is_refused_by_its_field(text: object) -> None:
    with pytest.raises(Invalid, match="invalid_participant_id") as refusal:
        ids.external_id(text, "participantId")
    assert refusal.value.field == "participantId"


@given(st.tuples(st.text("ab\0", max_size=2), st.text("ab", max_size=2)), st.sampled_from(ids.KINDS))
def test_unannounced_segments_of_one_track_share_a_recording(names: tuple[str, str], kind: str) -> None:
    rid = ids.unannounced_id(*names, kind)

    assert ids.is_recording_id(rid)
    assert rid == ids.unannounced_id(*names, kind)
    assert rid != ids.unannounced_id(*names, "other")


# --- webhook tokens -------------------------------------------------------------------------------

KEY = b"a key"
ABOUT = ("room", "anna", "audio")
TOKEN = ids.webhook_token(KEY, RID, ABOUT)


def believed(token: str, about: tuple[str, str, str] = ABOUT, key: bytes = KEY) -> bool:
    """Whether a delivery to this address that says this of itself is taken."""
    return ids.recording_of_token(key, token) == RID and ids.token_agrees(key, token, about)


def test_a_token_leads_back_to_its_recording() -> None:
    assert believed(TOKEN)


def test_half_a_token_leads_nowhere() -> None:
    """What is odd is kept without a look at the other half."""
    assert ids.recording_of_token(KEY, TOKEN[:-32]) is None


@pytest.mark.parametrize("at", range(len(TOKEN)))
def test_a_token_with_one_character_altered_is_refused(at: int) -> None:
    for other in {"0", "1", "f", "A", ".", "/", "é", "\ud800"} - {TOKEN[at]}:
        assert not believed(TOKEN[:at] + other + TOKEN[at + 1 :])


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        RID,
        f"{RID}.",
        TOKEN[:-1],
        TOKEN[:-32],
        TOKEN + "0",
        TOKEN.upper(),
        f" {TOKEN}",
        TOKEN * 2,
        "é",
        f"{TOKEN}.",
    ],
)
def test_a_token_of_another_form_is_refused(token: str) -> None:
    assert not believed(token)


@pytest.mark.parametrize(
    "about",
    [
        ("other", "anna", "audio"),
        ("room", "bela", "audio"),
        ("room", "anna", "video"),
        ("", "", ""),
        ("rooma", "nna", "audio"),
    ],
)
def test_a_body_about_another_recording_does_not_agree(about: tuple[str, str, str]) -> None:
    assert not believed(TOKEN, about)


def test_a_token_of_another_key_is_refused() -> None:
    assert ids.recording_of_token(b"another key", TOKEN) is None


def test_the_second_half_of_anothers_token_does_not_help() -> None:
    other = ids.webhook_token(KEY, "rec-" + "f" * 32, ABOUT)

    assert not believed(TOKEN[:-32] + other[-32:])
