//! Canaries: bodies and the secrets under the platform's keys are looked for in every file, every error and every Debug
//! output, as they are and in hexadecimal and base64.

use std::sync::{Arc, Mutex};

use menshen_journal::{Domain, NewEntry};

use crate::observed_keys::{Call, ObservedKeys};
use crate::planted;
use crate::programme::Prepared;
use crate::random::Random;
use crate::world::*;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks_exact(3) {
        let number = usize::from(three[0]) << 16 | usize::from(three[1]) << 8 | usize::from(three[2]);
        for shift in [18, 12, 6, 0] {
            out.push(char::from(DIGITS[number >> shift & 63]));
        }
    }
    out
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// P1.
pub(crate) fn sweep(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut random = Random::of(seed, case);
        let world = World::new(seed ^ case << 3);
        let secrets: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let seen = Arc::clone(&secrets);
        let keys = ObservedKeys::telling(planted::keys(world.keys.clone()), move |call| {
            if let Call::Wrap(secret) = call {
                seen.lock().unwrap().push(secret.to_vec());
            }
        });
        let canary = |random: &mut Random| -> Vec<u8> {
            (0..3).flat_map(|_| random.next().to_le_bytes()).map(|byte| b'A' + byte % 26).collect()
        };
        let (body, payload, state) = (canary(&mut random), canary(&mut random), canary(&mut random));
        let mut said = String::new();
        for _ in 0..2 {
            let journal = world.open_with(Arc::new(world.disk.clone()), Arc::clone(&keys)).unwrap();
            let account = essential(&journal).unwrap();
            let (kept, gone) = (domain(&journal, "kept").unwrap(), domain(&journal, "gone").unwrap());
            journal.fill_spares(2).unwrap();
            let one = endpoint(&journal).unwrap();
            for domain in [kept, gone] {
                put(&world, &journal, domain, &body).unwrap();
            }
            let entry = NewEntry { statement: &payload, payload: &payload };
            journal.ledger_append(account, &[entry]).unwrap();
            journal.ledger_checkpoint(account, &state).unwrap();
            journal.sync().unwrap();
            let batch = read(&journal, one, &[kept, gone]).unwrap();
            assert!(batch.records.iter().any(|record| *record.body == body));
            let (contents, tail) = (journal.ledger_read(account).unwrap(), journal.ledger_tail(account).unwrap());
            said +=
                &format!("{journal:?} {batch:?} {contents:?} {tail:?} {:?} {:?}", journal.report(), journal.health());
            said += &format!("{:?} {:?}", journal.denied().unwrap(), journal.alias(&kept));
            journal.close_domain(&kept);
            let none = Domain { epoch: 99, ..kept };
            for error in [
                put(&world, &journal, kept, &body).unwrap_err(),
                put(&world, &journal, none, &body).unwrap_err(),
                put(&world, &journal, none, &vec![body[0]; 2 << 20]).unwrap_err(),
                journal.create_domain(&kept).unwrap_err(),
            ] {
                said += &format!("{error} {error:?} {}", error.code());
            }
            let _ = journal.shred(&gone).unwrap();
        }
        let mut canaries = secrets.lock().unwrap().clone();
        assert!(canaries.len() >= 4);
        canaries.extend([body, payload, state]);
        for canary in &canaries {
            let list = canary.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let written = String::from_utf8_lossy(canary).into_owned();
            for form in [written, list, hexadecimal(canary), base64(canary)] {
                assert!(!said.contains(&form), "a canary in what is said");
            }
            for disk in [&world.disk, &world.outside] {
                for name in disk.names() {
                    let contents = disk.contents(&name).unwrap();
                    assert!(!holds(&contents, canary), "a canary in `{name}`");
                    assert!(!holds(&contents, hexadecimal(canary).as_bytes()), "a canary in `{name}`");
                    assert!(!holds(&contents, base64(canary).as_bytes()), "a canary in `{name}`");
                }
            }
        }
    })
}
