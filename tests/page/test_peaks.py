"""Peaks as the page reads them, against those that were written."""

import numpy as np
import pytest
from playwright.sync_api import Page

from chalicelib.media.sound.peaks import Peaks
from tests.page.conftest import Watch
from tests.page.stack import Stack

START = 2_000
RATE = 100
KEY = "sessions/s/peaks-audio.dat"

# Asks the module as other modules do; an address that does not hold is refused as S3 does.
ASK = """async ([key, start, stale, spans]) => {
    const {Peaks} = await import('./web/now/peaks.js');
    const asked = [];
    const address = (at) => new URL(`/outputs/${key}?at=${at}`, location.href).href;
    const addresses = {
        of: async (wanted) => address(asked.push(wanted) === 1 && stale ? 1 : Date.now() / 1000),
        forget: (wanted) => asked.push(`not ${wanted}`),
    };
    const peaks = new Peaks(addresses);
    const [levels, again] = await Promise.all([peaks.of({key, start}), peaks.of({key, start})]);
    const told = spans.map(([from, to]) => levels.between(from, to));
    const {rate, start: begin, end} = levels;
    return {told, asked, same: levels === again, rate, begin, end, one: levels.at(start + 15)};
}"""


@pytest.fixture(scope="module")
def samples() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """A minute and a half of noise that swells."""
    noise = np.random.default_rng(5).integers(-30_000, 30_000, 90 * 480 * RATE, np.int16)
    swell = np.abs(np.sin(np.arange(90 * RATE) / 700)).repeat(480)
    return np.asarray(noise * swell, np.int16)


@pytest.fixture
def page(watch: Watch, stack: Stack, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Page:
    peaks = Peaks()
    peaks.add(samples.reshape(-1, 1))
    (stack.folder / "peaks-audio.dat").write_bytes(peaks.dat())
    return watch(expected="403").open()


def test_any_stretch_is_as_loud_as_its_loudest_moment(
    page: Page, samples: np.ndarray[tuple[int], np.dtype[np.int16]]
) -> None:
    rng = np.random.default_rng(6)
    long = [0, 10, 50, 1_000, 60_000, 90_000]
    spans = [[START + int(a), START + int(a) + more] for more in long for a in rng.integers(0, 89_000, 30)]

    told = page.evaluate(ASK, [KEY, START, False, spans])

    rows = samples.reshape(-1, 480)
    low, high = (np.trunc(edge / 256) / 128 for edge in (rows.min(axis=1), rows.max(axis=1)))
    for (start, end), (lowest, highest) in zip(spans, told["told"], strict=True):
        first = (start - START) * RATE // 1000
        until = max(first + 1, -(-(end - START) * RATE // 1000))
        assert (lowest, highest) == (low[first:until].min(), high[first:until].max())
    assert (told["rate"], told["begin"], told["end"]) == (RATE, START, START + 90_000)
    assert told["one"] == [low[1], high[1]]


def test_outside_of_the_peaks_there_is_silence(page: Page) -> None:
    spans = [[0, START], [START + 90_000, START + 100_000], [START + 100_000, START + 100_000]]

    assert page.evaluate(ASK, [KEY, START, False, spans])["told"] == [[0, 0]] * 3


def test_peaks_are_fetched_once_and_again_only_where_the_address_has_expired(
    page: Page, stack: Stack
) -> None:
    fresh = page.evaluate(ASK, [KEY, START, False, []])
    stale = page.evaluate(ASK, [KEY, START, True, []])

    assert (fresh["same"], fresh["asked"]) == (True, [KEY])
    assert stale["asked"] == [KEY, f"not {KEY}", KEY]
    assert stack.media_asked == ["peaks-audio.dat"] * 3


def test_sixteen_bits_are_read_as_well_as_eight(page: Page, stack: Stack) -> None:
    head = np.array([2, 0, 48_000, 480, 3, 1], "<i4").tobytes()
    (stack.folder / "wide.dat").write_bytes(head + np.array([-32_768, 16_384, -8, 8, 0, 0], "<i2").tobytes())

    told = page.evaluate(ASK, ["sessions/s/wide.dat", 0, False, [[0, 10], [0, 30], [10, 20], [20, 30]]])

    assert told["told"] == [[-1, 0.5], [-1, 0.5], [-8 / 32_768, 8 / 32_768], [0, 0]]
