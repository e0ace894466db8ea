//! Starting other programs: said aloud, watched line by line, failing with their name.

use crate::failure::{During, Failure, Result};
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Set for this package by `cargo run`; a build that sees them would start over for the next caller.
    for (name, _) in env::vars_os() {
        let own = name.to_string_lossy();
        if own.starts_with("CARGO_PKG_") || own.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs to the end with the terminal shared.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().during(name(command))?;
    succeeded(command, status)
}

/// Runs in silence and returns what was written to standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().during(name(command))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout).during(name(command))
}

/// Runs in silence and returns what was written to standard output, however it ended.
pub(crate) fn capture_whatever(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::null()).output().during(name(command))?;
    String::from_utf8(output.stdout).during(name(command))
}

/// What a watched program wrote, and whether it ended well.
pub(crate) struct Watched {
    pub(crate) lines: Vec<String>,
    pub(crate) success: bool,
}

/// Runs with both outputs shown as they come and kept.
pub(crate) fn watch(command: &mut Command) -> Result<Watched> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().during(name(command))?;
    let errors = child.stderr.take().map(|stderr| {
        thread::spawn(move || {
            let lines = BufReader::new(stderr).split(b'\n').map_while(|line| line.ok());
            lines
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .inspect(|line| eprintln!("{line}"))
                .collect::<Vec<_>>()
        })
    });
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line.during(name(command))?).into_owned();
            println!("{line}");
            lines.push(line);
        }
    }
    if let Some(Ok(more)) = errors.map(thread::JoinHandle::join) {
        lines.extend(more);
    }
    let success = child.wait().during(name(command))?.success();
    Ok(Watched { lines, success })
}

/// Runs in silence, gives up after the time given, and returns both outputs and whether it ended well.
pub(crate) fn attempt(command: &mut Command, patience: Duration) -> Result<(bool, String)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().during(name(command))?;
    let pid = child.id().to_string();
    let readers = [child.stdout.take().map(read_in_background), child.stderr.take().map(read_in_background)];
    let deadline = std::time::Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait().during(&pid)? {
            break Some(status);
        }
        if std::time::Instant::now() > deadline {
            child.kill().during(&pid)?;
            child.wait().during(&pid)?;
            break None;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let mut text = String::new();
    for reader in readers.into_iter().flatten() {
        if let Ok(part) = reader.join() {
            text.push_str(&part);
        }
    }
    Ok((status.is_some_and(|status| status.success()), text))
}

fn read_in_background(mut pipe: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The full path of a program, if the search path has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn announce(command: &Command) {
    let program = PathBuf::from(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    eprintln!("$ {}", words.join(" "));
}

fn succeeded(command: &Command, status: std::process::ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{} failed: {status}", name(command))))
}

fn name(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let first = command.get_args().next().map(OsStr::to_string_lossy);
    match first {
        Some(first) if first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            format!("{} {first}", program.to_string_lossy())
        }
        _ => program.to_string_lossy().into_owned(),
    }
}
