//! `menshen`: works on a privacy policy without a phone.

mod commands;
mod failure;
mod policy_file;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// Checks, tests, compares, explains, previews and declares a privacy policy.
#[derive(Parser)]
#[command(name = "menshen", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.run() {
        Ok(code) => code,
        Err(failure) => {
            // A reader that went away, as `head` does, is no failure worth a word.
            let _ = writeln!(std::io::stderr(), "menshen: {failure}");
            failure.exit_code()
        }
    }
}
