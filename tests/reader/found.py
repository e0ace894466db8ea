"""What is in a golden store, in the form of its `expected.json`."""

from dataclasses import asdict
from pathlib import Path

import boxes
from keys import ACCOUNT, ENDPOINT, PURPOSE
from ledger import Contents, Ledger
from store import Store

# Nobody acknowledges as this endpoint.
NOBODY = (1 << 64) - 1
READ_MS = 1_700_172_800_000


def load(folder: Path, lengths: dict[str, int]) -> dict[str, bytes]:
    """The files of a golden store, with the zeros at their end."""
    return {name: (folder / name).read_bytes().ljust(length, b"\0") for name, length in lengths.items()}


def found(files: dict[str, bytes]) -> dict:
    store = Store(files)
    account = store.table.label(ACCOUNT, "guest")
    records = []
    for purpose in ("analytics", "crashes", "diagnostics", "startup"):
        for name, lane in (("telemetry", 3), ("outbox", 2)):
            records += read(store, account, purpose, name, lane)
    purposes = {label: text.decode() for (kind, label), text in store.table.names.items() if kind == PURPOSE}
    ledger = tail = None
    if any(of == account and purpose == 0 for of, purpose, _ in store.table.domains):
        read_ledger = Ledger(store, account)
        if read_ledger.segments:
            whole = read_ledger.read()
            ledger, tail = contents(whole), contents(read_ledger.tail(whole))
    return {
        "read_ms": READ_MS,
        "opened": asdict(store.opened),
        "proven": asdict(store.proven),
        "records": records,
        "boxes": boxes_of(store, account, files["server-key"]) if "server-key" in files else None,
        "refused": store.refused(),
        "denied": [
            {"purpose": purposes.get(denial.domain[1]), "epoch": denial.domain[2], "proven": denial.proven}
            for denial in store.denied
        ],
        "ledger": ledger,
        "ledger_tail": tail,
    }


def boxes_of(store: Store, account: int, server: bytes) -> dict:
    purpose, endpoint = store.table.label(PURPOSE, "analytics"), store.table.label(ENDPOINT, "collector")
    return boxes.pending(store, (account, purpose, 1), 3, endpoint, server, READ_MS)


def read(store: Store, account: int, purpose: str, name: str, lane: int) -> list[dict]:
    label = store.table.label(PURPOSE, purpose)
    if label is None:
        return []
    domain = (account, label, 1)

    def pending(endpoint: int | None):
        return store.read(domain, lane, NOBODY if endpoint is None else endpoint, READ_MS)

    whole = pending(None)
    if not (whole.bodies or whole.damaged or whole.expired or whole.locked or whole.another_key):
        return []
    of = {"collector": store.table.label(ENDPOINT, "collector"), "other": store.table.label(ENDPOINT, "other")}
    return [{
        "purpose": purpose,
        "lane": name,
        "damaged": whole.damaged,
        "expired": whole.expired,
        "locked": whole.locked,
        "bodies": [body.hex() for body in whole.bodies],
        "for_collector": [body.hex() for body in pending(of["collector"]).bodies],
        "for_other": [body.hex() for body in pending(of["other"]).bodies],
    }]


def contents(ledger: Contents) -> dict:
    return {
        "verdict": ledger.verdict,
        "manifest_rolled_back": ledger.manifest_rolled_back,
        "public_key": ledger.public_key and ledger.public_key.hex(),
        "base": ledger.base,
        "checkpoint": ledger.checkpoint and {"size": ledger.checkpoint[0], "state": ledger.checkpoint[1].hex()},
        "entries": [
            {
                "sequence": entry.sequence,
                "signed": entry.signed,
                "statement": entry.statement.hex(),
                "payload": None if entry.payload is None else entry.payload.hex(),
                "commitment": entry.commitment.hex(),
                "leaf": entry.leaf.hex(),
                "head": entry.head and {"size": entry.head.size, "root": entry.head.root.hex()},
            }
            for entry in ledger.entries
        ],
    }
