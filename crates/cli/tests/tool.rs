//! What all commands have in common: help, completions, pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::Read as _;
use std::process::{Command, Stdio};

use support::{POLICIES, damaged_policies, menshen, menshen_with, root};

const COMMANDS: [&str; 7] = ["check", "completions", "declare", "diff", "explain", "test", "verify"];

#[test]
fn the_short_help_fits_a_screen_and_the_long_one_has_examples() {
    for command in COMMANDS {
        let short = menshen(&[command, "-h"]);
        let long = menshen(&[command, "--help"]);
        assert_eq!((short.code, long.code), (0, 0));
        assert!(short.out.lines().count() <= 40, "{command}: {}", short.out);
        assert!(long.out.contains("Examples:\n  menshen "), "{command}: {}", long.out);
        assert!(long.out.len() > short.out.len(), "{command}");
    }
    let overview = menshen(&["-h"]).out;
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{overview}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let run = menshen(&["completions", shell]);
        assert_eq!(run.code, 0);
        for command in COMMANDS {
            assert!(run.out.contains(command), "{shell}: {command}");
        }
        // A shell that is here takes the script without a complaint.
        if let Ok(mut child) = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() {
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), run.out.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_told_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_menshen"))
        .args(["check", "--deny", "findings"])
        .args(POLICIES)
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(complaint, "");
    // What was found holds, whoever reads it.
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_same_question_has_the_same_answer_twice() {
    for arguments in [&["check"][..], &["check", "--format", "json"], &["check", "--format", "sarif"]] {
        let arguments = [arguments, &POLICIES].concat();
        assert_eq!(menshen(&arguments).out, menshen(&arguments).out);
    }
}

#[test]
fn a_misspelt_command_is_told_its_name() {
    let run = menshen(&["chek", "policy.json"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("unrecognized subcommand 'chek'") && run.err.contains("'check'"), "{}", run.err);
}

#[test]
fn no_command_takes_a_damaged_policy_and_none_panics() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let damaged = damaged_policies();
    assert!(damaged.len() >= 100);
    for (title, policy) in damaged {
        for arguments in [
            &["explain", "-", "--purpose", "usage-statistics"][..],
            &["diff", "tests/policies/minimal.json", "-"],
            &["declare", "-", "--android", "--ios", "--cn", "--register", "-o", output],
        ] {
            let run = menshen_with(arguments, &policy);
            assert_eq!((run.code, run.out.as_str()), (2, ""), "{title}: {arguments:?}");
            assert!(run.err.starts_with("menshen: `stdin` is not a right policy\nerror["), "{title}: {}", run.err);
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is declared of it");
}
