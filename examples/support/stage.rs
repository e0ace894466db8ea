//! The stage of an example: a fake platform that counts reads, a clock that can be moved, a person who answers.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use menshen::policy::Month;
use menshen::policy::document::Place;
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

/// Who answers the prompts: a script, or whoever sits at the terminal.
pub(crate) struct Person {
    pub(crate) born: String,
    pub(crate) place: &'static str,
    /// Purposes to say yes to.
    pub(crate) yes: Vec<&'static str>,
    pub(crate) interactive: bool,
    pub(crate) platform: Arc<FakePlatform>,
    /// What was shown and answered, for the story.
    pub(crate) log: Vec<String>,
}

impl Person {
    pub(crate) fn answer(&mut self, step: &Step) -> Answer {
        if self.interactive { self.ask_terminal(step) } else { self.ask_script(step) }
    }

    fn ask_script(&mut self, step: &Step) -> Answer {
        match step {
            Step::Show(prompt) => {
                let yes = prompt.purpose.as_deref().is_none_or(|purpose| self.yes.contains(&purpose));
                let word = if yes { prompt.yes } else { prompt.no };
                self.log.push(format!("{} → {}", prompt.title, word.text(&prompt.locale)));
                if yes { Answer::Yes } else { Answer::No }
            }
            Step::Offer(offers) => {
                let on: Vec<String> = offers
                    .iter()
                    .filter(|offer| self.yes.contains(&offer.purpose.as_str()))
                    .map(|offer| offer.purpose.clone())
                    .collect();
                for offer in offers {
                    self.log.push(format!("{} → {}", offer.name, if on.contains(&offer.purpose) { "✓" } else { "✗" }));
                }
                Answer::Switches(on)
            }
            Step::AskSubject => {
                self.log.push(format!("birth month and place → {} {}", self.born, self.place));
                Answer::Subject { born: self.born.clone(), place: self.place.to_owned() }
            }
            Step::AskSystem { permission, .. } => {
                self.log.push(format!("system dialog for {} → granted", permission.id()));
                Answer::System(self.platform.ask(*permission, PermissionState::Granted))
            }
            _ => Answer::Yes,
        }
    }

    fn ask_terminal(&mut self, step: &Step) -> Answer {
        match step {
            Step::Show(prompt) => {
                println!("\n  ┌ {}\n  │ {}", prompt.title, prompt.body);
                for line in &prompt.particulars {
                    println!("  │   {} {}", line.label, line.text);
                }
                println!("  └ {}", prompt.source);
                let (yes, no) = (prompt.yes.text(&prompt.locale), prompt.no.text(&prompt.locale));
                if choose(&format!("  [1] {yes}   [2] {no}"), 2) == 1 { Answer::Yes } else { Answer::No }
            }
            Step::Offer(offers) => {
                let mut on = Vec::new();
                for offer in offers {
                    println!("\n  ┌ {}\n  │ {}", offer.name, offer.text);
                    for line in &offer.particulars {
                        println!("  │   {} {}", line.label, line.text);
                    }
                    println!("  └ {}", offer.source);
                    if choose("  [1] on   [2] off", 2) == 1 {
                        on.push(offer.purpose.clone());
                    }
                }
                Answer::Switches(on)
            }
            Step::AskSubject => Answer::Subject {
                born: ask("  born in (YYYY-MM)", |text| Month::parse(text).is_some()),
                place: ask("  living in (a code such as CN, DE, US-CA)", |text| Place::parse(text).is_ok()),
            },
            Step::ConfirmSubject { born, place } => {
                if choose(&format!("  born {born}, living in {place}:  [1] right   [2] change"), 2) == 1 {
                    Answer::Yes
                } else {
                    Answer::No
                }
            }
            Step::AskSystem { permission, text } => {
                println!("\n  system dialog: {} ({text})", permission.id());
                let state = match choose("  [1] allow   [2] refuse", 2) {
                    1 => PermissionState::Granted,
                    _ => PermissionState::Denied,
                };
                Answer::System(self.platform.ask(*permission, state))
            }
            _ => Answer::Yes,
        }
    }
}

fn line(prompt: &str) -> String {
    print!("{prompt}: ");
    let _ = std::io::stdout().flush();
    let mut text = String::new();
    let _ = std::io::stdin().lock().read_line(&mut text);
    text.trim().to_owned()
}

/// A line of the right form; asked again until it is, or until the input ends.
fn ask(prompt: &str, is_good: impl Fn(&str) -> bool) -> String {
    for _ in 0..100 {
        let text = line(prompt);
        if is_good(&text) {
            return text;
        }
        if text.is_empty() {
            break;
        }
        println!("  not of that form, please try again");
    }
    eprintln!("error: without an answer the story cannot go on");
    std::process::exit(2)
}

/// A number from 1 to `most`; the last one, the refusal, when the input ends.
fn choose(prompt: &str, most: u32) -> u32 {
    for _ in 0..100 {
        let text = line(prompt);
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => return number,
            _ if text.is_empty() => return most,
            _ => println!("  a number from 1 to {most}, please"),
        }
    }
    most
}
