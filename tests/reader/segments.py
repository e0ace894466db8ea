"""Segments: headers, runs, records; what is written where, and what opens."""

from dataclasses import dataclass

from bytes_of import Frame, Reader, crc32c, hkdf, opened, sha256, u32, u64, walk
from keys import Domain, domain_bytes

HEADER = 128
# The algorithm of a segment of boxes: what only a server can open.
BOXES = 3
# From one copy of a run's header to the other.
RUN_COPY = 90
NEVER = 0x7FFFFFFFFFFFFFFF
LONGEST_CONTENT = 1 << 20


@dataclass(frozen=True)
class Header:
    content: bytes
    algorithm: int
    lane: int
    store: bytes
    segment: int
    domain: Domain
    width: int
    bucket: int
    generation: int
    label: int
    # In a segment of boxes the endpoint, the event and the server's key; else zeros.
    of_boxes: bytes = bytes(36)

    @property
    def hash(self) -> bytes:
        return sha256(self.content)

    @property
    def slice(self) -> bytes:
        return bytes([self.lane]) + u64(self.width) + u64(self.bucket) + u32(self.generation) + u64(self.label)

    @property
    def is_ledger(self) -> bool:
        return self.lane == 1 and self.width == 0 and self.bucket == 1


def header_bytes(header: Header) -> bytes:
    start = b"menshen\x01\0" + bytes([header.algorithm, header.lane, 0]) + header.store + u64(header.segment)
    start += domain_bytes(header.domain) + u64(header.width) + u64(header.bucket) + u32(header.generation)
    start += u64(header.label) + header.of_boxes
    return start + u32(crc32c(start))


def read_header(content: bytes) -> Header | None:
    """A segment's header, if it is byte for byte what its fields give."""
    content = content[:HEADER]
    if len(content) < HEADER:
        return None
    fields = Reader(content)
    fields.take(9)
    algorithm, lane, _ = fields.u8(), fields.u8(), fields.u8()
    store, segment = fields.take(16), fields.u64()
    domain = (fields.u64(), fields.u64(), fields.u64())
    width, bucket, generation, label = fields.u64(), fields.u64(), fields.u32(), fields.u64()
    of_boxes = fields.take(36) if algorithm == BOXES else bytes(36)
    header = Header(content, algorithm, lane, store, segment, domain, width, bucket, generation, label, of_boxes)
    is_known = algorithm in (1, 2, BOXES) and lane in (1, 2, 3) and segment < 1 << 48
    return header if is_known and header_bytes(header) == content else None


@dataclass
class Run:
    first: int
    salt: bytes
    commitment: bytes
    payload_label: int
    offset: int


@dataclass
class Placed:
    """A frame with the run that it belongs to; none where its run's header is damaged."""

    frame: Frame
    run: Run | None


@dataclass
class Found:
    placed: list[Placed]
    runs: list[Run]
    torn: int


def read_segment(content: bytes, offset: int) -> Found:
    """The frames from an offset on, each with its run."""
    walked = walk(content, offset)
    run: Run | None = None
    placed, runs = [], []
    for frame in walked.frames:
        if frame.kind != "R":
            placed.append(Placed(frame, run))
        elif len(frame.body) == 72 and not (run and frame.offset == run.offset + RUN_COPY):
            fields = Reader(frame.body)
            run = Run(frame.sequence, fields.take(32), fields.take(32), fields.u64(), frame.offset)
            runs.append(run)
            placed.append(Placed(frame, run))
    return Found(placed, runs, walked.torn)


@dataclass
class Record:
    sequence: int
    until: int
    start: int
    made: int
    lives: int
    content: bytes

    def has_ended(self, wall: int, start: int, since_start: int) -> bool:
        if wall >= self.until:
            return True
        return self.start == start and since_start - self.made >= self.lives


def aad(name: bytes, header: Header, sequence: int, length: int) -> bytes:
    assert len(name) == 16
    return name + header.hash + u64(sequence) + u64(length)


def slice_key(domain_key: bytes, secret: bytes, header: Header) -> bytes:
    info = b"menshen/0/slice-key" + header.store + domain_bytes(header.domain) + header.slice
    return hkdf(secret, domain_key, info)


def run_key(slice_key: bytes, header: Header, run: Run) -> bytes | None:
    """The run's key, if it is the one that the run commits to."""
    if hkdf(run.salt, slice_key, b"menshen/0/run-commitment" + header.hash) != run.commitment:
        return None
    return hkdf(run.salt, slice_key, b"menshen/0/run-key" + header.hash)


def record(header: Header, key: bytes, run: Run, frame: Frame) -> Record | None:
    bound = aad(b"menshen/0/record", header, frame.sequence, len(frame.body))
    plain = opened(header.algorithm, key, frame.sequence - run.first, bound, frame.body)
    if plain is None or len(plain) < 32:
        return None
    fields = Reader(plain)
    until, start, made, lives, length = fields.i64(), fields.u32(), fields.u64(), fields.u64(), fields.u32()
    if length > LONGEST_CONTENT or length > len(plain) - 32:
        return None
    return Record(frame.sequence, until, start, made, lives, fields.take(length))
