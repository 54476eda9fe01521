"""Make a delivered segment playable: duration, cues and clean structure, in one pass, packets bit for bit."""

from collections.abc import Iterable

from chalicelib.core.scan import NotRecording, Scan
from chalicelib.media.matroska import Recording
from chalicelib.media.mux import Muxer, Sink
from chalicelib.media.scan import gauge_of, told


def repair(chunks: Iterable[bytes], sink: Sink) -> Scan:
    """Write a seekable WebM of the recording in `chunks` to `sink`, its first packet at 0; what it is.

    `NotRecording` when there is none. The sink gets nothing before the headers are accepted, and `front`
    only when all is well; what it got before a refusal is worth nothing. The same bytes give the same file,
    however they are chunked.
    """
    recording = Recording(chunks)
    track = recording.open()
    gauge = gauge_of(track)
    muxer = Muxer(sink, track.kind)
    note, add = gauge.note, muxer.add
    # The one place that every packet passes: whoever adds packets, as for holes, adds them here.
    for time, marked, frame, extras in recording.packets():
        add(time, note(time, marked, frame, extras), frame, extras)
    if not gauge.packets:
        raise NotRecording("no_packets", "the file describes a track and has no whole packet of it")
    scan = told(gauge, recording, track)
    muxer.finish(track, scan)
    return scan
