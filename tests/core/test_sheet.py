"""A composition's sheet: each task finds its line, and reads of it what was written."""

import pytest

from chalicelib.core.asking import request_of
from chalicelib.core.chunks import Chunk, chunk_of
from chalicelib.core.cutting import picture
from chalicelib.core.ids import Kind
from chalicelib.core.scenes import Card, Scene, Tile, Video
from chalicelib.core.sheet import Head, Sheet, head_of, spelled
from chalicelib.core.step import Output, Piece, Step, Track, step_of

LOOK = picture(request_of({}))
PIECE = Piece("a.webm", "a.json", 0, 20_000)
ANNA = Video("anna", "Anna \N{GRINNING FACE}\n", Kind.VIDEO, "vp8", PIECE)
STEP = Step(
    "sound",
    "s",
    "x",
    0,
    0,
    9,
    (Track("anna", Kind.AUDIO, "opus", (PIECE,)),),
    (Output("mix_part", "part", "p"),),
)


def chunk(number: int) -> Chunk:
    """Ten seconds of somebody."""
    scene = Scene(
        300 * number,
        300 * number + 300,
        (Tile(0, 0, 640, 720, ANNA), Tile(640, 0, 640, 720, Card("b", "Bob"))),
    )
    return Chunk("x", number + 1, 0, LOOK, (scene,))


@pytest.mark.parametrize("slices", [0, 1, 3])
@pytest.mark.parametrize("chunks", [1, 4])
def test_every_task_reads_just_what_was_written_for_it(slices: int, chunks: int) -> None:
    head = Head(LOOK, ("mp4", "hls"), 40, 9_040, 270, slices, STEP if slices else None)
    steps, cut = (STEP,) * slices, tuple(chunk(number) for number in range(chunks))
    body = spelled(head, steps, cut)
    sheet = Sheet(body)

    assert head_of(body[slice(*sheet.begins)]) == sheet.head == head
    assert tuple(map(step_of, sheet.lines(sheet.slices))) == steps
    assert tuple(map(chunk_of, sheet.lines(sheet.chunks))) == cut
    assert sum(end - start for start, end in [sheet.begins, *sheet.slices, *sheet.chunks]) == len(body)


def test_the_same_composition_has_the_same_sheet() -> None:
    head = Head(LOOK, ("mp4",), 0, 9_000, 270, 0, None)

    assert spelled(head, (), (chunk(0),)) == spelled(head, (), (chunk(0),))


def test_a_chunk_without_a_file_shows_cards_for_it_and_has_another_name() -> None:
    whole = chunk(0)
    slated = whole.without(whole.sources)

    assert whole.sources == ["a.webm"]
    assert slated.sources == []
    assert [tile.shows for tile in slated.scenes[0].tiles] == [Card("anna", ANNA.name), Card("b", "Bob")]
    assert slated.name != whole.name
    assert whole.without(["b.webm"]) == whole
