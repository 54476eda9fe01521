"""A whole meeting as VideoSDK delivers it: live-style WebM with tones and flashes at known session times.

Ten seconds of each participant are encoded once per process; a meeting of hours is only muxed from them. The
same arguments give the same bytes. Session time 0 is the start of the first participant's first sound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, cached_property
from itertools import groupby
from random import Random
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from chalicelib.core.ids import Kind
from chalicelib.media.blank import apart
from tests.media.live import Codec, Sent, avcc, clusters, el, head, lengths, num, shifted

ZERO_AT = 1_790_000_000_000
LOOP_MS = 10_000
# Where in each ten seconds the marker stands, how long it lasts, and the stretch around it that stays whole.
MARKER_MS, LENGTH_MS, AROUND = 5_000, 100, (4_000, 6_500)

_RATE, _PACKET_MS = 48_000, 20
_SLOT_MS = 1_000
_LOOK_AHEAD = 312  # samples by which libopus delays what it is given
_BURST_MS, _FREEZE_MS = 300, 1_500
_LOST_SHARE = 0.003

type Spans = Mapping[tuple[int, Kind], tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Marker:
    """A tone or a flash: when it was made, and when it is there, in milliseconds of the session.

    They differ for pictures: a flash is there with the first picture after it was made. `hz` is the tone's.
    """

    session_ms: float
    shown_ms: float
    participant_id: str
    kind: Kind
    hz: int | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How the participants send and the recorder writes; see `meeting`."""

    seed: int = 7
    codec: str = "vp8"
    size: tuple[int, int] = (320, 180)
    fps: int = 30
    dtx: bool = True
    loss: bool = False
    ramp: bool = True
    drop: float = 0.15
    mutes: bool = True
    drift_ppm: int = 0
    clock: str = "file"
    rate_told: bool = False
    first_frame_late_ms: int = 0
    stereo: bool = False
    pre_skip: bool = False
    screen: bool = False
    video: bool = True
    spans: Spans = field(default_factory=dict)
    name: str = "p{:02d}"


