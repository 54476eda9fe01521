"""Sound for tests: signals become real Opus, recorded live and repaired; FFmpeg decodes what was made."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

from chalicelib.core.ids import Kind
from chalicelib.core.step import Made, Output, Piece, Step, Track
from tests.media.live import Codec, Sent, clusters, el, head, indexed, num, opened
from tests.media.meeting import ZERO_AT

type Sound = np.ndarray[Any, np.dtype[np.float32]]
type Samples = np.ndarray[Any, np.dtype[np.int16]]

RATE = 48_000
_DELAY = 312


@dataclass
class MemoryStore:
    """Answers to the port `Store`; `opened` are the keys that were read, `begun` counts unfinished files."""

    files: dict[str, bytes] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    begun: int = 0

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """In pieces, as it would come."""
        self.opened.append(key)
        body = self.files[key][start:end]
        return (body[at : at + 50_000] for at in range(0, len(body), 50_000))

    def write(self, name: str, _content_type: str) -> "MemoryWriting":
        """Nothing is seen before the front."""
        self.begun += 1
        return MemoryWriting(self, name)


@dataclass
class MemoryWriting:
    """Answers to the port `Writing`."""

    store: MemoryStore
    name: str
    size: int = 0
    _body: bytearray = field(default_factory=bytearray)

    def body(self, data: bytes) -> None:
        """Kept."""
        self.size += len(data)
        self._body += data

    def front(self, data: bytes) -> None:
        """Now it is there."""
        self.size += len(data)
        self.store.begun -= 1
        self.store.files[self.name] = data + self._body

    def abandon(self) -> None:
        """Forgotten."""
        self.store.begun -= 1


# --- signals ---


def silence(seconds: float) -> Sound:
    """Nothing to hear."""
    return np.zeros(round(seconds * RATE), np.float32)


def tone(seconds: float, hz: float = 1000, level: float = 0.5) -> Sound:
    """A sine."""
    at = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(level * np.sin(2 * np.pi * hz * at), np.float32)


def noise(seconds: float, level: float = 0.1, seed: int = 1) -> Sound:
    """White, of this deviation."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.asarray(level * drawn, np.float32)


def speech(seconds: float, level: float = 0.3, seed: int = 1) -> Sound:
    """Like somebody who speaks: syllables, sentences, pauses."""
    at = np.arange(round(seconds * RATE)) / RATE
    drawn = np.random.default_rng(seed)
    pitch = drawn.uniform(100, 220)
    voiced = sum(np.sin(2 * np.pi * pitch * n * at + n) / n for n in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * drawn.uniform(2, 4) * at), 0, 1)
    sentences = np.repeat(drawn.random(int(seconds) + 1) < 0.7, RATE)[: len(at)]
    return np.asarray(level * voiced * syllables * sentences / 2, np.float32)


# --- what was recorded of them ---


def encoded(signal: Sound, bit_rate: int = 64_000) -> list[bytes]:
    """Packets of 20 ms; a signal has the shape (samples,) or (samples, 2)."""
    wide = signal.reshape(len(signal), -1).astype(np.float32)
    return list(_encoded(np.pad(wide, ((0, -len(wide) % 960), (0, 0))).tobytes(), wide.shape[1], bit_rate))


