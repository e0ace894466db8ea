"""Writes the vectors of the store: changes to the golden stores, and what a reader has to find after each.

`python3 vectors.py GOLDEN OUT` with the folder of the golden stores and the file to write. What is changed is made by
this implementation alone, with the stores' own secrets: checksums, codes, commitments, seals and signatures are right
but for the one thing that the vector is about. A class says what is expected: `read`, `damaged`, `ended`, `denied`, …
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bytes_of import FRAME_HEADER, Frame, cipher, code, crc32c, framed, nonce, u32, u64, walk
from found import READ_MS, found, load
from segments import HEADER, Header, Run, aad, read_header, read_segment, run_key, slice_key
from store import Store

Files = dict[str, bytes]


@dataclass
class Vector:
    store: str
    what: str
    expected_class: str
    # The files that are other than in the golden store; None where one is gone.
    files: dict[str, bytes | None] = field(default_factory=dict)


@dataclass
class Placed:
    """A frame of a segment with the keys around it."""

    name: str
    header: Header
    run: Run
    key: bytes
    frame: Frame

    def resealed(self, files: Files, plain: bytes, **other) -> dict[str, bytes | None]:
        """The same record with another plaintext, or with one thing about its seal that is wrong."""
        sequence = self.frame.sequence
        bound = other.get("aad") or aad(b"menshen/0/record", self.header, sequence, len(plain) + 16)
        key, counter = other.get("key") or self.key, other.get("counter", sequence - self.run.first)
        algorithm = other.get("algorithm") or self.header.algorithm
        return self.with_body(files, cipher(algorithm, key).encrypt(nonce(counter), plain, bound))

    def with_body(self, files: Files, body: bytes, kind: str | None = None) -> dict[str, bytes | None]:
        content, frame = files[self.name], self.frame
        made = framed(kind or frame.kind, frame.sequence, body)
        return {self.name: content[: frame.offset] + made + content[frame.end :]}

    def plain(self) -> bytes:
        bound = aad(b"menshen/0/record", self.header, self.frame.sequence, len(self.frame.body))
        return cipher(self.header.algorithm, self.key).decrypt(
            nonce(self.frame.sequence - self.run.first), self.frame.body, bound
        )


def records(files: Files) -> Iterator[Placed]:
    store = Store(files)
    for name in sorted(name for name in files if name.startswith("store/segments/")):
        header = read_header(files[name])
        if header is None or header.is_ledger:
            continue
        domain_key, secret = store.domain_key(header.domain), store.table.slices.get(header.label)
        if domain_key is None or secret is None:
            continue
        for placed in read_segment(files[name], HEADER).placed:
            if placed.frame.kind == "D" and placed.run:
                key = run_key(slice_key(domain_key, secret[1], header), header, placed.run)
                yield Placed(name, header, placed.run, key, placed.frame)


def of_records(name: str, files: Files) -> Iterator[Vector]:
    for number, placed in enumerate(records(files)):
        plain, sequence = placed.plain(), placed.frame.sequence
        length = int.from_bytes(plain[28:32], "little")
        if int.from_bytes(plain[:8], "little", signed=True) <= READ_MS:
            continue

        def vector(what: str, expected: str, changed: dict[str, bytes | None]) -> Vector:
            return Vector(name, f"record {number}: {what}", expected, changed)

        def resealed(what: str, expected: str, other: bytes = plain, **wrong) -> Vector:
            return vector(what, expected, placed.resealed(files, other, **wrong))

        body = b"forged" + bytes([number])
        other = plain[:28] + u32(len(body)) + body
        yield resealed("another content under the same seal", "read", other.ljust(-(-len(other) // 64) * 64, b"\0"))
        yield resealed("sealed under the next counter", "damaged", counter=sequence - placed.run.first + 1)
        bound = aad(b"menshen/0/record", placed.header, sequence + 1, len(plain) + 16)
        yield resealed("bound to the next sequence number", "damaged", aad=bound)
        bound = aad(b"menshen/0/ledger", placed.header, sequence, len(plain) + 16)
        yield resealed("bound as a statement", "damaged", aad=bound)
        yield resealed("ended a millisecond before it is read", "ended", READ_MS.to_bytes(8, "little") + plain[8:])
        yield resealed("a content that is longer than its plaintext", "damaged", plain[:28] + u32(len(plain) - 31) + plain[32:])
        if number % 3 == 0:
            yield resealed("a plaintext that ends within a block", "same", plain + bytes(8))
            yield resealed("sealed with the other algorithm", "damaged", algorithm=3 - placed.header.algorithm)
            yield resealed("sealed with another run's key", "damaged", key=bytes(32))
            cut = placed.frame.body[:-1] + bytes([placed.frame.body[-1] ^ 1])
            yield vector("the last byte of its tag", "damaged", placed.with_body(files, cut))
            yield vector("as an entry of a ledger", "damaged", placed.with_body(files, placed.frame.body, "E"))
        if length < len(plain) - 32 and number % 2 == 0:
            yield resealed("a bit behind its content", "same", plain[:-1] + b"\1")


def two_keys(name: str, files: Files) -> Iterator[Vector]:
    """One sealed record that opens under two runs' keys (AES-256-GCM does not commit to its key)."""
    placed = next(placed for placed in records(files) if placed.header.algorithm == 2)
    store = Store(files)
    secret = store.table.slices[placed.header.label][1]
    base = slice_key(store.domain_key(placed.header.domain), secret, placed.header)
    salt = bytes(range(32))
    from bytes_of import hkdf

    other = hkdf(salt, base, b"menshen/0/run-key" + placed.header.hash)
    committed = hkdf(salt, base, b"menshen/0/run-commitment" + placed.header.hash)
    counter = placed.frame.sequence - placed.run.first
    blocks = 4
    bound = aad(b"menshen/0/record", placed.header, placed.frame.sequence, 16 * blocks + 16)
    sealed = collision(placed.key, other, nonce(counter), bound, placed.plain()[:64])
    # The control: it opens under both.
    for key in (placed.key, other):
        cipher(2, key).decrypt(nonce(counter), sealed, bound)
    content = placed.with_body(files, sealed)[placed.name]
    yield Vector(name, "a seal of two keys, under the run that commits to the first", "damaged", {placed.name: content})
    # The run's salt leads to the second key; its commitment is still the first one's.
    body = salt + placed.run.commitment + u64(placed.run.payload_label)
    yield Vector(
        name, "a seal of two keys, under a run that commits to the other one", "another-key", with_runs(content, placed, body)
    )
    body = salt + committed + u64(placed.run.payload_label)
    yield Vector(name, "a seal of two keys, under the run of the second", "two-keys", with_runs(content, placed, body))


