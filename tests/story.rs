//! The pieces of the stories that a run of them does not show: what the terminal does with wrong answers and with an
//! input that ends, in every locale of both policies, and that no zero is reported without its control.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(dead_code, reason = "the stories use more of their pieces")]

#[path = "../examples/support/person.rs"]
mod person;
#[path = "../examples/support/report.rs"]
mod report;
#[path = "../examples/support/stage.rs"]
mod stage;
#[path = "../examples/support/terminal.rs"]
mod terminal;
#[path = "../examples/support/words.rs"]
mod words;

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use menshen::policy::Month;
use menshen::{Label, MemoryKeys, Menshen, Outcome, Policy, Session, Store, Trigger};
use person::Person;
use report::Report;
use stage::FakePlatform;
use terminal::Terminal;
use words::Words;

type Failure = Box<dyn std::error::Error>;

/// Both policies in each of their locales, with a feature that needs consent and a permission.
const CASES: [(&str, &str, &str); 5] = [
    (include_str!("../examples/policies/justalk-family.json"), "en", "share-location"),
    (include_str!("../examples/policies/justalk-family.json"), "zh-Hans", "share-location"),
    (include_str!("../examples/policies/justalk-family.json"), "zh-Hant", "share-location"),
    (include_str!("../examples/policies/huirongke.json"), "en", "customer-search"),
    (include_str!("../examples/policies/huirongke.json"), "zh-Hans", "customer-search"),
];

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A session and somebody at a terminal who types `input`.
struct Scene {
    session: Session,
    person: Person,
    screen: Screen,
    _folder: tempfile::TempDir,
}

fn scene(policy: &str, locale: &str, input: &[u8]) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let platform = FakePlatform::new();
    let policy = Policy::read(policy.as_bytes()).unwrap();
    let store = Store::at(folder.path()).unwrap();
    let menshen = Menshen::open_on(policy, store, Arc::new(MemoryKeys::new()), platform.platform()).unwrap();
    let session = menshen.session("somebody").unwrap();
    session.set_locale(locale);
    let (screen, now) = (Screen::default(), Month::new(2026, 11).unwrap());
    let input = Box::new(Cursor::new(input.to_vec()));
    let terminal = Terminal::new(&platform, locale, now, input, Box::new(screen.clone()));
    Scene { session, person: Person::at_terminal(terminal, locale), screen, _folder: folder }
}

impl Scene {
    fn goes_through(&mut self, feature: &str) -> Result<Outcome, Failure> {
        self.person.go_through(self.session.first_launch().unwrap())?;
        self.person.go_through(self.session.request(feature, Trigger::Tap).unwrap())
    }

    fn shown(&self) -> String {
        String::from_utf8(self.screen.0.lock().unwrap().clone()).unwrap()
    }
}

/// The notice, the neutral question, its confirmation, the switches, and yes to whatever else is asked.
fn yes_to_all() -> String {
    format!("1\n1990-05\nDE\n1\n1\n{}", "1\n".repeat(20))
}

