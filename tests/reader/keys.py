"""`keys` and the platform's keys: slots, secrets, what is derived from them."""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bytes_of import Reader, crc32c, hkdf, short, u64

SLOT, SLOTS, CHUNK = 512, 8, 8192
LONGEST_FILE = 64 << 20
ACCOUNT, PURPOSE, ENDPOINT = 1, 2, 3

# Account, purpose, epoch.
Domain = tuple[int, int, int]
OWN_DOMAIN: Domain = (0, 0, 1)


def domain_bytes(domain: Domain) -> bytes:
    return b"".join(u64(number) for number in domain)


def copies(content: bytes, slot: int, slots: int) -> list[tuple[bytes, bytes]]:
    """Every slot's two copies; what the file lacks at its end reads as zeros."""
    chunks = -(-len(content) // CHUNK)
    content = content.ljust(chunks * CHUNK, b"\0")
    pairs = []
    for number in range(chunks * slots):
        at = number // slots * CHUNK + number % slots * slot
        pairs.append((content[at : at + slot], content[at + 4096 : at + 4096 + slot]))
    return pairs


def checked(copy: bytes) -> tuple[int, int, bytes] | None:
    """Kind, generation and fields of a whole copy."""
    if crc32c(copy[:508]) != int.from_bytes(copy[508:], "little") or not 1 <= copy[0] <= 7:
        return None
    return copy[0], int.from_bytes(copy[1:9], "little"), copy[9:508]


@dataclass
class DomainSlot:
    alias: bytes
    wrapped: bytes
    commitment: bytes


@dataclass
class LedgerSlot:
    public_key: bytes
    sealed_seed: bytes


@dataclass
class KeyTable:
    store: bytes | None = None
    domains: dict[Domain, DomainSlot] = field(default_factory=dict)
    # Slice and payload secrets by their labels.
    slices: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    payloads: dict[int, bytes] = field(default_factory=dict)
    names: dict[tuple[int, int], bytes] = field(default_factory=dict)
    ledgers: dict[Domain, LedgerSlot] = field(default_factory=dict)
    damaged: int = 0

    def label(self, kind: int, name: str) -> int | None:
        for (known, label), text in self.names.items():
            if known == kind and text == name.encode():
                return label
        return None

    def names_of(self, domain: Domain) -> bytes:
        account = self.names.get((ACCOUNT, domain[0]), b"")
        purpose = self.names.get((PURPOSE, domain[1]), b"")
        return short(account) + short(purpose)


def read_keys(content: bytes) -> KeyTable:
    table = KeyTable()
    slots = []
    for pair in copies(content[:LONGEST_FILE], SLOT, SLOTS):
        whole = [slot for slot in map(checked, pair) if slot]
        if whole:
            slots.append(max(whole, key=lambda slot: slot[1]))
        elif all(any(copy) for copy in pair):
            table.damaged += 1
    # The highest generation counts: it is taken in last.
    for kind, _, fields in sorted(slots, key=lambda slot: slot[1]):
        take_in(table, kind, Reader(fields))
    return table


def take_in(table: KeyTable, kind: int, fields: Reader) -> None:
    if kind == 1:
        store = fields.take(16)
        if fields.u8() != 0:
            raise ValueError("a store of another format")
        table.store = store
    elif kind == 4:
        label_kind, label = fields.u8(), fields.u64()
        table.names[label_kind, label] = fields.short()
    elif kind in (2, 3, 5, 6):
        domain = (fields.u64(), fields.u64(), fields.u64())
        if kind == 2:
            table.domains[domain] = DomainSlot(fields.short(), fields.short(), fields.take(32))
        elif kind == 3:
            slice_bytes = fields.take(29)
            label = int.from_bytes(slice_bytes[21:], "little")
            table.slices[label] = (slice_bytes, fields.take(32))
        elif kind == 5:
            table.ledgers[domain] = LedgerSlot(fields.take(32), fields.short())
        else:
            label = fields.u64()
            table.payloads[label] = fields.take(32)


def domain_key(table: KeyTable, store: bytes, platform: dict[str, bytes], domain: Domain) -> bytes | None:
    """The key of a domain; nothing where its platform key is gone or the secret is another's."""
    slot = table.domains.get(domain)
    if slot is None:
        return None
    key = platform.get(slot.alias.decode())
    if key is None:
        return None
    try:
        aad = b"menshen/0/domain-secret" + store + slot.alias
        secret = AESGCM(key).decrypt(slot.wrapped[:12], slot.wrapped[12:], aad)
    except InvalidTag:
        return None
    bound = store + domain_bytes(domain) + table.names_of(domain)
    if hkdf(b"", secret, b"menshen/0/domain-commitment" + bound) != slot.commitment:
        return None
    return hkdf(b"", secret, b"menshen/0/domain-key" + bound)
