"""Finds a meeting's tones and flashes in any file, as a player would hear and see them."""

import io
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

from tests.media.meeting import LENGTH_MS

type Sound = np.ndarray[tuple[int], np.dtype[np.float32]]

# A tone is told from others by this much to each side, and from noise by its height.
_BAND_HZ, _FLOOR = 64, 0.008
# Of long files so much is heard at a time, and so much of it twice.
_BLOCK_S, _OVERLAP_S = 20, 1
_ENVELOPE_HZ = 1_000
_BRIGHT = 170
# What is farther off than this is another marker's.
_REACH_MS = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """Where markers were found, against where they should be; times in milliseconds.

    `lost` were not found, `extra` were not expected or came twice; `offsets` are found minus expected.
    """

    lost: tuple[float, ...]
    extra: tuple[float, ...]
    offsets: tuple[float, ...]
    tolerance: float

    @property
    def worst(self) -> float:
        """The largest offset to either side."""
        return max((abs(offset) for offset in self.offsets), default=0.0)

    @property
    def right(self) -> bool:
        """Whether every marker is there once and where it should be."""
        return bool(self.offsets) and not self.lost and not self.extra and self.worst <= self.tolerance


def compare(expected: Iterable[float], found: Iterable[float], tolerance: float) -> Report:
    """Hold what was found against what is expected."""
    left, lost, offsets = sorted(found), [], []
    for wanted in sorted(expected):
        nearest = min(left, key=lambda at: abs(at - wanted), default=None)
        if nearest is None or abs(nearest - wanted) > _REACH_MS:
            lost.append(round(wanted, 1))
            continue
        left.remove(nearest)
        offsets.append(round(nearest - wanted, 2))
    return Report(tuple(lost), tuple(round(at, 1) for at in left), tuple(offsets), tolerance)


@dataclass(frozen=True, slots=True)
class Heard:
    """A file's sound as one hears it who counts samples, as browsers do: timestamps decide only the start.

    `tones` are the times at which each pitch begins. `slip_ms`: how far the timestamps leave the count.
    """

    tones: dict[int, list[float]]
    start_ms: float
    duration_ms: float
    slip_ms: float


def heard(source: bytes | str, pitches: Iterable[int], channel: int | None = None) -> Heard:
    """Listen to a file for tones of these pitches; to all channels together or to one."""
    wanted = list(pitches)
    with _opened(source) as file:
        stream = file.streams.audio[0]
        rate, slip, start, count = stream.rate, 0.0, None, 0
        tones: dict[int, list[float]] = {hz: [] for hz in wanted}
        held: list[Sound] = []
        before = 0  # how many samples lie before those that are held
        for at, samples in _samples(file, channel):
            start = at if start is None else start
            slip = max(slip, abs(at - start - 1000 * count / rate))
            held.append(samples)
            count += len(samples)
            if count - before >= (_BLOCK_S + _OVERLAP_S) * rate:
                block = np.concatenate(held)
                _listen(tones, block, rate, start + 1000 * before / rate, _BLOCK_S * 1000)
                held = [block[_BLOCK_S * rate :]]
                before += _BLOCK_S * rate
        start = start or 0.0
        if held:
            _listen(tones, np.concatenate(held), rate, start + 1000 * before / rate, 10 * _BLOCK_S * 1000)
    return Heard(tones, start, 1000 * count / rate, slip)


