"""The bookkeeping: `manifest.N`, `cursor`, denial markers."""

import re
from dataclasses import dataclass, field

from bytes_of import Reader, code, crc32c, u64, walk
from keys import Domain, copies, domain_bytes
from segments import Header, read_header

Range = tuple[int, int]


@dataclass
class Mark:
    sequence: int
    offset: int
    run: int
    records: int


@dataclass
class Books:
    """What a manifest says."""

    number: int = 0
    store: bytes | None = None
    next: int = 1
    listed: dict[int, Header] = field(default_factory=dict)
    retired: set[int] = field(default_factory=set)
    marks: dict[int, Mark] = field(default_factory=dict)
    # The newest last.
    checkpoints: dict[int, list[Mark]] = field(default_factory=dict)
    delivered: dict[tuple[int, int], list[Range]] = field(default_factory=dict)
    refused: dict[tuple[int, int], list[Range]] = field(default_factory=dict)
    codes: list[bytes] = field(default_factory=list)
    complete: bool = False
    damaged: bool = False

    def list(self, header: Header) -> None:
        self.listed[header.segment] = header
        self.next = max(self.next, header.segment + 1)

    def retire(self, segment: int) -> None:
        self.listed.pop(segment, None)
        self.retired.add(segment)
        self.marks.pop(segment, None)
        self.checkpoints.pop(segment, None)
        for ranges in (self.delivered, self.refused):
            for place in [place for place in ranges if place[0] == segment]:
                del ranges[place]

    def enter(self, entry: Reader) -> None:
        kind = entry.u8()
        if kind == 1:
            self.store, self.next = entry.take(16), max(self.next, entry.count())
        elif kind == 2:
            self.list(self.header(entry))
        elif kind == 3:
            self.retire(entry.count())
            entry.count()
        elif kind in (4, 5):
            place = (entry.count(), entry.u64())
            ranges = Reader(entry.rest())
            into = (self.delivered if kind == 4 else self.refused).setdefault(place, [])
            while ranges.at < len(ranges.content):
                into.append((ranges.count(), ranges.count()))
        elif kind == 6:
            segment = entry.count()
            mark = Mark(entry.count(), entry.count(), entry.count(), entry.count())
            if segment in self.listed:
                self.marks[segment] = mark
        elif kind == 7:
            entry.count()
        elif kind == 8:
            self.complete = True
        elif kind == 9:
            segment = entry.count()
            place = Mark(entry.count(), entry.count(), entry.count(), 0)
            self.checkpoints[segment] = [*self.checkpoints.get(segment, []), place][-2:]
        else:
            raise ValueError("an unknown entry")

    @staticmethod
    def header(entry: Reader) -> Header:
        header = read_header(entry.take(128))
        if header is None:
            raise ValueError("no header")
        return header


def read_manifest(content: bytes, number: int, store: bytes | None, key: bytes | None) -> Books:
    """One manifest's books; its codes are looked at where the bookkeeping key is there."""
    walked = walk(content, 0)
    books = Books(number=number, damaged=walked.damaged or walked.torn > 0)
    expected, before = 0, bytes(16)
    for frame in walked.frames:
        if frame.kind != "M" or len(frame.body) < 33:
            books.damaged = True
            continue
        own, entry = frame.body[16:32], frame.body[32:]
        books.damaged |= frame.sequence != expected or frame.body[:16] != before
        expected, before = frame.sequence + 1, own
        if key is not None and store is not None:
            said = b"menshen/0/manifest" + store + u64(number) + u64(frame.sequence) + frame.body[:16] + entry
            if code(key, said) != own:
                books.damaged = True
                continue
        try:
            books.enter(Reader(entry))
        except ValueError:
            books.damaged = True
            continue
        books.codes.append(own)
    return books


def find_manifest(files: dict[str, bytes], store: bytes | None, key: bytes | None) -> Books:
    """The manifest that counts."""
    numbers = [re.fullmatch(r"manifest\.(0|[1-9][0-9]*)", name) for name in files]
    numbers = sorted((int(match[1]) for match in numbers if match and int(match[1]) < 1 << 48), reverse=True)
    all_books = [read_manifest(files[f"manifest.{number}"], number, store, key) for number in numbers]
    whole = next((books for books in all_books if books.complete), None)
    if whole is None:
        whole = next((books for books in all_books if books.store), Books())
        whole.damaged = True
    if store is not None and whole.store not in (None, store):
        return Books(damaged=True)
    return whole


@dataclass
class Cursors:
    # The first sequence number that is not done, by segment and endpoint.
    up_to: dict[tuple[int, int], int] = field(default_factory=dict)
    foreign: int = 0


def read_cursors(content: bytes, store: bytes, labels: dict[int, int], key: bytes | None) -> Cursors:
    """The cursors. `labels` gives the label of each segment's slice secret."""
    cursors, generations = Cursors(), {}
    for pair in copies(content[: 16 << 20], 64, 64):
        whole = [copy for copy in pair if copy[0] == 1 and crc32c(copy[:49]) == int.from_bytes(copy[49:53], "little")]
        if not whole:
            continue
        fields = Reader(max(whole, key=lambda copy: int.from_bytes(copy[1:9], "little")))
        fields.u8()
        generation, segment, endpoint, up_to, own = *(fields.u64() for _ in range(4)), fields.take(16)
        if key is not None and segment in labels:
            said = b"menshen/0/cursor" + store + u64(labels[segment]) + fields.content[:33]
            if code(key, said) != own:
                cursors.foreign += 1
                up_to = 0
        if generation > generations.get((segment, endpoint), 0):
            generations[segment, endpoint] = generation
            cursors.up_to[segment, endpoint] = up_to
    return cursors


@dataclass
class Denial:
    domain: Domain
    proven: bool


def read_markers(files: dict[str, bytes], store: bytes, key: bytes | None) -> list[Denial]:
    """Every denial whose name is this store's."""
    denials = {}
    for name, content in files.items():
        match = re.fullmatch(r"denied-([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{16})", name)
        if match is None or bytes.fromhex(match[1]) != store[:4]:
            continue
        domain = (int(match[2], 16), int(match[3], 16), int(match[4], 16))
        said = b"menshen denied\n" + store + domain_bytes(domain)
        content = content.ljust(75, b"\0")
        is_whole = content[:55] == said and crc32c(content[:71]) == int.from_bytes(content[71:75], "little")
        proven = key is not None and is_whole and content[55:71] == code(key, said)
        denials[domain] = denials.get(domain, False) or proven
    return [Denial(domain, proven) for domain, proven in sorted(denials.items())]
