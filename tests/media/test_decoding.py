"""Decoding: sound as long as its packets say, pictures that fit, and every death with its segment's name."""

import os
import signal
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.scan import BadSegment
from chalicelib.media.codecs import opus_us
from chalicelib.media.decoding import Decoding, Samples
from chalicelib.media.jpeg import Picture
from tests.media.live import codec_of

# The encoder's application, bits and milliseconds of a packet, and channels: CELT, SILK, and both together.
SOUNDS = {
    "celt": ("audio", 24_000, 20, 1),
    "silk": ("voip", 10_000, 20, 1),
    "silk of 60 ms": ("voip", 10_000, 60, 1),
    "hybrid": ("voip", 24_000, 20, 1),
    "short": ("lowdelay", 64_000, 5, 1),
    "large": ("audio", 256_000, 20, 2),
    "stereo": ("audio", 64_000, 20, 2),
}


@cache
def spoken(name: str, seconds: int = 2) -> tuple[bytes, ...]:
    """Packets of a tone in noise."""
    application, rate, step_ms, channels = SOUNDS[name]
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.format, encoder.bit_rate = 48_000, "s16", rate
    encoder.layout = ("mono", "stereo")[channels - 1]
    encoder.options = {"application": application, "frame_duration": str(step_ms)}
    count, packets, chance = 48 * step_ms, list[bytes](), np.random.default_rng(7)
    for index in range(seconds * 1000 // step_ms):
        at = index * count + np.arange(count).repeat(channels)
        wave = 6000 * np.sin(at * 0.03) + chance.normal(0, 300, count * channels)
        frame = AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", encoder.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, index * count, Fraction(1, 48_000)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(packets)


def head(channels: int, gain: int = 0) -> bytes:
    spelled = b"\x38\x01" + (48_000).to_bytes(4, "little") + gain.to_bytes(2, "little", signed=True)
    return b"OpusHead\x01" + bytes([channels]) + spelled + b"\0"


def heard(packets: Iterable[bytes], channels: int = 1, private: bytes = b"") -> Samples:
    with Decoding() as decoding:
        return decoding.sound(0, "k", private, channels, list(packets), True)


def by_ffmpeg(packets: Iterable[bytes], channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """One packet after another, by itself."""
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.extradata = head(channels).replace(b"\x38\x01\x80", b"\0\0\x80")
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    whole: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.concatenate(
        [frame.to_ndarray() for frame in frames], axis=1
    ).T
    return whole


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_what_ffmpeg_decodes_packet_by_packet(name: str) -> None:
    packets, channels = spoken(name), SOUNDS[name][3]

    samples = heard(packets, channels)

    assert samples.dtype == np.int16
    assert samples.shape == (sum(map(opus_us, packets)) * 48 // 1000, channels)
    assert np.abs(samples).max() > 4000
    assert np.abs(samples / 32768 - by_ffmpeg(packets, channels).clip(-1, 1)).max() < 2e-5


def test_a_voice_goes_on_where_it_was_beside_others() -> None:
    one, other = spoken("hybrid"), spoken("celt")
    parts = []
    with Decoding() as decoding:
        for at in range(0, 100, 20):
            parts.append(decoding.sound(1, "k", b"", 1, one[at : at + 20], at == 0))
            decoding.sound(2, "l", b"", 1, other[at : at + 20], at == 0)

    assert np.array_equal(np.concatenate(parts), heard(one))


def test_a_fresh_voice_remembers_nothing() -> None:
    with Decoding() as decoding:
        first, second = (decoding.sound(1, "k", b"", 1, spoken("celt"), True) for _ in range(2))

    assert np.array_equal(first, second)


@pytest.mark.parametrize(("name", "channels"), [("celt", 2), ("stereo", 1)])
def test_there_are_as_many_channels_as_were_asked_for(name: str, channels: int) -> None:
    samples = heard(spoken(name), channels, head(SOUNDS[name][3]))

    assert samples.shape == (96_000, channels)
    assert (np.abs(samples).max(axis=0) > 4000).all()


def test_the_gain_that_the_file_asks_for_is_given() -> None:
    loud, soft = heard(spoken("celt")), heard(spoken("celt"), private=head(1, -6 * 256))

    assert np.abs(soft).max() / np.abs(loud).max() == pytest.approx(0.5012, abs=0.001)


BROKEN = b"\x7b\xff" + bytes(8)  # 63 frames of 20 ms, and a padding beyond the end


def test_what_does_not_decode_is_silence_of_its_length_and_the_rest_stays_in_place() -> None:
    good = spoken("silk of 60 ms")
    packets = [*good[:10], BROKEN, *good[10:20]]

    samples = heard(packets)

    assert len(samples) == 48 * (600 + 120 + 600)
    assert np.array_equal(samples[:28_800], heard(good)[:28_800])
    assert not samples[28_800 : 28_800 + 5_760].any()
    assert np.abs(samples[-20_000:]).max() > 4000


def test_no_packets_and_empty_packets_are_no_sound() -> None:
    assert heard([]).shape == (0, 1)
    assert heard([b"", b""], 2).shape == (0, 2)


@settings(max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=20), st.integers(1, 2))
def test_sound_is_as_long_as_its_packets_say_whatever_they_are(packets: list[bytes], channels: int) -> None:
    assert len(heard(packets, channels)) == sum(map(opus_us, packets)) * 48 // 1000


# --- deaths ---------------------------------------------------------------------------------------


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_a_decoder_that_crashes_is_its_segments_fault_and_the_next_call_is_well() -> None:
    before = children()
    with Decoding() as decoding:
        decoding.sound(1, "k", b"", 1, spoken("celt"), True)
        (child,) = set(children()) - set(before)
        os.kill(child, signal.SIGSEGV)

        with pytest.raises(BadSegment, match="SIGSEGV") as death:
            decoding.sound(1, "k", b"", 1, spoken("celt"), False)

        assert (death.value.source, death.value.code) == ("k", "crashed")
        assert np.array_equal(decoding.sound(1, "k", b"", 1, spoken("celt"), False), heard(spoken("celt")))
    assert children() == before


def test_a_picture_that_wants_more_memory_than_there_is_takes_nothing_with_it() -> None:
    """Where the memory ends, FFmpeg says so or only that it can not decode."""
    key = bytearray(codec_of("vp8")[1][0].data)
    key[6:10] = (16_000).to_bytes(2, "little") * 2
    with Decoding(max_pixels=1 << 30) as decoding:
        try:
            assert decoding.picture("k", "vp8", b"", bytes(key) + bytes(1 << 20), (160, 90)) is None
        except BadSegment as death:
            assert (death.source, death.code) == ("k", "limits")  # noqa: PT017 - either may be

        assert decoding.picture("k", "vp8", b"", codec_of("vp8")[1][0].data, (160, 90))


# --- pictures -------------------------------------------------------------------------------------


def seen(codec: str, box: tuple[int, int], max_pixels: int = 1 << 20) -> Picture | None:
    described, packets = codec_of(codec)
    with Decoding(max_pixels) as decoding:
        return decoding.picture("k", codec, described.private, packets[0].data, box)


BOXES = [((1280, 720), (320, 180)), ((160, 90), (160, 90)), ((100, 100), (100, 56)), ((31, 900), (30, 16))]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
@pytest.mark.parametrize(("box", "size"), BOXES)
def test_a_picture_fits_the_box_and_is_never_enlarged(
    codec: str, box: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = seen(codec, box)

    assert picture is not None
    assert (picture.width, picture.height) == size
    assert len(picture.planes) == size[0] * size[1] * 3 // 2
    # The pattern's brightness rises by 3 a column, of which there are 320; a video's range begins at 16.
    row, scale = picture.planes[: size[0]], 320 / size[0]
    assert all(abs(row[x] - (3 * (x + 0.5) * scale - 17.5) * 255 / 219) < 14 for x in range(*_dark(scale)))


def _dark(scale: float) -> tuple[int, int]:
    """The columns in which the pattern rises for the first time, but for their edges."""
    return int(16 / scale) + 1, int(68 / scale)


def test_pictures_are_scaled_although_the_parent_did_so_with_many_threads() -> None:
    VideoFrame(1280, 720, "yuv420p").reformat(640, 360, "rgb24")

    assert seen("vp8", (160, 90))


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_a_picture_with_too_many_pixels_is_none(codec: str) -> None:
    assert seen(codec, (160, 90), max_pixels=320 * 180 - 1) is None


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_what_is_no_picture_is_none(codec: str) -> None:
    described, packets = codec_of(codec)
    cut, between = packets[0].data[:9], packets[1].data
    with Decoding() as decoding:
        for frame in (b"", b"\x00", b"\x10\0\0\x9d\x01\x2a\x40\x01\xb4\0" + b"\xff" * 3, cut, between):
            assert decoding.picture("k", codec, described.private, frame, (160, 90)) is None


def test_the_same_picture_is_the_same_jpeg() -> None:
    first, second = seen("vp8", (160, 90)), seen("vp8", (160, 90))

    assert first
    assert second
    assert first.jpeg(3) == second.jpeg(3)
    assert first.jpeg(3)[:3] == b"\xff\xd8\xff"
