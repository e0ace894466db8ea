//! Draws a message with the line of the source that it speaks of.

use crate::error::{Position, visible};

/// The most characters of a source line that are shown.
const WINDOW: usize = 100;

/// Draws a message: the title, the place, the line of the source with carets under what is meant, and the
/// way out beside them (nothing if `help` is empty). Lines end with a line feed.
#[must_use]
pub fn draw(title: &str, source: &str, file: &str, position: Position, pointer: &str, help: &str) -> String {
    let number = position.line.to_string();
    let gutter = " ".repeat(number.len());
    let pointer: String = pointer.chars().map(visible).collect();
    let place = format!("{file}:{}:{}   {pointer}", position.line, position.column);
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
    let carets = if carets.is_empty() { "^".repeat(position.width.min(room)) } else { carets };
    let indent = if skipped > 0 { format!(" {indent}") } else { indent };
    let source_line = format!("{head}{text}{tail}");
    let mark = format!("{indent}{carets} {help}");
    let lines = [
        title.to_owned(),
        format!("{gutter}--> {place}"),
        format!("{gutter} |"),
        format!("{number} | {source_line}"),
        format!("{gutter} | {mark}"),
    ];
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
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

    #[test]
    fn carets_stand_under_what_is_meant_also_after_wide_characters() {
        let position = Position { line: 2, column: 6, width: 3 };
        let drawn = draw("error[x]: y", "{\n\"门神\":123}", "policy.json", position, "/门神", "look here");
        assert_eq!(
            drawn,
            "error[x]: y\n --> policy.json:2:6   /门神\n  |\n2 | \"门神\":123}\n  |        ^^^ look here\n"
        );
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_problem_is_shown() {
        let source = format!("{}wrong{}", "a".repeat(500), "b".repeat(500));
        let drawn = draw("error[x]: y", &source, "p", Position { line: 1, column: 501, width: 5 }, "", "");
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines[3].chars().position(|c| c == 'w').unwrap();
        assert_eq!(lines[4].find('^').unwrap(), at);
        assert!(lines[3].chars().count() < 120 && lines[3].ends_with('…'));
    }

    #[test]
    fn a_place_behind_the_text_still_gets_a_caret() {
        let drawn = draw("t", "{", "p", Position { line: 9, column: 4, width: 1 }, "", "");
        assert_eq!(drawn, "t\n --> p:9:4\n  |\n9 |\n  | ^\n");
    }
}
