"""The media layer's fonts without what nobody sees: other weights, other regions' shapes, upright columns."""

from pathlib import Path

import uharfbuzz as hb

from chalicelib.media.compose.text import FONTS, WEIGHT

# What text asks for only when it says its language, or runs downwards. All else stays: scripts join by it.
_UNASKED = ("locl", "vert", "vrt2", "vkna", "vkrn", "vhal", "valt", "vpal", "hwid", "fwid", "jp78", "trad")


def cut(tree: Path) -> None:
    """Make the fonts in a tree of packages smaller in place, and remove those that nothing is drawn with."""
    used = {tree / font.parent.name / font.name for font in FONTS}
    for path in {path for font in used for path in font.parent.glob("*.tt*")}:
        if path in used:
            path.write_bytes(_cut(path))
        else:
            path.unlink()


def _cut(path: Path) -> bytes:
    """A font of one face and one weight, with every character that it had."""
    face = hb.Face(hb.Blob.from_file_path(str(path)))
    wanted = hb.SubsetInput()
    wanted.pin_axis_location(face, "wght", WEIGHT)
    for character in face.unicodes:
        wanted.unicode_set.add(character)
    for tag in _UNASKED:
        wanted.layout_feature_tag_set.discard(int.from_bytes(tag.encode()))
    data: bytes = wanted.subset(face).blob.data
    return data
