//! What is wrong with a policy: every problem with its place, its code and the way out.

use std::fmt;

use crate::draw::Drawing;

/// What kind of problem it is. The codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `too-large`: the file is longer than 4 MiB, or what is kept of it as evidence longer than 250 000 bytes.
    TooLarge,
    /// `not-utf8`: the file is not UTF-8.
    NotUtf8,
    /// `syntax`: the file is not JSON (RFC 8259).
    Syntax,
    /// `too-deep`: more than 64 objects and arrays in one another.
    TooDeep,
    /// `duplicate-key`: an object has the same key twice.
    DuplicateKey,
    /// `bad-character`: a text holds a control character, a bidirectional override or half a surrogate pair.
    BadCharacter,
    /// `bad-number`: a number with a fraction or an exponent, or beyond 64 bits.
    BadNumber,
    /// `unknown-key`: a key that does not exist at this place.
    UnknownKey,
    /// `missing-key`: a key that must be there is not.
    MissingKey,
    /// `wrong-type`: a string where an object is needed, and the like.
    WrongType,
    /// `unknown-value`: none of the words that are possible at this place.
    UnknownValue,
    /// `bad-form`: a string of another form than this place demands, such as an id or a date.
    BadForm,
    /// `out-of-range`: a number that is too small or too large.
    OutOfRange,
    /// `missing-text`: a text is not given in one of the policy's locales.
    MissingText,
    /// `extra-text`: a text is given in a locale that the policy does not declare.
    ExtraText,
    /// `empty-text`: a text without a visible character.
    EmptyText,
    /// `empty-list`: a list that must name something names nothing.
    EmptyList,
    /// `duplicate-entry`: a list names the same thing twice.
    DuplicateEntry,
    /// `dangling-id`: a name that the policy does not define.
    DanglingId,
    /// `undeclared-category`: an event carries a kind of data that its purpose does not declare.
    UndeclaredCategory,
    /// `basis-mismatch`: the legal basis and the terms of consent or the statute do not fit together.
    BasisMismatch,
    /// `unused-endpoint`: an endpoint of a recipient that no purpose names.
    UnusedEndpoint,
    /// `outside-residency`: a recipient stores outside the places that the policy allows.
    OutsideResidency,
    /// `empty-condition`: a rule that can never speak.
    EmptyCondition,
    /// `denies-everything`: a deny rule without any condition.
    DeniesEverything,
    /// `identifiers-without-sdk`: identifiers for a recipient that does not run inside the app.
    IdentifiersWithoutSdk,
    /// `unfit-form`: an identifier in a form that it cannot have.
    UnfitForm,
    /// `mismatch`: parts of one thing that do not fit together.
    Mismatch,
    /// `contradiction`: a rule forbids what the policy declares elsewhere, for everybody and always.
    Contradiction,
    /// `cycle`: a policy that stands on itself.
    Cycle,
    /// `markup`: a text holds a tag of a markup language.
    Markup,
    /// `internal`: a defect of this library, not of the policy.
    Internal,
}

impl ErrorCode {
    /// The code as it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NotUtf8 => "not-utf8",
            Self::Syntax => "syntax",
            Self::TooDeep => "too-deep",
            Self::DuplicateKey => "duplicate-key",
            Self::BadCharacter => "bad-character",
            Self::BadNumber => "bad-number",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::UnknownValue => "unknown-value",
            Self::BadForm => "bad-form",
            Self::OutOfRange => "out-of-range",
            Self::MissingText => "missing-text",
            Self::ExtraText => "extra-text",
            Self::EmptyText => "empty-text",
            Self::EmptyList => "empty-list",
            Self::DuplicateEntry => "duplicate-entry",
            Self::DanglingId => "dangling-id",
            Self::UndeclaredCategory => "undeclared-category",
            Self::BasisMismatch => "basis-mismatch",
            Self::UnusedEndpoint => "unused-endpoint",
            Self::OutsideResidency => "outside-residency",
            Self::EmptyCondition => "empty-condition",
            Self::DeniesEverything => "denies-everything",
            Self::IdentifiersWithoutSdk => "identifiers-without-sdk",
            Self::UnfitForm => "unfit-form",
            Self::Mismatch => "mismatch",
            Self::Contradiction => "contradiction",
            Self::Cycle => "cycle",
            Self::Markup => "markup",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in the text of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line belong to it, at least 1.
    pub width: usize,
}

/// One problem of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// What kind of problem it is.
    pub kind: ErrorCode,
    /// What is wrong, in one line.
    pub message: String,
    /// Where in the document, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Where in the text.
    pub position: Position,
    /// The way out, where there is one.
    pub help: Option<String>,
}

