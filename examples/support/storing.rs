//! Steps 5 and 6, what is stored: ten thousand sealed events without a word in clear, and a process killed meanwhile.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use menshen::Recorded;

use super::events::fields_of;
use super::person::Person;
use super::report::grouped;
use super::uploading::{accepted, records_in};
use super::{App, Failure, Stage, Story, policy};

/// Events recorded offline, and canaries among them.
pub(crate) const EVENTS: u64 = 10_000;
const CANARIES: u64 = 20;
/// Records that the child acknowledges before it is killed.
const ENOUGH: u64 = 3000;

impl Story<'_> {
    /// 5: the store holds no canary, a plain file of the same events holds all.
    pub(super) fn offline(&mut self) -> Result<(), Failure> {
        let mut plain = Vec::new();
        let mut recorded = 0;
        let began = Instant::now();
        for number in 0..EVENTS {
            let (event, _) = self.app.events[usize::try_from(number % 4)?];
            let text = canary(number).unwrap_or_else(|| format!("value {number}"));
            let fields = fields_of(event, number, &text);
            writeln!(plain, "{event} {number} {text}")?;
            recorded += u64::from(self.session.record(event, fields)? == Recorded::Buffered);
            progress(number + 1);
        }
        self.menshen.sync()?;
        let seconds = began.elapsed().as_secs_f64();
        let control = self.path("plain.txt");
        std::fs::write(&control, &plain)?;
        let found_plain = count_canaries(&std::fs::read(&control)?);
        std::fs::remove_file(&control)?;
        let sealed = folder_bytes(&self.path("store"))?;
        let (hits, bytes) = (count_canaries(&sealed), sealed.len() as u64);

        let report = &mut self.report;
        let (events, purposes) = (grouped(recorded), self.app.events.len());
        report.step(5, "offline", &format!("{events} events of {purposes} purposes sealed in {seconds:.2} s"));
        report.note(&format!("{hits} of {CANARIES} canaries found in the {} bytes of the store", grouped(bytes)));
        report.note(&format!("(control: {found_plain} found in a plain file of the same events, removed)"));
        report.must(recorded == EVENTS, "every event of an allowed purpose is stored");
        report.must(found_plain == CANARIES, "the search finds every canary in a plain file");
        report.figure("recorded", recorded);
        report.figure("sealed_bytes", bytes);
        report.zero("plaintext_hits", hits, found_plain, "in a plain file of the same events");
        Ok(())
    }

    /// 6: a child records until it is killed; what it acknowledged is there.
    pub(super) fn killed(&mut self) -> Result<(), Failure> {
        let folder = self.path("child");
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = Running(command.arg("--record-until-killed").arg(&folder).stdout(Stdio::piped()).spawn()?);
        let mut acknowledged: u64 = 0;
        let mut lines = BufReader::new(child.0.stdout.take().ok_or("no output of the child")?).lines();
        while acknowledged < ENOUGH {
            acknowledged = lines.next().ok_or("the child ended by itself")??.parse()?;
        }
        // On Unix this is SIGKILL.
        child.0.kill()?;
        // What stands in the pipe was acknowledged before the child died.
        for line in lines.map_while(Result::ok) {
            acknowledged = acknowledged.max(line.parse().unwrap_or(0));
        }
        let status = child.0.wait()?;
        let document = policy(self.app, NOWHERE)?;
        let menshen = self.stage.open(&document, &folder.join("store"), &folder.join("keys"))?;
        let session = menshen.session("somebody")?;
        let mut found: BTreeSet<u64> = BTreeSet::new();
        while let Some(request) = session.next_upload()? {
            let records = records_in(&request)?;
            let texts = records.iter().flat_map(|record| record.attributes.values());
            found.extend(texts.filter_map(|text| text.strip_prefix("number ")?.parse::<u64>().ok()));
            session.upload_finished(request.id, &accepted())?;
        }
        let recovered = (0..acknowledged).filter(|number| found.contains(number)).count() as u64;

        let report = &mut self.report;
        let (all, there) = (grouped(acknowledged), grouped(recovered));
        report.step(6, "kill -9", &format!("{all} records acknowledged by a child before it was killed"));
        report.note(&format!("{there} of them recovered from its store"));
        report.must(was_killed(status), "the child was ended by SIGKILL");
        report.must(recovered == acknowledged, "every acknowledged record survives a kill");
        report.figure("acknowledged", acknowledged);
        report.figure("recovered", recovered);
        Ok(())
    }
}

/// Where nobody listens: the child of step 6 uploads nothing.
const NOWHERE: &str = "http://127.0.0.1:9/v1/logs";

/// The child of step 6: agrees, records, and writes a number after each acknowledgement until it is killed.
pub(crate) fn record_until_killed(app: &App, folder: &Path) -> Result<(), Failure> {
    let stage = Stage::new();
    let menshen = stage.open(&policy(app, NOWHERE)?, &folder.join("store"), &folder.join("keys"))?;
    let session = menshen.session("somebody")?;
    let mut person = Person::scripted(&stage.platform, "en", app.born, app.place, app.yes);
    person.go_through(session.first_launch()?)?;
    let (event, _) = app.events.iter().find(|(_, purpose)| *purpose == app.analytics).ok_or("an analytics event")?;
    let mut out = std::io::stdout().lock();
    for number in 0_u64.. {
        match session.record(event, fields_of(event, number, &format!("number {number}")))? {
            // Once the parent is gone, this fails and ends the child.
            Recorded::Buffered => writeln!(out, "{}", number + 1)?,
            Recorded::Held => return Err("the key store is not ready".into()),
            Recorded::Denied(denial) => return Err(denial.text.into()),
        }
        out.flush()?;
    }
    Ok(())
}

/// A child that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

#[cfg(not(unix))]
fn was_killed(status: ExitStatus) -> bool {
    !status.success()
}

/// The canary that an event carries; twenty of them are spread over all events and purposes.
fn canary(number: u64) -> Option<String> {
    let (index, offset) = (number / (EVENTS / CANARIES), number % (EVENTS / CANARIES));
    (offset == index % 4).then(|| format!("canary-{index:02}-7f3a9c"))
}

fn count_canaries(bytes: &[u8]) -> u64 {
    let found = |index: &u64| {
        let canary = format!("canary-{index:02}-7f3a9c").into_bytes();
        bytes.windows(canary.len()).any(|window| window == canary)
    };
    (0..CANARIES).filter(found).count() as u64
}

fn folder_bytes(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        all.extend(if path.is_dir() { folder_bytes(&path)? } else { std::fs::read(path)? });
    }
    Ok(all)
}

/// A bar on a terminal, nothing where the output goes elsewhere.
fn progress(done: u64) {
    let mut out = std::io::stdout();
    if !done.is_multiple_of(250) || !out.is_terminal() {
        return;
    }
    let bar = "█".repeat(usize::try_from(done * 30 / EVENTS).unwrap_or(0));
    let end = if done == EVENTS { format!("\r{:79}\r", "") } else { String::new() };
    let _ = write!(out, "\r 5  {:<18}{bar:<30} {}{end}", "offline", grouped(done));
    let _ = out.flush();
}
