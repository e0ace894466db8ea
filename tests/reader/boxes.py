"""Boxes, opened with the server's key: HPKE (RFC 9180) in base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305."""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bytes_of import Reader, sha256, short, u64
from keys import ENDPOINT, PURPOSE, Domain
from segments import BOXES, HEADER, read_segment
from store import Store

KEM = b"KEM\x00\x20"
SUITE = b"HPKE\x00\x20\x00\x01\x00\x03"


def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + secret, hashlib.sha256).digest()


def expand(suite: bytes, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """One block of HKDF-Expand: no more is asked for."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.new(secret, labelled + b"\x01", hashlib.sha256).digest()[:length]


def opened(secret: bytes, encapsulated: bytes, info: bytes, aad: bytes, sealed: bytes) -> bytes | None:
    own = X25519PrivateKey.from_private_bytes(secret)
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    agreed = own.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    shared = expand(KEM, extract(KEM, b"", b"eae_prk", agreed), b"shared_secret", encapsulated + public, 32)
    context = b"\0" + extract(SUITE, b"", b"psk_id_hash", b"") + extract(SUITE, b"", b"info_hash", info)
    scheduled = extract(SUITE, shared, b"secret", b"")
    key, nonce = expand(SUITE, scheduled, b"key", context, 32), expand(SUITE, scheduled, b"base_nonce", context, 12)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        return None


def pending(store: Store, domain: Domain, lane: int, endpoint: int, server: bytes, now: int) -> dict:
    """The boxes for an endpoint, as its server opens them."""
    names, found, ended, damaged = store.table.names, [], 0, 0
    for segment, header in store.in_use.items():
        if header.algorithm != BOXES or header.domain != domain or header.lane != lane:
            continue
        fields = Reader(header.of_boxes)
        of, event, key = fields.u64(), fields.u64(), fields.take(16)
        if of != endpoint:
            continue
        if header.width and now >= header.bucket * header.width:
            ended += 1
            continue
        text = {label: name for (_, label), name in names.items()}.get(event, b"")
        said = short(names.get((PURPOSE, domain[1]), b"")) + short(names.get((ENDPOINT, of), b"")) + short(text)
        info = b"menshen/0/box" + header.hash + sha256(said)
        for placed in read_segment(store.segments[segment], HEADER).placed:
            frame = placed.frame
            if frame.kind != "B" or not store.is_pending(segment, endpoint, frame.sequence):
                continue
            if len(frame.body) < 32:
                damaged += 1
                continue
            plain = opened(server, frame.body[:32], info, u64(frame.sequence), frame.body[32:])
            body = plain and Reader(plain[4:]).take(int.from_bytes(plain[:4], "little"))
            found.append({"event": text.decode() or None, "body": None if plain is None else body.hex()})
    return {"expired": ended, "damaged": damaged, "opened": found}
