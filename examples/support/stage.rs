//! The stage of an example: a fake platform that counts reads, a clock that can be moved, a script that answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use menshen::{
    Answer, DeviceClock, Identifier, IdentifierReader, Now, Permission, PermissionState, PermissionStatus, Platform,
    Step, SystemClock,
};

/// A platform that would tell everything to whoever asks, and counts who does.
pub(crate) struct FakePlatform {
    permissions: Mutex<BTreeMap<Permission, PermissionState>>,
    reads: AtomicU64,
    asked: AtomicU64,
}

impl FakePlatform {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { permissions: Mutex::default(), reads: AtomicU64::new(0), asked: AtomicU64::new(0) })
    }

    /// Reads of identifiers and of the location so far.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// System dialogs shown so far.
    pub(crate) fn dialogs(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn location(&self) -> (f64, f64) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        (29.868_3, 121.544_0)
    }

    pub(crate) fn ask(&self, permission: Permission, answer: PermissionState) -> PermissionState {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.permissions.lock().unwrap().insert(permission, answer);
        answer
    }

    /// As on a device where no dialog was shown yet.
    pub(crate) fn forget_permissions(&self) {
        self.permissions.lock().unwrap().clear();
    }

    pub(crate) fn platform(self: &Arc<Self>) -> Platform {
        Platform { permissions: Arc::clone(self) as _, identifiers: Arc::clone(self) as _ }
    }
}

/// The raw value that the platform would give away.
pub(crate) fn raw(identifier: Identifier) -> String {
    match identifier {
        Identifier::IpAddress => "203.0.113.77".to_owned(),
        other => format!("raw-{}-86420753", other.id()),
    }
}

impl PermissionStatus for FakePlatform {
    fn state(&self, permission: Permission) -> PermissionState {
        self.permissions.lock().unwrap().get(&permission).copied().unwrap_or(PermissionState::NotAsked)
    }
}

impl IdentifierReader for FakePlatform {
    fn read(&self, identifier: Identifier) -> Option<String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Some(raw(identifier))
    }
}

/// The system's clock, moved forward at will.
pub(crate) struct StoryClock {
    system: SystemClock,
    ahead_ms: AtomicI64,
}

impl StoryClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { system: SystemClock::new(), ahead_ms: AtomicI64::new(0) })
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms.max(0), Ordering::SeqCst);
    }
}

impl DeviceClock for StoryClock {
    fn now(&self) -> Now {
        let (now, ahead) = (self.system.now(), self.ahead_ms.load(Ordering::SeqCst));
        Now { wall_ms: now.wall_ms + ahead, since_boot_ms: now.since_boot_ms + ahead.unsigned_abs(), boot: now.boot }
    }
}

/// Answers by a script: yes to some purposes, no to every other one.
#[allow(dead_code, reason = "two fields are named by the bench and read by nobody")]
pub(crate) struct Person {
    pub(crate) born: String,
    pub(crate) place: &'static str,
    /// Purposes to say yes to.
    pub(crate) yes: Vec<&'static str>,
    pub(crate) interactive: bool,
    pub(crate) platform: Arc<FakePlatform>,
    pub(crate) log: Vec<String>,
}

impl Person {
    pub(crate) fn answer(&mut self, step: &Step) -> Answer {
        let says_yes = |purpose: &str| self.yes.contains(&purpose);
        match step {
            Step::Show(prompt) if !prompt.purpose.as_deref().is_none_or(says_yes) => Answer::No,
            Step::Offer(offers) => {
                let on = offers.iter().filter(|offer| says_yes(&offer.purpose));
                Answer::Switches(on.map(|offer| offer.purpose.clone()).collect())
            }
            Step::AskSubject => Answer::Subject { born: self.born.clone(), place: self.place.to_owned() },
            Step::AskSystem { permission, .. } => {
                Answer::System(self.platform.ask(*permission, PermissionState::Granted))
            }
            _ => Answer::Yes,
        }
    }
}
