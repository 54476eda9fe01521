"""Media that nobody trusts: damaged, made to cost much, or something else under a recording's name.

Files are tried in a process of their own, which may die of it, as production's functions may; packets in this
one, for decoding is contained by the product itself.
"""

import ast
import ctypes
import os
import random
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chalicelib.core.scan import BadSegment
from chalicelib.media.codecs import opus_us
from chalicelib.media.decoding import Decoding
from tests.media.live import OPUS, VP8, Codec, codec_of, el, head, live, num, repaired
from tests.reliability.bombs import BOMBS, GOOD
from tests.reliability.contained import ROOT, Cell, Ending
from tests.tally import Tally

MEMORY_MB = 512
# What a reader in Python spends at most on a byte of the smallest elements there are.
CPU_S_PER_MB = 4.0

type Size = Callable[[int, int], int]


# --- damaged --------------------------------------------------------------------------------------


def whole_files() -> list[bytes]:
    """Live and repaired, of every codec."""
    films = [
        live(codec, packets[:30]) for codec, packets in map(codec_of, ("opus", "vp8", "vp9", "h264", "av1"))
    ]
    return films + [repaired(film)[1] for film in films]


def flipped(data: bytearray, chance: random.Random) -> None:
    """Bytes anywhere, half of them in the headers, where they hurt."""
    for _ in range(chance.randint(1, 20)):
        data[chance.randrange(len(data) if chance.random() < 0.5 else min(400, len(data)))] = (
            chance.randrange(256)
        )


def cut(data: bytearray, chance: random.Random) -> None:
    """A piece is missing, or the end."""
    start = chance.randrange(len(data))
    del data[start : start + chance.choice([1, 7, 300, len(data)])]


def doubled(data: bytearray, chance: random.Random) -> None:
    """A piece stands elsewhere once more."""
    start, at = chance.randrange(len(data)), chance.randrange(len(data))
    data[at:at] = data[start : start + chance.choice([3, 50, 4000])]


def lied(data: bytearray, chance: random.Random) -> None:
    """A size or number of eight bytes says something else."""
    at = chance.randrange(len(data))
    data[at : at + 8] = chance.choice(
        [b"\x01" + b"\xff" * 7, b"\x01" + bytes(7), chance.randbytes(8), b"\xff" * 8]
    )


def filled(data: bytearray, chance: random.Random) -> None:
    """Noise between the elements."""
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.choice([1, 16, 5000]))


def elements(data: bytearray, chance: random.Random) -> None:
    """Elements that are known, where they should not be."""
    idents = [
        "1a45dfa3",
        "18538067",
        "1654ae6b",
        "1f43b675",
        "e7",
        "a3",
        "a0",
        "a1",
        "9b",
        "75a2",
        "fb",
        "ae",
        "ec",
    ]
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        data[at:at] = el(chance.choice(idents), chance.randbytes(chance.choice([0, 1, 4, 9, 200])))


DAMAGE = [flipped, cut, doubled, lied, filled, elements]


def mutants(many: int, seed: int, files: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """So many damaged files, each with the words for how it came about."""
    chance = random.Random(seed)
    for number in range(many):
        file, ways = chance.randrange(len(files)), chance.choices(DAMAGE, k=chance.randint(1, 3))
        data = bytearray(files[file])
        for way in ways:
            way(data, chance) if data else None
        yield f"case {number}: file {file}, {', '.join(way.__name__ for way in ways)}", bytes(data)


@pytest.mark.invariant(21, "damaged media ends as a file or a refusal, within its memory and time")
def test_damaged_media_is_repaired_or_refused(tally: Tally, size: Size) -> None:
    with Cell() as cell:
        for name, data in mutants(size(2_000, 20_000), tally.seed, whole_files()):
            tally.case()
            ending = cell.tries("repair twice", data)
            if ending.is_fault or ending.cpu_s > 2 or ending.peak_mb > MEMORY_MB:
                tally.violation(f"{name}: {ending}")


CONTAINED = {"crashed", "hung", "limits"}


@pytest.mark.invariant(
    21, "damaged media is repaired and decoded, or refused; a decoder that dies takes only itself"
)
def test_damaged_media_is_decoded_or_refused(tally: Tally, size: Size) -> None:
    died = 0
    with Cell() as cell:
        for name, data in mutants(size(200, 2_000), tally.seed, whole_files()):
            tally.case()
            ending = cell.tries("decode", data)
            died += ending.what in CONTAINED
            if ending.is_fault or ending.cpu_s > 2 or ending.peak_mb > MEMORY_MB:
                tally.violation(f"{name}: {ending}")
    assert died < tally.cases / 100


def bent(frame: bytes, chance: random.Random) -> bytes:
    """A packet with some bits turned, half of them in its headers; or cut off; or with something added."""
    data = bytearray(frame)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data) if chance.random() < 0.5 else min(24, len(data)))] ^= (
            1 << chance.randrange(8)
        )
    if chance.random() < 0.2:
        del data[chance.randrange(1, len(data) + 1) :]
    if chance.random() < 0.2:
        data += chance.randbytes(chance.choice([1, 9, 2000]))
    return bytes(data)


