"""Opus packets before they are decoded: how long each sounds, and which are silence."""

from chalicelib.media.codecs import OPUS_US, opus_us

RATE_KHZ = 48

# By the last two bits of the first byte (RFC 6716, 3.2): with so many bytes no frame has more than two, which
# is what silence takes, and DTX. A packet of many frames tells their number in its second byte.
_SILENT_BYTES = (3, 5, 6)
_MANY, _VBR, _PADDED, _COUNT = 3, 0x80, 0x40, 0x3F


def samples_in(packet: bytes) -> int:
    """How many samples it sounds at 48 kHz."""
    return (OPUS_US[packet[0]] or opus_us(packet)) * RATE_KHZ // 1000


def is_silence(packet: bytes) -> bool:
    """Whether there is nothing to hear in it: DTX, or what holes were filled with."""
    size, code = len(packet), packet[0] & 3
    if code != _MANY:
        return size <= _SILENT_BYTES[code]
    if size < 2 or packet[1] & _PADDED:
        return size < 2
    return size <= 2 + (3 if packet[1] & _VBR else 2) * (packet[1] & _COUNT)
