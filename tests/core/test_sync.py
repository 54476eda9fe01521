"""How far sound and picture are apart, where both were cut at once."""

import pytest

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.sync import Offset, av_offset
from tests.core.stories import asked, meeting, recorded, segment, stay

AUDIO, VIDEO = Kind.AUDIO, Kind.VIDEO
SCREEN, SCREEN_SOUND = Kind.SCREEN_VIDEO, Kind.SCREEN_AUDIO

SOUND = recorded("anna", AUDIO, (0, 9000), (20_000, 90_000))
MUTED = [asked("anna", VIDEO), segment("anna", VIDEO, 0, 90_040)]
CUT_OFF = [*SOUND[:-1], segment("anna", AUDIO, 20_000, 90_000, tail_lost=True)]
UNSTAMPED = [*SOUND[:-1], segment("anna", AUDIO, 20_000, 90_000, clock="last_modified")]

type Story = tuple[str, list[list[e.Event]], list[e.Event], Offset | None]
STORIES: list[Story] = [
    ("sound alone", [SOUND], [], None),
    ("the picture ends later", [SOUND, recorded("anna", VIDEO, (0, 90_040))], [], Offset(40, 1)),
    ("the picture ends sooner", [SOUND, recorded("anna", VIDEO, (0, 89_900))], [], Offset(-100, 1)),
    ("too far apart to have one cause", [SOUND, recorded("anna", VIDEO, (0, 90_501))], [], None),
    ("both muted at the same moment", [SOUND, recorded("anna", VIDEO, (0, 9040), (30_000, 80_000))], [],
     None),
    ("nobody said that the recording is over", [SOUND, MUTED], [], None),
    ("nobody did, but she left", [SOUND, MUTED], [stay("anna", 0, 90_500)], Offset(40, 1)),
    ("a stay that lasts", [SOUND, MUTED], [stay("anna", 0, None)], None),
    ("a tail is lost", [CUT_OFF, recorded("anna", VIDEO, (0, 90_040))], [], None),
    ("a place by the bucket's clock", [UNSTAMPED, recorded("anna", VIDEO, (0, 90_040))], [], None),
    ("another's picture", [SOUND, recorded("bela", VIDEO, (0, 90_040))], [], None),
    ("a screen and its sound", [SOUND, recorded("anna", VIDEO, (0, 90_040)),
                                recorded("anna", SCREEN, (0, 50)), recorded("anna", SCREEN_SOUND, (0, 40))],
     [], Offset(10, 2)),
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=[s[0] for s in STORIES])
def test_sound_and_picture_that_were_cut_at_once_tell_how_far_they_are_apart(story: Story) -> None:
    _, recordings, own, expected = story

    assert av_offset(meeting(*recordings, own=own), "anna") == expected