@pytest.mark.invariant(21, "damaged packets end as sound or a picture of the right size, or as nothing")
def test_damaged_packets_are_decoded_or_not(tally: Tally, size: Size) -> None:
    """In this very process, which must survive it."""
    chance, died = random.Random(tally.seed), 0
    films = [codec_of(name) for name in ("opus", "opus", "vp8", "vp9", "h264", "av1")]
    with Decoding() as decoding:
        for number in range(size(500, 5_000)):
            tally.case()
            codec, packets = chance.choice(films)
            frames = [bent(packet.data, chance) for packet in packets[: 1 if codec.type == 1 else 25]]
            try:
                told = _decoded(decoding, codec, frames, chance)
            except BadSegment as death:
                died, told = died + 1, "" if death.code in CONTAINED else str(death)
            if told:
                tally.violation(f"case {number}, {codec.name}: {told}")
    assert died <= tally.cases / 100


def _decoded(decoding: Decoding, codec: Codec, frames: list[bytes], chance: random.Random) -> str:
    """What is wrong with what came of it, if anything is."""
    if codec.type == 1:
        private = bent(codec.private, chance) if codec.private and chance.random() < 0.3 else codec.private
        picture = decoding.picture("k", codec.name, private, frames[0], (160, 90))
        fits = picture is None or (picture.width <= 160 and picture.height <= 90)
        return "" if fits else f"{picture}"
    channels = chance.randint(1, 2)
    samples = decoding.sound(channels, "k", bent(codec.private, chance), channels, frames, False)
    due = (sum(map(opus_us, frames)) * 48 // 1000, channels)
    return "" if samples.shape == due else f"{samples.shape} instead of {due}"


def test_nothing_is_decoded_but_in_the_child() -> None:
    """Encoders may run anywhere: they see only what is ours."""
    media = [path for path in (ROOT / "chalicelib" / "media").rglob("*.py") if path.name != "decoding.py"]

    assert len(media) > 10
    assert [(path.name, told) for path in media for told in reading(ast.parse(path.read_text()))] == []
    assert len(list(reading(ast.parse((ROOT / "chalicelib/media/decoding.py").read_text())))) == 2


def reading(module: ast.Module) -> Iterator[str]:
    """Where FFmpeg is told to decode or to open a file: neither `create` nor `open` says that it writes."""
    calls = (node for node in ast.walk(module) if isinstance(node, ast.Call))
    for call in calls:
        told = ast.unparse(call)
        if re.match(r"(av\.open|av\.CodecContext\.create|\w*CodecContext\.create)\(", told):
            mode = call.args[1] if len(call.args) > 1 else None
            if not (isinstance(mode, ast.Constant) and mode.value == "w"):
                yield told


def test_the_cell_holds_and_tells_what_happened() -> None:
    with Cell(cpu_s=0.3) as cell:
        assert cell.tries("crash", b"").what == "crashed -11"
        assert cell.tries("repair", live(*codec_of("opus"))).what == "made"
        assert cell.tries("hang", b"x").what == "hung"
        assert cell.tries("repair", b"").what == "empty"


# --- bombs ----------------------------------------------------------------------------------------


@pytest.mark.invariant(22, "a bomb costs 2 s or its bytes' worth, and 512 MB at most")
def test_a_bomb_costs_no_more_than_its_bytes(tally: Tally, size: Size) -> None:
    assert len(BOMBS) >= 20
    with Cell() as cell:
        for name in BOMBS:
            for do in ("repair", "decode"):
                tally.case()
                ending = cell.explodes(do, name, size(30, 60_000) / 1000)
                allowed_s = max(2.0, CPU_S_PER_MB * ending.bytes / (1 << 20))
                if ending.is_fault or ending.cpu_s > allowed_s or ending.peak_mb > MEMORY_MB:
                    tally.violation(f"{do} of {name}: {ending}")


CLAIMS = ["a block of 2 GB, of which 300 MB come", "nothing of a terabyte, of which 300 MB come"]


@pytest.mark.parametrize("bomb", CLAIMS)
def test_what_only_claims_to_be_large_is_not_held(bomb: str) -> None:
    with Cell() as cell:
        ending = cell.explodes("repair", bomb, 20)

    assert (ending.what, ending.bytes > 300_000_000) == ("made", True)
    assert ending.peak_mb < 200


# --- something else -------------------------------------------------------------------------------


def box(kind: bytes, *bodies: bytes) -> bytes:
    """A box of MP4."""
    body = b"".join(bodies)
    return (len(body) + 8).to_bytes(4) + kind + body


def movie(reference: bytes) -> bytes:
    """A QuickTime movie whose samples lie in another file."""
    dinf = box(b"dinf", box(b"dref", bytes(4), b"\0\0\0\1", reference))
    stbl = box(b"stbl", box(b"stsd", bytes(7), b"\1", box(b"vp08", bytes(70))))
    mdia = box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(13)), box(b"minf", dinf, stbl))
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", mdia))


