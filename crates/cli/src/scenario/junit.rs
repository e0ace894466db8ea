//! The verdicts as JUnit XML, as build servers read it.

use std::fmt::Write as _;
use std::time::Duration;

/// One scenario's line in the report.
pub(crate) struct Case {
    /// The file.
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) time: Duration,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Passed,
    /// With the report in words.
    Failed(String),
    /// With what it waits for.
    Skipped(String),
}

/// The whole report.
pub(crate) fn report(cases: &[Case]) -> String {
    let count = |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let seconds: f64 = cases.iter().map(|case| case.time.as_secs_f64()).sum();
    let totals =
        format!(r#"tests="{}" failures="{failures}" errors="0" skipped="{skipped}" time="{seconds:.3}""#, cases.len());
    // Writing to a string cannot fail.
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites {totals}>\n  <testsuite name=\"menshen\" {totals}>");
    for case in cases {
        let (class, name, time) = (escaped(&case.class), escaped(&case.name), case.time.as_secs_f64());
        let _ = write!(xml, r#"    <testcase classname="{class}" name="{name}" time="{time:.3}""#);
        let _ = match &case.outcome {
            Outcome::Passed => writeln!(xml, "/>"),
            Outcome::Failed(text) => {
                let first = escaped(text.lines().next().unwrap_or_default());
                writeln!(xml, "><failure message=\"{first}\">{}</failure></testcase>", escaped(text))
            }
            Outcome::Skipped(why) => writeln!(xml, "><skipped message=\"{}\"/></testcase>", escaped(why)),
        };
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no place for the other control characters.
            letter if letter.is_control() && !matches!(letter, '\n' | '\t') => out.push('\u{FFFD}'),
            letter => out.push(letter),
        }
    }
    out
}
