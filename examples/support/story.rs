//! The main job as a story: one policy from before consent to a verified ledger, told in the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use menshen::policy::Month;
use menshen::{
    Answer, DeliveryResult, DeviceClock, Fields, FileKeys, Identifier, IdentifierAnswer, LedgerVerdict, Menshen,
    Outcome, Policy, Put, Recorded, Session, Step, Store, Transport, Trigger, UploadOutcome, Withdrawal, verify_ledger,
};
use serde_json::{Map, Value, json};

use crate::probe::{
    CANARIES, EVENTS, accepted, canary, copy_folder, count_canaries, drain_numbers, folder_bytes, is_erase, list,
    megabytes, next_version, progress, purposes_in, purposes_of_records, word, words,
};
use crate::receiver::{Behaviour, Receiver};
use crate::stage::{FakePlatform, Person, StoryClock, raw};

const HOUR: i64 = 3_600_000;

/// What one app brings to the story.
pub(crate) struct App {
    pub(crate) title: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) born: &'static str,
    pub(crate) place: &'static str,
    /// Purposes that the person says yes to; every other one is refused.
    pub(crate) yes: &'static [&'static str],
    /// Where a second person of twelve lives whom the policy refuses.
    pub(crate) child: Option<&'static str>,
    /// Attempts before consent.
    pub(crate) identifiers: &'static [(&'static str, Identifier)],
    pub(crate) features: &'static [&'static str],
    pub(crate) sdks: &'static [&'static str],
    /// One event of each of four purposes; `text` is where a canary goes.
    pub(crate) events: [(&'static str, &'static str); 4],
    pub(crate) make_event: fn(event: &str, number: u64, text: &str) -> Fields,
    /// A feature that reads the location, and one that was refused.
    pub(crate) location: &'static str,
    pub(crate) refused: &'static str,
    /// Identifiers that an analytics SDK asks for; none in a story without that step.
    pub(crate) analytics_sdk: &'static str,
    pub(crate) asked_identifiers: &'static [Identifier],
    /// The purpose that is withdrawn.
    pub(crate) analytics: &'static str,
    /// The outbox.
    pub(crate) outbox: (&'static str, &'static str),
    /// The next version: a purpose like an existing one, a recipient for an existing purpose, a purpose less.
    pub(crate) next_purpose: (&'static str, &'static str),
    pub(crate) next_recipient: (&'static str, &'static str),
    pub(crate) dropped: &'static str,
}

/// How the example was called.
struct Arguments {
    json: bool,
    interactive: bool,
    locale: String,
}

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Runs the story; the exit code tells whether everything was as it must be.
pub(crate) fn main(app: &App) -> std::process::ExitCode {
    let mut arguments = Arguments { json: false, interactive: false, locale: "en".to_owned() };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => arguments.json = true,
            "--interactive" => arguments.interactive = true,
            "--locale" => arguments.locale = given.next().unwrap_or_default(),
            // The child that step 6 kills calls the same program.
            "--record-until-killed" => {
                let folder = PathBuf::from(given.next().unwrap_or_default());
                return finish(record_until_killed(app, &folder));
            }
            "--help" => {
                println!("--json, --interactive, --locale LOCALE (one of {})", locales(app).join(", "));
                return std::process::ExitCode::SUCCESS;
            }
            other => {
                eprintln!("unknown argument `{other}`; known: --json, --interactive, --locale LOCALE");
                return std::process::ExitCode::from(2);
            }
        }
    }
    let locales = locales(app);
    if !locales.contains(&arguments.locale) {
        eprintln!("the policy has no locale `{}`; it has {}", arguments.locale, locales.join(", "));
        return std::process::ExitCode::from(2);
    }
    finish(Story::tell(app, &arguments))
}

