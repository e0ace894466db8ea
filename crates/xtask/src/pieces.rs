//! Kotlin or Swift text cut at brackets, commas and line ends, for `declarations`.

use crate::declarations::Syntax;
use std::iter::Peekable;

#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// A run of text without comments: names, operators, string literals.
    Text(String),
    Open(char),
    Close(char),
    Comma,
    NewLine,
    /// `=`, `;`: the declaration's head ends here.
    Equals,
    Semicolon,
}

/// Splits the text at brackets and line ends; comments go, string literals stay whole.
pub(crate) fn pieces(source: &str, syntax: Syntax) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut characters = source.chars().peekable();
    let mut previous = ' ';
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let piece = match character {
            '/' if next == Some('/') => {
                while characters.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            '/' if next == Some('*') => {
                skip_comment(&mut characters);
                continue;
            }
            '"' => {
                text.push_str(&string_literal(&mut characters));
                previous = '"';
                continue;
            }
            '\'' if syntax == Syntax::Kotlin => {
                text.push('\'');
                while let Some(c) = characters.next() {
                    text.push(c);
                    match c {
                        '\\' => text.extend(characters.next()),
                        '\'' => break,
                        _ => {}
                    }
                }
                continue;
            }
            '(' | '[' | '{' => Piece::Open(character),
            ')' | ']' | '}' => Piece::Close(character),
            ',' => Piece::Comma,
            ';' => Piece::Semicolon,
            '\n' => Piece::NewLine,
            '=' if !"=!<>".contains(previous) && next != Some('=') => Piece::Equals,
            other => {
                text.push(other);
                previous = other;
                continue;
            }
        };
        previous = character;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(piece);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// The rest of a block comment, which both languages nest.
fn skip_comment(characters: &mut Peekable<std::str::Chars<'_>>) {
    let mut depth = 1;
    characters.next();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('*', Some('/')) => depth -= 1,
            ('/', Some('*')) => depth += 1,
            _ => continue,
        }
        characters.next();
        if depth == 0 {
            return;
        }
    }
}

/// A string literal, its opening quote already read: one line, or three quotes to three quotes.
fn string_literal(characters: &mut Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::from('"');
    let quotes = |characters: &mut Peekable<std::str::Chars<'_>>| {
        let mut count = 0;
        while count < 2 && characters.next_if_eq(&'"').is_some() {
            count += 1;
        }
        count
    };
    let opening = quotes(characters);
    if opening == 1 {
        return "\"\"".into();
    }
    let is_long = opening == 2;
    while let Some(character) = characters.next() {
        match character {
            '\\' => characters.next().into_iter().for_each(drop),
            '"' if !is_long || quotes(characters) == 2 => break,
            _ => {}
        }
        text.push(if character == '\n' { ' ' } else { character });
    }
    text.push('"');
    text
}
