"""What our encoders of sound share: 16-bit samples, as (samples, channels), on one thread."""

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from chalicelib.media.sound.voice import Samples

RATE = 48_000
_LAYOUTS = {1: "mono", 2: "stereo"}


def encoder(
    name: str, channels: int, options: dict[str, str], bit_rate: int | None = None
) -> AudioCodecContext:
    """An FFmpeg encoder of this name."""
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE, _LAYOUTS[channels], "s16"
    codec.time_base, codec.thread_count, codec.options = Fraction(1, RATE), 1, options
    if bit_rate is not None:
        codec.bit_rate = bit_rate
    return codec


def encoded(codec: AudioCodecContext, samples: Samples) -> list[bytes]:
    """The packets that come of these samples now; some may come later."""
    part = np.ascontiguousarray(samples).reshape(1, -1)
    frame = AudioFrame.from_ndarray(part, format="s16", layout=codec.layout.name)
    frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
    return [bytes(packet) for packet in codec.encode(frame)]
