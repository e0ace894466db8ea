"""The smallest pieces of the format: numbers, checksums, hashes, codes, seals, frames."""

import hashlib
import hmac
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEQUENCES = 1 << 48
LONGEST_BODY = 1_049_600
FRAME_HEADER = 18
# What a reader looks at behind damage in one file, in bytes of bodies.
RESYNC_BUDGET = 64 << 20


def u16(number: int) -> bytes:
    return struct.pack("<H", number)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def short(content: bytes) -> bytes:
    return u16(len(content)) + content


class Reader:
    """Fields one behind the other. What is missing at the end is an error."""

    def __init__(self, content: bytes):
        self.content = content
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.content):
            raise ValueError("too short")
        self.at += count
        return self.content[self.at - count : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return struct.unpack("<H", self.take(2))[0]

    def u32(self) -> int:
        return struct.unpack("<I", self.take(4))[0]

    def u64(self) -> int:
        return struct.unpack("<Q", self.take(8))[0]

    def count(self) -> int:
        number = self.u64()
        if number >= SEQUENCES:
            raise ValueError("no count is that high")
        return number

    def i64(self) -> int:
        return struct.unpack("<q", self.take(8))[0]

    def short(self) -> bytes:
        return self.take(self.u16())

    def rest(self) -> bytes:
        return self.take(len(self.content) - self.at)


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _crc_table()


def crc32c(content: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in content:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def code(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()[:16]


def hkdf(salt: bytes, secret: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt or None, info).derive(secret)


def cipher(algorithm: int, key: bytes) -> ChaCha20Poly1305 | AESGCM:
    return {1: ChaCha20Poly1305, 2: AESGCM}[algorithm](key)


def nonce(counter: int) -> bytes:
    return bytes(4) + counter.to_bytes(8, "big")


def opened(algorithm: int, key: bytes, counter: int, aad: bytes, sealed: bytes) -> bytes | None:
    """The plaintext, or nothing where it was not sealed so."""
    if len(sealed) < 16:
        return None
    try:
        return cipher(algorithm, key).decrypt(nonce(counter), sealed, aad)
    except InvalidTag:
        return None


@dataclass
class Frame:
    offset: int
    kind: str
    sequence: int
    body: bytes

    @property
    def end(self) -> int:
        return self.offset + FRAME_HEADER + len(self.body)


@dataclass
class Walk:
    """What a file of frames holds from a place on."""

    frames: list[Frame]
    damaged: bool
    torn: int


def frame_at(content: bytes, offset: int, budget: list[int]) -> Frame | None:
    """The whole frame that begins here, if one does."""
    header = content[offset : offset + FRAME_HEADER]
    if len(header) < FRAME_HEADER or header[0] != 0xD6 or chr(header[1]) not in "RDEHCMB":
        return None
    sequence, length, checksum = struct.unpack("<QII", header[2:])
    body = content[offset + FRAME_HEADER : offset + FRAME_HEADER + length]
    if sequence >= SEQUENCES or length > LONGEST_BODY or len(body) < length:
        return None
    budget[0] -= length
    if budget[0] < 0 or crc32c(header[:14] + body) != checksum:
        return None
    return Frame(offset, chr(header[1]), sequence, body)


def walk(content: bytes, offset: int) -> Walk:
    """The frames from an offset on, over damage."""
    frames: list[Frame] = []
    damaged = False
    while True:
        frame = frame_at(content, offset, [LONGEST_BODY])
        if frame is None:
            used = len(content.rstrip(b"\0"))
            if used <= offset:
                return Walk(frames, damaged, 0)
            budget = [RESYNC_BUDGET]
            places = (at for at in range(offset + 1, used) if content[at] == 0xD6)
            frame = next(filter(None, (frame_at(content, at, budget) for at in places)), None)
            if frame is None:
                return Walk(frames, damaged, used - offset)
            damaged = True
        frames.append(frame)
        offset = frame.end


def framed(kind: str, sequence: int, body: bytes) -> bytes:
    """A frame as it is written."""
    start = b"\xd6" + kind.encode() + u64(sequence) + u32(len(body))
    return start + u32(crc32c(start + body)) + body