@cache
def _encoded(signal: bytes, channels: int, bit_rate: int) -> tuple[bytes, ...]:
    wide = np.frombuffer(signal, np.float32).reshape(-1, channels)
    layout = ("mono", "stereo")[channels - 1]
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = RATE, layout, "flt"
    codec.bit_rate, codec.time_base = bit_rate, Fraction(1, RATE)
    codec.options = {"application": "audio", "compression_level": "0"}
    packets = []
    for at in range(0, len(wide), 48_000):
        part = np.ascontiguousarray(wide[at : at + 48_000], np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(part, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return tuple(packets)


def opus(channels: int) -> Codec:
    """A file's description: it says that libopus is 6.5 ms late."""
    told = bytes([1, channels]) + _DELAY.to_bytes(2, "little") + RATE.to_bytes(4, "little") + bytes(3)
    return Codec("opus", b"A_OPUS", 2, b"OpusHead" + told)


def file_of(sent: Iterable[Sent], channels: int = 1) -> bytes:
    """A live file of these packets."""
    codec = opus(channels)
    sound = el("e1", el("9f", num(channels)))
    described = el("d7", b"\1"), el("73c5", b"\1"), el("83", b"\2"), el("86", codec.id)
    delay = el("56aa", num(6_500_000)), el("63a2", codec.private)
    entry = el("ae", *described, *delay, sound)
    return head(codec, tracks=el("1654ae6b", entry)) + b"".join(clusters(sent))


def sent(packets: Iterable[bytes], step: float = 20, first: float = 0) -> list[Sent]:
    """Packets at even distances, at whole milliseconds as files have them."""
    return [Sent(round(first + step * n), True, packet) for n, packet in enumerate(packets)]


@dataclass
class Session:
    """Segments laid on a clock, and the steps that make something of them."""

    store: MemoryStore = field(default_factory=MemoryStore)
    tracks: dict[tuple[str, Kind], list[Piece]] = field(default_factory=dict)

    def speaks(
        self, who: str, start: int, signal: Sound, kind: Kind = Kind.AUDIO, end: int | None = None
    ) -> None:
        """A segment of this signal begins there, in milliseconds; it is cut at `end`."""
        packets = sent(encoded(signal))
        until = start + round(len(signal) / 48) if end is None else end
        self.sends(who, (start, until), packets, kind, signal.ndim)

    def sends(
        self,
        who: str,
        span: tuple[int, int],
        packets: list[Sent],
        kind: Kind = Kind.AUDIO,
        channels: int = 1,
        **clock: int,
    ) -> None:
        """A segment of these packets has this span of the session."""
        index, repaired = indexed(file_of(packets, channels))
        key = f"repaired/{len(self.store.files)}.webm"
        self.store.files |= {key: repaired, f"{key}.json": index.encoded()}
        self.tracks.setdefault((who, kind), []).append(Piece(key, f"{key}.json", *span, **clock))

    def step(self, span: tuple[int, int], *outputs: Output, lufs: float | None = None) -> Step:
        """What makes these outputs of all tracks."""
        tracks = tuple(Track(who, kind, "opus", tuple(pieces)) for (who, kind), pieces in self.tracks.items())
        return Step("sound", "s1", "sessions/s1", ZERO_AT, *span, tracks, outputs, lufs=lufs)


def mix(form: str = "webm") -> Output:
    """The session's mix."""
    return Output("mix", form, f"mix.{form}")


def of(who: str, product: str, form: str) -> Output:
    """A stem or peaks of somebody."""
    return Output(product, form, f"{who}/{product}.{form}", who, Kind.AUDIO)


def noted(made: Made) -> dict[str, Any]:
    """A file's notes."""
    return dict(made.notes)


# --- what is heard of what was made ---


def heard(file: bytes, channels: int = 2, before: Iterable[str] = ()) -> Sound:
    """A file as the ffmpeg program plays it, as (samples, channels); `before` is what it is told of it."""
    wanted = ("-f", "f32le", "-ac", str(channels), "-ar", str(RATE), "-")
    return np.frombuffer(_ffmpeg(file, *wanted, before=before).stdout, np.float32).reshape(-1, channels)


def measured(file: bytes) -> tuple[float, float]:
    """Integrated loudness and true peak by FFmpeg's own meter."""
    said = _ffmpeg(file, "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-").stderr
    told = said.decode().rpartition("Summary:")[2]
    found = re.search(r"I:\s+(\S+) LUFS.*Peak:\s+(\S+) dBFS", told, re.DOTALL)
    assert found
    return float(found[1]), float(found[2])


def _ffmpeg(file: bytes, *arguments: str, before: Iterable[str] = ()) -> "subprocess.CompletedProcess[bytes]":
    with NamedTemporaryFile() as kept:
        kept.write(file)
        kept.flush()
        program = get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-threads", "1"
        command = [*program, *before, "-i", kept.name, *arguments]
        return subprocess.run(command, capture_output=True, check=True)


def samples_of(file: bytes) -> Samples:
    """A FLAC or WAV file's own samples, as (samples, channels)."""
    with opened(file, "flac" if file.startswith(b"fLaC") else "wav") as read:
        frames = [frame.to_ndarray().reshape(-1, frame.layout.nb_channels) for frame in read.decode(audio=0)]
    return np.concatenate(frames).astype(np.int16)


def waveform(file: bytes) -> dict[str, Any]:
    """A JSON waveform."""
    told = json.loads(file)
    assert isinstance(told, dict)
    return told


def onset(sound: Sound, level: float = 0.1) -> float:
    """When it is first as loud as this, in milliseconds."""
    return float(np.flatnonzero(np.abs(sound).reshape(len(sound), -1).max(axis=1) > level)[0]) / 48
