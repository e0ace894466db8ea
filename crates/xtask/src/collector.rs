//! `cargo xtask collector-test`: uploads to the real OpenTelemetry Collector and compares record by record.

use crate::failure::{During, Failure, Result};
use crate::records::{self, Comparison, Records};
use crate::workspace::Workspace;
use crate::{files, process, tools};
use serde_json::Value;
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
    println!("{count} sent, {equal} equal, {} different", different.len());
    for sentence in different.iter().take(20) {
        println!("  {sentence}");
    }
    if count == 0 {
        return Err(Failure::new("the program sent no record"));
    }
    let planted = records::compare(&with_one_change(sent), received).different.len();
    println!("control: one attribute changed before comparing, {} different", planted);
    if different.is_empty() && planted != 1 {
        return Err(Failure::new("the comparison did not find a planted change"));
    }
    if different.is_empty() { Ok(()) } else { Err(Failure::new("the collector wrote something else than was sent")) }
}

/// The same records, with one more attribute in the first: what a lost attribute looks like.
fn with_one_change(sent: &Records) -> Records {
    let mut changed = sent.clone();
    if let Some(record) = changed.values_mut().next().and_then(|records| records.first_mut()) {
        record.attributes.insert("planted".into(), Value::from("change"));
    }
    changed
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
