"""The mix as AAC in slices that are encoded at once, and the MP4 that has all their packets.

An encoder's choices rest on what it heard before, and a little on what comes: so each slice is encoded with
`LEAD` packets before it and `AFTER` behind it, which are thrown away. A slice has whole packets of AAC and of
Opus, all but the last.
"""

from array import array
from collections import deque
from collections.abc import Iterator
from itertools import batched, chain, islice

import numpy as np

from chalicelib.core.step import Made, Step
from chalicelib.media.decoding import Decoding
from chalicelib.media.sound.level import Array
from chalicelib.media.sound.make import CONTENT_TYPES
from chalicelib.media.sound.mix import gain_of
from chalicelib.media.sound.mp4 import PACKET, Mp4, encoder, frames
from chalicelib.media.sound.opus import FRAME, LOOK_AHEAD
from chalicelib.media.sound.part import Part, loudness, read_part
from chalicelib.media.store import Store, begun

LEAD, AFTER = 24, 4  # packets of AAC
_BEFORE = 40  # packets of Opus: the lead, and 0.3 s for a decoder to hear as one that was there before
_BEHIND = 8
_AT_ONCE = 200  # packets of Opus


def encode(step: Step, store: Store) -> list[Made]:
    """The packets of one slice. The first of `step.parts` is the slice, then come all slices of the mix in
    their order: only all of them tell how loud it is."""
    own, *keys = step.parts
    (output,) = step.outputs
    parts = [read_part(store.read(key))[0] for key in keys]
    lufs, peak = loudness(parts)
    gain, number = gain_of(lufs, peak, step.lufs), keys.index(own)
    told = Part(parts[number].samples, peak, array("f"))
    with begun(store, output.name, CONTENT_TYPES[output.form]) as writing:
        writing.body(Part.packed(_packets(parts, keys, number, gain, store)))
        writing.front(told.front())
    return [Made(output, output.name, CONTENT_TYPES[output.form], writing.size, step.start, step.end)]


def mux(step: Step, store: Store) -> list[Made]:
    """One MP4 of all slices' packets."""
    (output,) = step.outputs
    content_type = CONTENT_TYPES[output.form]
    with begun(store, output.name, content_type) as writing:
        file = Mp4(writing)
        for packet in chain.from_iterable(read_part(store.read(key))[1] for key in step.parts):
            file.add(packet)
        file.finish()
    return [Made(output, output.name, content_type, writing.size, step.start, step.end)]


def _packets(parts: list[Part], keys: list[str], number: int, gain: int, store: Store) -> Iterator[bytes]:
    """A slice's packets. The encoder's first holds what was before all, and its last ends what was begun."""
    lead = LEAD if number else 0
    coder, last = encoder(), number == len(parts) - 1
    end = lead + (1 << 40 if last else parts[number].samples // PACKET)
    heard = _heard(parts, keys, number, gain, store)
    coded = chain.from_iterable(coder.encode(frame) for frame in chain(frames(heard), [None]))
    for packet in islice(coded, lead, end):
        yield bytes(packet)


def _heard(parts: list[Part], keys: list[str], number: int, gain: int, store: Store) -> Iterator[Array]:
    """A slice's samples, between those of its lead and those that come after it."""
    before, after = _around(parts, keys, number, store)
    counts = [PACKET * LEAD if number else 0, parts[number].samples, PACKET * AFTER if after else 0]
    at, scale = -len(before) * FRAME - LOOK_AHEAD, np.float32(10 ** (gain / 256 / 20) / 32768)
    own = islice(read_part(store.read(keys[number]))[1], parts[number].samples // FRAME if after else None)
    begin, end, fresh = -counts[0], counts[1] + counts[2], True
    with Decoding() as decoding:
        for some in batched(chain(before, own, after), _AT_ONCE, strict=False):
            decoded = decoding.sound(0, "the mix", b"", 2, some, fresh=fresh)
            yield decoded[max(0, begin - at) : max(0, end - at)] * scale
            at, fresh = at + len(decoded), False


def _around(parts: list[Part], keys: list[str], number: int, store: Store) -> tuple[list[bytes], list[bytes]]:
    """The last packets of the slice before, and the first of the one behind."""
    before: deque[bytes] = deque(maxlen=_BEFORE)
    if number:
        before.extend(islice(read_part(store.read(keys[number - 1]))[1], parts[number - 1].samples // FRAME))
    behind = keys[number + 1 : number + 2]
    return list(before), [
        packet for key in behind for packet in islice(read_part(store.read(key))[1], _BEHIND)
    ]
