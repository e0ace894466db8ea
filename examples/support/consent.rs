//! Step 2: the notice, one neutral question, one prompt for each purpose, and a second person who is too young.

use menshen::policy::Month;
use menshen::{DeviceClock, Outcome, Session, Trigger};
use serde_json::{Value, json};

use super::person::Person;
use super::report::say;
use super::words::Words;
use super::{Failure, Story};

impl Story<'_> {
    pub(super) fn answers(&mut self) -> Result<(), Failure> {
        let mut person = self.scripted(self.app.yes);
        let features: Vec<&str> = self.app.features.iter().copied().filter(|of| *of != self.app.location).collect();
        ask(&mut person, &self.session, features.iter().copied().chain([self.app.refused]))?;
        self.tell_answers(&person)?;
        let denial = self.session.why_not(self.app.refused)?;
        denial.iter().for_each(|denial| self.report.note(&format!("{}: {}", denial.code, denial.text)));
        let open = features.iter().filter(|of| self.session.is_allowed(of)).count();
        self.report.must(!self.session.is_allowed(self.app.refused), "a refused feature stays closed");
        self.report.must(open > 0, "refusing one leaves the others working");
        Ok(())
    }

    /// Whoever sits at the terminal may refuse anything; the rest is told with the scripted person.
    pub(super) fn answers_at_terminal(&mut self) -> Result<(), Failure> {
        let mut person = self.at_terminal();
        ask(&mut person, &self.session, self.app.features.iter().copied().chain([self.app.refused]))?;
        say("");
        self.tell_answers(&person)?;
        self.go_on_as("a scripted person")?;
        self.stage.platform.forget_permissions();
        let features = self.app.features.iter().copied().filter(|of| *of != self.app.location);
        ask(&mut self.scripted(self.app.yes), &self.session, features)?;
        self.report.note(Words::of(self.locale).scripted_from_here);
        Ok(())
    }

    fn tell_answers(&mut self, person: &Person) -> Result<(), Failure> {
        let open: Vec<String> = self.session.snapshot().open_features().map(str::to_owned).collect();
        let states = self.session.purposes()?;
        let allowed: Vec<&str> = states.iter().filter(|p| p.allowed).map(|p| p.purpose.as_str()).collect();
        let (count, all, features) = (allowed.len(), states.len(), open.len());
        self.report.step(2, "answers", &format!("{count} of {all} purposes allowed, {features} features open"));
        person.log.iter().for_each(|text| self.report.note(text));
        self.report.figure("allowed_purposes", allowed);
        self.report.figure("open_features", open);
        if let Some(born) = person.born() {
            self.birth_month_not_kept("birth_month_kept", born, &self.session.clone(), person)?;
        }
        Ok(())
    }

    /// The second person: refused by age, and asking again does not help.
    pub(super) fn child(&mut self) -> Result<(), Failure> {
        let Some(place) = self.app.child else { return Ok(()) };
        let session = self.menshen.session("a child")?;
        let today = Month::at(self.stage.clock.now().wall_ms).to_string();
        let (year, month) = today.split_once('-').ok_or("a month")?;
        let born = format!("{}-{month}", year.parse::<i32>()? - 12);
        let mut person = Person::scripted(&self.stage.platform, self.locale, &born, place, self.app.yes);
        let mut request = || person.go_through(session.request(self.app.location, Trigger::Tap)?);
        let Outcome::Denied(denial) = request()? else {
            return Err("a person under the policy's age must be refused".into());
        };
        let asked = person.times_asked_subject();
        person.changes_story("1990-01");
        let again = person.go_through(session.request(self.app.location, Trigger::Tap)?)?;
        let asked_again = person.times_asked_subject() - asked;

        let (source, until) = (denial.source.unwrap_or_default(), denial.until_ms.map(|ms| Month::at(ms).to_string()));
        let told = until.as_deref().unwrap_or("ever");
        self.report.note(&format!("a second person, born {born}: {} ({source}) until {told}", denial.code));
        self.report.note(&format!("asked their age {asked} time, {asked_again} times more when they tried again"));
        self.report.must(matches!(again, Outcome::Denied(_)), "asking again does not help a child");
        self.report.figure("child", json!({ "code": denial.code, "source": source, "until": until }));
        self.report.zero("child_asked_again", asked_again, asked, "the first time");
        self.birth_month_not_kept("child_birth_month_kept", &born, &session, &person)?;
        self.report.note(&format!("kept of them: {}", kept_of_subject(&session.export_ledger()?)?));
        Ok(())
    }

    /// The store is sealed, so what is searched is everything that it says in clear: the ledger and the receipts.
    fn birth_month_not_kept(
        &mut self,
        key: &'static str,
        born: &str,
        session: &Session,
        person: &Person,
    ) -> Result<(), Failure> {
        let kept = session.export_ledger()? + &session.receipts()?;
        let (hits, control) = (months(born, &kept), months(born, &person.log.join("\n")));
        self.report.note(&format!(
            "{born} stands {hits} times in the unsealed ledger and receipts (control: {control} in the answers)"
        ));
        self.report.zero(key, hits, control, "in what the person answered");
        Ok(())
    }
}

/// The first launch, then a tap on each feature, unless the notice was declined.
fn ask<'a>(person: &mut Person, session: &Session, features: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    if let Outcome::Denied(_) = person.go_through(session.first_launch()?)? {
        return Ok(());
    }
    for feature in features {
        person.go_through(session.request(feature, Trigger::Tap)?)?;
    }
    Ok(())
}

/// How often a month stands in a text; a day of that month, such as the date of a law pack, is another thing.
fn months(month: &str, text: &str) -> u64 {
    text.split(month).skip(1).filter(|rest| !rest.starts_with('-')).count() as u64
}

/// What the ledger keeps of the answer to the neutral question.
fn kept_of_subject(export: &str) -> Result<String, Failure> {
    let export: Value = serde_json::from_str(export)?;
    let entries = export["entries"].as_array().into_iter().flatten();
    let known = |one: &&Value| one["statement"].as_str().is_some_and(|text| text.contains("subject-known"));
    let entry = entries.filter(known).find_map(|one| one["payload"]["text"].as_str());
    let entry: Value = serde_json::from_str(entry.ok_or("the subject is known")?)?;
    let (place, from, below, until) = (&entry["place"], &entry["from"], &entry["below"][0], &entry["below"][1]);
    Ok(format!("place {place}, age from {from}, below {below} until {until}").replace('"', ""))
}
