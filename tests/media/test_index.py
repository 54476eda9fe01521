"""The sidecar index says where a repaired file's Clusters and key frames lie, and they can be moved by it."""

from dataclasses import replace

import pytest

from chalicelib.media.index import Index, index_of
from chalicelib.media.matroska import Extras
from chalicelib.media.mux import CLUSTER_HEAD, Muxer
from tests.media.live import (
    CLUSTER,
    OPUS,
    VP8,
    Shelf,
    as_sent,
    codec_of,
    even,
    indexed,
    live,
    opened,
    opus,
    packets_of,
    pictures,
    shifted,
    video,
    without,
)

CODECS = ("opus", "vp8", "vp9", "h264", "av1")


@pytest.mark.parametrize("name", CODECS)
def test_the_clusters_are_the_whole_file_behind_its_front(name: str) -> None:
    codec, packets = codec_of(name)

    index, file = indexed(live(codec, shifted(packets, 80)))

    assert index.size == len(file)
    ends = [index.clusters[0].place, *(at.place + at.size for at in index.clusters)]
    assert ends == [*(at.place for at in index.clusters), len(file)]
    for at in index.clusters:
        assert file[at.place : at.place + 4] == CLUSTER
        head = file[at.place + 8 : at.place + CLUSTER_HEAD]
        assert head == b"\xe7\x88" + at.time_ms.to_bytes(8)
    assert index.clusters[0][::3] == (0, True)


@pytest.mark.parametrize("name", CODECS)
def test_an_index_comes_back_as_it_was_stored(name: str) -> None:
    codec, packets = codec_of(name)
    index, _ = indexed(live(codec, packets))

    again = index_of(index.encoded())

    assert again == index
    assert again.encoded() == index.encoded()


def test_key_frames_are_told_by_the_place_of_their_own_bytes() -> None:
    packets = [packet for turn in range(3) for packet in shifted(video(60), 2000 * turn)]

    index, file = indexed(live(VP8, packets))

    sent = {packet.at: packet.data for packet in packets if packet.key}
    assert len(index.key_frames) >= 5
    assert index.key_frames[0].time_ms == 0
    for at in index.key_frames:
        assert file[at.place : at.place + at.size] == sent[at.time_ms]


def test_a_key_frame_that_is_held_over_a_hole_is_told_by_its_place_too() -> None:
    packets = without(even(video(60)), 1, 3000)
    later = [packets[0], *shifted(even(video(20)), 4000)]

    index, file = indexed(live(VP8, later))

    for at, packet in zip(index.key_frames, (later[0], later[1]), strict=True):
        assert file[at.place : at.place + at.size] == packet.data


def test_an_index_tells_what_a_front_is_written_from() -> None:
    sound, _ = indexed(live(OPUS, opus(1000)))
    small, _ = pictures("libvpx", width=160, height=90, frames=20)
    picture, _ = indexed(live(VP8, [*video(40), *shifted(small, 1400)]))

    assert (sound.kind, sound.codec, sound.private, sound.channels) == ("audio", "opus", OPUS.private, 1)
    assert (sound.width, sound.height, sound.key_frames, sound.duration_ms) == (0, 0, (), 1000)
    assert (picture.kind, picture.codec, picture.channels) == ("video", "vp8", 0)
    assert (picture.width, picture.height, picture.resolutions) == (320, 180, ((1400, 160, 90),))


def moved(index: Index, file: bytes, by: int, muxer: Muxer) -> None:
    """Copy all Clusters of a file to a later time."""
    for at in index.clusters:
        muxer.copy(at.time_ms + by, at.key, file[at.place : at.place + at.size])


@pytest.mark.parametrize("name", CODECS)
def test_clusters_are_copied_to_another_time(name: str) -> None:
    codec, packets = codec_of(name)
    index, file = indexed(live(codec, packets))
    shelf = Shelf()
    muxer = Muxer(shelf, index.kind)

    moved(index, file, 0, muxer)
    moved(index, file, 70_000, muxer)
    front = muxer.finish((index.track,), 70_000 + index.duration_ms)

    assert packets_of(shelf.file) == [
        *as_sent(packets),
        *((70_000 + time, key, data) for time, key, data in as_sent(packets)),
    ]
    assert muxer.clusters(front)[0].place == front
    with opened(shelf.file) as read:
        assert read.duration == 1000 * (70_000 + index.duration_ms)
        stream = read.streams[0]
        read.seek(70_500, stream=stream)
        assert 70_000 <= (next(iter(read.demux(stream))).pts or 0) <= 70_500


def test_packets_and_copied_clusters_may_follow_each_other() -> None:
    index, file = indexed(live(OPUS, opus(1000)))
    shelf = Shelf()
    muxer = Muxer(shelf, "audio")

    moved(index, file, 0, muxer)
    for packet in shifted(opus(200), 1000):
        muxer.add(packet.at, 0x80, packet.data, None)
    moved(index, file, 1200, muxer)
    muxer.finish((index.track,), 2200)

    sent = [*opus(1000), *shifted(opus(200), 1000), *shifted(opus(1000), 1200)]
    assert packets_of(shelf.file) == as_sent(sent)


def test_sound_and_picture_can_share_a_file() -> None:
    picture, pictures_of = indexed(live(VP8, video(60)))
    sound, sounds = indexed(live(OPUS, opus(2000)))
    shelf = Shelf()
    muxer = Muxer(shelf, "video")

    moved(picture, pictures_of, 0, muxer)
    for at in sound.clusters:
        muxer.copy(at.time_ms, False, sounds[at.place : at.place + at.size])
    muxer.finish((picture.track, sound.track), 2000)

    with opened(shelf.file) as read:
        found = [(packet.stream.type, bytes(packet)) for packet in read.demux() if packet.size]
        assert [data for kind, data in found if kind == "video"] == [packet.data for packet in video(60)]
        assert [data for kind, data in found if kind == "audio"] == [packet.data for packet in opus(2000)]
        read.seek(1500, stream=read.streams.video[0])
        landed = next(packet for packet in read.demux(video=0))
        assert landed.is_keyframe
        assert (landed.pts or 0) > 1000


def test_the_last_packet_can_still_be_held() -> None:
    shelf = Shelf()
    muxer = Muxer(shelf, "video")
    muxer.add(0, 0x80, video(1)[0].data, None)
    muxer.add(40, 0, video(2)[1].data, Extras(duration_ms=10))

    muxer.hold(5_000)

    index, _ = indexed(live(VP8, video(2)))
    muxer.finish((replace(index.track, width=320),), 5_000)
    with opened(shelf.file) as read:
        assert [packet.duration for packet in read.demux() if packet.size][-1] == 4_960
