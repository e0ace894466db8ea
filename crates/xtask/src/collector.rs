//! `cargo xtask collector-test`: uploads to the real OpenTelemetry Collector and compares record by record.

use crate::failure::{During, Failure, Result};
use crate::records::{self, Comparison, Records};
use crate::workspace::Workspace;
use crate::{files, process, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = build(workspace)?;
    let folder = workspace.target.join("collector/run");
    if folder.exists() {
        fs::remove_dir_all(&folder).during(folder.display())?;
    }
    fs::create_dir_all(&folder).during(folder.display())?;

    let cargo = |verb| {
        let mut cargo = process::cargo();
        cargo.current_dir(&workspace.root).args([verb, "--release", "--example", "collector"]);
        cargo
    };
    process::run(&mut cargo("build"))?;

    let mut collector = Collector::start(workspace, &program, &folder)?;
    let url = format!("http://127.0.0.1:{}/v1/logs", collector.otlp_port);
    let output = process::capture(cargo("run").args(["--quiet", "--", &url]))?;
    collector.stop()?;

    let sent = records::sent(&output)?;
    let received = records::received(&files::read(&collector.output)?)?;
    report(&sent, &received)
}

/// Builds the collector of tests/collector.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let program = workspace.target.join("collector/collector");
    eprintln!("building the collector; from cold one to three minutes");
    process::run(
        Command::new(tools::go()?)
            .current_dir(workspace.root.join("tests/collector"))
            // No toolchain other than the one that was chosen, no module other than those in go.sum.
            .env("GOTOOLCHAIN", "local")
            .args(["build", "-mod=readonly", "-o"])
            .args([program.as_os_str(), ".".as_ref()]),
    )?;
    Ok(program)
}

fn report(sent: &Records, received: &Records) -> Result<()> {
    let Comparison { sent: count, equal, different } = records::compare(sent, received);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    sent.values().flatten().for_each(|record| *kinds.entry(&record.event).or_default() += 1);
    let kinds: Vec<String> = kinds.iter().map(|(event, count)| format!("{count} {event}")).collect();
    println!("{count} sent ({}), {equal} equal, {} different", kinds.join(", "), different.len());
    for sentence in different.iter().take(20) {
        println!("  {sentence}");
    }
    if count == 0 {
        return Err(Failure::new("the program sent no record"));
    }
    if !different.is_empty() {
        return Err(Failure::new("the collector wrote something else than was sent"));
    }
    let (changed, planted) = with_planted_changes(sent);
    let found = records::compare(&changed, received).different;
    println!("control: {planted} records changed before comparing, {} different", found.len());
    for sentence in &found {
        println!("  {sentence}");
    }
    if planted < 2 || found.len() != planted {
        return Err(Failure::new("the comparison did not find each planted change"));
    }
    Ok(())
}

/// The same records, one with another attribute, which is what a lost one looks like, and one with its integer at a
/// 64-bit limit off by one, which is what a number that went through a double looks like; and how many were changed.
fn with_planted_changes(sent: &Records) -> (Records, usize) {
    let mut changed = sent.clone();
    let mut planted = 0;
    let at_limit = Value::from(i64::MAX);
    let mut records = changed.values_mut().flatten();
    if let Some(record) = records.by_ref().find(|record| !record.attributes.values().any(|value| *value == at_limit)) {
        record.attributes.insert("planted".into(), Value::from("change"));
        planted += 1;
    }
    let mut values = changed.values_mut().flatten().flat_map(|record| record.attributes.iter_mut());
    if let Some((_, value)) = values.find(|(_, value)| **value == at_limit) {
        *value = Value::from(i64::MAX - 1);
        planted += 1;
    }
    (changed, planted)
}

/// A running collector; ended with this value at the latest.
struct Collector {
    process: Child,
    otlp_port: u16,
    output: PathBuf,
}

impl Collector {
    fn start(workspace: &Workspace, program: &Path, folder: &Path) -> Result<Self> {
        let (otlp_port, health_port) = two_free_ports()?;
        let output = folder.join("records.json");
        let process = Command::new(program)
            .arg("--config")
            .arg(workspace.root.join("tests/collector/collector.yaml"))
            .env("OTLP_PORT", otlp_port.to_string())
            .env("HEALTH_PORT", health_port.to_string())
            .env("OUTPUT_FILE", &output)
            .spawn()
            .during(program.display())?;
        let mut collector = Self { process, otlp_port, output };
        let deadline = Instant::now() + PATIENCE;
        while !is_healthy(health_port) {
            if let Some(status) = collector.process.try_wait().during("the collector")? {
                return Err(Failure::new(format!("the collector ended at start: {status}")));
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("the collector is not healthy after {PATIENCE:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(collector)
    }

    /// Asks it to end, so that it writes what it holds.
    fn stop(&mut self) -> Result<()> {
        process::run(Command::new("kill").arg(self.process.id().to_string()))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().during("the collector")? {
                if status.success() {
                    return Ok(());
                }
                return Err(Failure::new(format!("the collector ended badly: {status}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new(format!("the collector did not end within {PATIENCE:?}")))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Two ports of the loopback that nobody listened on a moment ago.
fn two_free_ports() -> Result<(u16, u16)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).during("a free port")?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).during("a free port")?;
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok((port(&first).during("a free port")?, port(&second).during("a free port")?))
}

fn is_healthy(port: u16) -> bool {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    answer().is_ok_and(|answer| answer.split_whitespace().nth(1) == Some("200"))
}
