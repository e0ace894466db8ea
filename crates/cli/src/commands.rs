//! The commands, one file each.

mod check;
mod completions;
mod declare;
mod diff;
mod explain;
mod preview;
mod test;
mod verify;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Explain(Box<explain::Explain>),
    Diff(diff::Diff),
    Declare(declare::Declare),
    Preview(preview::Preview),
    Test(test::Test),
    Verify(verify::Verify),
    Completions(completions::Completions),
}

impl Command {
    pub(crate) fn run(self) -> Result {
        match self {
            Self::Check(check) => check.run(),
            Self::Explain(explain) => explain.run(),
            Self::Diff(diff) => diff.run(),
            Self::Declare(declare) => declare.run(),
            Self::Preview(preview) => preview.run(),
            Self::Test(test) => test.run(),
            Self::Verify(verify) => verify.run(),
            Self::Completions(completions) => completions.run(),
        }
    }
}
