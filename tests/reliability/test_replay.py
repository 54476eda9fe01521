"""What is genuine and comes again, or comes to another address, changes nothing."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from chalicelib.adapters.videosdk.post import SignedPost
from chalicelib.adapters.videosdk.signature import Signature
from chalicelib.core.events import OddHeard, to_record
from chalicelib.core.ids import KINDS, Kind
from chalicelib.flows.receive import receive_of_account, receive_of_recording
from chalicelib.flows.record import Wanted, stop
from chalicelib.ports import Filter
from tests.adapters import vendor as v
from tests.fakes import MemoryWorld
from tests.flows.stage import begun, until_quiet
from tests.reliability.receiver import Receiver, receiving, recording_id, token
from tests.tally import Tally

type Size = Callable[[int, int], int]
type About = tuple[str, str, str]

ALL = 10**6
TRACK = "participant-track-recording-"
ENDS = ("starting", "started", "stopping", "stopped", "failed")


@pytest.fixture(scope="module")
def signer() -> v.Signer:
    return v.Signer()


@pytest.fixture(scope="module")
def received(signer: v.Signer) -> Iterator[Receiver]:
    with receiving(signer) as receiver:
        yield receiver


@pytest.fixture
def receiver(received: Receiver) -> Iterator[Receiver]:
    yield received
    received.empty()


@dataclass(frozen=True)
class Letter:
    """A genuine delivery, to a recording's address or, without a token, to the account's."""

    body: bytes
    signature: str
    token: str | None


def told_of(about: About, what: str, session_id: str, folder: str = "") -> bytes:
    """A recording's news; its end names a file, perhaps in the recording's own folder."""
    room_id, participant_id, kind = about
    files = [{"filePath": f"{folder}{session_id}/{participant_id}/{kind}/{v.FILE.rpartition('/')[2]}"}]
    return v.body_of(
        f"{TRACK}{what}",
        meetingId=room_id,
        sessionId=session_id,
        participantId=participant_id,
        kind=kind,
        fileDetails=files if what == "stopped" else None,
    )


# --- 13: again ------------------------------------------------------------------------------------


class House:
    """The whole of it in memory, but for the signatures, which are real."""

    def __init__(self, signer: v.Signer, vendor: v.Vendor) -> None:
        self.signer = signer
        self.world = MemoryWorld()
        signature = Signature(vendor.url, now=self.world.now)
        self.world.post = SignedPost(signature)  # type: ignore[assignment]  # the real one

    def meeting(self, number: int) -> list[Letter]:
        """A recording that began and was stopped, and all that VideoSDK signs about it."""
        about = (f"room-{number}", "anna", "audio")
        rid = begun(self.world, Wanted(about[0], about[1], (Kind.AUDIO,)))
        stop(self.world, [rid], "app")
        self.world.pass_time(1000)
        session_id, address = f"session-{number}", self.world.token(rid, about)
        of_recording = [
            (told_of(about, what, session_id, f"recordings/{rid}/"), address) for what in ENDS[:4]
        ]
        person = {"meetingId": about[0], "sessionId": session_id, "participantId": about[1]}
        of_account = [
            (v.body_of(name, **person), None) for name in ("participant-joined", "participant-left")
        ]
        odd = [(v.body_of("recording-merged", **person), None), (f"odd {number}".encode(), address)]
        told = [*of_recording, *of_account, *odd]
        return [Letter(body, self.signer.sign(body), address) for body, address in told]

    def heard(self, number: int) -> list[Letter]:
        """A meeting whose letters have come once, with all that followed."""
        letters = self.meeting(number)
        assert all(self.hear(letter) for letter in letters)
        until_quiet(self.world)
        return letters

    def hear(self, letter: Letter) -> bool:
        """Whether it was news."""
        if letter.token is None:
            return receive_of_account(self.world, letter.body, letter.signature)
        return receive_of_recording(self.world, letter.token, letter.body, letter.signature)

    def state(self) -> str:
        """A hash of everything that there is."""
        world = self.world
        subjects = world.ledger.subjects()
        facts = {name: [to_record(fact) for fact in world.ledger.read(name)] for name in subjects}
        heads = [
            *world.catalog.recordings(Filter(), ALL, None).items,
            *world.catalog.sessions(None, ALL, None).items,
        ]
        told = [facts, heads, sorted(world.shelf.files), world.bell.rung, world.recorder.sent]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()

    def effects(self) -> list[str]:
        """What was done, but for the writes that the ledger did not take."""
        return [done for done in self.world.tape.done if not done.startswith("ledger.append")]


@pytest.mark.invariant(13, "a genuine delivery that comes again, whenever and however often, has no effect")
def test_repeats_have_no_effect(signer: v.Signer, seed: int, size: Size, tally: Tally) -> None:
    chance = random.Random(seed)
    with v.Vendor(v.answer(200, signer.key_answer())) as vendor:
        house = House(signer, vendor)
        letters = [letter for number in range(size(25, 1250)) for letter in house.heard(number)]
        state, effects = house.state(), house.effects()

        again = [letter for letter in letters for _ in range(chance.randint(1, 20))]
        chance.shuffle(again)
        for number, letter in enumerate(again):
            house.world.pass_time(chance.choice((0, 1, 1000, 60_000)))
            tally.case()
            if house.hear(letter) or house.world.ledger.stream:
                tally.violation(f"repeat {number} was news: {letter}")

        until_quiet(house.world)
        assert (house.state(), house.effects()) == (state, effects)


@pytest.mark.invariant(13, "a repeat at the route leaves the table as it was, to the byte")
def test_repeats_leave_the_table_as_it_was(
    signer: v.Signer, receiver: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    chance = random.Random(seed)
    bodies = [told_of((f"room-{n}", "anna", "audio"), what, f"s-{n}") for n in range(5) for what in ENDS]
    signed = [(body, signer.sign(body)) for body in bodies]
    letters = [
        Letter(body, told, token(number, (f"room-{place // 5}", "anna", "audio")))
        for number in range(size(2, 100))
        for place, (body, told) in enumerate(signed)
    ]
    assert all(receiver(one.body, one.signature, token=one.token).news for one in letters)
    state = receiver.state()

    again = [letter for letter in letters for _ in range(chance.randint(1, 20))]
    chance.shuffle(again)
    for number, letter in enumerate(again):
        tally.case()
        answer = receiver(letter.body, letter.signature, token=letter.token)
        if (answer.status, answer.news) != (200, False):
            tally.violation(f"repeat {number}: {answer}")

    assert receiver.state() == state


# --- 14: elsewhere --------------------------------------------------------------------------------


def recordings(many: int) -> list[About]:
    """Recordings that differ in one thing from others: the room, the participant or the kind."""
    rooms = range(1 + many // (4 * len(KINDS)))
    found = [(f"room-{room}", f"anna-{who}", kind) for room in rooms for who in range(4) for kind in KINDS]
    return found[:many]


@pytest.mark.invariant(14, "what was said of one recording is not believed of another, whoever's it is")
def test_no_delivery_is_believed_at_another_recordings_address(
    signer: v.Signer, receiver: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    """All of VideoSDK's customers are signed for with one key: another's room is no harder to come by."""
    chance, abouts = random.Random(seed), recordings(size(45, 320))
    what = [*ENDS, "merged"]
    bodies = [told_of(about, what[n % len(what)], "one-session") for n, about in enumerate(abouts)]
    letters = [(body, signer.sign(body)) for body in bodies]
    pairs = [(a, b) for a in range(len(abouts)) for b in range(len(abouts)) if a != b]
    chance.shuffle(pairs)

    for captured, address in pairs:
        tally.case()
        answer = receiver(*letters[captured], token=token(address, abouts[address]))
        if (answer.status, answer.code) != (403, "not_this_recording"):
            tally.violation(f"{bodies[captured]!r} at {abouts[address]}: {answer}")

    assert receiver.rows() == []
    heard = [receiver(*letter, token=token(n, abouts[n])) for n, letter in enumerate(letters)]
    assert [answer.status for answer in heard] == [200] * len(abouts)


@pytest.mark.invariant(14, "the end of a track's recording is not believed of the track's other recordings")
def test_the_end_of_one_recording_is_not_the_end_of_the_next(
    signer: v.Signer, receiver: Receiver, size: Size, tally: Tally
) -> None:
    """Room, participant, kind and session are equal: the files alone tell whose end it is."""
    about, many = (v.ROOM, v.PERSON, "audio"), size(15, 80)
    bodies = [told_of(about, "stopped", v.SESSION, f"recordings/{recording_id(n)}/") for n in range(many)]
    letters = [(body, signer.sign(body)) for body in bodies]

    for captured in range(many):
        for address in range(many):
            tally.case()
            answer = receiver(*letters[captured], token=token(address, about))
            if (answer.status == 200) != (captured == address):
                tally.violation(f"the end of {captured} at {address}: {answer}")

    assert len(receiver.rows()) == many


@pytest.mark.invariant(14, "nothing is believed of a recording at the account's address")
def test_no_recording_hears_what_is_said_at_the_accounts_address(
    signer: v.Signer, receiver: Receiver, size: Size, tally: Tally
) -> None:
    for about in recordings(size(45, 320)):
        for what in (*ENDS, "merged"):
            body = told_of(about, what, "one-session")
            tally.case()
            answer = receiver(body, signer.sign(body))
            if answer.status != 200:
                tally.violation(f"{body!r}: {answer}")

    facts = receiver.facts()
    assert len(facts) == tally.cases
    assert {type(fact) for fact in facts} == {OddHeard}
    assert {row["pk"]["S"] for row in receiver.rows()} == {"session#one-session"}
