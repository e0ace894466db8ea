//! `menshen check`: errors of a policy, and findings about a right one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, Result};
use crate::policy_file::PolicyFile;

/// Check a policy: its errors, and where it alone would be laxer than the law
#[derive(Args)]
pub(crate) struct Check {
    /// The policy document
    policy: PathBuf,
    /// Look at these law packs only, separated by commas; without it at all of them
    #[arg(long, value_delimiter = ',', value_name = "PACKS")]
    law: Option<Vec<String>>,
    /// Exit with 1 if there are findings, too
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Deny {
    Findings,
}

impl Check {
    pub(crate) fn run(self) -> Result {
        let file = PolicyFile::read(&self.policy)?;
        let mut out = std::io::stdout().lock();
        let unwritten = |error: std::io::Error| Failure::new(format!("the answer cannot be written: {error}"));
        let policy = match file.policy() {
            Ok(policy) => policy,
            Err(errors) => {
                let count = errors.as_slice().len() + errors.omitted();
                writeln!(out, "{}\n{count} errors", file.render(&errors)).map_err(unwritten)?;
                return Ok(ExitCode::from(1));
            }
        };
        let packs: Option<Vec<&str>> = self.law.as_ref().map(|law| law.iter().map(String::as_str).collect());
        let findings = policy.findings(packs.as_deref());
        let text = file.text();
        for finding in &findings {
            writeln!(out, "{}", finding.render(&text, &file.name)).map_err(unwritten)?;
        }
        writeln!(out, "0 errors, {} findings", findings.len()).map_err(unwritten)?;
        let denied = self.deny.is_some() && !findings.is_empty();
        Ok(ExitCode::from(u8::from(denied)))
    }
}
