"""Tracks of a participant's camera and microphone, or of a screen and its sound, and both in one file.

All are made in one reading of the repaired files, without decoding; sprites get the key frames that go by.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from heapq import merge

from chalicelib.core.ids import Kind
from chalicelib.core.step import Made, Note, Output, Step, Track
from chalicelib.media.clusters import Cluster, settled, split
from chalicelib.media.mux import Muxer
from chalicelib.media.splice import Sound, spliced
from chalicelib.media.store import Store

_SOUND_OF = {Kind.VIDEO: Kind.AUDIO, Kind.SCREEN_VIDEO: Kind.SCREEN_AUDIO}
_BOTH = {Kind.VIDEO: "av", Kind.SCREEN_VIDEO: "screen-av"}
_CONTENT_TYPES = {"audio": "audio/webm", "video": "video/webm"}


def copies(step: Step, store: Store) -> list[Made]:
    """Make what a step wants of one participant's tracks; no file is left half-written when it fails.

    `BadSegment` when a file is not what its index says.
    """
    streams = [_Stream(store, track, step) for track in step.tracks]
    with ExitStack() as unfinished:
        makers = [
            _MAKERS[output.product](step, store, output, streams, unfinished) for output in step.outputs
        ]
        wanted = [stream for stream in streams if stream.takers]
        for _, place, cluster in merge(*(stream.clusters(place) for place, stream in enumerate(wanted))):
            for take in wanted[place].takers:
                take(cluster)
        made = [found for maker in makers for found in maker.finished()]
        unfinished.pop_all()
    return made


class _Stream:
    """A track being spliced, and who takes its Clusters."""

    def __init__(self, store: Store, track: Track, step: Step) -> None:
        self.track = track
        self.spliced = spliced(store, track, step.start, step.end)
        self.takers: list[Callable[[Cluster], None]] = []

    def clusters(self, place: int) -> Iterator[tuple[tuple[int, bool], int, Cluster]]:
        """The Clusters by their time, pictures before sound, so that those of all streams can be merged."""
        sound = isinstance(self.spliced, Sound)
        for cluster in self.spliced:
            yield (cluster.time, sound), place, cluster

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is told of a file that was made of it."""
        track = self.track
        filled_ms = self.spliced.filled_us // 1000
        return ("codec", track.codec), ("filled_ms", filled_ms), ("pieces", len(track.pieces))


class _File:
    """A file that is written while Clusters come."""

    def __init__(self, step: Step, store: Store, output: Output, kind: str, unfinished: ExitStack) -> None:
        self._step, self._output, self._type = step, output, _CONTENT_TYPES[kind]
        self._writing = store.write(output.name, self._type)
        unfinished.callback(self._writing.abandon)
        self.muxer = Muxer(self._writing, kind)

    def take(self, cluster: Cluster) -> None:
        """The next Cluster."""
        self.muxer.copy(cluster.time, cluster.key, cluster.data)

    def made(self, *streams: _Stream) -> Made:
        """The file ended; the first of the streams is what is told of."""
        step = self._step
        self.muxer.finish([stream.spliced.described for stream in streams], step.end - step.start)
        size = self._writing.size
        return Made(self._output, self._output.name, self._type, size, step.start, step.end, streams[0].notes)


class _TrackFile:
    """One kind over the whole session."""

    def __init__(
        self, step: Step, store: Store, output: Output, streams: list[_Stream], unfinished: ExitStack
    ) -> None:
        self._stream = _named(streams, output, "track-{kind}-{codec}.webm")
        self._file = _File(step, store, output, self._stream.spliced.first.kind, unfinished)
        self._stream.takers.append(self._file.take)

    def finished(self) -> list[Made]:
        return [self._file.made(self._stream)]


class _BothFile:
    """A video Cluster, and then the sound of the same time in a Cluster of its own."""

    def __init__(
        self, step: Step, store: Store, output: Output, streams: list[_Stream], unfinished: ExitStack
    ) -> None:
        self._video = _named(streams, output, "{both}-{codec}.webm")
        kind = _SOUND_OF[self._video.track.kind]
        self._sound = next(stream for stream in streams if stream.track.kind == kind)
        self._file = _File(step, store, output, "video", unfinished)
        self._video.takers.append(self._picture)
        self._sound.takers.append(self._heard)
        # Sound of which a part may come behind the next video Cluster.
        self._held: Cluster | None = None

    def finished(self) -> list[Made]:
        self._flush(self._held)
        return [self._file.made(self._video, self._sound)]

    def _picture(self, cluster: Cluster) -> None:
        if self._held is not None:
            before, self._held = split(self._held, cluster.time)
            self._flush(before)
        self._file.take(cluster)

    def _heard(self, cluster: Cluster) -> None:
        self._flush(self._held)
        self._held = cluster

    def _flush(self, sound: Cluster | None) -> None:
        if sound is not None:
            # Players begin at pictures.
            self._file.take(replace(settled(sound), key=False))


class _SpriteFile:
    """Sheets of small pictures, of some of the key frames."""

    def __init__(
        self, step: Step, store: Store, output: Output, streams: list[_Stream], unfinished: ExitStack
    ) -> None:
        # NumPy takes as long to load as a short meeting's tracks take to be made.
        from chalicelib.media.sprite import Sprite

        self._stream = _named(streams, output, "sprite-{kind}-{codec}.vtt")
        pieces = self._stream.track.pieces
        self._sprite = unfinished.enter_context(Sprite(output, store, step.start, step.end, pieces))
        self._start = step.start
        self._stream.takers.append(self._look)

    def finished(self) -> list[Made]:
        return self._sprite.finish()

    def _look(self, cluster: Cluster) -> None:
        for key in cluster.keys:
            if self._sprite.wants(self._start + key.time):
                codec = self._stream.track.codec
                self._sprite.add(self._start + key.time, codec, key.private, key.frame, key.source)


_MAKERS: dict[str, type[_TrackFile] | type[_BothFile] | type[_SpriteFile]] = {
    "track": _TrackFile,
    "av": _BothFile,
    "sprite": _SpriteFile,
}


def _named(streams: list[_Stream], output: Output, form: str) -> _Stream:
    """The stream whose track an output's name speaks of."""
    for stream in streams:
        kind, codec = stream.track.kind, stream.track.codec
        if output.name == form.format(kind=kind, codec=codec, both=_BOTH.get(kind)):
            return stream
    raise ValueError(f"no track for {output.name}")
