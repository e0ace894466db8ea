//! `cargo xtask COMMAND`: everything around the code that is more than one cargo call.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")
)]

mod api;
mod bad_input;
mod bench;
mod collector;
mod conformance;
mod decisions;
mod declarations;
mod disk;
mod failure;
mod files;
mod fuzz;
mod generate;
mod kotlin;
mod lint;
mod outside;
mod pieces;
mod preview;
mod process;
mod reader;
mod records;
mod size;
mod swift;
mod test;
mod tools;
mod torture;
mod workspace;

use failure::{Failure, Result};
use std::process::ExitCode;
use workspace::Workspace;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test [rust|kotlin|swift]…   run the tests; without a name, of all three languages
  generate                    build the library and write the Kotlin and Swift bindings
  lint                        format, clippy, dependencies, file hygiene
  audit                       look the dependencies up in the advisory database
  collector-test              upload to the real OpenTelemetry Collector and compare every record
  decisions                   a million decisions beside a naive reading, 100,000 beside Cedar
  preview                     draw every prompt of the example policies and look at them in a real browser
  size                        build the library that ships in apps and print its size
  api [--bless]               compare the public Kotlin and Swift surface with bindings/api
  torture [--full] [--seed N] [--minutes N] [PROGRAMME]…
                              the test programmes of the store, planted bugs first; --full goes on where the
                              last run ended, `--case N` runs one case of one programme alone
  fuzz [--seconds N] [TARGET]…
                              what is read from disk, network and host, fuzzed; each target for so many seconds
  conformance [--walks N] [--seed N]
                              what a record store promises, over the store and over a twin made of SQLite
  bench [--full]              print the figures that the README quotes, and the store's beside its peers'

With CI=true, whatever could not run is a failure.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["test", languages @ ..] => test::run(&Workspace::find()?, languages),
        ["generate"] => {
            generate::run(&Workspace::find()?, generate::Profile::Debug)?;
            Ok(())
        }
        ["lint"] => lint::run(&Workspace::find()?),
        ["audit"] => lint::audit(&Workspace::find()?),
        ["collector-test"] => collector::run(&Workspace::find()?),
        ["decisions"] => decisions::run(&Workspace::find()?),
        ["preview"] => preview::run(&Workspace::find()?),
        ["size"] => size::run(&Workspace::find()?),
        ["api"] => api::compare(&Workspace::find()?),
        ["api", "--bless"] => api::bless(&Workspace::find()?),
        ["torture", options @ ..] => torture::run(&Workspace::find()?, options),
        ["fuzz", options @ ..] => fuzz::command(&Workspace::find()?, options),
        ["conformance", options @ ..] => conformance::run(&Workspace::find()?, options),
        ["bench", arguments @ ..] => bench::run(&Workspace::find()?, arguments),
        _ => Err(Failure::new(format!("`{}` is not a command\n\n{HELP}", words.join(" ")))),
    }
}
