//! `menshen`: works on a privacy policy without a phone.

mod arguments;
mod commands;
mod failure;
mod output;
mod phone;
mod policy_file;
mod preview;
mod scenario;
mod words;

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::{Parser, ValueEnum};

use crate::commands::Command;

/// Works on a privacy policy, without a phone.
///
/// A policy is one JSON document that an app obeys. `menshen` tells what is wrong with it, what it decides for a person
/// and why, what a new version changes, and writes what stores, systems and authorities want declared.
#[derive(Parser)]
#[command(name = "menshen", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// When to colour the output
    ///
    /// `auto` colours on a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[arg(long, global = true, value_enum, default_value_t = Colours::Auto, value_name = "WHEN", display_order = 100)]
    color: Colours,
}

const EXIT_CODES: &str = "\
Exit codes: 0 nothing to object to, 1 something was found, 2 the work could not be done; `diff` has its own.
`menshen COMMAND --help` has the details and examples.";

#[derive(Clone, Copy, ValueEnum)]
enum Colours {
    Auto,
    Always,
    Never,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.color {
        Colours::Auto => {}
        Colours::Always => ColorChoice::Always.write_global(),
        Colours::Never => ColorChoice::Never.write_global(),
    }
    arguments.command.run().unwrap_or_else(|failure| {
        output::complain(&failure);
        failure.exit_code()
    })
}