def levels(source: bytes | str, hz: int, times: Iterable[float]) -> list[float]:
    """How loud the tones are that begin at these times, in dB."""
    with _opened(source) as file:
        rate = file.streams.audio[0].rate
        sound = np.concatenate([samples for _, samples in _samples(file, None)])
    found = []
    for at in times:
        part = sound[round((at + 10) * rate / 1000) :][: (LENGTH_MS - 20) * rate // 1000]
        turning = np.exp(-2j * np.pi * hz * np.arange(len(part)) / rate)
        found.append(20 * float(np.log10(2 * abs(np.dot(part, turning)) / len(part))))
    return found


def peak(source: bytes | str) -> float:
    """The largest sample."""
    with _opened(source) as file:
        return max(float(abs(samples).max()) for _, samples in _samples(file, 0))


def _listen(tones: dict[int, list[float]], block: Sound, rate: int, at: float, until: float) -> None:
    """Add the tones that begin in the block's first `until` ms; one that lies across was heard before."""
    spectrum = _spectrum(block, rate)
    for hz, found in tones.items():
        begun = (at + onset for onset in _onsets(spectrum, rate, hz) if onset < until)
        found += [onset for onset in begun if not found or onset - found[-1] > 2]


def beeps(pcm: Sound, rate: int, hz: int) -> list[float]:
    """When tones of this pitch begin, in milliseconds, to half a millisecond."""
    return _onsets(_spectrum(pcm, rate), rate, hz)


def _spectrum(pcm: Sound, rate: int) -> "np.ndarray[Any, Any]":
    """Of whole seconds, silence behind: other lengths may take long."""
    return np.fft.rfft(pcm, -(-len(pcm) // rate) * rate)


def _onsets(spectrum: "np.ndarray[Any, Any]", rate: int, hz: int) -> list[float]:
    seconds = (2 * len(spectrum) - 2) // rate
    centre, side = hz * seconds, _BAND_HZ * seconds
    band = spectrum[centre - side : centre + side + 1] * np.hanning(2 * side + 1)
    # As much of a spectrum as makes one value a millisecond, the pitch in its middle.
    length = seconds * _ENVELOPE_HZ
    placed = np.zeros(length, complex)
    placed[: side + 1], placed[-side:] = band[side:], band[:side]
    envelope = 2 * np.abs(np.fft.ifft(placed)) * length / (seconds * rate)
    step = 1000 / _ENVELOPE_HZ
    loud = envelope > max(_FLOOR, 0.4 * float(envelope.max()))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(np.int8), [0]))))
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * step < LENGTH_MS / 3:
            continue
        if (end - start) * step > 1.6 * LENGTH_MS:  # two that touch
            found += [start * step, end * step - LENGTH_MS]
        else:
            found.append(_middle(envelope, start, end) * step - LENGTH_MS / 2)
    return found


def _middle(envelope: "np.ndarray[Any, Any]", start: int, end: int) -> float:
    """The centre of a tone's energy: what a codec smears to both sides does not move it."""
    least, most = max(0, start - 20), min(len(envelope), end + 20)
    energy = envelope[least:most] ** 2
    return float(least + np.dot(np.arange(most - least), energy) / energy.sum())


def _samples(file: InputContainer, channel: int | None) -> Iterator[tuple[float, Sound]]:
    """Times in milliseconds and what is heard from then on, in one channel."""
    for frame in file.decode(audio=0):
        planes = frame.to_ndarray()
        if not frame.format.is_planar:
            planes = planes.reshape(-1, frame.layout.nb_channels).T
        scale = 1.0 if planes.dtype.kind == "f" else float(1 << 8 * planes.dtype.itemsize - 1)
        mono = planes.mean(axis=0) if channel is None else planes[channel]
        assert frame.pts is not None
        assert frame.time_base is not None
        yield float(frame.pts * frame.time_base * 1000), (mono / scale).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file's pictures: when it flashes, when each picture begins, and their sizes in order."""

    flashes: list[float]
    times: list[float]
    sizes: list[tuple[int, int]]


def seen(source: bytes | str) -> Seen:
    """Look at every picture of a file."""
    shots, sizes = [], []
    with _opened(source) as file:
        for frame in file.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            luma = frame.planes[0]
            shot = np.frombuffer(luma, np.uint8).reshape(luma.height, luma.line_size)[::4, : luma.width : 4]
            shots.append((float(frame.pts * frame.time_base * 1000), float(shot.mean())))
            sizes.append((frame.width, frame.height))
    return Seen(flashes(shots), [at for at, _ in shots], [size for size, _ in groupby(sizes)])


def flashes(shots: Iterable[tuple[float, float]]) -> list[float]:
    """When it becomes bright, of pictures' times and brightness up to 255."""
    runs = groupby(shots, key=lambda shot: shot[1] > _BRIGHT)
    return [next(run)[0] for bright, run in runs if bright]


def _opened(source: bytes | str) -> InputContainer:
    found = av.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    assert isinstance(found, InputContainer)
    return found


# --- the same by the ffmpeg program, which shares no code with our reading ---


def ffmpeg_heard(path: str, hz: int, rate: int = 48_000) -> tuple[list[float], float]:
    """When tones begin and how long it is, of what a plain `ffmpeg -i x out.wav` makes; in milliseconds."""
    raw = ffmpeg("-i", path, "-f", "f32le", "-ac", "1", "-ar", str(rate), "-").stdout
    pcm = np.frombuffer(raw, np.float32)
    return beeps(pcm, rate, hz), 1000 * len(pcm) / rate


def ffmpeg_seen(path: str) -> list[float]:
    """When it flashes, with the file's own timestamps."""
    said = ffmpeg(
        "-copyts", "-i", path, "-an", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"
    )
    shots = re.findall(r"pts_time:(\S+).*?mean:\[(\d+)", said.stderr.decode())
    return flashes((1000 * float(at), float(mean)) for at, mean in shots)


def ffmpeg(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the program."""
    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, check=True)
