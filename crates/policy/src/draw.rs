//! Draws a message with the line of the source that it speaks of.

use std::fmt;

use crate::error::{Position, visible};

/// The most characters of a source line that are shown.
const WINDOW: usize = 100;

/// A message beside the line of the source that it speaks of, in its parts, so that a terminal may colour them.
/// [`Display`](fmt::Display) puts them together without colours; the lines end with a line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// What kind of message it is: `error[unknown-key]`.
    pub label: String,
    /// What it says.
    pub message: String,
    /// The file, line and column, and the pointer.
    pub place: String,
    /// The number of the line.
    pub number: String,
    /// The line of the source, or the part of it around what is meant.
    pub line: String,
    /// White space before the carets.
    pub indent: String,
    /// Carets under what is meant.
    pub carets: String,
    /// The way out; may be empty.
    pub help: String,
}

impl Drawing {
    /// Draws a message.
    #[must_use]
    pub fn of(
        label: &str,
        message: &str,
        source: &str,
        file: &str,
        position: Position,
        pointer: &str,
        help: &str,
    ) -> Self {
        let pointer: String = pointer.chars().map(visible).collect();
        let line = source.lines().nth(position.line.saturating_sub(1)).unwrap_or_default();
        let before = position.column.saturating_sub(1);
        // Of a long line, show the part around what is meant.
        let skipped = if before > WINDOW * 2 / 3 { before - WINDOW / 3 } else { 0 };
        let shown: Vec<char> = line.chars().skip(skipped).take(WINDOW).map(visible).collect();
        let head = if skipped > 0 { "…" } else { "" };
        let tail = if line.chars().nth(skipped + WINDOW).is_some() { "…" } else { "" };
        let text: String = shown.iter().collect();
        let indent: String = shown.iter().take(before - skipped).map(|c| blank(*c)).collect();
        let room = shown.len().saturating_sub(before - skipped).max(1);
        let marked = shown.iter().skip(before - skipped).take(position.width);
        let carets: String = marked.map(|c| if is_wide(*c) { "^^" } else { "^" }).collect();
        Self {
            label: label.to_owned(),
            message: message.to_owned(),
            place: format!("{file}:{}:{}   {pointer}", position.line, position.column).trim_end().to_owned(),
            number: position.line.to_string(),
            line: format!("{head}{text}{tail}").trim_end().to_owned(),
            indent: if skipped > 0 { format!(" {indent}") } else { indent },
            carets: if carets.is_empty() { "^".repeat(position.width.min(room)) } else { carets },
            help: help.to_owned(),
        }
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, message, place, number, line, indent, carets, help } = self;
        let gutter = " ".repeat(number.len());
        writeln!(f, "{label}: {message}")?;
        writeln!(f, "{gutter}--> {place}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{}", format!("{number} | {line}").trim_end())?;
        writeln!(f, "{}", format!("{gutter} | {indent}{carets} {help}").trim_end())
    }
}

/// White space as wide as a character.
fn blank(character: char) -> &'static str {
    match character {
        '\t' => "\t",
        c if is_wide(c) => "  ",
        _ => " ",
    }
}

/// Whether a terminal gives a character two columns: East Asian wide and full-width ranges, roughly (UAX 11).
fn is_wide(character: char) -> bool {
    matches!(character,
        '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{303E}' | '\u{3041}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{1F300}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(source: &str, file: &str, position: Position, pointer: &str, help: &str) -> String {
        Drawing::of("error[x]", "y", source, file, position, pointer, help).to_string()
    }

    #[test]
    fn carets_stand_under_what_is_meant_also_after_wide_characters() {
        let position = Position { line: 2, column: 6, width: 3 };
        let drawn = draw("{\n\"门神\":123}", "policy.json", position, "/门神", "look here");
        assert_eq!(
            drawn,
            "error[x]: y\n --> policy.json:2:6   /门神\n  |\n2 | \"门神\":123}\n  |        ^^^ look here\n"
        );
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_problem_is_shown() {
        let source = format!("{}wrong{}", "a".repeat(500), "b".repeat(500));
        let drawn = draw(&source, "p", Position { line: 1, column: 501, width: 5 }, "", "");
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines[3].chars().position(|c| c == 'w').unwrap();
        assert_eq!(lines[4].find('^').unwrap(), at);
        assert!(lines[3].chars().count() < 120 && lines[3].ends_with('…'));
    }

    #[test]
    fn a_place_behind_the_text_still_gets_a_caret() {
        let drawn = draw("{", "p", Position { line: 9, column: 4, width: 1 }, "", "");
        assert_eq!(drawn, "error[x]: y\n --> p:9:4\n  |\n9 |\n  | ^\n");
    }
}