def disguised(file: str, port: int) -> dict[str, bytes]:
    """What is no recording and names another file, or an address; by what it is."""
    url, path = f"http://127.0.0.1:{port}/x", str(Path(file).resolve())
    texts = {
        "a list of files": f"ffconcat version 1.0\nfile {file}\n",
        "a list of files by their paths": f"ffconcat version 1.0\nfile '{path}'\n",
        "a list of files with a mark before it": f"\ufeffffconcat version 1.0\nfile {file}\n",
        "a list of files in DOS lines": f"ffconcat version 1.0\r\nfile {file}\r\n",
        "a list of files behind a remark": f"# files\nffconcat version 1.0\nfile {file}\n",
        "a list of addresses": f"ffconcat version 1.0\nfile {url}\n",
        "a list with options": f"ffconcat version 1.0\nfile {file}\noption safe 0\ninpoint 1\n",
        "a session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\n",
        "HLS": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{file}\n#EXT-X-ENDLIST\n",
        "HLS of addresses": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}.ts\n#EXT-X-ENDLIST\n",
        "HLS of a file's address": f"#EXTM3U\n#EXTINF:9,\nfile://{path}\n#EXT-X-ENDLIST\n",
        "HLS with a key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:9,\nx.ts\n',
        "HLS that joins files": f"#EXTM3U\n#EXTINF:9,\nconcat:{path}|subfile,,start,0,end,9,,:{path}\n",
        "a master list of HLS": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}.m3u8\n",
        "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f'<AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>",
        "DASH with a document in it": f'<!DOCTYPE x [<!ENTITY y SYSTEM "file://{path}">]><MPD>&y;</MPD>',
        "a playlist of Windows": f'<ASX version="3"><Entry><Ref href="{url}"/></Entry></ASX>',
        "a playlist of old": f"[playlist]\nFile1={url}\nNumberOfEntries=1\n",
        "XSPF": f"<playlist><trackList><track><location>file://{path}</location></track></trackList>",
        "SMIL": f'<smil><body><video src="{url}"/></body></smil>',
        "a drawing": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
        "a page": f'<!doctype html><video src="{url}"></video>',
        "subtitles": "WEBVTT\n\n00:00.000 --> 00:09.000\nhello\n",
        "metadata": f";FFMETADATA1\ntitle={path}\n",
        "an index of pictures": f"# VobSub index file, v7\nid: en, index: 0\nlangidx: 0\n# {path}\n",
        "AviSynth": f'AviSource("{path}")\n',
        "RTSP": f"RTSPtext\nrtsp://127.0.0.1:{port}/x\n",
    }  # fmt: skip
    alias = box(b"alis", bytes(4), bytes(150), b"\0\2", len(path).to_bytes(2), path.encode())
    film, listed = head(OPUS), texts["a list of files"].encode()
    segment, linked = bytes(16), file.encode()
    others = {
        "a movie that lies elsewhere": movie(alias),
        "a movie at an address": movie(box(b"url ", bytes(4), url.encode() + b"\0")),
        "a movie by resource": movie(box(b"rsrc", bytes(4), path.encode())),
        "MP4": box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41") + box(b"mdat", bytes(500)),
        "Ogg": b"OggS\0\2" + bytes(22) + b"\1\x13OpusHead" + bytes(11),
        "RIFF": b"RIFF\xff\0\0\0AVI LIST" + bytes(200),
        "Flash": b"FLV\x01\x05\0\0\0\x09\0\0\0\0" + bytes(100),
        "a transport stream": (b"\x47\x40\0\x10" + bytes(184)) * 10,
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "a packed file": b"\x1f\x8b\x08\0" + bytes(100),
        "an archive": b"PK\x03\x04" + bytes(100),
        "a program": b"\x7fELF\x02\x01\x01" + bytes(100),
        "EBML of another kind that lists files": el("1a45dfa3", el("4282", b"ffconcat")) + listed,
        "a list of files behind WebM's mark": b"\x1a\x45\xdf\xa3" + listed,
        "a list of files before WebM": listed + film + GOOD,
        "WebM with a list of files in it": film + el("ec", listed) + GOOD,
        "WebM with HLS behind it": film + GOOD + texts["HLS of addresses"].encode(),
        "WebM that goes on in another file": head(
            OPUS, el("1549a966", el("3e83bb", linked), el("3eb923", segment), el("3c83ab", linked))
        ) + GOOD,
        "WebM with chapters of another file": head(
            OPUS, el("1043a770", el("45b9", el("b6", el("6e67", segment), el("73c4", num(1)))))
        ) + GOOD,
        "WebM that carries a file": head(
            OPUS, el("1941a469", el("61a7", el("466e", linked), el("465c", b"x")))
        ) + GOOD,
        "WebM of a movie's kind": live(VP8, codec_of("vp8")[1][:3]).replace(VP8.id, b"V_QUI"),
    }  # fmt: skip
    return {**{name: text.encode() for name, text in texts.items()}, **others}


