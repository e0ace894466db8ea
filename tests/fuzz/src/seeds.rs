//! The inputs that the fuzzer begins with: files of the store as they are, and what is behind their seals.

use std::fs;
use std::path::Path;

use crate::forge::{Frame, Piece, framed, padded, pieces};
use crate::store::BASE;

/// The inputs that a target begins with.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "segment" => vec![with(0, &raw(&BASE.records)), with(1, &records())],
        "ledger" => vec![with(0, &raw(&BASE.ledger)), with(1, &entries())],
        "keys" => vec![with(0, &raw("keys")), with(1, &first_copies(&raw("keys"), 4096))],
        "manifest" => vec![with(0, &raw("manifest.1")), with(1, &bookkeeping()), with(128, &cursors())],
        "policy" => policies(),
        "decide" => questions(),
        "reply" => replies(),
        _ => crossings(),
    }
}

/// Writes them where the environment says `MENSHEN_SEEDS`; a target does so before it reads its corpus.
pub fn write(target: &str) {
    let Some(folder) = std::env::var_os("MENSHEN_SEEDS") else { return };
    for (number, input) in of(target).iter().enumerate() {
        fs::write(Path::new(&folder).join(format!("seed-{number}")), input).unwrap();
    }
}

fn with(mode: u8, content: &[u8]) -> Vec<u8> {
    [&[mode], content].concat()
}

/// A file without the zeros at its end.
fn raw(name: &str) -> Vec<u8> {
    let content = BASE.disk.contents(name).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    content[..used].to_vec()
}

/// The frames of a file, each rewritten.
fn rewritten(content: &[u8], rewrite: impl Fn(&Frame<'_>) -> Option<Vec<u8>>) -> Vec<u8> {
    let frames = pieces(content).into_iter().filter_map(|piece| match piece {
        Piece::Frame(frame) => rewrite(&frame).map(|body| framed(frame.kind, frame.sequence, &body)),
        Piece::Byte(_) => None,
    });
    frames.flatten().collect()
}

/// The run headers of the kept purpose's segment, and records in clear.
fn records() -> Vec<u8> {
    rewritten(&raw(&BASE.records)[128..], |frame| match frame.kind {
        b'D' => {
            let mut plain = i64::MAX.to_le_bytes().to_vec();
            plain.extend([0; 12]);
            plain.extend(u64::MAX.to_le_bytes());
            plain.extend(30_u32.to_le_bytes());
            plain.extend([frame.sequence as u8; 30]);
            plain.resize(64, 0);
            Some(plain)
        }
        _ => Some(frame.body.to_vec()),
    })
}

/// The ledger's run headers and heads, and entries in clear.
fn entries() -> Vec<u8> {
    rewritten(&raw(&BASE.ledger)[128..], |frame| match frame.kind {
        b'E' => {
            let (statement, payload) = (padded(&[0; 32], b"statement"), padded(&[7; 32], b"payload"));
            Some([&frame.body[..32], &(statement.len() as u32).to_le_bytes(), &statement, &payload].concat())
        }
        b'C' => None,
        _ => Some(frame.body.to_vec()),
    })
}

/// The manifest's entries without their codes.
fn bookkeeping() -> Vec<u8> {
    rewritten(&raw("manifest.1"), |frame| Some(frame.body[32..].to_vec()))
}

fn cursors() -> Vec<u8> {
    let content = raw("cursor");
    let slots = content.chunks(64).filter(|slot| slot.len() > 53 && slot[0] == 1);
    slots.flat_map(|slot| slot[..33].to_vec()).collect()
}

fn first_copies(content: &[u8], half: usize) -> Vec<u8> {
    content.chunks(2 * half).flat_map(|chunk| chunk[..half.min(chunk.len())].to_vec()).collect()
}

fn policies() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let names = ["tests/policies/minimal.json", "tests/vectors/policy.json", "examples/policies/huirongke.json"];
    names.iter().map(|name| fs::read(root.join(name)).unwrap()).collect()
}

/// Questions to the first policies, and one to a policy that stands behind it.
fn questions() -> Vec<Vec<u8>> {
    let now = 1_795_564_800_u32.to_le_bytes();
    let asked = |head: [u8; 8], rest: &[u8]| [&head[..], &now[..], rest].concat();
    vec![
        asked([0, 90, 5, 1, 0, 0, 0, 0], &[0]),
        asked([1, 114, 3, 0, 0, 4, 4, 0], &[0]),
        asked([2, 0, 0, 255, 0, 2, 0, 0], &[1]),
        asked([3, 110, 1, 3, 2, 4, 1, 200], &[2]),
        asked([0, 90, 5, 0, 1, 1, 0, 0], &policies().swap_remove(0)),
    ]
}

fn replies() -> Vec<Vec<u8>> {
    let reply = |status: u16, headers: &str, body: &[u8]| {
        [&status.to_le_bytes()[..], &[0], headers.as_bytes(), b"\n\n", body].concat()
    };
    let protobuf = "content-type: application/x-protobuf";
    vec![
        reply(200, protobuf, &[]),
        reply(200, protobuf, &[0x0a, 0x00]),
        reply(200, "content-type: text/html\ncontent-length: 5", b"hello"),
        reply(503, "retry-after: 120", &[]),
        reply(400, "content-type: application/x-protobuf\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT", &[1, 2, 3]),
    ]
}

fn crossings() -> Vec<Vec<u8>> {
    let text = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    let field = [text("page"), 1_u32.to_be_bytes().to_vec(), text("home")].concat();
    let headers = [1_u32.to_be_bytes().to_vec(), text("content-type"), text("text/plain")].concat();
    let reply = [&1_u32.to_be_bytes()[..], &200_u32.to_be_bytes(), &headers, &text("body"), &[1]].concat();
    let configuration = [text("{}"), text("store"), vec![0], 0_u32.to_be_bytes().to_vec(), vec![0]].concat();
    vec![
        with(0, &configuration),
        with(1, &[&1_u32.to_be_bytes()[..], &field].concat()),
        with(2, &[&4_u32.to_be_bytes()[..], &text("1990-05"), &text("JP")].concat()),
        with(3, &reply),
        with(4, &2_u32.to_be_bytes()),
    ]
}
