//! The prompts of a flow on a terminal, in the words of a locale, until each has an answer or the input ends.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use menshen::policy::Month;
use menshen::policy::document::Place;
use menshen::{Answer, Denial, Label, Particular, PermissionState, Step};

use super::stage::FakePlatform;
use super::words::Words;

pub(crate) struct Terminal {
    platform: Arc<FakePlatform>,
    words: &'static Words,
    /// Nobody is born after it.
    now: Month,
    input: Box<dyn BufRead>,
    output: Box<dyn Write>,
}

type Answered<T> = Result<T, Box<dyn std::error::Error>>;

impl Terminal {
    pub(crate) fn new(
        platform: &Arc<FakePlatform>,
        locale: &str,
        now: Month,
        input: Box<dyn BufRead>,
        output: Box<dyn Write>,
    ) -> Self {
        Self { platform: Arc::clone(platform), words: Words::of(locale), now, input, output }
    }

    pub(crate) fn answer(&mut self, step: &Step) -> Answered<Answer> {
        let answer = |yes| if yes { Answer::Yes } else { Answer::No };
        match step {
            Step::Show(prompt) => {
                self.show(&prompt.title, &prompt.body, &prompt.particulars, &prompt.source)?;
                self.decide([prompt.yes, prompt.no]).map(answer)
            }
            Step::Offer(offers) => {
                for offer in offers {
                    self.show(&offer.name, &offer.text, &offer.particulars, &offer.source)?;
                }
                let label = |label: Label| label.text(self.words.locale);
                let all = [label(Label::AgreeToAll), label(Label::RefuseAll), self.words.one_by_one];
                let together = self.choose(&all)?;
                let mut on = Vec::new();
                for offer in offers.iter().filter(|_| together != 2) {
                    let one_by_one = together == 3;
                    if one_by_one {
                        writeln!(self.output, "\n  {}", offer.name)?;
                    }
                    if !one_by_one || self.decide([Label::Accept, Label::Refuse])? {
                        on.push(offer.purpose.clone());
                    }
                }
                Ok(Answer::Switches(on))
            }
            Step::AskSubject => {
                writeln!(self.output)?;
                let now = self.now;
                let born = self.ask(self.words.born, |text| Month::parse(text).is_some_and(|month| month <= now))?;
                let place = self.ask(self.words.place, |text| Place::parse(text).is_ok())?;
                Ok(Answer::Subject { born, place })
            }
            Step::ConfirmSubject { born, place } => {
                writeln!(self.output, "\n  {}{}{born} {place}", self.words.subject, self.words.colon)?;
                self.decide([Label::Confirm, Label::Correct]).map(answer)
            }
            Step::AskSystem { permission, text } => {
                writeln!(self.output, "\n  {} {}\n  {text}", self.words.system, permission.id())?;
                let yes = self.decide([Label::Accept, Label::Refuse])?;
                let state = if yes { PermissionState::Granted } else { PermissionState::Denied };
                Ok(Answer::System(self.platform.ask(*permission, state)))
            }
            step => Err(format!("nobody at the terminal can answer `{}`", step.name()).into()),
        }
    }

    /// What a refused person is told: why, and what can be done.
    pub(crate) fn tell(&mut self, denial: &Denial) -> io::Result<()> {
        writeln!(self.output, "\n  {}", denial.text)?;
        self.output.flush()
    }

    fn show(&mut self, title: &str, body: &str, lines: &[Particular], source: &str) -> io::Result<()> {
        writeln!(self.output, "\n  ┌ {title}\n  │ {body}")?;
        for Particular { label, text } in lines {
            let colon = if label.is_empty() { "" } else { self.words.colon };
            writeln!(self.output, "  │   {label}{colon}{text}")?;
        }
        writeln!(self.output, "  └ {source}")
    }

    fn decide(&mut self, labels: [Label; 2]) -> Answered<bool> {
        let locale = self.words.locale;
        Ok(self.choose(&labels.map(|label| label.text(locale)))? == 1)
    }

    /// A number from 1.
    fn choose(&mut self, labels: &[&str]) -> Answered<usize> {
        let shown: Vec<String> = (1..).zip(labels).map(|(number, label)| format!("[{number}] {label}")).collect();
        let number = |text: &str| text.parse().ok().filter(|number| (1..=labels.len()).contains(number));
        let answer = self.ask(&shown.join("   "), |text| number(text).is_some())?;
        number(&answer).ok_or_else(|| self.words.input_ended.into())
    }

    /// A line of the right form, asked for until it is.
    fn ask(&mut self, question: &str, is_good: impl Fn(&str) -> bool) -> Answered<String> {
        loop {
            write!(self.output, "  {question}\n  > ")?;
            self.output.flush()?;
            let mut line = Vec::new();
            if self.input.read_until(b'\n', &mut line)? == 0 {
                writeln!(self.output)?;
                return Err(self.words.input_ended.into());
            }
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if is_good(&line) {
                return Ok(line);
            }
            writeln!(self.output, "  {}", self.words.try_again)?;
        }
    }
}