@dataclass(frozen=True)
class Segment:
    """One delivered file, recorded from `start` to `end` in milliseconds of the session.

    `first_ms` is the timestamp in the file at `start`, which the stamp in the name leaves out.
    """

    number: int
    kind: Kind
    start: float
    end: float
    first_ms: int
    ppm: int
    manner: Manner
    tone: float

    @property
    def participant_id(self) -> str:
        """Whose it is."""
        return self.manner.name.format(self.number)

    @property
    def start_at(self) -> int:
        """The epoch of its beginning, in whole milliseconds."""
        return ZERO_AT + round(self.start)

    @property
    def file(self) -> str:
        """As VideoSDK names it: the stamp is where the file's own clock begins, or the file."""
        stamp = self.start_at - (0 if self.manner.clock == "running" else self.first_ms)
        return f"track_recording_{self.participant_id}_{self.kind}_{stamp}.webm"

    @property
    def modified_at(self) -> int:
        """When the bucket got it."""
        return ZERO_AT + round(self.end) + 1_500

    @property
    def data(self) -> bytes:
        """The whole file; made anew each time."""
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The file, Cluster by Cluster."""
        large = self._loop(self.manner.size)
        yield head(large.codec, tracks=el("1654ae6b", large.entry))
        for slot in self._slots:
            yield self._cluster(slot, self._small if slot < self._switch else large)

    @cached_property
    def packets(self) -> int:
        """How many packets are in it."""
        loops = (self._small if slot < self._switch else self._loop(self.manner.size) for slot in self._slots)
        return sum(len(self._kept(slot, loop)) for slot, loop in zip(self._slots, loops, strict=True))

    @property
    def markers(self) -> list[Marker]:
        """The tones or flashes in it."""
        found = range(self._first - self._first % LOOP_MS + MARKER_MS, self._last, LOOP_MS)
        return [self._marker(made) for made in found if made >= self._first]

    def _marker(self, made: int) -> Marker:
        sound = self.kind.endswith("audio")
        # What a participant hears or sees does not wait for the phase of its packets.
        late = 0 if sound else self._loop(self.manner.size).flash_ms - MARKER_MS
        return Marker(
            session_ms=self._session(made),
            shown_ms=self._session(made + late),
            participant_id=self.participant_id,
            kind=self.kind,
            hz=hertz(self.number, self.kind) if sound else None,
        )

    def _session(self, media: float) -> float:
        return media / (1 + self.ppm / 1e6)

    # The participant's own clock is at 0 with the session's. Its packets lie on a grid of its own.
    @property
    def _phase(self) -> int:
        return 7 * self.number % _PACKET_MS if self.kind.endswith("audio") else 0

    @property
    def _first(self) -> int:
        return round(self.start * (1 + self.ppm / 1e6))

    @property
    def _last(self) -> int:
        return round(self.end * (1 + self.ppm / 1e6))

    @property
    def _slots(self) -> range:
        return range(self._first // _SLOT_MS, -(-self._last // _SLOT_MS))

    @cached_property
    def _switch(self) -> int:
        """The slot before which the picture is small."""
        if not self.manner.ramp or self.kind.endswith("audio"):
            return 0
        least = self._first + (self._last - self._first) // 20
        return next(s for s in range(least // _SLOT_MS + 1, 1 << 40) if s % 10 == 0 or s % 10 in KEY_SLOTS)

    @property
    def _small(self) -> "Loop":
        width, height = self.manner.size
        return self._loop((width // 2, height // 2))

    def _loop(self, size: tuple[int, int]) -> "Loop":
        if self.kind.endswith("audio"):
            hz = hertz(self.number, self.kind)
            m = self.manner
            return voice(hz, self._phase, self.tone, 1 + m.stereo, m.dtx, m.pre_skip)
        fps = 5 if self.kind is Kind.SCREEN_VIDEO else self.manner.fps
        m = self.manner
        return picture(m.codec, size, fps, m.drop, self.number % 4, m.rate_told)

    def _cluster(self, slot: int, loop: "Loop") -> bytes:
        at = self._stamp(slot * _SLOT_MS + self._phase)
        kept = self._kept(slot, loop)
        if len(kept) == len(loop.slots[slot % 10]) and at >= 0:
            return _CLUSTER + el("e7", num(at)) + loop.bodies[slot % 10]
        return b"".join(clusters(shifted(kept, at))) if kept else b""

    def _stamp(self, media: int) -> int:
        """The file's timestamp for a time of the participant's clock."""
        passed = media - self._first
        if self.manner.clock == "arrival":
            passed = round(self._session(passed))
        return self.first_ms + passed

    def _kept(self, slot: int, loop: "Loop") -> list[Sent]:
        """What of a second is recorded; times count from the slot's beginning."""
        at = slot * _SLOT_MS + self._phase
        packets = loop.slots[slot % 10]
        if at < self._first or at + _SLOT_MS > self._last:
            packets = tuple(p for p in packets if self._first <= at + p.at < self._last)
        return [p for p in packets if not self._lost(at + p.at)] if self.manner.loss else list(packets)

    def _lost(self, at: int) -> bool:
        """Once a minute 300 ms of sound and 0.3 % of all its packets, or 1.5 s of pictures before a key."""
        in_minute, in_loop = at % 60_000, at % LOOP_MS
        if not self.kind.endswith("audio"):
            return 20_000 + KEYS_MS[-1] - _FREEZE_MS <= in_minute < 20_000 + KEYS_MS[-1]
        if 32_000 <= in_minute < 32_000 + _BURST_MS:
            return True
        chance = Random(f"{self.manner.seed} {self.number} {self.kind} {at}").random()
        return chance < _LOST_SHARE and not AROUND[0] <= in_loop < AROUND[1]


