"""The sound of a composition is read in pieces, and comes whole."""

from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from chalicelib.media.compose.sound import Sound
from chalicelib.media.sound.mp4 import Mp4
from tests.media.shelf import Shelf, Store

SECONDS, RATE = 290, 48_000


def test_packets_are_the_files_own_also_where_one_lies_in_two_pieces(tmp_path: Path) -> None:
    shelf, noise = Shelf(tmp_path), np.random.default_rng(1).uniform(-0.3, 0.3, (RATE, 1)).astype(np.float32)
    file = Mp4(shelf.write("mix.mp4"))
    for _ in range(SECONDS):
        file.write(noise)
    file.finish()
    with av.open(str(shelf.path("mix.mp4"))) as opened:
        assert isinstance(opened, InputContainer)
        expected = [bytes(packet) for packet in opened.demux(audio=0) if packet.size]
    assert sum(map(len, expected)) > 4 << 20

    sound = Sound(Store(shelf, ""), "mix.mp4", 0, SECONDS * 1000)

    assert list(sound.packets()) == expected[: len(sound.samples)]
    assert len(expected) - len(sound.samples) <= 1
