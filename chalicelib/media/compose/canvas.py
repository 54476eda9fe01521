"""The picture that is encoded: planes of Y, U and V, and how a decoded picture gets into a part of them."""

from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from chalicelib.core.ids import Kind
from chalicelib.core.scenes import Fitted, Tile, Video, fitted

type Plane = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
type Planes = tuple[Plane, Plane, Plane]
type Colour = tuple[int, int, int]

_FORMAT = "yuv420p"
SHARES = (1, 2, 2)  # a plane has one sample for so many pixels each way
_SCALER = (
    Interpolation.BICUBIC
)  # as FFmpeg's own filter; bilinear is softer, and no cheaper that one could tell
_HARDLY = 0.01  # of a side: nobody sees a picture that is so much narrower
_HD = 1  # FFmpeg's number of BT.709's matrix
_PLATE = 48, 130, 127  # behind cameras that do not fill their tiles: as light as cards are


class Canvas:
    """A canvas of even sides. `frame` is what it holds now, for an encoder."""

    def __init__(self, width: int, height: int, background: Colour) -> None:
        self._memory = np.empty((height * 3 // 2, width), np.uint8)
        self.planes = planes_of(self._memory)
        self.frame = VideoFrame.from_numpy_buffer(self._memory, _FORMAT)
        self._background = background

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height."""
        return self._memory.shape[1], self._memory.shape[0] * 2 // 3

    def clear(self) -> None:
        """All background."""
        self.fill(0, 0, *self.size, self._background)

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """A rectangle of even sides in one colour."""
        for plane, share, value in zip(self.planes, SHARES, colour, strict=True):
            plane[y // share : (y + height) // share, x // share : (x + width) // share] = value


def planes_of(memory: Plane) -> Planes:
    """The three planes in memory that is half as high again as the picture."""
    height, width = memory.shape[0] * 2 // 3, memory.shape[1]
    quarter, half = height // 4 * width + height % 4 * width // 4, (height // 2, width // 2)
    chroma = memory[height:].reshape(-1)
    return memory[:height], chroma[:quarter].reshape(half), chroma[quarter:].reshape(half)


def colour_of(rgb: str) -> Colour:
    """`#rrggbb` in BT.601's limited range."""
    red, green, blue = (int(rgb[at : at + 2], 16) / 255 for at in (1, 3, 5))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return (
        round(16 + 219 * luma),
        round(128 + 224 * (blue - luma) / 1.772),
        round(128 + 224 * (red - luma) / 1.402),
    )


class Place:
    """A tile of a scene, and what it takes to put pictures there."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        self._size = (0, 0)
        self._fitted: Fitted | None = None
        self._scaler, self._plain = VideoReformatter(), VideoReformatter()
        self._cropped: tuple[VideoFrame, Planes] | None = None

    def resized(self, picture: VideoFrame) -> bool:
        """Whether a picture has another size than the one before, and so perhaps another place."""
        return self._size not in ((0, 0), (picture.width, picture.height))

    def put(self, picture: VideoFrame, canvas: Canvas, *, bare: bool) -> None:
        """Draw a picture where it belongs. Where the tile may still be `bare`, what a camera leaves of it is
        drawn too; a tile that is the whole canvas has the background there."""
        bare = bare or self._fitted is None
        fit = self._fit(picture)
        if bare:
            self._back(fit, canvas)
        if picture.colorspace == _HD or picture.format.name != _FORMAT:
            picture = self._plain.reformat(
                picture, format=_FORMAT, dst_colorspace=Colorspace.ITU601, threads=1
            )
        crop = fit.crop_x, fit.crop_y, fit.crop_width, fit.crop_height
        if crop[2:] == (fit.width, fit.height):
            source = _parts(_planes_of(picture), crop)
        else:
            whole = crop == (0, 0, picture.width, picture.height)
            part = picture if whole else self._crop(picture, crop)
            scaled = self._scaler.reformat(part, fit.width, fit.height, interpolation=_SCALER, threads=1)
            source = _planes_of(scaled)
        for into, found in zip(self._target(canvas, fit), source, strict=True):
            into[:] = found[: into.shape[0], : into.shape[1]]

    def _back(self, fit: Fitted, canvas: Canvas) -> None:
        tile, size = self.tile, (self.tile.width, self.tile.height)
        camera = isinstance(tile.shows, Video) and tile.shows.kind is Kind.VIDEO
        if camera and size not in (canvas.size, (fit.width, fit.height)):
            canvas.fill(tile.x, tile.y, *size, _PLATE)

    def _fit(self, picture: VideoFrame) -> Fitted:
        size = picture.width, picture.height
        if self._fitted is None or self._size != size:
            self._size, self._fitted, self._cropped = size, _simple(fitted(self.tile, *size), *size), None
        return self._fitted

    def _target(self, canvas: Canvas, fit: Fitted) -> Planes:
        return _parts(canvas.planes, (fit.x, fit.y, fit.width, fit.height))

    def _crop(self, picture: VideoFrame, crop: tuple[int, int, int, int]) -> VideoFrame:
        """A part of a picture as a picture of its own, in memory that is used again."""
        if self._cropped is None:
            memory = np.empty((crop[3] * 3 // 2, crop[2]), np.uint8)
            self._cropped = VideoFrame.from_numpy_buffer(memory, _FORMAT), planes_of(memory)
        frame, planes = self._cropped
        for into, found in zip(planes, _parts(_planes_of(picture), crop), strict=True):
            into[:] = found
        return frame


def _simple(fit: Fitted, width: int, height: int) -> Fitted:
    """Where a picture is scaled anyway and hardly anything would be cut, all of it is: that saves a copy."""
    scaled = (fit.crop_width, fit.crop_height) != (fit.width, fit.height)
    least = 1 - _HARDLY
    if scaled and fit.crop_width >= least * width and fit.crop_height >= least * height:
        return replace(fit, crop_x=0, crop_y=0, crop_width=width, crop_height=height)
    return fit


def _parts(planes: Planes, rectangle: tuple[int, int, int, int]) -> Planes:
    x, y, width, height = rectangle
    luma, *chroma = planes
    blue, red = (plane[y // 2 : (y + height + 1) // 2, x // 2 : (x + width + 1) // 2] for plane in chroma)
    return luma[y : y + height, x : x + width], blue, red


def _planes_of(picture: VideoFrame) -> Planes:
    """A picture's planes as they lie in memory, with what pads their rows."""
    luma, blue, red = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in picture.planes
    )
    return luma, blue, red