@dataclass(frozen=True)
class Meeting:
    """A meeting's files, by the time at which they begin."""

    people: int
    minutes: float
    manner: Manner

    @property
    def duration_ms(self) -> int:
        """From session zero to the last one's leaving."""
        return round(self.minutes * 60_000)

    @cached_property
    def segments(self) -> list[Segment]:
        """All delivered files."""
        kinds = [Kind.AUDIO, *([Kind.VIDEO] if self.manner.video else [])]
        wanted = [(number, kind) for number in range(self.people) for kind in kinds]
        if self.manner.screen:
            wanted += [(0, Kind.SCREEN_AUDIO), (0, Kind.SCREEN_VIDEO)]
        found = [made for number, kind in wanted for made in self._of(number, kind)]
        return sorted(found, key=lambda segment: (segment.start, segment.file))

    @property
    def markers(self) -> list[Marker]:
        """Every tone and flash that was recorded."""
        return [marker for segment in self.segments for marker in segment.markers]

    def _of(self, number: int, kind: Kind) -> Iterator[Segment]:
        manner = self.manner
        ppm = manner.drift_ppm if number % 2 else 0
        spans = manner.spans.get((number, kind)) or self._spans(number, kind)
        snapped = [_snapped(span, number, kind) for span in spans]
        for turn, (start, end) in enumerate(snapped):
            first_ms = _first_ms(manner, kind, number + turn)
            yield Segment(
                number=number,
                kind=kind,
                start=start / (1 + ppm / 1e6),
                end=end / (1 + ppm / 1e6),
                first_ms=start - snapped[0][0] if manner.clock == "running" else first_ms,
                ppm=ppm,
                manner=manner,
                tone=0.8 / max(4, self.people),
            )

    def _spans(self, number: int, kind: Kind) -> Iterator[tuple[int, int]]:
        """When somebody is not muted: a few stretches of a short meeting, minutes of a long one."""
        start, end = 700 * number % 9_000, self.duration_ms
        if kind.startswith("screen"):
            start, end = end // 4, end * 3 // 4
        if not self.manner.mutes:
            yield start, end
            return
        chance = Random(f"{self.manner.seed} {number} {kind}")
        scale = max(60_000, min(end - start, 1_200_000))
        while start < end:
            until = start + round(scale * chance.uniform(0.2, 0.45))
            yield start, end if until > end - 30_000 else until
            start = end if until > end - 30_000 else until + chance.randrange(3_000, 20_000)


def meeting(people: int, minutes: float, **manner: Any) -> Meeting:
    """A meeting of so many people, who all stay to its end.

    `manner` has the fields of `Manner`: `codec` is vp8, vp9, h264 or av1; `dtx` has silence not sent; `loss`
    loses some; `ramp` begins each video file at half size; `drop` is the share of pictures that a camera
    leaves out; `mutes` cuts tracks into files; `drift_ppm` is by how much the clocks of every second
    participant run fast; `clock` is what timestamps count on: that of each "file", which begins with it, the
    participant's, "running" on over all files of a kind, or the recorder's, which stamps each "arrival";
    `rate_told` has video files claim that pictures come evenly; `first_frame_late_ms` is the first timestamp
    of every video file; `pre_skip` has Opus files say that their first 6.5 ms are to be skipped; `screen`
    shares a screen with its sound; `spans` says for some (number, kind) when they are recorded, in
    milliseconds of the session; `name` makes ids of numbers.
    """
    return Meeting(people, minutes, Manner(**manner))


def hertz(number: int, kind: Kind) -> int:
    """The pitch of a participant's tones; a screen's sound lies above those of 25 people."""
    return (4_400 if kind is Kind.SCREEN_AUDIO else 500) + 150 * number


def _first_ms(manner: Manner, kind: Kind, turn: int) -> int:
    if kind.endswith("audio"):
        return (0, 240, -7)[turn % 3]
    return manner.first_frame_late_ms or (0, 67)[turn % 2]


