//! What the story reports: its lines, its figures, and a positive control beside every zero.

use std::io::Write;
use std::time::Instant;

use serde_json::{Map, Value};

use super::Failure;

/// Where the text of a line begins, in columns.
const INDENT: usize = 22;
/// How many characters of text stand on one line.
const TEXT: usize = 76;

pub(crate) struct Report {
    began: Instant,
    step: u8,
    figures: Vec<Figure>,
    failures: Vec<String>,
}

struct Figure {
    step: u8,
    key: &'static str,
    value: Value,
    control: Option<Control>,
}

/// What the same counter counted where there was something to count.
struct Control {
    counted: u64,
    what: String,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), step: 0, figures: Vec::new(), failures: Vec::new() }
    }

    /// The line of a step; the figures that follow belong to it.
    pub(crate) fn step(&mut self, number: u8, title: &str, text: &str) {
        self.step = number;
        say(&format!("{number:>2}  {title:<width$}{text}", width = INDENT - 4));
    }

    /// A line below it.
    pub(crate) fn note(&self, text: &str) {
        wrapped(text, " ").iter().for_each(|line| say(&format!("{:INDENT$}{line}", "")));
    }

    /// A figure for the table. A zero is none: it goes to [`Report::zero`].
    pub(crate) fn figure(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        self.must(value != 0, &format!("`{key}` is not zero"));
        self.figures.push(Figure { step: self.step, key, value, control: None });
    }

    /// A figure that must be zero, with what the same counter counted elsewhere in this run, which must not.
    pub(crate) fn zero(&mut self, key: &'static str, value: u64, counted: u64, what: &str) {
        self.must(value == 0, &format!("`{key}` is zero"));
        self.must(counted > 0, &format!("the control of `{key}` counts"));
        let control = Some(Control { counted, what: what.to_owned() });
        self.figures.push(Figure { step: self.step, key, value: value.into(), control });
    }

    /// Something that must be so, or the example fails.
    pub(crate) fn must(&mut self, so: bool, what: &str) {
        if !so {
            self.failures.push(what.to_owned());
        }
    }

    /// The table, the verdict and, if asked for, the same as one JSON object.
    pub(crate) fn close(self, json: bool) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        say(&format!("\n    {:<26}{:<12}{}", "figure", "value", "control in the same run"));
        say(&format!("    {}", "─".repeat(INDENT + TEXT - 4)));
        let mut last = 0;
        for Figure { step, key, value, control } in &self.figures {
            let number = if *step == last { String::new() } else { step.to_string() };
            last = *step;
            let mut lines = shown(value);
            if let Some(Control { counted, what }) = control {
                lines = vec![format!("{:<12}{} {what}", lines.concat(), grouped(*counted))];
            }
            for (index, line) in lines.iter().enumerate() {
                let (number, key) = if index == 0 { (number.as_str(), *key) } else { ("", "") };
                say(&format!("{number:>2}  {key:<26}{line}"));
            }
        }
        say("");
        if self.failures.is_empty() {
            say(&format!(
                "Every event that was allowed arrived once; nothing else left the device.   ({seconds:.1} s)"
            ));
        }
        if json {
            // Whoever reads it has to know whether it is there.
            let mut out = std::io::stdout();
            writeln!(out, "{}", self.json()).and_then(|()| out.flush())?;
        }
        self.verdict()
    }

    /// Whether everything was as it must be.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let failures: Vec<String> = self.failures.iter().map(|what| format!("\n  not so: {what}")).collect();
        Err(format!("{} of the checks failed{}", failures.len(), failures.concat()).into())
    }

    fn json(&self) -> Value {
        let mut map = Map::new();
        for Figure { key, value, control, .. } in &self.figures {
            map.insert((*key).to_owned(), value.clone());
            if let Some(control) = control {
                map.insert(format!("{key}_control"), control.counted.into());
            }
        }
        Value::Object(map)
    }
}

/// A line on the standard output; whoever closed it misses the story and nothing else.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

/// A whole number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value as the table shows it, a list broken between its entries.
fn shown(value: &Value) -> Vec<String> {
    let entries: Vec<String> = match value {
        Value::Array(list) => list.iter().map(word).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| format!("{key} {}", word(value))).collect(),
        other => vec![word(other)],
    };
    wrapped(&entries.join(", "), ", ")
}

/// Lines no longer than a line of text, broken after a separator.
fn wrapped(text: &str, separator: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive(separator) {
        match lines.last_mut() {
            Some(line) if (line.chars().count() + piece.chars().count()) <= TEXT => line.push_str(piece),
            _ => lines.push(piece.to_owned()),
        }
    }
    lines
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.as_u64().map_or_else(|| other.to_string(), grouped),
    }
}
