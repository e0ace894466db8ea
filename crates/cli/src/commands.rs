//! The commands, one file each.

mod check;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
}

impl Command {
    pub(crate) fn run(self) -> Result {
        match self {
            Self::Check(check) => check.run(),
        }
    }
}
