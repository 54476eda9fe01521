"""Joins the slices of a mix: Opus packets are copied, loudness is measured over all.

AAC is made of the same packets, decoded: by then the loudness is known, so that it can be given its gain.
"""

from collections.abc import Iterator
from itertools import batched, islice

import numpy as np

from chalicelib.core.step import Made, Step
from chalicelib.media.decoding import Decoding
from chalicelib.media.sound.level import decibels
from chalicelib.media.sound.make import CONTENT_TYPES
from chalicelib.media.sound.mix import gain_of, notes_of
from chalicelib.media.sound.mp4 import Mp4
from chalicelib.media.sound.opus import FRAME, LOOK_AHEAD, OpusWebm
from chalicelib.media.sound.part import Part, loudness, read_part
from chalicelib.media.store import Store, Writing, begun

_AT_ONCE = 200  # packets


def join(step: Step, store: Store) -> list[Made]:
    """The mix out of `step.parts`, which follow each other and all but the last have whole 100 ms."""
    (output,) = step.outputs
    parts = [read_part(store.read(key))[0] for key in step.parts]
    lufs, peak = loudness(parts)
    gain, samples = gain_of(lufs, peak, step.lufs), sum(part.samples for part in parts)
    content_type = CONTENT_TYPES[output.form]
    with begun(store, output.name, content_type) as writing:
        write = _mp4 if output.form == "mp4" else _webm
        write(writing, _packets(step.parts, parts, store), samples, gain)
    notes = notes_of(lufs, decibels(peak), gain)
    return [Made(output, output.name, content_type, writing.size, step.start, step.end, notes)]


def _packets(keys: tuple[str, ...], parts: list[Part], store: Store) -> Iterator[bytes]:
    """All packets. What is beyond a slice's end is the next one's to say."""
    for number, (key, part) in enumerate(zip(keys, parts, strict=True), 1):
        wanted = part.samples // FRAME if number < len(parts) else None
        yield from islice(read_part(store.read(key))[1], wanted)


def _webm(writing: Writing, packets: Iterator[bytes], samples: int, gain: int) -> None:
    file = OpusWebm(writing, 2)
    for packet in packets:
        file.add(packet)
    file.finish(samples, gain)


def _mp4(writing: Writing, packets: Iterator[bytes], samples: int, gain: int) -> None:
    file, at, scale = Mp4(writing), -LOOK_AHEAD, np.float32(10 ** (gain / 256 / 20) / 32768)
    with Decoding() as decoding:
        for some in batched(packets, _AT_ONCE, strict=False):
            decoded = decoding.sound(0, "the mix", b"", 2, some, fresh=at < 0)
            file.write(decoded[max(0, -at) : max(0, samples - at)] * scale)
            at += len(decoded)
    file.finish()
