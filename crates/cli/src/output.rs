//! What a command prints: colours where a terminal shows them, and no word about a reader that went away.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use anstyle::{AnsiColor, Style};
use menshen::policy::Drawing;

use crate::failure::{Failure, Result};

const BOLD: Style = Style::new().bold();
const FRAME: Style = AnsiColor::Blue.on_default().bold();
/// What must not be: an error, a denial.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What should be looked at: a finding, a question.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default().bold();
/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What stands beside.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Prints a text. A reader that has enough, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("the answer cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says why the work could not be done.
pub(crate) fn complain(failure: &Failure) {
    // Nobody is left to be told that this cannot be written.
    let _ = writeln!(anstream::stderr(), "{BAD}menshen:{BAD:#} {failure}");
}

/// A text in a style.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A message beside the line that it speaks of.
pub(crate) fn drawn(drawing: &Drawing, style: Style) -> String {
    let Drawing { label, message, place, number, line, indent, carets, help } = drawing;
    let gutter = " ".repeat(number.len());
    let bar = format!("{FRAME}|{FRAME:#}");
    let source_line = if line.is_empty() { String::new() } else { format!(" {line}") };
    let help = if help.is_empty() { String::new() } else { format!(" {help}") };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{style}{label}{style:#}{BOLD}: {message}{BOLD:#}");
    let _ = writeln!(text, "{gutter}{FRAME}-->{FRAME:#} {place}");
    let _ = writeln!(text, "{gutter} {bar}");
    let _ = writeln!(text, "{FRAME}{number}{FRAME:#} {bar}{source_line}");
    let _ = writeln!(text, "{gutter} {bar} {indent}{style}{carets}{help}{style:#}");
    text
}