def with_runs(content: bytes, placed: Placed, body: bytes) -> dict[str, bytes | None]:
    """Both copies of a run's header anew."""
    made = framed("R", placed.run.first, body)
    return {placed.name: content[: placed.run.offset] + made + made + content[placed.run.offset + 180 :]}


def multiplied(one: int, other: int) -> int:
    """In the field of GCM, bits reversed as there."""
    product = 0
    for bit in range(127, -1, -1):
        if other >> bit & 1:
            product ^= one
        one = (one >> 1) ^ (0xE1 << 120 if one & 1 else 0)
    return product


def inverse(number: int) -> int:
    result, power = 1 << 127, number
    for bit in range(1, 128):
        power = multiplied(power, power)
        result = multiplied(result, power)
    return result


def collision(first: bytes, second: bytes, iv: bytes, bound: bytes, plain: bytes) -> bytes:
    """A sealed text that opens under both keys: the last block makes their tags equal."""

    def block(key: bytes, content: bytes) -> int:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return int.from_bytes(encryptor.update(content), "big")

    hashes = [block(key, bytes(16)) for key in (first, second)]
    masks = [block(key, iv + b"\0\0\0\1") for key in (first, second)]
    sealed = Cipher(algorithms.AES(first), modes.CTR(iv + b"\0\0\0\2")).encryptor().update(plain)
    lengths = (len(bound) * 8) << 64 | len(sealed) * 8
    whole = bound.ljust(-(-len(bound) // 16) * 16, b"\0") + sealed[:-16]

    def tag(key: int, mask: int, last: int) -> int:
        total = 0
        for at in range(0, len(whole), 16):
            total = multiplied(total ^ int.from_bytes(whole[at : at + 16], "big"), key)
        return multiplied(multiplied(total ^ last, key) ^ lengths, key) ^ mask

    squares = [multiplied(key, key) for key in hashes]
    apart = tag(hashes[0], masks[0], 0) ^ tag(hashes[1], masks[1], 0)
    last = multiplied(apart, inverse(squares[0] ^ squares[1]))
    return sealed[:-16] + last.to_bytes(16, "big") + tag(hashes[0], masks[0], last).to_bytes(16, "big")


def of_manifest(name: str, files: Files) -> Iterator[Vector]:
    file = next(file for file in files if file.startswith("store/manifest."))
    content, store = files[file], Store(files)
    number = int(file.rpartition(".")[2])
    frames = walk(content, 0).frames
    segment = max(store.in_use)
    header = store.in_use[segment].content

    def appended(entry: bytes, **wrong) -> dict[str, bytes | None]:
        sequence = wrong.get("sequence", len(frames))
        before = wrong.get("before", frames[-1].body[16:32])
        of = wrong.get("of", store.store)
        own = code(store.bookkeeping, b"menshen/0/manifest" + of + u64(number) + u64(sequence) + before + entry)
        return {file: content + framed("M", sequence, before + wrong.get("own", own) + entry)}

    collector = store.table.label(3, "collector") or 1
    place = u64(segment) + u64(collector)
    entries = [
        ("retired", "gone", b"\3" + u64(segment) + u64(0)),
        ("delivered", "delivered", b"\4" + place + u64(0) + u64(1)),
        ("refused", "delivered", b"\5" + place + u64(0) + u64(1)),
        ("a range that ends before it begins", "same", b"\4" + place + u64(1) + u64(0)),
        ("half a range", "manifest-damaged", b"\4" + place + u64(0)),
        ("a mark behind the file's end", "same", b"\6" + u64(segment) + u64(0) + u64(1 << 40) + u64(128) + u64(0)),
        ("added again", "same", b"\2" + header),
        ("dropped", "same", b"\7" + u64(3)),
        ("complete again", "same", b"\x08"),
        ("an entry of another kind", "manifest-damaged", b"\x63"),
        ("a header that is none", "manifest-damaged", b"\2" + header[:-1] + b"\0"),
        ("a count beyond all counts", "manifest-damaged", b"\3" + u64(1 << 48) + u64(0)),
        ("a segment without a file", "missing", b"\2" + with_id(header, segment + 1)),
    ]
    for what, expected, entry in entries:
        yield Vector(name, f"manifest: {what}", expected, appended(entry))
    dropped = b"\7" + u64(3)
    yield Vector(name, "manifest: a code of another key", "manifest-damaged", appended(dropped, own=bytes(16)))
    yield Vector(name, "manifest: a code before that is not there", "manifest-damaged", appended(dropped, before=bytes(16)))
    yield Vector(name, "manifest: a number left out", "manifest-damaged", appended(dropped, sequence=len(frames) + 1))
    yield Vector(name, "manifest: of another store", "manifest-damaged", appended(dropped, of=bytes(16)))
    # What that does to a ledger's heads depends on whether a new manifest took its place before it is read.
    for number_of, frame in enumerate(frames if name == "plain" else []):
        cut = content[: frame.offset] + content[frame.end :]
        yield Vector(name, f"manifest: without frame {number_of}", "changed", {file: cut})


def with_id(header: bytes, segment: int) -> bytes:
    start = header[:28] + u64(segment) + header[36:124]
    return start + u32(crc32c(start))


def of_ledger(name: str, files: Files) -> Iterator[Vector]:
    names = sorted(name for name in files if name.startswith("store/segments/"))
    for file in names:
        content = files[file]
        header = read_header(content)
        if header is None or not header.is_ledger:
            continue
        for number, frame in enumerate(walk(content, HEADER).frames):
            if frame.kind in "EHC":
                for what, at in (("first", 0), ("middle", len(frame.body) // 2), ("last", len(frame.body) - 1)):
                    body = frame.body[:at] + bytes([frame.body[at] ^ 4]) + frame.body[at + 1 :]
                    changed = content[: frame.offset] + framed(frame.kind, frame.sequence, body) + content[frame.end :]
                    yield Vector(name, f"ledger: {file[-1]}, frame {number}, {what} byte", "changed", {file: changed})
    anchor = files.get("anchor")
    if anchor:
        for what, changed, expected in (
            ("ahead", anchor[:16] + u64(int.from_bytes(anchor[16:24], "little") + 1) + anchor[24:], "rolled-back"),
            ("of another root", anchor[:-1] + bytes([anchor[-1] ^ 1]), "rolled-back"),
            ("of another account", bytes([anchor[0] ^ 1]) + anchor[1:], "same"),
            ("of another epoch", anchor[:8] + u64(7) + anchor[16:], "same"),
        ):
            yield Vector(name, f"anchor: {what}", expected, {"anchor": changed})


def of_keys(name: str, files: Files) -> Iterator[Vector]:
    content = files["store/keys"]
    for slot in range(8):
        at = slot * 512
        # Without the store's own domain nothing at all is read.
        if content[at] == 0 or (content[at] == 2 and not any(content[at + 9 : at + 25])):
            continue
        once = content[: at + 60] + bytes([content[at + 60] ^ 1]) + content[at + 61 :]
        yield Vector(name, f"keys: slot {slot}, its first copy damaged", "same", {"store/keys": once})
        at += 4096
        twice = once[: at + 60] + bytes([once[at + 60] ^ 1]) + once[at + 61 :]
        if content[slot * 512] != 1:
            yield Vector(name, f"keys: slot {slot}, both copies damaged", "changed", {"store/keys": twice})


def of_cursor(name: str, files: Files) -> Iterator[Vector]:
    store = Store(files)
    segment = min(store.in_use)
    header = store.in_use[segment]
    collector = store.table.label(3, "collector") or 1
    free = 8192 - 64
    content = files["store/cursor"].ljust(8192, b"\0")

    def slot(generation: int, up_to: int, key: bytes | None, endpoint: int = collector) -> bytes:
        said = b"\1" + u64(generation) + u64(segment) + u64(endpoint) + u64(up_to)
        own = code(key, b"menshen/0/cursor" + store.store + u64(header.label) + said) if key else bytes(16)
        return (said + own + u32(crc32c(said + own))).ljust(64, b"\0")

    for what, expected, made in (
        ("of a higher generation", "delivered", slot(1_000_001, 3, store.bookkeeping)),
        ("of a lower generation", "same", slot(1, 0, store.bookkeeping)),
        ("of another endpoint", "same", slot(1, 3, store.bookkeeping, 99)),
        ("under a code that is not ours", "foreign", slot(1_000_001, 3, None)),
        ("under another key's code", "foreign", slot(1_000_001, 3, bytes(32))),
        ("without a good checksum", "same", slot(1_000_001, 3, store.bookkeeping)[:50] + bytes(14)),
    ):
        yield Vector(name, f"cursor: {what}", expected, {"store/cursor": content[:free] + made})


def of_markers(name: str, files: Files) -> Iterator[Vector]:
    markers = [file for file in files if file.rpartition("/")[2].startswith("denied-")]
    for number, file in enumerate(markers):
        content = files[file]
        others = {other: content for other in markers}
        for what, expected, changed in (
            ("empty", "unproven", b""),
            ("a code that is not ours", "unproven", content[:60] + bytes([content[60] ^ 1]) + content[61:]),
        ):
            yield Vector(name, f"marker {number}: {what}, everywhere", expected, {other: changed for other in others})
        upper = file.rpartition("denied-")[0] + "denied-" + file.rpartition("denied-")[2].upper()
        yield Vector(name, f"marker {number}: a name in capitals beside it", "same", {upper: content})


def vectors(stores: dict[str, Files]) -> Iterator[Vector]:
    yield from of_records("plain", stores["plain"])
    yield from two_keys("plain", stores["plain"])
    for name in ("plain", "ledger", "withdrawn"):
        yield from of_manifest(name, stores[name])
        yield from of_keys(name, stores[name])
    for name in ("plain", "rewritten"):
        yield from of_cursor(name, stores[name])
    for name in ("ledger", "withdrawn"):
        yield from of_ledger(name, stores[name])
    yield from of_markers("withdrawn", stores["withdrawn"])


def difference(before: bytes, after: bytes | None) -> dict:
    """The bytes that are other: from where, up to where, by what; `zeros` more at the end say nothing."""
    if after is None:
        return {"gone": True}
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = 0
    while end < shorter - start and before[len(before) - 1 - end] == after[len(after) - 1 - end]:
        end += 1
    return {"at": start, "instead_of": len(before) - end - start, "bytes": after[start : len(after) - end].hex()}


def short(found):
    """Of a ledger the verdict and how many entries; only the verdict of one that is not sound."""
    if not isinstance(found, dict) or "verdict" not in found:
        return found
    if found["verdict"] != "Sound":
        return {"verdict": found["verdict"]}
    return found | {"entries": len(found["entries"])}


def main(golden: Path, out: Path) -> None:
    stores, expected = {}, {}
    for path in sorted(path for path in golden.iterdir() if path.is_dir()):
        said = json.loads((path / "expected.json").read_text())
        stores[path.name], expected[path.name] = load(path, said["files"]), said["found"]
    written = []
    for vector in vectors(stores):
        files = stores[vector.store]
        changed = {name: content for name, content in (files | vector.files).items() if content is not None}
        read = found(changed)
        apart = {what: short(read[what]) for what in read if read[what] != expected[vector.store][what]}
        # What a change of a manifest means depends on the segment that it speaks of: in `plain` it holds records.
        is_strict = vector.store == "plain" and vector.expected_class != "changed"
        if is_strict and (vector.expected_class == "same") != (not apart):
            raise ValueError(f"{vector.store}: {vector.what}: not {vector.expected_class}: {apart}")
        written.append({
            "store": vector.store,
            "what": vector.what,
            "class": vector.expected_class if apart or is_strict else "same",
            "files": {name: difference(files.get(name, b""), content) for name, content in vector.files.items()},
            "found": apart,
            # Where a ledger is damaged it depends on the reader how much of it is behind its checkpoint.
            "unsaid": ["ledger_tail"] if (read["ledger"] or {}).get("verdict") == "Broken" else [],
        })
    out.write_text("[\n" + ",\n".join(json.dumps(vector) for vector in written) + "\n]\n")
    print(f"{len(written)} vectors in {len({vector['class'] for vector in written})} classes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
