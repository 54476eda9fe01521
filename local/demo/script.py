"""What happens in the demo's meeting: three people, forty seconds, as a table."""

from dataclasses import dataclass

PEOPLE = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "linus": "Linus Torvalds"}
CAMERA = ("audio", "video")
SCREEN = ("screen_audio", "screen_video")


@dataclass(frozen=True, slots=True)
class Cue:
    """At this time of the meeting this person does this. `record` and `stop` are asked of our own API."""

    at_ms: int
    who: str
    does: str
    kinds: tuple[str, ...] = ()


SCRIPT = (
    Cue(0, "ada", "join"),
    Cue(0, "ada", "record", CAMERA),
    Cue(500, "ada", "unmute", CAMERA),
    Cue(2_000, "grace", "join"),
    Cue(2_000, "grace", "record", CAMERA),
    Cue(2_500, "grace", "unmute", CAMERA),
    Cue(4_000, "linus", "join"),
    Cue(4_000, "linus", "record", CAMERA),
    Cue(4_800, "linus", "unmute", ("video",)),
    Cue(6_200, "linus", "unmute", ("audio",)),
    Cue(9_000, "ada", "mute", ("audio",)),
    Cue(10_000, "grace", "record", SCREEN),
    Cue(10_300, "grace", "unmute", SCREEN),
    Cue(13_000, "ada", "unmute", ("audio",)),
    Cue(15_500, "linus", "mute", ("video",)),
    Cue(18_000, "linus", "leave"),
    Cue(20_000, "grace", "mute", ("video",)),
    Cue(23_000, "linus", "join"),
    Cue(23_000, "linus", "record", CAMERA),
    Cue(23_600, "linus", "unmute", CAMERA),
    Cue(26_000, "grace", "unmute", ("video",)),
    Cue(28_000, "grace", "mute", SCREEN),
    Cue(28_500, "grace", "stop", SCREEN),
    Cue(31_000, "ada", "mute", ("video",)),
    Cue(34_000, "ada", "unmute", ("video",)),
    Cue(40_000, "ada", "stop", CAMERA),
    Cue(40_000, "grace", "stop", CAMERA),
    Cue(40_000, "linus", "stop", CAMERA),
)
