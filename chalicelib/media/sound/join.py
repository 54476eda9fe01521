"""Joins the slices of a mix: packets are copied, loudness is measured over all."""

from array import array
from itertools import islice

from chalicelib.core.step import Made, Step
from chalicelib.media.sound.level import decibels, integrated
from chalicelib.media.sound.make import CONTENT_TYPES
from chalicelib.media.sound.mix import gain_of, notes_of
from chalicelib.media.sound.opus import FRAME, OpusWebm
from chalicelib.media.sound.part import read_part
from chalicelib.media.store import Store


def join(step: Step, store: Store) -> list[Made]:
    """The mix out of `step.parts`, which follow each other and all but the last have whole 100 ms."""
    (output,) = step.outputs
    content_type = CONTENT_TYPES[output.form]
    writing = store.write(output.name, content_type)
    try:
        file, energies, peak, samples = OpusWebm(writing, 2), array("f"), 0.0, 0
        for number, key in enumerate(step.parts, 1):
            part, packets = read_part(store.read(key))
            # What is beyond a slice's end is the next one's to say.
            wanted = part.samples // FRAME if number < len(step.parts) else None
            for packet in islice(packets, wanted):
                file.add(packet)
            energies.extend(part.energies)
            peak, samples = max(peak, part.peak), samples + part.samples
        lufs = integrated(energies)
        gain = gain_of(lufs, peak, step.lufs)
        file.finish(samples, gain)
    except BaseException:
        writing.abandon()
        raise
    notes = notes_of(lufs, decibels(peak), gain)
    return [Made(output, output.name, content_type, writing.size, step.start, step.end, notes)]