fn finish(result: Result<(), Failure>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn locales(app: &App) -> Vec<String> {
    let document: Value = serde_json::from_str(app.policy).unwrap_or_default();
    document["locales"].as_array().into_iter().flatten().filter_map(|l| l.as_str().map(str::to_owned)).collect()
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

fn open(document: &Value, folder: &Path, keys: &Path, stage: &Stage) -> Result<Menshen, Failure> {
    let store = Store::at(folder)?.with_clock(Arc::clone(&stage.clock) as Arc<dyn DeviceClock>);
    let keys = Arc::new(FileKeys::at(keys).map_err(menshen::Error::from)?);
    Ok(Menshen::open_on(read(document)?, store, keys, stage.platform.platform())?)
}

struct Stage {
    platform: Arc<FakePlatform>,
    clock: Arc<StoryClock>,
}

impl Stage {
    fn new() -> Self {
        Self { platform: FakePlatform::new(), clock: StoryClock::new() }
    }

    fn person(&self, app: &App, yes: &[&'static str]) -> Person {
        Person {
            born: app.born.to_owned(),
            place: app.place,
            yes: yes.to_vec(),
            interactive: false,
            platform: Arc::clone(&self.platform),
            log: Vec::new(),
        }
    }
}

/// Sends what is allowed until nothing is due, moving the clock instead of waiting.
struct Sender {
    transport: Transport,
    uploaded: u64,
}

impl Sender {
    fn drain(&mut self, session: &Session, stage: &Stage) -> Result<(), Failure> {
        for _ in 0..10_000 {
            if let Some(request) = session.next_upload()? {
                let reply = self.transport.send(&request);
                if let UploadOutcome::Acknowledged { records } = session.upload_finished(request.id, &reply)? {
                    self.uploaded += u64::try_from(records)?;
                }
                continue;
            }
            let now = stage.clock.now().wall_ms;
            match session.next_upload_at() {
                Some(at) => stage.clock.advance(at - now),
                None => return Ok(()),
            }
        }
        Err("uploading does not end".into())
    }
}

struct Story<'a> {
    app: &'a App,
    stage: Stage,
    root: PathBuf,
    receiver: Receiver,
    document: Value,
    facts: Map<String, Value>,
    bad: Vec<String>,
    /// The account that the rest of the story is told with.
    account: &'static str,
}

impl Story<'_> {
    fn tell(app: &App, arguments: &Arguments) -> Result<(), Failure> {
        let began = Instant::now();
        let root = tempfile::tempdir()?;
        let receiver = Receiver::start()?;
        let document = policy(app, &receiver.url())?;
        let mut story = Story {
            app,
            stage: Stage::new(),
            root: root.path().to_owned(),
            receiver,
            document,
            facts: Map::new(),
            bad: Vec::new(),
            account: "somebody",
        };
        let version = story.document["version"].as_str().unwrap_or_default().to_owned();
        println!("{} · policy {version} · store sealed with a file key\n", app.title);
        let menshen = open(&story.document, &story.path("store"), &story.path("keys"), &story.stage)?;
        let session = menshen.session("somebody")?;
        session.set_locale(&arguments.locale);
        session.set_strict(true);

        story.before_consent(&session)?;
        story.answers(&session, arguments)?;
        // Whoever sits at the terminal may have refused anything; the rest is told with the scripted person.
        let session = if arguments.interactive { story.scripted(&menshen, &arguments.locale)? } else { session };
        if let Some(place) = app.child {
            story.child(&menshen, place)?;
        }
        story.location(&session)?;
        story.identifiers(&session)?;
        story.offline(&menshen, &session)?;
        story.killed()?;
        let mut sender = Sender { transport: Transport::new()?, uploaded: 0 };
        story.online(&session, &mut sender)?;
        story.withdrawal(&menshen, &session, &mut sender)?;
        story.outbox(&session)?;
        story.new_version(&session, &mut sender)?;
        story.evidence(&session)?;

        let seconds = began.elapsed().as_secs_f64();
        story.fact("seconds", (seconds * 10.0).round() / 10.0);
        println!();
        for (key, value) in &story.facts {
            let value = match value {
                Value::Array(list) => format!("{} ({})", list.len(), words(list)),
                Value::Object(map) => {
                    map.iter().map(|(k, v)| format!("{k} {}", word(v))).collect::<Vec<_>>().join(", ")
                }
                other => word(other),
            };
            println!("   {key:<28} {value}");
        }
        println!();
        if story.bad.is_empty() {
            println!("everything allowed was delivered once; nothing else left the device   ({seconds:.1} s)");
        }
        if arguments.json {
            println!("{}", Value::Object(story.facts));
        }
        if story.bad.is_empty() { Ok(()) } else { Err(story.bad.join("; ").into()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn fact(&mut self, key: &str, value: impl Into<Value>) {
        self.facts.insert(key.to_owned(), value.into());
    }

    /// Something that must be so, or the example fails.
    fn must(&mut self, so: bool, what: &str) {
        if !so {
            self.bad.push(what.to_owned());
        }
    }

    fn line(&self, number: u32, title: &str, text: &str) {
        println!("{number:>2} {title:<18} {text}");
    }

    fn note(&self, text: &str) {
        println!("   {:<18} {text}", "");
    }

    /// 1: twelve attempts before anything was agreed, each refused with its reason and clause.
    fn before_consent(&mut self, session: &Session) -> Result<(), Failure> {
        let mut reasons: Vec<(String, String, Option<String>)> = Vec::new();
        for (recipient, identifier) in self.app.identifiers {
            if let IdentifierAnswer::Denied(denial) = session.identifier(recipient, *identifier)? {
                reasons.push((format!("{} for {recipient}", identifier.id()), denial.code.to_owned(), denial.source));
            }
        }
        for feature in self.app.features {
            // The person closes the notice without agreeing.
            let outcome = session.request(feature, Trigger::App)?.drive(&mut |_: &Step| Answer::No)?;
            if let Outcome::Denied(denial) = outcome {
                let source = denial.source.or_else(|| Some(self.document["notice"]["source"].as_str()?.to_owned()));
                reasons.push((format!("permission for {feature}"), denial.code.to_owned(), source));
            }
        }
        for (event, _) in &self.app.events[..3] {
            if let Recorded::Denied(denial) = session.record(event, (self.app.make_event)(event, 0, "x"))? {
                reasons.push((format!("event {event}"), denial.code.to_owned(), denial.source));
            }
        }
        for sdk in self.app.sdks {
            let what = format!("start of {sdk}");
            match session.may_start(sdk) {
                Ok(Some(denial)) => reasons.push((what, denial.code.to_owned(), denial.source)),
                Ok(None) => {}
                // What the policy does not name has no clause: that is the reason.
                Err(error) => reasons.push((what, error.code().to_owned(), Some("not in the policy".to_owned()))),
            }
        }
        let reads = self.stage.platform.reads();
        self.line(1, "before consent", &format!("{} attempts refused, {reads} reads of the platform", reasons.len()));
        let first: Vec<String> = reasons
            .iter()
            .map(|(what, code, source)| format!("{what}: {code} ({})", source.as_deref().unwrap_or("no clause")))
            .collect();
        first.iter().for_each(|text| self.note(text));
        let with_clause = reasons.iter().all(|(_, _, source)| source.is_some());
        let dialogs = self.stage.platform.dialogs();
        let waiting = session.waiting_records(self.app.analytics)?;
        self.must(reasons.len() == 12 && with_clause, "12 attempts before consent are refused with a clause");
        self.must(reads == 0 && dialogs == 0 && waiting == 0, "nothing is read, asked or stored before consent");
        self.fact("refused_before_consent", reasons.len());
        self.fact("reads_before_consent", reads);
        Ok(())
    }

    /// 2: the notice, one neutral question, one prompt for each purpose.
    fn answers(&mut self, session: &Session, arguments: &Arguments) -> Result<(), Failure> {
        let mut person = self.stage.person(self.app, self.app.yes);
        person.interactive = arguments.interactive;
        session.first_launch()?.drive(&mut |step: &Step| person.answer(step))?;
        for feature in self.app.features {
            session.request(feature, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        }
        session.request(self.app.refused, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        let open: Vec<String> = session.snapshot().open_features().map(str::to_owned).collect();
        let states = session.purposes()?;
        let allowed: Vec<&str> = states.iter().filter(|p| p.allowed).map(|p| p.purpose.as_str()).collect();
        self.line(
            2,
            "answers",
            &format!("{} of {} purposes allowed, {} features open", allowed.len(), states.len(), open.len()),
        );
        person.log.iter().for_each(|text| self.note(text));
        if !arguments.interactive {
            self.must(!session.is_allowed(self.app.refused), "a refused feature stays closed");
            self.must(session.is_allowed(self.app.location), "refusing one leaves the others working");
            let denial = session.why_not(self.app.refused)?;
            denial.iter().for_each(|denial| self.note(&format!("{}: {}", denial.code, denial.text)));
        }
        self.fact("allowed_purposes", allowed.clone());
        self.fact("open_features", open);
        Ok(())
    }

    fn scripted(&mut self, menshen: &Menshen, locale: &str) -> Result<Session, Failure> {
        self.account = "the scripted person";
        let session = menshen.session(self.account)?;
        session.set_locale(locale);
        let mut person = self.stage.person(self.app, self.app.yes);
        session.first_launch()?.drive(&mut |step: &Step| person.answer(step))?;
        for feature in self.app.features {
            session.request(feature, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        }
        self.note("from here on a scripted person answers");
        Ok(session)
    }

    /// 2, the second person: refused by age, and asking again does not help.
    fn child(&mut self, menshen: &Menshen, place: &'static str) -> Result<(), Failure> {
        let session = menshen.session("a child")?;
        let mut person = self.stage.person(self.app, self.app.yes);
        let today = Month::at(self.stage.clock.now().wall_ms).to_string();
        let (year, month) = today.split_once('-').ok_or("a month")?;
        let born = &format!("{}-{month}", year.parse::<i32>()? - 12);
        (person.born, person.place) = (born.clone(), place);
        let outcome =
            session.request(self.app.location, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        let Outcome::Denied(denial) = outcome else {
            self.must(false, "a person under the policy's age is refused");
            return Ok(());
        };
        let asked = person.log.iter().filter(|text| text.starts_with("birth month")).count();
        // Another birth month does not help: nobody is asked again.
        person.born = "1990-01".to_owned();
        let again = session.request(self.app.location, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        let asked_again = person.log.iter().filter(|text| text.starts_with("birth month")).count() - asked;
        let refused_again = matches!(again, Outcome::Denied(_));
        let kept = session.export_ledger()?;
        self.note(&format!(
            "a second person, born {born}: {} ({}); asked again: {asked_again} times; birth month kept: {}",
            denial.code,
            denial.source.as_deref().unwrap_or(""),
            if kept.contains(born.as_str()) { "yes" } else { "no" }
        ));
        self.must(refused_again && asked_again == 0, "asking again does not help a child");
        self.must(!kept.contains(born.as_str()), "the birth month is not kept");
        self.fact("child", json!({ "code": denial.code, "source": denial.source, "until_ms": denial.until_ms }));
        Ok(())
    }

    /// 3: location is readable inside `with_feature` and nowhere else.
    fn location(&mut self, session: &Session) -> Result<(), Failure> {
        let before = self.stage.platform.reads();
        let mut person = self.stage.person(self.app, self.app.yes);
        let outcome =
            session.request(self.app.location, Trigger::Tap)?.drive(&mut |step: &Step| person.answer(step))?;
        let Outcome::Allowed(permit) = outcome else {
            self.must(false, "sharing the location is allowed after consent and permission");
            return Ok(());
        };
        let platform = Arc::clone(&self.stage.platform);
        let using = session.begin(permit, None)?;
        let inside = (0..3).filter(|_| using.read(|| platform.location()).is_ok()).count();
        using.end();
        let after_inside = self.stage.platform.reads();
        let outside = (0..3).filter(|_| using.read(|| platform.location()).is_ok()).count();
        let counted = self.stage.platform.reads() - after_inside;
        self.line(
            3,
            self.app.location,
            &format!(
                "{inside} reads inside, {counted} outside   (control: {} reads counted after consent)",
                after_inside - before
            ),
        );
        self.must(inside == 3 && outside == 0 && counted == 0, "location is readable only while the feature is used");
        self.must(after_inside - before == 3, "the platform counts reads after consent");
        self.fact("reads_outside_feature", counted);
        self.fact("control_reads_after_consent", after_inside - before);
        Ok(())
    }

    /// 4: identifiers in their declared forms.
    fn identifiers(&mut self, session: &Session) -> Result<(), Failure> {
        if self.app.asked_identifiers.is_empty() {
            return Ok(());
        }
        let sdk = self.app.analytics_sdk;
        let mut forms = Map::new();
        let mut raw_out = 0;
        for identifier in self.app.asked_identifiers {
            let form = match session.identifier(sdk, *identifier)? {
                IdentifierAnswer::Handed(handed) => {
                    raw_out += u32::from(handed.value.contains(&raw(*identifier)));
                    handed.form.id().to_owned()
                }
                IdentifierAnswer::Denied(denial) => {
                    denial.code.strip_prefix("identifier-").unwrap_or(denial.code).to_owned()
                }
            };
            forms.insert(identifier.id().to_owned(), json!(form));
        }
        let told: Vec<String> =
            forms.iter().map(|(id, form)| format!("{id} {}", form.as_str().unwrap_or(""))).collect();
        self.line(4, "identifiers", &format!("{sdk} asks for {}, {raw_out} handed out raw", forms.len()));
        told.chunks(4).for_each(|four| self.note(&four.join(" · ")));
        self.note(
            "this holds for what is read through menshen; an SDK that reads by itself can only be kept from starting",
        );
        let undeclared = forms.get("oaid").and_then(Value::as_str) == Some("undeclared");
        self.must(raw_out == 0 && undeclared, "no identifier is handed out raw or undeclared");
        self.fact("identifiers", Value::Object(forms));
        Ok(())
    }

    /// 5: ten thousand events, sealed; the store holds no canary.
    fn offline(&mut self, menshen: &Menshen, session: &Session) -> Result<(), Failure> {
        let mut plain = Vec::new();
        let mut recorded = 0;
        let began = Instant::now();
        for number in 0..EVENTS {
            let (event, _) = self.app.events[usize::try_from(number % 4)?];
            let text = canary(number).unwrap_or_else(|| format!("value {number}"));
            let fields = (self.app.make_event)(event, number, &text);
            writeln!(plain, "{event} {fields:?}")?;
            if matches!(session.record(event, fields)?, Recorded::Buffered) {
                recorded += 1;
            }
            if number % 250 == 0 || number + 1 == EVENTS {
                progress("offline", number + 1, EVENTS);
            }
        }
        menshen.sync()?;
        let seconds = began.elapsed().as_secs_f64();
        let control = self.path("plain.txt");
        std::fs::write(&control, &plain)?;
        let found_plain = count_canaries(&std::fs::read(&control)?);
        std::fs::remove_file(&control)?;
        let sealed = folder_bytes(&self.path("store"))?;
        let hits = count_canaries(&sealed);
        self.line(5, "offline", &format!(
            "{recorded} events of {} purposes sealed in {seconds:.2} s, {:.1} MB; {hits} of {CANARIES} canaries in the store ({found_plain} in a plain file)",
            self.app.events.len(), megabytes(sealed.len())));
        self.must(recorded == EVENTS, "every event of an allowed purpose is stored");
        self.must(hits == 0, "no canary is found in the store");
        self.must(found_plain == CANARIES, "the search finds every canary in a plain file");
        self.fact("recorded", recorded);
        self.fact("sealed_bytes", sealed.len());
        self.fact("plaintext_hits", hits);
        self.fact("control_plaintext_hits", found_plain);
        Ok(())
    }

    /// 6: a child records until it is killed; what it acknowledged is there.
    fn killed(&mut self) -> Result<(), Failure> {
        let folder = self.path("child");
        std::fs::create_dir_all(&folder)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--record-until-killed")
            .arg(&folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut acknowledged = 0;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output of the child")?).lines();
        for line in lines.by_ref() {
            acknowledged = line?.parse()?;
            if acknowledged >= 3000 {
                // SIGKILL, in the middle of recording.
                child.kill()?;
                break;
            }
        }
        // What the child had written to the pipe before it died was acknowledged too.
        for line in lines.map_while(Result::ok) {
            acknowledged = line.parse().unwrap_or(acknowledged);
        }
        child.wait()?;
        let document = policy(self.app, "http://127.0.0.1:9/v1/logs")?;
        let menshen = open(&document, &folder.join("store"), &folder.join("keys"), &self.stage)?;
        let session = menshen.session("somebody")?;
        let mut found = BTreeSet::new();
        drain_numbers(&session, &mut found)?;
        let recovered = (0..acknowledged).filter(|number| found.contains(number)).count() as u64;
        let extra = found.len() as u64 - recovered;
        self.line(6, "kill -9", &format!("{acknowledged} acknowledged, {recovered} recovered, {extra} more that were stored but not yet acknowledged"));
        self.must(recovered == acknowledged && acknowledged >= 3000, "every acknowledged record survives a kill");
        self.fact("acknowledged", acknowledged);
        self.fact("recovered", recovered);
        Ok(())
    }

    /// 7: back online, with a receiver that misbehaves first.
    fn online(&mut self, session: &Session, sender: &mut Sender) -> Result<(), Failure> {
        self.receiver
            .script(vec![Behaviour::Unavailable { retry_after: Duration::from_secs(2) }, Behaviour::CommitAndDrop]);
        // Half of the withdrawn purpose stays queued for the next step.
        let queued = session.waiting_records(self.app.analytics)?;
        sender.drain(session, &self.stage)?;
        let (records, duplicates) = (self.receiver.records(), self.receiver.duplicates());
        let mut purposes: BTreeMap<String, usize> = BTreeMap::new();
        for record in &records {
            *purposes.entry(record.purpose.clone()).or_default() += 1;
        }
        let told: Vec<String> = purposes.iter().map(|(purpose, count)| format!("{purpose} {count}")).collect();
        let bytes: u64 = purposes.keys().map(|purpose| self.receiver.bytes(purpose)).sum();
        self.line(
            7,
            "back online",
            &format!(
                "503, lost reply, 200 … {} events uploaded, {duplicates} duplicates removed, {:.1} MB before gzip",
                records.len(),
                megabytes(usize::try_from(bytes)?)
            ),
        );
        self.note(&told.join(" · "));
        let described = records.iter().all(|record| {
            record.attributes.contains_key("privacy.policy.hash") && record.attributes.contains_key("privacy.law_packs")
        });
        self.must(records.len() as u64 == EVENTS && queued > 0, "everything allowed is uploaded, once");
        self.must(duplicates >= 1, "a lost reply makes duplicates that are removed by their id");
        self.must(described, "policy and law packs stand beside every record");
        self.fact("uploaded", records.len());
        self.fact("duplicates_removed", duplicates);
        Ok(())
    }

    /// 8: analytics is withdrawn with records queued and a batch in flight.
    fn withdrawal(&mut self, menshen: &Menshen, session: &Session, sender: &mut Sender) -> Result<(), Failure> {
        let analytics = self.app.analytics;
        for number in 0..2000_u64 {
            let (event, _) = self.app.events[usize::try_from(number % 4)?];
            let _ = session.record(event, (self.app.make_event)(event, EVENTS + number, "after"))?;
        }
        menshen.sync()?;
        let queued = session.waiting_records(analytics)?;
        copy_folder(&self.path("store"), &self.path("copy-before"))?;
        copy_folder(&self.path("store"), &self.path("copy-after"))?;
        let readable_before = self.readable_in("copy-before")?.0;

        // One batch is with the transport when the person withdraws.
        let in_flight = session.next_upload()?.ok_or("a batch is due")?;
        let carried = purposes_in(&in_flight)?;
        let transport = sender.transport.clone();
        let request = in_flight.clone();
        self.receiver.script(vec![Behaviour::Delay(Duration::from_millis(300))]);
        let sending = std::thread::spawn(move || transport.send(&request));
        std::thread::sleep(Duration::from_millis(50));
        let began = Instant::now();
        let withdrawal = session.withdraw(analytics)?;
        let took = began.elapsed();
        let reply = sending.join().map_err(|_| "the sending thread failed")?;
        let outcome = session.upload_finished(in_flight.id, &reply)?;
        let told = match (&withdrawal, &outcome) {
            (Withdrawal::Done { in_flight: ids }, UploadOutcome::Cancelled { delivered })
                if ids.contains(&in_flight.id) =>
            {
                if *delivered {
                    "delivered"
                } else {
                    "cancelled"
                }
            }
            _ => "not reported",
        };
        let maintained = session.maintain()?;
        let denied = session.record(self.app.events[0].0, (self.app.make_event)(self.app.events[0].0, 0, "no"))?;
        let stores_nothing = matches!(denied, Recorded::Denied(_)) && session.waiting_records(analytics)? == 0;

        let before_rest = (self.receiver.bytes(analytics), self.other_bytes());
        sender.drain(session, &self.stage)?;
        let after = self.receiver.bytes(analytics) - before_rest.0;
        let others = self.other_bytes() - before_rest.1;
        let erased = self.receiver.erase_requests().iter().filter(|erase| erase.purpose == analytics).count();
        let (readable_after, open_after, stored_after) = self.readable_in("copy-after")?;

        self.line(8, "withdrawn", &format!(
            "{analytics} with {queued} records queued: {} in {:.1} ms, key destroyed: {}, {after} bytes after (others: {others} bytes)",
            if matches!(withdrawal, Withdrawal::Done { .. }) { "durable" } else { "pending" },
            took.as_secs_f64() * 1000.0,
            if maintained.shredded.iter().any(|p| p == analytics) { "yes" } else { "no" },
        ));
        self.note(&format!(
            "the batch in flight carried {} and was {told} ({} bytes), reported apart",
            carried.join(", "),
            in_flight.body.len()
        ));
        self.note(&format!("a copy of the store: {readable_before} records readable before, {readable_after} after; erase requests received: {erased}"));
        self.must(
            told == "delivered" && carried.iter().any(|p| p == analytics),
            "the batch in flight is reported apart",
        );
        self.must(queued > 0 && after == 0, "nothing more of a withdrawn purpose is handed to the transport");
        self.must(others > 0, "the rest is still uploaded");
        self.must(erased == 1, "the receiver is asked to erase");
        self.must(maintained.shredded.iter().any(|p| p == analytics), "the key is destroyed");
        self.must(stores_nothing, "a withdrawn purpose stores nothing");
        self.must(readable_before > 0, "the copy was readable before the withdrawal");
        self.must(readable_after == 0 && !open_after && !stored_after, "an old copy of the store opens nothing");
        self.fact("bytes_after_withdrawal", after);
        self.fact("control_bytes_of_others", others);
        self.fact("in_flight", told);
        self.fact("erase_requests", erased);
        self.fact("control_copy_readable_before", readable_before);
        self.fact("shredded_copy_readable", readable_after);
        self.fact("withdrawal_ms", (took.as_secs_f64() * 10_000.0).round() / 10.0);
        Ok(())
    }

    fn other_bytes(&self) -> u64 {
        let purposes: BTreeSet<&str> = self.app.events.iter().map(|(_, purpose)| *purpose).collect();
        purposes.iter().filter(|purpose| **purpose != self.app.analytics).map(|p| self.receiver.bytes(p)).sum()
    }

    /// What of the withdrawn purpose can be read in a copy of the store with the keys as they are now.
    fn readable_in(&self, copy: &str) -> Result<(usize, bool, bool), Failure> {
        let menshen = open(&self.document, &self.path(copy), &self.path("keys"), &self.stage)?;
        let session = menshen.session(self.account)?;
        let open = session.is_purpose_allowed(self.app.analytics);
        let mut readable = 0;
        while let Some(request) = session.next_upload()? {
            if !is_erase(&request) {
                readable += purposes_of_records(&request)?.iter().filter(|p| *p == self.app.analytics).count();
            }
            session.upload_finished(request.id, &accepted())?;
        }
        let event = self.app.events.iter().find(|(_, p)| *p == self.app.analytics).ok_or("an analytics event")?.0;
        let stored = matches!(session.record(event, (self.app.make_event)(event, 0, "copy"))?, Recorded::Buffered);
        Ok((readable, open, stored))
    }

    /// 9: an item for somebody who is offline ends with its time to live; a delivered one leaves a tombstone.
    fn outbox(&mut self, session: &Session) -> Result<(), Failure> {
        let (purpose, recipient) = self.app.outbox;
        let ttl = 24 * HOUR;
        for text in ["delivered first", "for somebody who is offline"] {
            if let Put::Denied(denial) = session.outbox_put(purpose, recipient, ttl.unsigned_abs(), text.as_bytes())? {
                return Err(format!("the outbox is closed: {}", denial.code).into());
            }
        }
        let segments_with = list(&self.path("store").join("segments"))?;
        let mut delivered = 0;
        for _ in 0..2 {
            let Some(item) = session.next_delivery()? else { break };
            if item.bytes == b"delivered first" {
                session.delivery_finished(item.id, DeliveryResult::Delivered)?;
                delivered += 1;
            } else {
                session.delivery_finished(item.id, DeliveryResult::Later { after_ms: 60_000 })?;
            }
        }
        self.stage.clock.advance(60_000);
        let again = session.next_delivery()?.map(|item| (item.id, item.bytes));
        let waits = again.as_ref().is_some_and(|(_, bytes)| bytes == b"for somebody who is offline");
        if let Some((id, _)) = again {
            session.delivery_finished(id, DeliveryResult::Later { after_ms: 1000 })?;
        }
        self.stage.clock.advance(ttl);
        let readable = session.next_delivery()?.is_some();
        // A slice ends with its bucket, at most an eighth of the time to live later.
        self.stage.clock.advance(ttl / 8 + HOUR);
        let expired = session.maintain()?;
        let segments_left = list(&self.path("store").join("segments"))?;
        let gone = segments_with.difference(&segments_left).count();
        self.line(9, "outbox", &format!("{delivered} delivered, one for somebody offline: readable after its time: {}, {} expired, {gone} sealed files gone",
            if readable { "yes" } else { "no" }, expired.expired_records));
        self.must(delivered == 1 && waits, "an undelivered item waits while a delivered one is not offered again");
        self.must(!readable, "an item past its time is not readable");
        self.must(expired.expired_segments >= 1 && gone >= 1, "its slice's key and file are gone");
        self.fact("expired", expired.expired_records);
        Ok(())
    }

    /// 10: a new version takes a purpose away at once and adds only what is agreed.
    fn new_version(&mut self, session: &Session, sender: &mut Sender) -> Result<(), Failure> {
        let app = self.app;
        let (event, _) = app.events.iter().find(|(_, p)| *p == app.dropped).ok_or("an event of the dropped purpose")?;
        for number in 0..50 {
            let _ = session.record(event, (app.make_event)(event, number, "dropped"))?;
        }
        let queued = session.waiting_records(app.dropped)?;
        session.offer_policy(read(&next_version(app, &self.document)?)?)?;
        let closed = !session.is_purpose_allowed(app.dropped);
        let before = self.receiver.bytes(app.dropped);
        sender.drain(session, &self.stage)?;
        let sent = self.receiver.bytes(app.dropped) - before;
        let (recipient_purpose, _) = app.next_recipient;
        let governs = session.policy_version() == "1.0.0" && session.is_purpose_allowed(recipient_purpose);
        // Agrees to the version; what it adds is asked for apart, and gets a yes of its own.
        let mut person = self.stage.person(app, &[]);
        person.yes = vec![recipient_purpose, app.next_purpose.0];
        let outcome = session.changed_policy()?.drive(&mut |step: &Step| person.answer(step))?;
        let reask = match outcome {
            Outcome::Finished { asks_again } => asks_again,
            _ => Vec::new(),
        };
        let shredded = session.maintain()?.shredded;
        let expected: BTreeSet<&str> = [app.next_purpose.0, recipient_purpose].into();
        self.line(10, "new version", &format!(
            "{} closed at once with {queued} records, {sent} bytes of it sent; after agreeing only {} ask; shredded: {}",
            app.dropped, reask.join(" and "), shredded.join(", ")));
        self.must(closed && queued > 0 && sent == 0, "what a version takes away ends at once");
        self.must(governs, "the accepted version governs until the new one is agreed");
        self.must(reask.iter().map(String::as_str).collect::<BTreeSet<_>>() == expected, "only the additions ask");
        self.must(shredded.iter().any(|p| p == app.dropped), "the dropped purpose is shredded");
        self.must(shredded.len() == 1, "nothing else is shredded");
        self.must(session.policy_version() == "1.1.0", "the new version governs after the agreement");
        self.fact("reask", reask);
        Ok(())
    }

    /// 11: the ledger verifies, and a flipped byte is found.
    fn evidence(&mut self, session: &Session) -> Result<(), Failure> {
        let export = session.export_ledger()?;
        let verdict = verify_ledger(&export);
        let receipts: Vec<Value> = serde_json::from_str(&session.receipts()?)?;
        std::fs::write(self.path("receipts.json"), serde_json::to_vec_pretty(&receipts)?)?;
        let at = export.find("\"entry\"").ok_or("an entry")? + 30;
        let mut spoiled = export.into_bytes();
        spoiled[at] ^= 1;
        let tampered = verify_ledger(&String::from_utf8_lossy(&spoiled));
        let entries = match verdict {
            LedgerVerdict::Sound { entries } => entries,
            _ => 0,
        };
        let found = matches!(tampered, LedgerVerdict::Broken { .. } | LedgerVerdict::Unreadable);
        self.line(
            11,
            "evidence",
            &format!(
                "ledger {}, {entries} entries, {} receipts; one flipped byte in a copy: {}",
                if entries > 0 { "verified" } else { "broken" },
                receipts.len(),
                if found { "found" } else { "missed" }
            ),
        );
        self.must(entries > 0, "the ledger verifies");
        self.must(found, "a flipped byte is found");
        self.fact("ledger_ok", entries > 0);
        self.fact("ledger_entries", entries);
        self.fact("tamper_found", found);
        self.fact("receipts", receipts.len());
        Ok(())
    }
}

/// The child of step 6: agrees, records, and writes a number after each acknowledgement until it is killed.
fn record_until_killed(app: &App, folder: &Path) -> Result<(), Failure> {
    let stage = Stage::new();
    let document = policy(app, "http://127.0.0.1:9/v1/logs")?;
    let menshen = open(&document, &folder.join("store"), &folder.join("keys"), &stage)?;
    let session = menshen.session("somebody")?;
    let mut person = stage.person(app, app.yes);
    session.first_launch()?.drive(&mut |step: &Step| person.answer(step))?;
    let (event, _) = app.events.iter().find(|(_, purpose)| *purpose == app.analytics).ok_or("an analytics event")?;
    let mut out = std::io::stdout().lock();
    for number in 0..10_000_000_u64 {
        match session.record(event, (app.make_event)(event, number, &format!("number {number}")))? {
            Recorded::Buffered => writeln!(out, "{}", number + 1)?,
            Recorded::Denied(denial) => return Err(denial.text.into()),
        }
        out.flush()?;
    }
    Ok(())
}
