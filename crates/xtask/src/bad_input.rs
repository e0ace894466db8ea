//! The table of bad input: each line with what every language made of it.

use crate::test::Language;
use std::collections::BTreeMap;

/// What a language did with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Passed,
    Failed,
    /// The machine lacks what it needs.
    NotRun,
}

/// The lines in the order in which the first language printed them.
#[derive(Default)]
pub(crate) struct Table {
    names: Vec<String>,
    cells: BTreeMap<(String, &'static str), Cell>,
}

impl Table {
    /// Takes what the tests of one language printed.
    pub(crate) fn add(&mut self, language: Language, lines: &[String]) {
        for (name, cell) in lines.iter().filter_map(|line| read(line)) {
            if !self.names.iter().any(|known| known == name) {
                self.names.push(name.to_owned());
            }
            self.cells.insert((name.to_owned(), language.name()), cell);
        }
    }

    pub(crate) fn print(&self, languages: &[Language]) {
        if self.names.is_empty() {
            return;
        }
        print!("\n{:<44}", "bad input");
        languages.iter().for_each(|language| print!("{:>9}", language.name()));
        println!();
        for name in &self.names {
            print!("{name:<44}");
            for language in languages {
                let word = match self.cell(name, *language) {
                    Some(Cell::Passed) => "ok",
                    Some(Cell::Failed) => "FAILED",
                    Some(Cell::NotRun) => "NOT RUN",
                    None => "missing",
                };
                print!("{word:>9}");
            }
            println!();
        }
    }

    /// What is wrong with it: cells that nobody filled, and on the build server those that could not run.
    pub(crate) fn faults(&self, languages: &[Language], is_ci: bool) -> Vec<String> {
        let mut faults = Vec::new();
        for language in languages {
            let count =
                |wanted: Option<Cell>| self.names.iter().filter(|name| self.cell(name, *language) == wanted).count();
            let (missing, not_run) = (count(None), count(Some(Cell::NotRun)));
            if missing > 0 || self.names.is_empty() {
                faults.push(format!("{} has no answer to {missing} lines of bad input", language.name()));
            }
            if is_ci && not_run > 0 {
                faults.push(format!("{} could not run {not_run} lines of bad input", language.name()));
            }
        }
        faults
    }

    fn cell(&self, name: &str, language: Language) -> Option<Cell> {
        self.cells.get(&(name.to_owned(), language.name())).copied()
    }
}

/// `bad input: store: full: ok`, alone or with the test framework's words before it.
fn read(line: &str) -> Option<(&str, Cell)> {
    let (name, word) = line.split_once("bad input: ")?.1.rsplit_once(": ")?;
    let cell = match word.trim() {
        "ok" => Cell::Passed,
        "FAILED" => Cell::Failed,
        "NOT RUN" => Cell::NotRun,
        _ => return None,
    };
    Some((name, cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rust: &[&str], swift: &[&str]) -> Table {
        let mut table = Table::default();
        for (language, lines) in [(Language::Rust, rust), (Language::Swift, swift)] {
            table.add(language, &lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        }
        table
    }

    const BOTH: [Language; 2] = [Language::Rust, Language::Swift];

    #[test]
    fn a_line_is_read_from_what_a_runner_prints() {
        assert_eq!(read("bad input: event: nesting 200 deep: ok"), Some(("event: nesting 200 deep", Cell::Passed)));
        assert_eq!(read("T > bad input: store: full: NOT RUN "), Some(("store: full", Cell::NotRun)));
        assert_eq!(read("bad input: something else"), None);
    }

    #[test]
    fn a_line_that_one_language_lacks_is_a_fault() {
        let full = table(&["bad input: a: ok", "bad input: b: ok"], &["bad input: b: ok", "bad input: a: ok"]);
        assert!(full.faults(&BOTH, true).is_empty());
        let lacking = table(&["bad input: a: ok", "bad input: b: ok"], &["bad input: a: ok"]);
        assert_eq!(lacking.faults(&BOTH, false), ["swift has no answer to 1 lines of bad input"]);
        assert_eq!(table(&[], &[]).faults(&BOTH, false).len(), 2);
    }

    #[test]
    fn a_line_that_could_not_run_is_a_fault_on_the_build_server_only() {
        let full = table(&["bad input: a: NOT RUN"], &["bad input: a: ok"]);
        assert!(full.faults(&BOTH, false).is_empty());
        assert_eq!(full.faults(&BOTH, true), ["rust could not run 1 lines of bad input"]);
    }
}
