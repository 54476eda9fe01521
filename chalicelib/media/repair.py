"""Make a delivered segment playable: duration, cues, clean structure and no holes, in one pass.

The packets stay as they are, bit for bit. Where sound is missing there is filler, for players and FFmpeg
pull together what has holes; where pictures are missing, the last one is shown until the next.
"""

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.core.scan import NotRecording, Repaired, Scan
from chalicelib.media.codecs import opus_head
from chalicelib.media.index import Index
from chalicelib.media.matroska import Recording, Track
from chalicelib.media.mux import Muxer, Sink
from chalicelib.media.scan import VIDEO_HOLE_MS, AudioGauge, Gauge, VideoGauge, told


def repair(chunks: Iterable[bytes], sink: Sink) -> Repaired:
    """Write a seekable WebM of the recording in `chunks` to `sink`, its first packet at 0; what it is.

    `NotRecording` when there is none. The sink gets nothing before the headers are accepted, and `front`
    only when all is well; what it got before a refusal is worth nothing. The same bytes give the same file,
    however they are chunked.
    """
    recording = Recording(chunks)
    track = recording.open()
    muxer = Muxer(sink, track.kind)
    written = _sound if track.kind == "audio" else _pictures
    gauge = written(recording, track, muxer)
    if not gauge.packets:
        raise NotRecording("no_packets", "the file describes a track and has no whole packet of it")
    scan = told(gauge, recording, track)
    return Repaired(scan, _finished(muxer, _shown(track, scan.width, scan.height), scan).encoded())


def _sound(recording: Recording, track: Track, muxer: Muxer) -> Gauge:
    gauge, add = AudioGauge(_shown(track)), muxer.add
    for time, key, frame, extras in gauge.through(recording.packets()):
        add(time, key, frame, extras)
    return gauge


def _pictures(recording: Recording, track: Track, muxer: Muxer) -> Gauge:
    gauge, before = VideoGauge(track), 0
    note, add = gauge.note, muxer.add
    for time, marked, frame, extras in recording.packets():
        if time - before > VIDEO_HOLE_MS:
            muxer.hold(time)
        add(time, note(time, marked, frame, extras), frame, extras)
        before = time
    return gauge


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


def _shown(track: Track, width: int | None = None, height: int | None = None) -> Track:
    """What the repaired file says of its track: of sound, Opus's own header knows best."""
    if track.kind == "video":
        return replace(track, channels=0, width=width or 0, height=height or 0)
    private = track.private if track.private.startswith(b"OpusHead") else opus_head(track.channels)
    return replace(track, private=private, channels=max(1, private[9] if len(private) > 9 else 1))
