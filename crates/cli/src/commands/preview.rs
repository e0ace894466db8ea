//! `menshen preview`: every prompt in every locale, and the policy in full, as one page.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use menshen::policy::Month;
use menshen::policy::document::Place;

use crate::arguments::{month, place};
use crate::failure::{Failure, Result};
use crate::output;
use crate::policy_file::PolicyFile;
use crate::preview::{self, Localised, Walk, Walker};

/// Draw every prompt in every locale, and the policy in full, as one HTML page
///
/// The prompts are not a model of them: the library goes through first launch and every feature of the policy on a
/// simulated device, once saying yes to everything and once saying no, in every locale and place, and each screen is
/// drawn as it was asked. The page says how many taps a yes and a no take, and what a refused person is told. It needs no
/// network and holds no script; it follows the light or dark setting of whoever opens it.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Preview {
    /// The policy document; `-` stands for standard input
    policy: PathBuf,
    /// Where to write the page; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The version agreed to before: also what its people are shown
    #[arg(long, value_name = "POLICY")]
    before: Option<PathBuf>,
    /// Where the person lives; may be given several times
    #[arg(long = "in", value_name = "PLACE", value_parser = place, default_values = ["CN", "DE", "US-CA", "US-NY", "JP"])]
    places: Vec<Place>,
    /// The month of the person's birth
    #[arg(long, value_name = "YYYY-MM", value_parser = month, default_value = "1990-05")]
    born: Month,
}

const EXAMPLES: &str = "\
Examples:
  menshen preview policy.json -o prompts.html
  menshen preview policy.json --before last-year.json -o prompts.html
  menshen preview policy.json --born 2014-03 --in FR > prompts.html";

impl Preview {
    pub(crate) fn run(self) -> Result {
        let file = PolicyFile::read(&self.policy)?;
        let policy = file.checked()?;
        let before = self.before.as_deref().map(PolicyFile::read).transpose()?;
        if let Some(before) = &before {
            before.checked()?;
        }
        let mut locales = Vec::new();
        for locale in &policy.document().locales {
            let mut walks = Vec::new();
            for place in &self.places {
                let walker = Walker { born: self.born, place, locale: locale.as_str() };
                let before = before.as_ref().map(PolicyFile::bytes);
                walks.push((place.as_str(), Walk::through(file.bytes(), before, walker)?));
            }
            locales.push(Localised { locale: locale.as_str(), walks });
        }
        let page = preview::page(&policy, &self.born.to_string(), &locales);
        match &self.output {
            None => output::print(&page)?,
            Some(path) => fs::write(path, page)
                .map_err(|error| Failure::new(format!("`{}` cannot be written: {error}", path.display())))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
