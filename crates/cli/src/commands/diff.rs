//! `menshen diff`: what a new version of a policy changes, whether that is material, and what is asked again.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use menshen::Policy;
use menshen::policy::{Asking, Difference, Territory, Weight, differences};
use serde_json::json;

use crate::failure::Result;
use crate::output::{self, BAD, FAINT, GOOD, NOTE, styled};
use crate::policy_file::PolicyFile;
use crate::words::count;

/// Compare two versions of a policy: what changed, whether it is material, what is asked again
///
/// Material is what is new, longer or wider, a basis to or from consent, and whatever lessens the person: a right dropped
/// or answered later, a new ground for refusal, a weaker form of an identifier. The person is to agree to it first; until
/// then the old version governs. Everything else is editorial, and a notice is enough: other words, and what is taken
/// away, which ends on the day of effect without anyone's agreement.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The version that people agreed to; `-` stands for standard input
    old: PathBuf,
    /// The new version
    new: PathBuf,
    /// How to write the answer
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  menshen diff released.json policy.json
  git show v1.0:policy.json | menshen diff - policy.json

Exit codes: 0 the same rules, 10 editorial, 20 material, 2 a version is wrong or can't be read.";

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What there is to say about two versions.
struct Answer {
    old: Policy,
    new: Policy,
    differences: Vec<Difference>,
    asking: Vec<Asking>,
}

impl Diff {
    pub(crate) fn run(self) -> Result {
        let old = PolicyFile::read(&self.old)?.checked()?;
        let new = PolicyFile::read(&self.new)?.checked()?;
        let differences = differences(old.document(), new.document());
        let asking = Asking::between(&old, &new);
        let answer = Answer { old, new, differences, asking };
        output::print(&match self.format {
            Format::Text => answer.text(),
            Format::Json => answer.json(),
        })?;
        Ok(ExitCode::from(match answer.weight() {
            None => 0,
            Some(Weight::Editorial) => 10,
            Some(Weight::Material) => 20,
        }))
    }
}

impl Answer {
    /// The same rules written in another way have another hash, so that even they are a new version.
    fn weight(&self) -> Option<Weight> {
        let rewritten = (self.old.hash() != self.new.hash()).then_some(Weight::Editorial);
        Weight::of(&self.differences).max(rewritten)
    }

    fn verdict(&self) -> &'static str {
        match self.weight() {
            None => "same",
            Some(Weight::Editorial) => "editorial",
            Some(Weight::Material) => "material",
        }
    }

    /// Why the library would not take the new version for one of the old.
    fn refused(&self) -> Option<String> {
        let (old, new) = (self.old.document(), self.new.document());
        if old.id != new.id {
            return Some(format!(
                "the library refuses it: it is the policy `{}`, not a version of `{}`",
                new.id, old.id
            ));
        }
        let same = self.weight().is_none();
        let rises = new.version.numbers() > old.version.numbers();
        (!same && !rises)
            .then(|| format!("the library refuses it: version {} does not come after {}", new.version, old.version))
    }

    fn text(&self) -> String {
        let (old, new) = (self.old.document(), self.new.document());
        let style = match self.weight() {
            None => GOOD,
            Some(Weight::Editorial) => NOTE,
            Some(Weight::Material) => BAD,
        };
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}  {} {} to {}, in effect from {}",
            styled(style, self.verdict()),
            new.id,
            old.version,
            new.version,
            new.effective_from
        );
        for (weight, title) in [(Weight::Material, "material"), (Weight::Editorial, "editorial")] {
            let of_it: Vec<&Difference> = self.differences.iter().filter(|one| one.weight == weight).collect();
            if of_it.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n{}", count(of_it.len(), &format!("{title} change")));
            for difference in of_it {
                let _ = writeln!(text, "  {}", difference.what);
                let _ = writeln!(text, "    {}", styled(FAINT, &difference.pointer));
            }
        }
        if self.differences.is_empty() && self.weight().is_some() {
            let _ = writeln!(text, "\nthe same rules, written in another way: the policy has another hash");
        }
        if !self.asking.is_empty() {
            let _ = writeln!(text, "\nasked about, of who said yes to all that was asked before");
            let width = self.asking.iter().map(|asking| asking.purpose.as_str().len()).max().unwrap_or(0);
            for asking in &self.asking {
                let when = if asking.again { "again" } else { "for the first time" };
                let _ = writeln!(text, "  {:width$}  {when}, {}", asking.purpose.as_str(), where_asked(asking));
            }
        }
        if let Some(refused) = self.refused() {
            let _ = writeln!(text, "\n{}", styled(BAD, &refused));
        }
        text
    }

    fn json(&self) -> String {
        let differences = self.differences.iter().map(|difference| {
            let weight = if difference.weight == Weight::Material { "material" } else { "editorial" };
            json!({ "weight": weight, "what": difference.what, "pointer": difference.pointer })
        });
        let asking = self.asking.iter().map(|asking| {
            let of = asking
                .of
                .iter()
                .map(|(territory, every_age)| json!({ "law_packs": packs_of(territory), "every_age": every_age }));
            json!({ "purpose": asking.purpose, "again": asking.again, "of": of.collect::<Vec<_>>() })
        });
        let side = |policy: &Policy| {
            let document = policy.document();
            json!({ "id": document.id, "version": document.version, "hash": policy.hash() })
        };
        let answer = json!({
            "format": "menshen/diff/0",
            "verdict": self.verdict(),
            "old": side(&self.old),
            "new": side(&self.new),
            "effective_from": self.new.document().effective_from,
            "differences": differences.collect::<Vec<_>>(),
            "asking": asking.collect::<Vec<_>>(),
            "refused": self.refused(),
        });
        format!("{answer:#}\n")
    }
}

fn packs_of(territory: &Territory) -> Vec<&str> {
    match territory {
        Territory::Packs(packs) => packs.split(" and ").collect(),
        Territory::Elsewhere => Vec::new(),
    }
}

/// `everywhere`, or under which law packs.
fn where_asked(asking: &Asking) -> String {
    let some_ages = |every_age: bool| if every_age { "" } else { " (some ages)" };
    let everywhere = asking.of.contains_key(&Territory::Elsewhere);
    if everywhere {
        return format!("everywhere{}", some_ages(asking.of.values().all(|every_age| *every_age)));
    }
    let places = asking.of.iter().map(|(territory, every_age)| {
        let packs = packs_of(territory).join(" and ");
        format!("under {packs}{}", some_ages(*every_age))
    });
    places.collect::<Vec<_>>().join(", ")
}
