//! The main job as a story: one policy from before consent to a verified ledger, told in the terminal. A file beside
//! this one tells each act.

use std::io::{BufReader, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use menshen::policy::Month;
use menshen::{DeviceClock, FileKeys, Identifier, Menshen, Policy, Session, Store};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

mod before_consent;
mod consent;
mod device;
mod events;
mod evidence;
mod new_version;
mod outbox;
mod person;
mod receiver;
mod report;
mod stage;
mod storing;
mod terminal;
mod uploading;
mod withdrawal;
mod words;

use person::Person;
use receiver::Receiver;
use report::{Report, say};
use stage::{FakePlatform, StoryClock};
use terminal::Terminal;
use uploading::Sender;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// What one app brings to the story.
pub(crate) struct App {
    pub(crate) title: &'static str,
    pub(crate) policy: &'static str,
    /// The scripted person, and the purposes that they say yes to; every other one is refused.
    pub(crate) born: &'static str,
    pub(crate) place: &'static str,
    pub(crate) yes: &'static [&'static str],
    /// Where a second person of twelve lives whom the policy refuses.
    pub(crate) child: Option<&'static str>,
    /// Attempts before consent: three of each kind, or four and two.
    pub(crate) identifiers: &'static [(&'static str, Identifier)],
    pub(crate) features: &'static [&'static str],
    pub(crate) starts: &'static [(&'static str, Start)],
    /// One event of each of four purposes.
    pub(crate) events: [(&'static str, &'static str); 4],
    /// A feature that reads the location, and one that was refused.
    pub(crate) location: &'static str,
    pub(crate) refused: &'static str,
    /// Identifiers that the analytics SDK asks for; none in a story without that step.
    pub(crate) asked_identifiers: &'static [Identifier],
    /// The purpose that is withdrawn, and the third-party SDK that it starts.
    pub(crate) analytics: &'static str,
    pub(crate) analytics_sdk: &'static str,
    /// The outbox: a purpose and a recipient.
    pub(crate) outbox: (&'static str, &'static str),
    /// The next version: a purpose like an existing one, a recipient for an existing purpose, a purpose less.
    pub(crate) next_purpose: (&'static str, &'static str),
    pub(crate) next_recipient: (&'static str, &'static str),
    pub(crate) dropped: &'static str,
}

/// How a third-party SDK is started.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// Put under its gate, which starts it.
    Switch,
    /// Started by the app, which notes it first.
    ByApp,
}

/// How the example was called.
struct Arguments {
    json: bool,
    interactive: bool,
    locale: String,
}

/// Runs the story; the exit code tells whether everything was as it must be.
pub(crate) fn main(app: &App) -> ExitCode {
    let locales = locales(app);
    let mut arguments = Arguments { json: false, interactive: false, locale: "en".to_owned() };
    // A path in them need not be text.
    let mut given = std::env::args_os().skip(1);
    while let Some(argument) = given.next() {
        match argument.to_string_lossy().as_ref() {
            "--json" => arguments.json = true,
            "--interactive" => arguments.interactive = true,
            "--locale" => arguments.locale = given.next().unwrap_or_default().to_string_lossy().into_owned(),
            // The child that step 6 kills is the same program.
            "--record-until-killed" => {
                let Some(folder) = given.next().map(PathBuf::from) else { return ExitCode::from(2) };
                return finish(storing::record_until_killed(app, &folder));
            }
            "--help" => {
                say(&format!("--json, --interactive, --locale LOCALE (one of {})", locales.join(", ")));
                say("The story is told in English; what the person is shown is in LOCALE.");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("unknown argument `{other}`; known: --json, --interactive, --locale LOCALE");
                return ExitCode::from(2);
            }
        }
    }
    if !locales.contains(&arguments.locale) {
        eprintln!("the policy has no locale `{}`; it has {}", arguments.locale, locales.join(", "));
        return ExitCode::from(2);
    }
    finish(tell(app, &arguments))
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn locales(app: &App) -> Vec<String> {
    let document: Value = serde_json::from_str(app.policy).unwrap_or_default();
    document["locales"].as_array().into_iter().flatten().filter_map(|l| l.as_str().map(str::to_owned)).collect()
}

fn tell(app: &App, arguments: &Arguments) -> Result<(), Failure> {
    // Removed when this returns, whatever it returns.
    let root = tempfile::tempdir()?;
    remove_when_interrupted(root.path().to_owned())?;
    let mut story = Story::begin(app, root.path(), &arguments.locale)?;
    let version = story.session.policy_version();
    say(&format!("{} · policy {version} · store sealed with a file key", app.title));
    if arguments.locale != "en" {
        say(&format!("told in English; what the person is shown is in `{}`", arguments.locale));
    }
    say("");
    story.before_consent()?;
    if arguments.interactive {
        story.answers_at_terminal()?;
    } else {
        story.answers()?;
    }
    story.child()?;
    story.location()?;
    story.identifiers()?;
    story.offline()?;
    story.killed()?;
    story.online()?;
    story.withdrawal()?;
    story.outbox()?;
    story.new_version()?;
    story.evidence()?;
    story.report.close(arguments.json)
}

/// Removes the folder and ends when somebody presses ^C or ends the program.
fn remove_when_interrupted(folder: PathBuf) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // The story goes on meanwhile and may just have made another file.
            while std::fs::remove_dir_all(&folder).is_err() && folder.exists() {}
            // As a shell tells of a program that a signal ended.
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

struct Story<'a> {
    app: &'a App,
    locale: &'a str,
    root: &'a Path,
    stage: Stage,
    receiver: Receiver,
    sender: Sender,
    document: Value,
    menshen: Menshen,
    /// The account that the story is told with.
    account: &'static str,
    session: Session,
    report: Report,
}

