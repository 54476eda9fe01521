"""Recordings that other muxers than FFmpeg's wrote: Chromium's own, and GStreamer's."""

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.media.live import repaired
from tests.media.markers import compare, heard, seen

FIXTURES = Path(__file__).parent / "fixtures"
SECONDS = 3

# A tone, or a white picture, for 100 ms in the middle of each second.
RECORD = """async ([kind, mime, seconds]) => {
    const tone = async () => {
        const context = new AudioContext({sampleRate: 48000});
        await context.resume();
        const source = new OscillatorNode(context, {frequency: 1000});
        const level = new GainNode(context, {gain: 0});
        const out = new MediaStreamAudioDestinationNode(context, {channelCount: 1});
        source.connect(level).connect(out);
        for (let at = context.currentTime + 0.5; at < context.currentTime + seconds; at += 1) {
            level.gain.setValueAtTime(0.4, at);
            level.gain.setValueAtTime(0, at + 0.1);
        }
        source.start();
        return out.stream;
    };
    const picture = () => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 160, height: 90});
        const paint = canvas.getContext('2d');
        const start = performance.now();
        const draw = () => {
            const at = (performance.now() - start) % 1000;
            paint.fillStyle = at >= 500 && at < 600 ? 'white' : `rgb(40, ${40 + at / 20}, 40)`;
            paint.fillRect(0, 0, 160, 90);
            requestAnimationFrame(draw);
        };
        draw();
        return canvas.captureStream(25);
    };
    const recorder = new MediaRecorder(kind === 'audio' ? await tone() : picture(), {mimeType: mime});
    const parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.start(500);
    await new Promise((done) => setTimeout(done, (seconds + 0.2) * 1000));
    const stopped = new Promise((done) => { recorder.onstop = done; });
    recorder.stop();
    await stopped;
    const reader = new FileReader();
    reader.readAsDataURL(new Blob(parts));
    await new Promise((done) => { reader.onload = done; });
    return reader.result.split(',')[1];
}"""

CHROMIUM = [
    ("opus", "audio", "audio/webm;codecs=opus"),
    ("vp8", "video", "video/webm;codecs=vp8"),
    ("vp9", "video", "video/webm;codecs=vp9"),
    ("av1", "video", "video/webm;codecs=av1"),
    ("h264", "video", "video/x-matroska;codecs=avc1"),
]


@pytest.mark.parametrize(("codec", "kind", "mime"), CHROMIUM, ids=[row[0] for row in CHROMIUM])
def test_what_chromium_recorded_keeps_its_markers(browser: Browser, codec: str, kind: str, mime: str) -> None:
    page = browser.new_page()
    recorded = base64.b64decode(page.evaluate(RECORD, [kind, mime, SECONDS]))
    page.close()

    scan, file = repaired(recorded)

    assert (scan.codec, scan.kind, scan.lost_bytes, scan.tail_lost) == (codec, kind, 0, False)
    assert scan.duration_ms > 1000 * SECONDS - 100  # a machine that is busy records longer
    before, after = (_markers(kind, data) for data in (recorded, file))
    # Chromium stamps what it hears when it comes to it: on a busy machine that is late, and repaired.
    assert compare(before, after, 20).right
    assert len(after) > SECONDS / 2  # nor draws every flash


def _markers(kind: str, data: bytes) -> list[float]:
    return heard(data, [1000]).tones[1000] if kind == "audio" else seen(data).flashes


GSTREAMER = [
    ("gst-opus.webm", "opus", [-10.7, 1_980, 3_980, 5_980]),
    ("gst-opus-dtx.webm", "opus", [-10.7, 1_980, 3_980, 5_980]),
    ("gst-vp8.webm", "vp8", [520, 2_520, 4_520, 6_520]),
    ("gst-vp9.webm", "vp9", [520, 2_520, 4_520, 6_520]),
]


@pytest.mark.parametrize(("name", "codec", "expected"), GSTREAMER, ids=[row[0] for row in GSTREAMER])
def test_what_gstreamer_streamed_keeps_its_markers(name: str, codec: str, expected: list[float]) -> None:
    recorded = (FIXTURES / name).read_bytes()

    scan, file = repaired(recorded)

    assert (scan.codec, scan.lost_bytes, scan.tail_lost, scan.holes) == (codec, 0, False, ())
    found = _markers("audio" if codec == "opus" else "video", file)
    report = compare(expected, found, 1)
    assert report.right, report