def _snapped(span: tuple[int, int], number: int, kind: Kind) -> tuple[int, int]:
    """A span that begins with a packet, of video a key frame, and cuts no marker."""
    start, end = (_clear(at) for at in span)
    if kind.endswith("audio"):
        phase = 7 * number % _PACKET_MS
        return tuple(phase + -(-(at - phase) // _PACKET_MS) * _PACKET_MS for at in (start, end))  # type: ignore[return-value]
    base = start - start % LOOP_MS
    return next(base + key for key in (*KEYS_MS, LOOP_MS) if base + key >= start), end


def _clear(at: int) -> int:
    return at - at % LOOP_MS + AROUND[1] + 100 if AROUND[0] <= at % LOOP_MS < AROUND[1] else at


# --- ten seconds that can be put one behind the other ---

# Where key frames stand in each ten seconds of pictures: at irregular distances, each first of its second.
KEYS_MS = (0, 1_000, 3_000, 7_000, 9_000)
KEY_SLOTS = tuple(key // _SLOT_MS for key in KEYS_MS)
_CLUSTER = bytes.fromhex("1f43b675") + b"\x01\xff\xff\xff\xff\xff\xff\xff"


@dataclass(frozen=True)
class Loop:
    """Ten seconds of packets, by the second; times count from each second's beginning."""

    codec: Codec
    entry: bytes
    slots: tuple[tuple[Sent, ...], ...]
    flash_ms: int = 0

    @cached_property
    def bodies(self) -> tuple[bytes, ...]:
        """Each second's blocks as they stand in a Cluster."""
        return tuple(b"".join(_block(packet) for packet in slot) for slot in self.slots)


def _block(sent: Sent) -> bytes:
    flags = b"\x80" if sent.key else b"\0"
    return el("a3", b"\x81", sent.at.to_bytes(2), flags, sent.data)


def _slotted(packets: list[Sent]) -> tuple[tuple[Sent, ...], ...]:
    seconds = {
        second: tuple(replace(packet, at=packet.at - second * _SLOT_MS) for packet in held)
        for second, held in groupby(packets, key=lambda packet: packet.at // _SLOT_MS)
    }
    return tuple(seconds.get(second, ()) for second in range(LOOP_MS // _SLOT_MS))


@cache
def voice(hz: int, phase: int, tone: float, channels: int, dtx: bool, pre_skip: bool) -> Loop:
    """Silence, somebody humming, and the tone; sampled from `phase` on."""
    warm = 1_000
    ahead = 0 if pre_skip else _LOOK_AHEAD  # heard at once, what is not skipped has to come earlier
    times = (np.arange((LOOP_MS + warm) * _RATE // 1000) + ahead) / 48.0 - warm + phase
    sound = _sound(times % LOOP_MS, hz, tone).astype(np.float32)
    packets = _opus(np.repeat(sound[None], channels, axis=0), channels, dtx)
    first = warm // _PACKET_MS
    sent = [Sent(_PACKET_MS * n, True, data) for n, data in enumerate(packets[first:])]
    skipped = _LOOK_AHEAD if pre_skip else 0
    told = b"OpusHead\x01" + bytes([channels]) + skipped.to_bytes(2, "little") + b"\x80\xbb\0\0\0\0\0"
    codec = Codec("opus", b"A_OPUS", 2, told)
    return Loop(codec, _audio_entry(codec, channels, skipped), _slotted(_spoken(sent) if dtx else sent))


def _sound(at: "np.ndarray[Any, Any]", hz: int, tone: float) -> "np.ndarray[Any, Any]":
    """Each millisecond's sound: humming below 400 Hz for four seconds, and the tone with soft edges."""
    beep = at - MARKER_MS
    edge = np.clip(np.minimum(beep, LENGTH_MS - beep) / 5, 0, 1)
    seconds = at / 1000
    voiced = np.clip(np.maximum(3_500 - at, at - 9_000) / 50, 0, 1)
    hum = sum(np.sin(2 * np.pi * f * seconds) / n for n, f in enumerate((120, 240, 360), 1))
    return np.asarray(
        tone * np.sin(2 * np.pi * hz * beep / 1000) * edge
        + 0.06 * voiced * hum * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * seconds))
    )


def _opus(samples: "np.ndarray[Any, Any]", channels: int, dtx: bool) -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    layout = ("mono", "stereo")[channels - 1]
    encoder.sample_rate, encoder.layout, encoder.format = _RATE, layout, "flt"
    encoder.bit_rate, encoder.time_base = 32_000 * channels, Fraction(1, _RATE)
    encoder.options = {"application": "audio", "dtx": str(int(dtx)), "compression_level": "0"}
    step = _PACKET_MS * _RATE // 1000
    packets = []
    for at in range(0, samples.shape[1], step):
        interleaved = np.ascontiguousarray(samples[:, at : at + step].T).reshape(1, -1)
        frame = AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = _RATE, at, Fraction(1, _RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def _spoken(sent: list[Sent]) -> list[Sent]:
    """What WebRTC sends of an encoder with DTX: of the packets that say silence, the first of each run."""
    before = [True, *(len(packet.data) > 2 for packet in sent)]
    return [p for p, spoke in zip(sent, before, strict=False) if len(p.data) > 2 or spoke]


def _audio_entry(codec: Codec, channels: int, skipped: int) -> bytes:
    delay = el("56aa", num(skipped * 1_000_000_000 // _RATE)) if skipped else b""
    sound = el("e1", el("9f", num(channels)), el("b5", b"\x47\x3b\x80\x00"))
    return _entry(codec, delay, sound)


def _entry(codec: Codec, *media: bytes) -> bytes:
    private = el("63a2", codec.private) if codec.private else b""
    described = el("d7", b"\1"), el("73c5", b"\1"), el("83", num(codec.type)), el("86", codec.id)
    return el("ae", *described, private, *media)


@cache
@apart
def picture(name: str, size: tuple[int, int], fps: int, drop: float, variant: int, rate_told: bool) -> Loop:
    """A bar that crosses, and the flash, from a camera that leaves out some pictures."""
    times = _times(fps, drop, variant)
    encoder = _video_encoder(name, size, fps)
    packets = [p for at in times for p in encoder.encode(_shot(size, at))] + list(encoder.encode(None))
    sent = [Sent(p.pts or 0, p.is_keyframe, bytes(p)) for p in packets]
    extra = bytes(encoder.extradata or b"")
    if name == "h264":
        sent, extra = [replace(p, data=lengths(p.data)) for p in sent], avcc(extra)
    assert [p.at for p in sent] == times
    assert {p.at for p in sent if p.key} == set(KEYS_MS)
    codec = Codec(name, _VIDEO[name][1], 1, extra if name in ("h264", "av1") else b"", *size)
    pixels = el("e0", el("b0", num(size[0])), el("ba", num(size[1])))
    flash = next(at for at in times if at >= MARKER_MS)
    lasts = el("23e383", num(1_000_000_000 // fps)) if rate_told else b""
    return Loop(codec, _entry(codec, lasts, pixels), _slotted(sent), flash)


_VIDEO: dict[str, tuple[str, bytes, dict[str, str]]] = {
    # Below zero: the speed as it is, not as the machine is busy; so the same bytes come each time.
    "vp8": (
        "libvpx",
        b"V_VP8",
        {"b": "400k", "deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"},
    ),
    "vp9": (
        "libvpx-vp9",
        b"V_VP9",
        {"b": "400k", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    ),
    "h264": (
        "libx264",
        b"V_MPEG4/ISO/AVC",
        # Sizes change inside a file, so each key frame says its own.
        {
            "b": "400k",
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": "repeat-headers=1",
        },
    ),
    "av1": ("libsvtav1", b"V_AV1", {"crf": "45", "preset": "11", "svtav1-params": "lp=1:pred-struct=1"}),
}


def _video_encoder(name: str, size: tuple[int, int], fps: int) -> VideoCodecContext:
    encoder = av.CodecContext.create(_VIDEO[name][0], "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, 1000), Fraction(fps), 10_000
    encoder.options, encoder.thread_count = _VIDEO[name][2], 1
    encoder.flags |= 1 << 22  # global header: the codec's private data apart from the packets
    return encoder


def _times(fps: int, drop: float, variant: int) -> list[int]:
    """When pictures are taken: a little early or late, some not at all, and where a key frame has to be."""
    chance = Random(f"{fps} {drop} {variant}")
    even = [index * 1000 // fps for index in range(LOOP_MS * fps // 1000)]
    moved = {at + chance.randrange(max(1, 300 // fps)) for at in even if chance.random() >= drop}
    near = 500 // fps
    clear = {at for at in moved if all(abs(at - key) > near for key in (*KEYS_MS, LOOP_MS))}
    flash = set() if any(MARKER_MS <= at < MARKER_MS + 66 for at in clear) else {MARKER_MS + 40}
    return sorted({*KEYS_MS, *clear, *flash})


def _shot(size: tuple[int, int], at: int) -> VideoFrame:
    width, height = size
    luma = np.full((height * 3 // 2, width), 128, np.uint8)
    if MARKER_MS <= at < MARKER_MS + LENGTH_MS:
        luma[:height] = 235
    else:
        luma[:height] = np.linspace(40, 90, width, dtype=np.uint8)
        bar = at % 5_000 * (width - 8) // 5_000
        luma[:height, bar : bar + 8] = 120
    frame = VideoFrame.from_ndarray(luma, format="yuv420p")
    frame.pts, frame.time_base = at, Fraction(1, 1000)
    frame.pict_type = 1 if at in KEYS_MS else 0
    return frame
