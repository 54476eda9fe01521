"""Files of several sizes: with parts of 8 MiB they are put whole, or in two parts or three."""

import random
from dataclasses import replace

from tests.media.live import OPUS, VP8, live, opus, video


def film(chance: random.Random) -> bytes:
    """A video of 60 pictures; what stands behind a picture's end nobody looks at. Two in five are large."""
    more = chance.randbytes(chance.choice((1, 100, 1_000, 150_000, 290_000)))
    return live(VP8, [replace(sent, data=sent.data + more) for sent in video()])


def sound(chance: random.Random) -> bytes:
    """Three seconds of sound."""
    more = chance.randbytes(chance.choice((1, 10, 100)))
    return live(OPUS, [replace(sent, data=sent.data + more) for sent in opus()])