@contextmanager
def watched(path: Path) -> Iterator[Callable[[], bool]]:
    """Whether anybody opened this file since it was last asked: also code that Python knows nothing of."""
    libc, opens = ctypes.CDLL(None, use_errno=True), 0x20
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, os.fsencode(path), opens) >= 0

    def was_opened() -> bool:
        try:
            return bool(os.read(watch, 4096))
        except BlockingIOError:
            return False

    try:
        yield was_opened
    finally:
        os.close(watch)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is none of our business; a good recording, so that it would be played."""
    path = tmp_path / "canary.webm"
    path.write_bytes(repaired(live(*codec_of("vp8")))[1])
    return path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A host that is none of our business."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        yield listening


def was_called(listener: socket.socket) -> bool:
    """Whether anybody called since it was last asked."""
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _is_let_in(name: str, ending: Ending) -> bool:
    """Only what begins as Matroska may be read as a recording, and only as one."""
    return ending.is_fault or (ending.what == "made" and not name.startswith("WebM "))


@pytest.mark.invariant(23, "what is no Matroska is never opened, and nothing leads to another file or host")
def test_nothing_disguised_as_a_recording_leads_anywhere_else(
    tally: Tally, canary: Path, listener: socket.socket
) -> None:
    cases = disguised(canary.name, listener.getsockname()[1])
    assert len(cases) >= 30
    with watched(canary) as was_opened, Cell(canary.parent) as cell:
        for name, data in cases.items():
            for do in ("repair", "decode"):
                tally.case()
                ending = cell.tries(do, data)
                if _is_let_in(name, ending) or ending.opened or was_opened() or was_called(listener):
                    tally.violation(f"{do} of {name}: {ending}")


def test_the_watch_sees_what_ffmpeg_opens_when_it_is_let(canary: Path, listener: socket.socket) -> None:
    cases = disguised(canary.name, listener.getsockname()[1])
    with watched(canary) as was_opened, Cell(canary.parent) as cell:
        assert not was_opened()
        cell.tries("believe", cases["a list of files"])

        assert was_opened()
