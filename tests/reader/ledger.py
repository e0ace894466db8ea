"""The ledger of an account: its entries, its tree, its heads, its checkpoint, the verdict."""

import base64
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bytes_of import Frame, Reader, hkdf, opened, sha256, u64, walk
from keys import Domain
from segments import HEADER, Header, Placed, Run, aad, read_segment, run_key, slice_key
from store import Store

LONGEST = 256 << 10


@dataclass
class Head:
    size: int
    root: bytes
    manifest: int
    code: bytes
    signature: bytes


@dataclass
class Entry:
    sequence: int
    statement: bytes
    # None where it was erased.
    payload: bytes | None
    commitment: bytes
    leaf: bytes
    salt: bytes
    head: Head | None = None
    signed: bool = False


@dataclass
class Base:
    """What a ledger goes on from behind a checkpoint."""

    size: int
    roots: list[bytes]
    leaf: bytes
    head: Head
    # The segment, its header and where the checkpoint begins.
    place: tuple[int, Header, int]


class Broken(Exception):
    """The ledger cannot be believed from an entry on."""


class Tree:
    """The tree of RFC 6962 as the roots of its perfect subtrees, the largest first."""

    def __init__(self, size: int = 0, roots: list[bytes] | None = None):
        self.size = size
        self.roots = list(roots or [])

    def add(self, leaf: bytes) -> None:
        size, node = self.size, leaf
        while size & 1:
            node = sha256(b"\x01" + self.roots.pop() + node)
            size >>= 1
        self.roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self.roots:
            return sha256(b"")
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = sha256(b"\x01" + left + node)
        return node


@dataclass
class Contents:
    verdict: str
    manifest_rolled_back: bool
    public_key: bytes | None
    # Size and state.
    checkpoint: tuple[int, bytes] | None
    entries: list[Entry]
    # How many entries are before the first of them.
    base: int | None = None