impl<'a> Story<'a> {
    fn begin(app: &'a App, root: &'a Path, locale: &'a str) -> Result<Self, Failure> {
        let (stage, receiver) = (Stage::new(), Receiver::start()?);
        let document = policy(app, &receiver.url())?;
        let menshen = stage.open(&document, &root.join("store"), &root.join("keys"))?;
        let account = "somebody";
        let session = menshen.session(account)?;
        session.set_locale(locale);
        session.set_strict(true);
        let (sender, report) = (Sender::new()?, Report::new());
        Ok(Self { app, locale, root, stage, receiver, sender, document, menshen, account, session, report })
    }

    /// Tells the rest with another account.
    fn go_on_as(&mut self, account: &'static str) -> Result<(), Failure> {
        self.account = account;
        self.session = self.menshen.session(account)?;
        self.session.set_locale(self.locale);
        self.session.set_strict(true);
        Ok(())
    }

    fn scripted(&self, yes: &[&'static str]) -> Person {
        Person::scripted(&self.stage.platform, self.locale, self.app.born, self.app.place, yes)
    }

    fn at_terminal(&self) -> Person {
        let now = Month::at(self.stage.clock.now().wall_ms);
        let (input, output) = (Box::new(BufReader::new(stdin())), Box::new(stdout()));
        let terminal = Terminal::new(&self.stage.platform, self.locale, now, input, output);
        Person::at_terminal(terminal, self.locale)
    }

    /// Another copy of the store, opened with the keys as they are now.
    fn open_copy(&self, name: &str) -> Result<Session, Failure> {
        let menshen = self.stage.open(&self.document, &self.path(name), &self.path("keys"))?;
        Ok(menshen.session(self.account)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The name of the event that a purpose records.
    fn event_of(&self, purpose: &str) -> Result<&'static str, Failure> {
        let found = self.app.events.iter().find(|(_, of)| *of == purpose);
        Ok(found.ok_or("every purpose of the story has an event")?.0)
    }

    /// Bytes that the receiver counted for every purpose of the story but one.
    fn bytes_of_others(&self, than: &str) -> u64 {
        self.app.events.iter().filter(|(_, of)| *of != than).map(|(_, of)| self.receiver.bytes(of)).sum()
    }
}

/// The policy with its endpoint pointed at a receiver on this machine.
fn policy(app: &App, url: &str) -> Result<Value, Failure> {
    let mut document: Value = serde_json::from_str(app.policy)?;
    document["endpoints"]["own"]["url"] = json!(url);
    Ok(document)
}

fn read(document: &Value) -> Result<Policy, Failure> {
    Ok(Policy::read(document.to_string().as_bytes())?)
}

struct Stage {
    platform: Arc<FakePlatform>,
    clock: Arc<StoryClock>,
}

impl Stage {
    fn new() -> Self {
        Self { platform: FakePlatform::new(), clock: StoryClock::new() }
    }

    fn open(&self, document: &Value, store: &Path, keys: &Path) -> Result<Menshen, Failure> {
        let store = Store::at(store)?.with_clock(Arc::clone(&self.clock) as Arc<dyn DeviceClock>);
        let keys = Arc::new(FileKeys::at(keys).map_err(menshen::Error::from)?);
        Ok(Menshen::open_on(read(document)?, store, keys, self.platform.platform())?)
    }
}
