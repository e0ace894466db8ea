"""A store as its page says that it is opened: what is in use, what can be read, what is pending."""

import re
from dataclasses import dataclass

from books import Books, Cursors, find_manifest, read_cursors, read_markers
from bytes_of import hkdf
from keys import OWN_DOMAIN, Domain, domain_key, read_keys
from segments import BOXES, HEADER, Header, read_header, read_segment, record, run_key, slice_key


@dataclass
class Report:
    """The counts of opening."""

    segments: int = 0
    records: int = 0
    adopted: int = 0
    quarantined: int = 0
    missing: int = 0
    damaged_records: int = 0
    torn_bytes: int = 0
    damaged_keys: int = 0
    manifest_damaged: bool = False
    foreign_cursors: int = 0


@dataclass
class Batch:
    """One reading of a domain's lane."""

    bodies: list[bytes]
    damaged: int = 0
    expired: int = 0
    # Segments whose key is not there.
    locked: int = 0
    # Records of a run that commits to another key.
    another_key: int = 0


class Store:
    """The files of a store's folder and of what is around it, by path."""

    def __init__(self, files: dict[str, bytes]):
        def inside(folder: str) -> dict[str, bytes]:
            return {name.removeprefix(folder): content for name, content in files.items() if name.startswith(folder)}

        self.files = inside("store/")
        self.outside = inside("outside/")
        self.platform = inside("platform-keys/")
        self.anchor = files.get("anchor")
        self.table = read_keys(self.files.get("keys", b""))
        self.segments = self.segment_files()
        self.store = self.store_id()
        own = domain_key(self.table, self.store, self.platform, OWN_DOMAIN)
        self.bookkeeping = own and hkdf(b"", own, b"menshen/0/bookkeeping")
        self.opened = self.open(None)
        # With the store's own key everything is read again.
        self.proven = self.open(self.bookkeeping)
        marker_key = own and hkdf(b"", own, b"menshen/0/marker")
        self.denied = read_markers(self.files | self.outside, self.store, marker_key)

    def segment_files(self) -> dict[int, bytes]:
        names = [re.fullmatch(r"segments/([0-9a-f]{16})", name) for name in self.files]
        ids = {int(match[1], 16): self.files[match[0]] for match in names if match}
        ids = {segment: content for segment, content in ids.items() if 0 < segment < 1 << 48}
        return {segment: ids[segment] for segment in sorted(ids) if len(ids[segment]) > HEADER or any(ids[segment])}

    def store_id(self) -> bytes:
        if self.table.store is not None:
            return self.table.store
        books = find_manifest(self.files, None, None)
        if books.store is not None:
            return books.store
        headers = filter(None, map(read_header, self.segments.values()))
        first = next(headers, None)
        if first is None:
            raise ValueError("not a store")
        return first.store

    def open(self, key: bytes | None) -> Report:
        books = find_manifest(self.files, self.store, key)
        report = Report(damaged_keys=self.table.damaged, manifest_damaged=books.damaged)
        self.books, self.in_use = books, self.choose(books, report)
        labels = {segment: header.label for segment, header in self.in_use.items()}
        self.cursors: Cursors = read_cursors(self.files.get("cursor", b""), self.store, labels, key)
        report.foreign_cursors = self.cursors.foreign
        for segment, header in self.in_use.items():
            self.count(segment, header, report)
        return report

    def choose(self, books: Books, report: Report) -> dict[int, Header]:
        """The segments in use, with the header that counts."""
        in_use = {}
        for segment, content in self.segments.items():
            own = read_header(content)
            if own and (own.segment != segment or own.store != self.store):
                own = None
            listed = books.listed.get(segment)
            if segment in books.retired and listed is None:
                continue
            if listed:
                if own in (None, listed):
                    in_use[segment] = listed
                else:
                    report.quarantined += 1
            elif own and own.label in self.table.slices and (segment >= books.next or books.damaged):
                in_use[segment] = own
                report.adopted += 1
            else:
                report.quarantined += 1
        report.missing = len(set(books.listed) - set(self.segments))
        report.segments = len(in_use)
        return in_use

    def count(self, segment: int, header: Header, report: Report) -> None:
        """Walks a segment from its last mark."""
        content, mark = self.segments[segment], self.books.marks.get(segment)
        if mark is not None and mark.offset <= len(content):
            offset, expected, records = mark.offset, mark.sequence, mark.records
        else:
            offset, expected, records = HEADER, 0, 0
        found = read_segment(content, offset)
        first = 0
        if header.is_ledger:
            first = next((run.first for run in read_segment(content, HEADER).runs), 0)
            expected = max(expected, first)
        for placed in found.placed:
            frame = placed.frame
            if frame.kind == "R":
                expected = max(expected, frame.sequence)
            elif frame.kind in "DEB" and frame.sequence >= expected:
                records += 1
                expected = frame.sequence + 1
        ends = [end for ranges in (self.books.delivered, self.books.refused)
                for (of, _), spans in ranges.items() if of == segment for _, end in spans]
        ends += [up_to for (of, _), up_to in self.cursors.up_to.items() if of == segment]
        expected = max([expected, *ends])
        report.records += records
        if not header.is_ledger:
            report.damaged_records += expected - first - records
        report.torn_bytes += found.torn

    def domain_key(self, domain: Domain) -> bytes | None:
        return domain_key(self.table, self.store, self.platform, domain)

    def read(self, domain: Domain, lane: int, endpoint: int, now: int) -> Batch:
        """What is pending for an endpoint, at once after the device's first start."""
        batch = Batch([])
        for segment, header in self.in_use.items():
            if header.domain == domain and header.lane == lane and header.algorithm != BOXES:
                self.read_one(segment, header, endpoint, now, batch)
        return batch

    def read_one(self, segment: int, header: Header, endpoint: int, now: int, batch: Batch) -> None:
        secret, key = self.table.slices.get(header.label), self.domain_key(header.domain)
        if key is None or secret is None or secret[0] != header.slice:
            batch.locked += 1
            return
        expected = 0
        for placed in read_segment(self.segments[segment], HEADER).placed:
            frame, run = placed.frame, placed.run
            if frame.kind not in "DEB" or frame.sequence < expected:
                continue
            expected = frame.sequence + 1
            if not self.is_pending(segment, endpoint, frame.sequence):
                continue
            opener = run and run_key(slice_key(key, secret[1], header), header, run)
            if run and opener is None:
                batch.another_key += 1
                continue
            is_record = run and frame.kind == "D" and frame.sequence >= run.first
            opened = is_record and record(header, opener, run, frame)
            if not opened:
                batch.damaged += 1
            elif opened.has_ended(now, 1, 0):
                batch.expired += 1
            else:
                batch.bodies.append(opened.content)

    def is_pending(self, segment: int, endpoint: int, sequence: int) -> bool:
        place = (segment, endpoint)
        ranges = self.books.delivered.get(place, []) + self.books.refused.get(place, [])
        is_beyond = sequence >= self.cursors.up_to.get(place, 0)
        return is_beyond and not any(start <= sequence < end for start, end in ranges)

    def refused(self) -> int:
        """Records that an endpoint refused, of segments in use."""
        spans = {
            (segment, sequence)
            for (segment, _), ranges in self.books.refused.items()
            for start, end in ranges
            for sequence in range(start, end)
            if segment in self.in_use
        }
        return len(spans)
