//! Steps 3 and 4, what is read from the device: the location while it is used, identifiers in their declared forms.

use menshen::{FeatureUse, Identifier, IdentifierAnswer, IdentifierReader, Outcome, Permit, Trigger};
use serde_json::{Map, Value, json};

use super::stage::raw;
use super::{Failure, Story};

impl Story<'_> {
    /// 3: location is readable within a use of the feature and nowhere else.
    pub(super) fn location(&mut self) -> Result<(), Failure> {
        let feature = self.app.location;
        let mut person = self.scripted(self.app.yes);
        let platform = std::sync::Arc::clone(&self.stage.platform);
        let three = |using: &FeatureUse| (0..3).filter(|_| using.read(|| platform.location()).is_ok()).count();
        let mut permit = || -> Result<Permit, Failure> {
            match person.go_through(self.session.request(feature, Trigger::Tap)?)? {
                Outcome::Allowed(permit) => Ok(permit),
                _ => Err("the location must be allowed after consent and permission".into()),
            }
        };
        let before = platform.reads();
        let inside = self.session.with_feature(permit()?, three)?;
        let using = self.session.begin(permit()?, None)?;
        using.end();
        let control = platform.reads() - before;
        let outside = three(&using);
        let counted = platform.reads() - before - control;
        let text = format!("{inside} reads while it is used, {counted} of 3 after it stopped");
        self.report.step(3, feature, &text);
        person.log.iter().for_each(|text| self.report.note(text));
        self.report.must(inside == 3 && control == 3 && outside == 0, "location is readable only while it is used");
        self.report.must(person.log.len() == 2, "the purpose is asked first, then the system, each once");
        self.report.zero("reads_outside_feature", counted, control, "while the feature was used");
        Ok(())
    }

    /// 4: identifiers in their declared forms.
    pub(super) fn identifiers(&mut self) -> Result<(), Failure> {
        let (sdk, asked) = (self.app.analytics_sdk, self.app.asked_identifiers);
        if asked.is_empty() {
            self.report.step(4, "identifiers", "told by the other story: --example huirongke");
            return Ok(());
        }
        let mut forms = Map::new();
        let mut given = Vec::new();
        for identifier in asked {
            let form = match self.session.identifier(sdk, *identifier)? {
                IdentifierAnswer::Handed(handed) => {
                    given.push(handed.value);
                    handed.form.id().to_owned()
                }
                IdentifierAnswer::Denied(denial) => {
                    denial.code.strip_prefix("identifier-").unwrap_or(denial.code).to_owned()
                }
            };
            forms.insert(identifier.id().to_owned(), json!(form));
        }
        given.push(self.session.export_ledger()?);
        let platform = &self.stage.platform;
        let taken: Vec<String> = asked.iter().filter_map(|identifier| platform.read(*identifier)).collect();
        let (hits, control) = (raw_values(asked, &given), raw_values(asked, &taken));

        let report = &mut self.report;
        report.step(4, "identifiers", &format!("{sdk} asks for {} and is given {hits} raw values", forms.len()));
        let told: Vec<String> =
            forms.iter().map(|(id, form)| format!("{id} {}", form.as_str().unwrap_or(""))).collect();
        told.chunks(4).for_each(|four| report.note(&four.join(" · ")));
        report.note(&format!("(control: {control} raw values where the platform is read past menshen)"));
        report.note("this holds for what is read through menshen;");
        report.note("an SDK that reads by itself can only be kept from starting");
        let undeclared = forms.get("oaid").and_then(Value::as_str) == Some("undeclared");
        report.must(undeclared, "an undeclared identifier is refused as undeclared");
        report.must(control == asked.len() as u64, "the search finds every raw value");
        report.zero("raw_identifiers", hits, control, "read past menshen");
        report.figure("identifiers", Value::Object(forms));
        Ok(())
    }
}

/// How many of the identifiers stand raw in one of the texts.
fn raw_values(identifiers: &[Identifier], texts: &[String]) -> u64 {
    let found = |identifier: &&Identifier| texts.iter().any(|text| text.contains(&raw(**identifier)));
    identifiers.iter().filter(found).count() as u64
}
