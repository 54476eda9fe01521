"""Playlists of HLS (RFC 8216), as text.

They name files by their names alone: whoever serves them answers to those names beside the playlist's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from chalicelib.core.chunks import INIT, Picture, Rendered

# The playlists' names below a composition's folder.
MASTER, VIDEO, SOUND = "master.m3u8", "video.m3u8", "sound.m3u8"
CONTENT_TYPE = "application/vnd.apple.mpegurl"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a playlist; of one file for all its bytes, as (size, place)."""

    lasts_s: float
    name: str
    part: tuple[int, int] | None = None


def video_playlist(picture: Picture, chunks: Sequence[Rendered], *, ended: bool = True) -> str:
    """The chunks that follow each other from the first on. Not `ended`, others will come."""
    segments = [Segment(chunk.frames / picture.frame_rate, chunk.name) for chunk in chunks]
    return playlist(segments, f'URI="{INIT}"', ended=ended)


def master_playlist(
    picture: Picture, chunks: Sequence[Rendered], codecs: Sequence[str], *, sound: bool
) -> str:
    """What there is to play: the pictures, with the sound beside them if there is any."""
    rates = [8 * chunk.bytes * picture.frame_rate / chunk.frames for chunk in chunks]
    length_s = sum(chunk.frames for chunk in chunks) / picture.frame_rate
    average = 8 * sum(chunk.bytes for chunk in chunks) / length_s
    extra = _SOUND_RATE if sound else 0
    told = (
        f"BANDWIDTH={ceil(max(rates)) + extra},AVERAGE-BANDWIDTH={ceil(average) + extra},"
        f'CODECS="{",".join(codecs)}",RESOLUTION={picture.width}x{picture.height},'
        f"FRAME-RATE={picture.frame_rate}.000"
    )
    heard = (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,URI="{SOUND}"\n'
    )
    return (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        f"{heard if sound else ''}"
        f"#EXT-X-STREAM-INF:{told}{',AUDIO="sound"' if sound else ''}\n{VIDEO}\n"
    )


_SOUND_RATE = 160_000  # the mix's bits a second, and what lies around them


def playlist(segments: Sequence[Segment], begins: str, *, ended: bool) -> str:
    """Segments that follow each other, each playable by itself behind what `begins` names."""
    longest = max((segment.lasts_s for segment in segments), default=1)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{ceil(longest)}",
        "#EXT-X-MEDIA-SEQUENCE:1",
        f"#EXT-X-PLAYLIST-TYPE:{'VOD' if ended else 'EVENT'}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-MAP:{begins}",
    ]
    for segment in segments:
        lines.append(f"#EXTINF:{segment.lasts_s:.6f},")
        if segment.part is not None:
            lines.append(f"#EXT-X-BYTERANGE:{segment.part[0]}@{segment.part[1]}")
        lines.append(segment.name)
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])
