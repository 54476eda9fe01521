"""What a composition is in the end: playlists for HLS, and one MP4 that plays while it loads.

Nothing is encoded again: the chunks are segments of the stream as they are, and the MP4 has their frames and
the packets of the mix. The same input gives the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched, islice

from chalicelib.core.chunks import SOUND_FILE, WHOLE, File, Whole
from chalicelib.core.playlist import MASTER, SOUND, VIDEO, Segment, master_playlist, playlist, video_playlist
from chalicelib.media.compose.boxes import Laid, Media, Sample, fragment, init, whole_head
from chalicelib.media.compose.encoding import codec_of, media_of
from chalicelib.media.compose.fragments import read_fragment
from chalicelib.media.compose.sound import Sound
from chalicelib.media.store import Store, Writing, begun

TYPES = {"m3u8": "application/vnd.apple.mpegurl", "mp4": "video/mp4"}
_SOUND_TYPE = "audio/mp4"
_SOUND_CODEC = "mp4a.40.2"
_SOUND_SEGMENT_S = 6
# Pictures and sound of so long lie together in the MP4.
_TOGETHER_S = 1


def finish(whole: Whole, formats: Iterable[str], store: Store) -> list[File]:
    """Write what is wanted of `mp4` and `hls`; a file that fails leaves nothing behind."""
    wanted = set(formats)
    sound = Sound(store, whole.mix, whole.start, whole.end) if whole.mix else None
    made: list[File] = []
    if "hls" in wanted:
        made += _hls(whole, sound, store)
    if "mp4" in wanted:
        made.append(_written(store, WHOLE, TYPES["mp4"], lambda file: _mp4(whole, sound, store, file)))
    return made


def _written(store: Store, name: str, content_type: str, write: Callable[[Writing], None]) -> File:
    with begun(store, name, content_type) as writing:
        write(writing)
    return File(name, content_type, writing.size)


def _small(store: Store, name: str, text: str) -> File:
    content_type = TYPES[name.rpartition(".")[2]]
    return _written(store, name, content_type, lambda file: file.front(text.encode()))


# --- HLS ------------------------------------------------------------------------------------------


def _hls(whole: Whole, sound: Sound | None, store: Store) -> Iterator[File]:
    if sound is not None:
        segments: list[Segment] = []
        begin = init(sound.media)
        yield _written(
            store, SOUND_FILE, _SOUND_TYPE, lambda file: _in_fragments(sound, begin, segments, file)
        )
        told = f'URI="{SOUND_FILE}",BYTERANGE="{len(begin)}@0"'
        yield _small(store, SOUND, playlist(segments, told, ended=True))
    yield _small(store, VIDEO, video_playlist(whole.picture, whole.chunks))
    codecs = [codec_of(media_of(whole.picture)), *([_SOUND_CODEC] if sound else [])]
    yield _small(store, MASTER, master_playlist(whole.picture, whole.chunks, codecs, sound=sound is not None))


def _in_fragments(sound: Sound, begin: bytes, segments: list[Segment], file: Writing) -> None:
    """The sound in fragments, and what they are. Packets that end before the range are left out: no player
    has to cut anything, and the first that is heard says itself when it is."""
    step, scale = sound.media.step, sound.media.scale
    unheard = -(-sound.skipped // step)
    packets = zip(sound.samples[unheard:], islice(sound.packets(), unheard, None), strict=True)
    at, place = unheard * step - sound.skipped, len(begin)
    for number, some in enumerate(batched(packets, _SOUND_SEGMENT_S * scale // step, strict=False), 1):
        samples, data = zip(*some, strict=True)
        body = fragment(sound.media, number, at, samples, data)
        file.body(body)
        segments.append(Segment(len(some) * step / scale, SOUND_FILE, (len(body), place)))
        at, place = at + len(some) * step, place + len(body)
    file.front(begin)


# --- one MP4 --------------------------------------------------------------------------------------


@dataclass
class _Track:
    """One track of the file: what was written of it."""

    media: Media
    samples: list[Sample] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)

    def wrote(self, samples: Sequence[Sample], place: int) -> None:
        """These samples lie there."""
        if samples:
            self.samples += samples
            self.runs.append((place, len(samples)))


def _mp4(whole: Whole, sound: Sound | None, store: Store, file: Writing) -> None:
    """Frames and packets, second by second; what says where they lie is known last, and stands first."""
    pictures = _Track(media_of(whole.picture))
    heard = _Track(sound.media) if sound is not None else None
    packets = zip(sound.samples, sound.packets(), strict=True) if sound is not None else iter(())
    rate = whole.picture.frame_rate * _TOGETHER_S
    for some in batched(_frames(whole, pictures.media.step, store), rate, strict=False):
        _put(pictures, some, file)
        if heard is not None:
            until = len(pictures.samples) * heard.media.scale // whole.picture.frame_rate
            _put(heard, list(islice(packets, until // heard.media.step + 1 - len(heard.samples))), file)
    if heard is not None:
        _put(heard, list(packets), file)
    file.front(whole_head(_laid(pictures, heard, sound), file.size))


def _frames(whole: Whole, step: int, store: Store) -> Iterator[tuple[Sample, bytes]]:
    for chunk in whole.chunks:
        data = b"".join(store.read(f"{whole.target}/{chunk.name}"))
        yield from zip(*read_fragment(data, step), strict=True)


def _put(track: _Track, some: Sequence[tuple[Sample, bytes]], file: Writing) -> None:
    track.wrote([sample for sample, _ in some], file.size)
    file.body(b"".join(data for _, data in some))


def _laid(pictures: _Track, heard: _Track | None, sound: Sound | None) -> list[Laid]:
    media, samples = pictures.media, pictures.samples
    tracks = [Laid(media, samples, pictures.runs, len(samples) * media.step, media.delay * media.step)]
    if heard is not None and sound is not None and heard.samples:
        tracks.append(Laid(heard.media, heard.samples, heard.runs, sound.lasts, sound.skipped))
    return tracks
