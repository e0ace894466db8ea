//! Somebody who goes through the flows, by a script or at the terminal, and what they were asked and answered.

use std::sync::Arc;

use menshen::{Answer, Flow, Label, Outcome, PermissionState, Step};

use super::stage::{self, FakePlatform};
use super::terminal::Terminal;
use super::words::Words;

pub(crate) struct Person {
    answers: Answers,
    words: &'static Words,
    /// What was asked and answered, in the words of the locale.
    pub(crate) log: Vec<String>,
}

enum Answers {
    Script(stage::Person),
    Terminal(Terminal),
}

impl Person {
    /// Says yes to these purposes and no to every other one.
    pub(crate) fn scripted(
        platform: &Arc<FakePlatform>,
        locale: &str,
        born: &str,
        place: &'static str,
        yes: &[&'static str],
    ) -> Self {
        let (platform, yes) = (Arc::clone(platform), yes.to_vec());
        let script = stage::Person { born: born.to_owned(), place, yes, interactive: false, platform, log: Vec::new() };
        Self { answers: Answers::Script(script), words: Words::of(locale), log: Vec::new() }
    }

    pub(crate) fn at_terminal(terminal: Terminal, locale: &str) -> Self {
        Self { answers: Answers::Terminal(terminal), words: Words::of(locale), log: Vec::new() }
    }

    /// Answers every step of a flow. Where the input ends, the flow is left as it is: nothing is answered for anybody.
    pub(crate) fn go_through(&mut self, mut flow: Flow) -> Result<Outcome, Box<dyn std::error::Error>> {
        while !matches!(flow.step(), Step::Done(_)) {
            let answer = match &mut self.answers {
                Answers::Script(script) => script.answer(flow.step()),
                Answers::Terminal(terminal) => terminal.answer(flow.step())?,
            };
            self.note(flow.step(), &answer);
            flow.answer(answer)?;
        }
        let outcome = flow.into_outcome().map_err(|_| "the flow is not done")?;
        if let (Outcome::Denied(denial), Answers::Terminal(terminal)) = (&outcome, &mut self.answers) {
            terminal.tell(denial)?;
        }
        Ok(outcome)
    }

    /// Says another birth month from now on, where a script answers.
    pub(crate) fn changes_story(&mut self, month: &str) {
        if let Answers::Script(script) = &mut self.answers {
            month.clone_into(&mut script.born);
        }
    }

    /// How often the neutral question was answered.
    pub(crate) fn times_asked_subject(&self) -> u64 {
        self.log.iter().filter(|text| text.starts_with(self.words.subject)).count() as u64
    }

    /// The birth month that was answered last.
    pub(crate) fn born(&self) -> Option<&str> {
        let answer = self.log.iter().rev().find_map(|text| text.strip_prefix(self.words.subject))?;
        answer.trim_start_matches(" → ").split(' ').next()
    }

    fn note(&mut self, step: &Step, answer: &Answer) {
        let word = |yes, [first, second]: [Label; 2]| if yes { first } else { second }.text(self.words.locale);
        let allow = [Label::Accept, Label::Refuse];
        match (step, answer) {
            (Step::Show(prompt), answer) => {
                let word = word(*answer == Answer::Yes, [prompt.yes, prompt.no]);
                self.log.push(format!("{} → {word}", prompt.title));
            }
            (Step::Offer(offers), Answer::Switches(on)) => {
                let line = |name: &str, on| format!("{name} → {}", word(on, allow));
                self.log.extend(offers.iter().map(|offer| line(&offer.name, on.contains(&offer.purpose))));
            }
            (Step::AskSubject, Answer::Subject { born, place }) => {
                self.log.push(format!("{} → {born} {place}", self.words.subject));
            }
            (Step::AskSystem { permission, .. }, Answer::System(state)) => {
                let word = word(*state == PermissionState::Granted, allow);
                self.log.push(format!("{} {} → {word}", self.words.system, permission.id()));
            }
            _ => {}
        }
    }
}
