"""Reads every golden store with this reader alone and compares what it finds with `expected.json`.

`python3 check.py FOLDER` with the folder that holds the stores, say `tests/golden/0`. The reader knows the format from
`crates/journal/FORMAT.md` only; it shares no code with the library. Before its verdict counts, it has to notice every
one of a set of copies that were spoiled on purpose.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from bytes_of import FRAME_HEADER, crc32c, framed, u32, walk
from found import found, load
from segments import HEADER

Files = dict[str, bytes]


def changed(content: bytes, at: int, mask: int = 1) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


def first_of(files: Files, kind: str) -> tuple[str, int]:
    """The first frame of a kind: its file and its number in that."""
    for name in sorted(name for name in files if name.startswith(("store/segments/", "store/manifest."))):
        content = files[name]
        start = HEADER if "segments" in name else 0
        for number, frame in enumerate(walk(content, start).frames):
            if frame.kind == kind:
                return name, number
    raise LookupError(kind)


def forged(kind: str, at: int, further: int = 0) -> Callable[[Files], Files]:
    """One byte of the first such frame, or of one further on, changed under a checksum made anew."""

    def spoil(files: Files) -> Files:
        name, number = first_of(files, kind)
        start = HEADER if "segments" in name else 0
        frame = walk(files[name], start).frames[number + further]
        body = changed(frame.body, at)
        content = files[name]
        return files | {name: content[: frame.offset] + framed(kind, frame.sequence, body) + content[frame.end :]}

    return spoil


def forged_head(files: Files) -> Files:
    """A signature changed in both copies of a head."""
    name, number = first_of(files, "H")
    first = walk(files[name], HEADER).frames[number]
    content = files[name].replace(first.body[56:120], changed(first.body[56:120], 5))
    for frame in walk(files[name], HEADER).frames:
        if frame.kind == "H" and frame.sequence == first.sequence:
            start = content[frame.offset : frame.offset + 14]
            body = content[frame.offset + FRAME_HEADER : frame.end]
            content = content[: frame.offset + 14] + u32(crc32c(start + body)) + content[frame.offset + FRAME_HEADER :]
    return files | {name: content}


def lost_platform_key(files: Files) -> Files:
    names = sorted(name for name in files if name.startswith("platform-keys/"))
    return files | {name: changed(files[name], 0) for name in names}


def forged_leaf(files: Files) -> Files:
    """The last leaf of the checkpoint with which a pruned ledger begins."""
    name, number = first_of(files, "C")
    count = int.from_bytes(walk(files[name], HEADER).frames[number].body[4:8], "little")
    return forged("C", 8 + 32 * count + 5)(files)


def renamed(name: bytes, other: bytes) -> Callable[[Files], Files]:
    """Another name for a label, in both copies of its slot."""

    def spoil(files: Files) -> Files:
        keys = bytearray(files["store/keys"])
        for at in range(0, len(keys), 512):
            slot = bytes(keys[at : at + 508])
            if slot[0] == 4 and name in slot:
                slot = slot.replace(name, other)
                keys[at : at + 512] = slot + u32(crc32c(slot))
        return files | {"store/keys": bytes(keys)}

    return spoil


def without(prefix: str) -> Callable[[Files], Files]:
    return lambda files: {name: content for name, content in files.items() if not name.startswith(prefix)}


def cut(name: str, by: int) -> Callable[[Files], Files]:
    return lambda files: files | {name: files[name][: len(files[name].rstrip(b"\0")) - by]}


SPOILED: list[tuple[str, str, Callable[[Files], Files]]] = [
    ("plain", "a forged byte of a record", forged("D", 3)),
    ("plain", "a forged commitment of a run", forged("R", 33)),
    ("plain", "a forged code of the manifest", forged("M", 17)),
    ("plain", "other keys of the platform", lost_platform_key),
    ("plain", "no cursor", without("store/cursor")),
    ("plain", "a missing segment", without("store/segments/0000000000000002")),
    ("plain", "a record cut off", cut("store/segments/0000000000000005", 40)),
    ("rewritten", "no manifest", without("store/manifest.")),
    ("ledger", "a forged leaf", forged("E", 0)),
    ("ledger", "a forged statement", forged("E", 40)),
    ("ledger", "a forged signature", forged_head),
    ("ledger", "a last batch cut off", without("store/segments/0000000000000002")),
    ("boxes", "a forged byte of a box", forged("B", 40, 1)),
    ("boxes", "another server's key", lambda files: files | {"server-key": changed(files["server-key"], 3, 8)}),
    ("boxes", "the purpose's name exchanged", renamed(b"analytics", b"analytica")),
    ("pruned", "a forged root of the base", forged("C", 9)),
    ("pruned", "a forged leaf of the base", forged_leaf),
    ("pruned", "no checkpoint left", without("store/segments/0000000000000004")),
    ("rekeyed", "no new key of the ledger", lost_platform_key),
    ("withdrawn", "no marker outside and inside", lambda files: without("outside/")(without("store/denied-")(files))),
]


def main(folder: Path) -> int:
    stores, faults = {}, []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        expected = json.loads((path / "expected.json").read_text())
        stores[path.name] = (load(path, expected["files"]), expected["found"])
    for name, (files, expected) in stores.items():
        read = found(files)
        differing = [what for what in expected if read.get(what) != expected[what]]
        if differing:
            faults.append(f"{name}: otherwise than expected: {', '.join(differing)}")
            for what in differing:
                print(f"{name}: {what}\n  expected {expected[what]}\n  read     {read.get(what)}")
    noticed = 0
    for name, what, spoil in SPOILED:
        files, expected = stores[name]
        spoiled = spoil(files)
        try:
            is_noticed = found(spoiled) != expected
        except (ValueError, KeyError):
            is_noticed = True
        noticed += is_noticed
        if not is_noticed:
            faults.append(f"{name}: {what} was not noticed")
    if not stores:
        faults.append("there is no store")
    print(f"reader: {len(stores)} stores read, {noticed} of {len(SPOILED)} spoiled copies noticed")
    for fault in faults:
        print(f"FAILED {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