#[test]
fn wrong_answers_are_asked_again_in_the_words_of_the_locale() {
    for (policy, locale, feature) in CASES {
        let wrong = "0\n3\n-1\n1 1\nyes\n\n\u{0}\n99999999999999999999999\n";
        let subject = "1990\n1990-13\n2026-12\n1990-05-01\n1990-05\nGermany\nde\n";
        let input = format!("{wrong}1\n{subject}{}", yes_to_all().trim_start_matches("1\n1990-05\n"));
        let mut scene = scene(policy, locale, input.as_bytes());
        assert!(matches!(scene.goes_through(feature), Ok(Outcome::Allowed(_))), "{locale}");
        let shown = scene.shown();
        assert_eq!(shown.matches(Words::of(locale).try_again).count(), 8 + 4 + 2, "{locale}: {shown}");
        for label in [Label::Agree, Label::Decline, Label::Accept, Label::Refuse, Label::AgreeToAll, Label::Confirm] {
            assert!(shown.contains(label.text(locale)), "{locale}: {}", label.text(locale));
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_a_wrong_answer() {
    let mut scene = scene(CASES[0].0, "en", &[b"\xff\xfe\n", yes_to_all().as_bytes()].concat());
    assert!(matches!(scene.goes_through("share-location"), Ok(Outcome::Allowed(_))));
    assert_eq!(scene.shown().matches(Words::of("en").try_again).count(), 1);
}

#[test]
fn where_the_input_ends_the_questions_end_and_nothing_is_answered_for_the_person() {
    for (policy, locale, feature) in CASES {
        let answers: Vec<String> = yes_to_all().lines().map(|line| format!("{line}\n")).collect();
        let mut cut = 0;
        for count in 0..answers.len() {
            let mut scene = scene(policy, locale, answers[..count].concat().as_bytes());
            let Err(error) = scene.goes_through(feature) else { break };
            cut += 1;
            assert_eq!(error.to_string(), Words::of(locale).input_ended);
            assert!(!scene.session.is_allowed(feature), "{locale} after {count} answers");
            assert!(scene.person.log.len() <= count + 1, "one answer may set several switches: {:?}", scene.person.log);
        }
        assert!(cut >= 6, "the notice, the question, the switches, the feature and its permission: {cut}");
    }
}

#[test]
fn a_no_to_everything_opens_nothing() {
    for (policy, locale, feature) in CASES {
        let mut scene = scene(policy, locale, "2\n".repeat(20).as_bytes());
        assert!(matches!(scene.goes_through(feature), Ok(Outcome::Denied(_))), "{locale}");
        assert_eq!(scene.session.snapshot().open_purposes().count(), 0);
    }
}

#[test]
fn whoever_is_refused_at_the_terminal_is_told_why_and_what_can_be_done() {
    for (policy, locale, feature) in CASES {
        // The notice, the question, the switches; then a no to the feature.
        let mut scene = scene(policy, locale, format!("1\n1990-05\nDE\n1\n2\n{}", "2\n".repeat(9)).as_bytes());
        let Ok(Outcome::Denied(denial)) = scene.goes_through(feature) else { panic!("{locale}: not refused") };
        assert!(scene.shown().trim_end().ends_with(&denial.text), "{locale}: {}", scene.shown());
    }
}

#[test]
fn chinese_on_the_terminal_has_full_width_punctuation() {
    let is_chinese = |character: char| ('\u{4e00}'..='\u{9fff}').contains(&character);
    let is_narrow = |character: char| matches!(character, ',' | ';' | ':' | '?' | '!' | '(' | ')');
    for (policy, locale, feature) in CASES.into_iter().filter(|(_, locale, _)| locale.starts_with("zh")) {
        let mut scene = scene(policy, locale, format!("x\n{}", yes_to_all()).as_bytes());
        scene.goes_through(feature).unwrap();
        // A clause is named as the policy's text numbers it.
        for line in scene.shown().lines().filter(|line| !line.starts_with("  └")) {
            let letters: Vec<char> = line.chars().filter(|letter| *letter != ' ').collect();
            let clash = letters.windows(2).any(|two| is_chinese(two[0]) && is_narrow(two[1]));
            assert!(!clash, "{locale}: {line}");
        }
    }
}

#[test]
fn a_zero_is_reported_with_a_control_that_counts_or_the_run_fails() {
    let mut report = Report::new();
    report.zero("reads", 0, 3, "after consent");
    report.figure("uploaded", 7);
    assert!(report.verdict().is_ok());

    let fails = |spoil: fn(&mut Report)| {
        let mut report = Report::new();
        spoil(&mut report);
        report.verdict().is_err()
    };
    assert!(fails(|report| report.zero("reads", 0, 0, "after consent")), "a control that counts nothing");
    assert!(fails(|report| report.zero("reads", 1, 3, "after consent")), "not zero");
    assert!(fails(|report| report.figure("uploaded", 0)), "a zero without a control");
    assert!(fails(|report| report.must(false, "it is so")));
}
