"""The whole path on the embedded stack: from a file's last byte to its session's manifest."""

import time

from bench.measure import figure, tell
from local import stack
from local.demo.client import Tracklane
from local.videosdk.client import Meeting

ROUNDS = 5
PATIENCE_S = 60


def main() -> None:
    """Print the table."""
    was_up = stack.read() is not None
    told = stack.up()
    try:
        taken = [_round(told, number) for number in range(ROUNDS)]
    finally:
        if not was_up:
            stack.down()
    figures = [
        figure("stop asked → last file in the bucket (simulation)", [delivered for delivered, _ in taken])
    ]
    figures.append(figure("last file in the bucket → manifest ready", [ready for _, ready in taken]))
    tell("whole path, embedded: wall seconds", figures, None, unit="s", scale=1)


def _round(told: dict[str, object], number: int) -> tuple[float, float]:
    """One participant's microphone for ten seconds of meeting; the two stretches of waiting."""
    tracklane = Tracklane(str(told["api"]), str(told["token"]))
    room_id = f"bench-{int(time.time())}-{number}"
    meeting = Meeting(told["videosdk"]["api"], room_id)  # type: ignore[index]  # a stack is plain JSON
    meeting.join("ada")
    tracklane.record(room_id, "ada", ("audio",))
    meeting.unmute("ada", "audio")
    meeting.advance(10_000)
    began = time.monotonic()
    tracklane.stop(room_id, "ada", ("audio",))
    meeting.settle()
    delivered = time.monotonic()
    while not _ready(tracklane, room_id):
        if time.monotonic() - delivered > PATIENCE_S:
            raise TimeoutError("the manifest was not written")
        time.sleep(0.05)
    return delivered - began, time.monotonic() - delivered


def _ready(tracklane: Tracklane, room_id: str) -> bool:
    lines = tracklane.sessions(room_id)
    return bool(lines and lines[0]["manifestKey"])


if __name__ == "__main__":
    main()
