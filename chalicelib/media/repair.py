"""Make a delivered segment playable: duration, cues and clean structure, in one pass, packets bit for bit."""

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.core.scan import NotRecording, Repaired, Scan
from chalicelib.media.codecs import opus_head
from chalicelib.media.index import Index
from chalicelib.media.matroska import Recording, Track
from chalicelib.media.mux import Muxer, Sink
from chalicelib.media.scan import gauge_of, told


def repair(chunks: Iterable[bytes], sink: Sink) -> Repaired:
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
    for time, marked, frame, extras in recording.packets():
        add(time, note(time, marked, frame, extras), frame, extras)
    if not gauge.packets:
        raise NotRecording("no_packets", "the file describes a track and has no whole packet of it")
    scan = told(gauge, recording, track)
    return Repaired(scan, _finished(muxer, _shown(track, scan), scan).encoded())


def _finished(muxer: Muxer, track: Track, scan: Scan) -> Index:
    front = muxer.finish((track,), scan.duration_ms)
    clusters = muxer.clusters(front)
    return Index(
        kind=track.kind,
        codec=track.codec,
        private=track.private,
        channels=track.channels,
        width=track.width,
        height=track.height,
        frame_ns=track.frame_ns,
        delay_ns=track.delay_ns,
        pre_roll_ns=track.pre_roll_ns,
        duration_ms=scan.duration_ms,
        size=clusters[-1].place + clusters[-1].size,
        clusters=clusters,
        key_frames=muxer.key_frames(front),
        resolutions=scan.resolutions,
    )


def _shown(track: Track, scan: Scan) -> Track:
    """What the repaired file says of its track: of sound, Opus's own header knows best."""
    if track.kind == "video":
        return replace(track, channels=0, width=scan.width or 0, height=scan.height or 0)
    private = track.private if track.private.startswith(b"OpusHead") else opus_head(track.channels)
    return replace(track, private=private, channels=max(1, private[9] if len(private) > 9 else 1))