impl PolicyError {
    /// The stable code of its kind.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.as_str()
    }

    /// Draws it with the line of the source that it speaks of.
    #[must_use]
    pub fn drawing(&self, source: &str, file: &str) -> Drawing {
        let label = format!("error[{}]", self.kind);
        let help = self.help.as_deref().unwrap_or_default();
        Drawing::of(&label, &self.message, source, file, self.position, &self.pointer, help)
    }

    /// The text of its drawing.
    #[must_use]
    pub fn render(&self, source: &str, file: &str) -> String {
        self.drawing(source, file).to_string()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.kind, self.message)?;
        write!(f, "\n  --> {}:{}", self.position.line, self.position.column)?;
        if !self.pointer.is_empty() {
            write!(f, " {}", self.pointer.chars().map(visible).collect::<String>())?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  = {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Everything that is wrong with a policy, in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    errors: Vec<PolicyError>,
    omitted: usize,
}

impl Errors {
    /// A defect of this library that shows while a policy is read.
    pub(crate) fn internal(message: String) -> Self {
        let position = Position { line: 1, column: 1, width: 1 };
        let error = PolicyError { kind: ErrorCode::Internal, message, pointer: String::new(), position, help: None };
        Self { errors: vec![error], omitted: 0 }
    }

    /// The errors, at least one and at most 1000.
    #[must_use]
    pub fn as_slice(&self) -> &[PolicyError] {
        &self.errors
    }

    /// The errors, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyError> {
        self.errors.iter()
    }

    /// How many more errors there are than are listed.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Draws all of them, each with the line of the source that it speaks of.
    #[must_use]
    pub fn render(&self, source: &str, file: &str) -> String {
        let mut drawn: Vec<String> = self.errors.iter().map(|error| error.render(source, file)).collect();
        drawn.extend(self.more());
        drawn.join("\n")
    }

    fn more(&self) -> Option<String> {
        (self.omitted > 0).then(|| format!("and {} more\n", self.omitted))
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a PolicyError;
    type IntoIter = std::slice::Iter<'a, PolicyError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{error}")?;
        }
        if let Some(more) = self.more() {
            write!(f, "\n{}", more.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// The candidate that a misspelt word was probably meant to be; `None` if none is near. Upper and lower case count as
/// the same.
#[must_use]
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            let longer = word.chars().count().max(candidate.chars().count());
            distance * 3 <= longer || (word.len() >= 4 && candidate.starts_with(&word))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A stretch of bytes of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The way from the root of a document to one of its values.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{}", key.replace('~', "~0").replace('/', "~1")),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// Collects problems while a policy is read. A bound keeps a hopeless file from filling the memory.
#[derive(Default)]
pub(crate) struct Problems {
    list: Vec<(Span, PolicyError)>,
    omitted: usize,
}

impl Problems {
    const LIMIT: usize = 1000;

    pub(crate) fn add(
        &mut self,
        kind: ErrorCode,
        span: Span,
        pointer: impl fmt::Display,
        message: String,
        help: Option<String>,
    ) {
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        let position = Position { line: 1, column: 1, width: 1 };
        self.list.push((span, PolicyError { kind, message, pointer: pointer.to_string(), position, help }));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn is_full(&self) -> bool {
        self.list.len() >= Self::LIMIT
    }

    /// The candidate that a misspelt word was probably meant to be, while there is room for the answer.
    pub(crate) fn closest<'c>(&self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        if self.is_full() { None } else { closest(word, candidates) }
    }

    /// Puts the problems in order and finds their lines and columns.
    pub(crate) fn finish(mut self, text: &str) -> Errors {
        self.list.sort_by_key(|(span, _)| span.start);
        let mut cursor = Cursor::new(text);
        for (span, error) in &mut self.list {
            error.position = cursor.position(*span);
        }
        Errors { errors: self.list.into_iter().map(|(_, error)| error).collect(), omitted: self.omitted }
    }
}

/// Turns rising byte offsets into lines and columns, in one pass over the text.
pub(crate) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, offset: 0, line: 1, column: 1 }
    }

    pub(crate) fn position(&mut self, span: Span) -> Position {
        const WIDEST: usize = 200;
        let start = self.text.floor_char_boundary(span.start);
        for character in self.text.get(self.offset..start).unwrap_or_default().chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset = self.offset.max(start);
        let end = self.text.floor_char_boundary(span.end);
        let marked = self.text.get(start..end).unwrap_or_default();
        let width = marked.chars().take_while(|c| !matches!(c, '\n' | '\r')).take(WIDEST).count().max(1);
        Position { line: self.line, column: self.column, width }
    }
}

/// A character as it may be printed: one that could move the cursor or turn the reading direction is replaced.
pub(crate) fn visible(character: char) -> char {
    let hidden = (character.is_control() && character != '\t') || turns_direction(character);
    if hidden { char::REPLACEMENT_CHARACTER } else { character }
}

/// Whether a character overrides or isolates the direction in which the text around it is read.
pub(crate) fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A piece of the policy, in backticks, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// A question for the help of an error.
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}
