//! `menshen check`: errors of a policy, and findings about a right one.

mod formats;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use menshen::policy::{Finding, packs};
use menshen::{Errors, Policy};

use crate::failure::{Failure, Result};
use crate::output;
use crate::policy_file::PolicyFile;
use crate::words::instead_of;

/// Check policies: their errors, and where they alone would be laxer than the law
///
/// An error is something that a policy must not have: it can't be used. All errors of a file are told at once, each with
/// its line and the way out. A finding is about a right policy: the place where it alone would be laxer than a law pack,
/// or where it contradicts itself. The library is stricter there all the same.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Check {
    /// The policy documents; `-` stands for standard input
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// Look at these law packs only, separated by commas
    ///
    /// Without it at all of them: cn, eu, us-ca, us-coppa. Contradictions of a policy with itself are always told.
    #[arg(long, value_delimiter = ',', value_name = "PACKS")]
    law: Option<Vec<String>>,
    /// Exit with 1 if there are findings, too
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// How to write the answer
    ///
    /// `json` is one object: `errors` and `findings` (how many), and `files`, each with its `errors` and `findings`. A place
    /// is a `pointer` (RFC 6901) with `line`, `column` and `width` in characters. `sarif` is SARIF 2.1.0, as code hosts
    /// show it: errors have the level `error`, findings `warning`.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  menshen check policy.json
  menshen check --law cn,eu --deny findings policy.json
  menshen check --format sarif policies/*.json > menshen.sarif
  git show HEAD:policy.json | menshen check -

Exit codes: 0 right, 1 errors (or findings, with `--deny findings`), 2 a file can't be read.";

#[derive(Clone, Copy, ValueEnum)]
enum Deny {
    Findings,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

/// A file, and what there is to say about it.
struct Checked {
    file: PolicyFile,
    answer: std::result::Result<Vec<Finding>, Errors>,
}

impl Checked {
    fn errors(&self) -> usize {
        self.answer.as_ref().err().map_or(0, |errors| errors.as_slice().len() + errors.omitted())
    }

    fn findings(&self) -> &[Finding] {
        self.answer.as_deref().unwrap_or_default()
    }
}

impl Check {
    pub(crate) fn run(self) -> Result {
        let packs: Option<Vec<&str>> = self.law.as_ref().map(|law| law.iter().map(String::as_str).collect());
        for id in packs.iter().flatten() {
            known_pack(id)?;
        }
        let look = |policy: Policy| policy.findings(packs.as_deref());
        let check = |path: &PathBuf| {
            let file = PolicyFile::read(path)?;
            let answer = file.policy().map(look);
            Ok(Checked { file, answer })
        };
        let checked = self.policies.iter().map(check).collect::<Result<Vec<_>>>()?;
        output::print(&match self.format {
            Format::Text => formats::text(&checked),
            Format::Json => formats::json(&checked),
            Format::Sarif => formats::sarif(&checked),
        })?;
        let has_errors = checked.iter().any(|checked| checked.errors() > 0);
        let has_findings = checked.iter().any(|checked| !checked.findings().is_empty());
        Ok(ExitCode::from(u8::from(has_errors || (has_findings && self.deny.is_some()))))
    }
}

/// A law pack that this tool has.
fn known_pack(id: &str) -> Result<()> {
    if packs::IDS.contains(&id) {
        return Ok(());
    }
    Err(Failure::new(format!("`{id}` is not a law pack; {}", instead_of(id, packs::IDS))))
}