class Ledger:
    def __init__(self, store: Store, account: int):
        self.store = store
        epochs = [epoch for (of, purpose, epoch) in store.table.domains if of == account and purpose == 0]
        self.domain: Domain = (account, 0, max(epochs))
        self.key = store.domain_key(self.domain)
        self.public_key = self.believed_key()
        self.segments = [
            (segment, header)
            for segment, header in store.in_use.items()
            if header.domain == self.domain and header.is_ledger
        ]

    def believed_key(self) -> bytes | None:
        """The public key of the slot, if its seed opens and belongs to it."""
        slot = self.store.table.ledgers.get(self.domain)
        if slot is None or self.key is None:
            return None
        seed_key = hkdf(b"", self.key, b"menshen/0/ledger-seed" + slot.public_key)
        seed = opened(1, seed_key, 0, slot.public_key, slot.sealed_seed)
        if seed is None or len(seed) != 32:
            return None
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return slot.public_key if raw == slot.public_key else None

    def believes(self, head: Head) -> bool:
        account, _, epoch = self.domain
        text = f"menshen/{self.store.store.hex()}/{account:016x}/{epoch}\n{head.size}\n"
        text += f"{base64.b64encode(head.root).decode()}\nmanifest {head.manifest} {head.code.hex()}\n"
        if self.public_key is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(head.signature, text.encode())
        except InvalidSignature:
            return False
        return True

    def entry(self, header: Header, run: Run, frame: Frame, before: bytes) -> Entry:
        """An entry, opened and compared with its leaf."""
        secret = self.store.table.slices.get(header.label)
        key = run_key(slice_key(self.key, secret[1], header), header, run) if self.key and secret else None
        if key is None:
            raise Broken
        fields = Reader(frame.body)
        leaf, length = fields.take(32), fields.u32()
        sealed_statement, sealed_payload = fields.take(length), fields.rest()
        counter = frame.sequence - run.first
        bound = aad(b"menshen/0/ledger", header, frame.sequence, len(sealed_statement))
        plain = opened(header.algorithm, key, counter, bound, sealed_statement)
        if plain is None:
            raise Broken
        commitment, statement = unpadded(plain)
        account, _, epoch = self.domain
        said = b"\0menshen/0/entry" + self.store.store + u64(account) + u64(epoch) + u64(frame.sequence)
        if leaf != sha256(said + before + commitment + statement):
            raise Broken
        payload, salt = self.payload(header, run, frame.sequence, sealed_payload, commitment)
        return Entry(frame.sequence, statement, payload, commitment, leaf, run.salt)

    def payload_key(self, run: Run) -> bytes | None:
        secret = self.store.table.payloads.get(run.payload_label)
        return hkdf(secret, self.key, b"menshen/0/payload") if secret and self.key else None

    def payload(
        self, header: Header, run: Run, sequence: int, sealed: bytes, commitment: bytes
    ) -> tuple[bytes | None, bytes | None]:
        key = self.payload_key(run)
        if key is None:
            return None, None
        key = hkdf(run.salt, key, b"menshen/0/payload-run" + header.hash)
        bound = aad(b"menshen/0/erases", header, sequence, len(sealed))
        plain = opened(1, key, sequence - run.first, bound, sealed)
        if plain is None:
            raise Broken
        salt, payload = unpadded(plain)
        if sha256(salt + payload) != commitment:
            raise Broken
        return payload, salt

    def read(self) -> Contents:
        entries: list[Entry] = []
        verdict = "Sound"
        self.heads: dict[int, Head] = {}
        self.base: Base | None = None
        try:
            self.collect(entries)
        except Broken:
            verdict = "Broken"
        size = max(self.heads, default=self.base.size if self.base else 0)
        for entry in entries:
            entry.signed = entry.sequence < size
            entry.head = self.heads.get(entry.sequence + 1)
        if verdict == "Sound":
            verdict = self.verdict(entries, size)
        head = self.heads.get(size) or (self.base and self.base.head)
        rolled_back = bool(head) and self.is_rolled_back(head)
        signed = [entry for entry in entries if entry.sequence < size]
        whole = Contents(verdict, rolled_back, self.public_key, None, signed, self.base and self.base.size)
        place = self.base and self.base.place
        state = place and self.state(*place)
        return whole if state is None else replace(whole, checkpoint=(whole.base, state))

    def collect(self, entries: list[Entry]) -> None:
        """Takes in entries and heads in the order of the files."""
        salts: set[bytes] = set()
        tree = Tree()
        began = 0
        is_pruned = self.is_pruned()
        for segment, header in self.segments:
            for placed in read_segment(self.store.segments[segment], HEADER).placed:
                frame, run = placed.frame, placed.run
                if frame.kind == "R":
                    if run.salt in salts:
                        raise Broken
                    salts.add(run.salt)
                    began = run.first
                elif is_pruned and self.base is None:
                    base = frame.kind == "C" and self.base_of(segment, header, frame)
                    if base:
                        self.base, tree = base, Tree(base.size, base.roots)
                elif frame.kind == "E":
                    if run is None:
                        raise Broken
                    tree = self.take_in(header, run, frame, entries, tree, began)
                elif frame.kind == "H":
                    self.take_head(frame, tree)
        if is_pruned and self.base is None:
            raise Broken

    def is_pruned(self) -> bool:
        """Whether the first run that is met goes on from entries that are gone, and nothing is damaged before it."""
        for segment, _ in self.segments:
            walked = walk(self.store.segments[segment], HEADER)
            first = next((frame for frame in walked.frames if frame.kind == "R" and len(frame.body) == 72), None)
            if first:
                damaged = first.offset > HEADER
                return first.sequence > 0 and not damaged
            if walked.damaged:
                return False
        return False

    def take_in(
        self, header: Header, run: Run, frame: Frame, entries: list[Entry], tree: Tree, began: int
    ) -> Tree:
        start = self.base.size if self.base else 0
        number = frame.sequence - start
        if number < 0:
            raise Broken
        if number < len(entries):
            signed = max(self.heads, default=start)
            is_anew = frame.sequence == began and entries[-1].salt != run.salt and frame.sequence >= signed
            if not is_anew:
                raise Broken
            del entries[number:]
            tree = Tree(start, self.base.roots if self.base else None)
            for entry in entries:
                tree.add(entry.leaf)
        elif number > len(entries):
            raise Broken
        before = entries[-1].leaf if entries else self.base.leaf if self.base else bytes(32)
        entries.append(self.entry(header, run, frame, before))
        tree.add(entries[-1].leaf)
        return tree

    def take_head(self, frame: Frame, tree: Tree) -> None:
        head = read_head(frame.sequence + 1, frame.body)
        if head.size != tree.size or head.root != tree.root() or not self.believes(head):
            raise Broken
        self.heads[head.size] = head

    def is_rolled_back(self, head: Head) -> bool:
        books = self.store.books
        if books.damaged:
            # One with a higher number takes its place before anything is read.
            return False
        return books.number < head.manifest or (books.number == head.manifest and head.code not in books.codes)

    def verdict(self, entries: list[Entry], size: int) -> str:
        account, _, epoch = self.domain
        anchor = Reader(self.store.anchor or b"")
        while anchor.at < len(anchor.content):
            of, at_epoch, anchored, root = anchor.u64(), anchor.u64(), anchor.u64(), anchor.take(32)
            if (of, at_epoch) == (account, epoch):
                start = self.base.size if self.base else 0
                tree = Tree(start, self.base.roots if self.base else None)
                for entry in entries[: max(0, anchored - start)]:
                    tree.add(entry.leaf)
                if anchored > size or (anchored > start and tree.root() != root):
                    return "RolledBack"
        listed = self.store.books.listed
        for segment, header in listed.items():
            if header.is_ledger and header.domain == self.domain:
                mark = self.store.books.marks.get(segment)
                if segment not in self.store.segments or (mark and mark.sequence > size):
                    return "Truncated"
        return "Sound"

    def tail(self, whole: Contents) -> Contents:
        """What stands behind the newest checkpoint that opens; the whole ledger where none does."""
        places = [
            (place.sequence, segment, header, place.offset)
            for segment, header in self.segments
            for place in self.store.books.checkpoints.get(segment, [])
        ]
        for size, segment, header, offset in sorted(places, key=lambda place: place[0], reverse=True):
            parts = self.parts(segment, offset)
            base = parts and self.base_of(segment, header, parts[0].frame)
            state = self.state(segment, header, offset) if base else None
            if state is None:
                continue
            tree = Tree(base.size, base.roots)
            behind = [entry for entry in whole.entries if entry.sequence >= size]
            for entry in behind:
                tree.add(entry.leaf)
                if entry.head and entry.head.root != tree.root():
                    raise ValueError("the checkpoint's roots do not lead to the next head")
            return replace(whole, checkpoint=(size, state), entries=behind, base=size)
        return whole

    def parts(self, segment: int, offset: int) -> list[Placed]:
        """The frames of the checkpoint that begins at an offset."""
        placed = [p for p in read_segment(self.store.segments[segment], HEADER).placed if p.frame.offset >= offset]
        if not placed or placed[0].frame.offset != offset or placed[0].frame.kind != "C":
            return []
        return [p for p in placed if p.frame.kind == "C" and p.frame.sequence == placed[0].frame.sequence]

    def base_of(self, segment: int, header: Header, frame: Frame) -> Base | None:
        """The base of a checkpoint, if its head vouches for it."""
        try:
            fields = Reader(frame.body)
            parts, part, count = fields.u16(), fields.u16(), fields.u32()
            roots = [fields.take(32) for _ in range(count)]
            leaf, size = fields.take(32), frame.sequence
            head = read_head(size, fields.take(120))
        except (ValueError, Broken):
            return None
        is_whole = part < parts and size > 0 and count == size.bit_count() and head.root == Tree(size, roots).root()
        if not is_whole or not self.believes(head):
            return None
        return Base(size, roots, leaf, head, (segment, header, frame.offset))

    def state(self, segment: int, header: Header, offset: int) -> bytes | None:
        """The state of a checkpoint, if every part of it opens."""
        pieces, wanted = [], None
        for placed in self.parts(segment, offset):
            frame, run = placed.frame, placed.run
            fields = Reader(frame.body)
            parts, part, count = fields.u16(), fields.u16(), fields.u32()
            if wanted is None:
                wanted = (parts, frame.body[4 : 8 + 32 * count + 152])
            clear = 8 + 32 * count + 152
            if (parts, frame.body[4:clear]) != wanted or part != len(pieces) or run is None:
                return None
            key = self.payload_key(run)
            if key is None:
                return None
            key = hkdf(run.salt, key, b"menshen/0/checkpoint-run" + header.hash)
            sealed = frame.body[clear:]
            bound = aad(b"menshen/0/checks", header, frame.sequence, len(sealed)) + frame.body[:clear]
            plain = opened(1, key, part << 48 | (frame.sequence - run.first), bound, sealed)
            if plain is None:
                return None
            piece = Reader(plain)
            pieces.append(piece.take(piece.u32()))
            if len(pieces) == parts:
                return b"".join(pieces)
        return None


def read_head(size: int, body: bytes) -> Head:
    fields = Reader(body)
    if len(body) != 120:
        raise Broken
    return Head(size, fields.take(32), fields.u64(), fields.take(16), fields.take(64))


def unpadded(plain: bytes) -> tuple[bytes, bytes]:
    """The 32 bytes in front and the text behind them; what follows is zeros up to a multiple of 64."""
    fields = Reader(plain)
    front, length = fields.take(32), fields.u32()
    if length > LONGEST or len(plain) % 64:
        raise Broken
    text = fields.take(length)
    if any(fields.rest()):
        raise Broken
    return front, text
