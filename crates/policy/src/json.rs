//! A strict reader of JSON (RFC 8259) that remembers where everything stands.

use std::collections::BTreeSet;

use crate::error::{ErrorCode, Path, Problems, Span, quoted, turns_direction};

/// The longest policy that is read, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most objects and arrays in one another.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
    /// A value that was already reported; nothing more is said about it.
    Refused,
}

/// A key of an object, its place, and its value.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    /// The members of an object; none for any other value.
    pub(crate) fn members(&self) -> &[Member] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// The items of an array; none for any other value.
    pub(crate) fn items(&self) -> &[Node] {
        if let Value::Array(items) = &self.value { items } else { &[] }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// The same value without its places.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null | Value::Refused => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(members) => members.iter().map(|m| (m.key.clone(), m.node.to_json())).collect(),
        }
    }
}

/// Reads a document. What leaves the rest readable goes to `problems` and reading goes on.
///
/// Returns the text as far as it is UTF-8, and the tree; no tree where nothing more can be said.
pub(crate) fn read<'t>(bytes: &'t [u8], problems: &mut Problems) -> (&'t str, Option<Node>) {
    let start = Span { start: 0, end: 0 };
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; a policy has at most {MAX_BYTES}", bytes.len());
        problems.add(ErrorCode::TooLarge, start, Path::Root, message, None);
        return ("", None);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let end = error.valid_up_to();
            let valid = bytes.get(..end).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default();
            let byte = bytes.get(end).copied().unwrap_or_default();
            let message = format!("the file is not UTF-8 at byte {end} (0x{byte:02x})");
            let help = Some("save the file as UTF-8".to_owned());
            problems.add(ErrorCode::NotUtf8, Span { start: end, end }, Path::Root, message, help);
            return (valid, None);
        }
    };
    let mut reader = Reader { text, at: 0, problems };
    (text, reader.document().ok())
}

/// Reading cannot go on; the reason is among the problems.
struct Stop;

struct Reader<'t, 'p> {
    text: &'t str,
    at: usize,
    problems: &'p mut Problems,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Result<Node, Stop> {
        if self.text.starts_with('\u{FEFF}') {
            return Err(self.expected("JSON", Path::Root, Some("save the file without a byte order mark")));
        }
        self.white_space();
        let node = self.value(Path::Root, 0)?;
        self.white_space();
        if self.at < self.text.len() {
            return Err(self.expected("the end of the file", Path::Root, None));
        }
        Ok(node)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected(&mut self, what: &str, path: Path<'_>, help: Option<&str>) -> Stop {
        let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        let found = match next {
            None => "the end of the file".to_owned(),
            Some(c) if is_refused(c) || matches!(c, '\n' | '\u{FEFF}' | '`') => format!("U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
        };
        let help = help.or(match next {
            Some('/' | '#') => Some("JSON has no comments"),
            Some('\'') => Some("JSON puts strings in double quotes"),
            _ => None,
        });
        let span = Span { start: self.at, end: self.at + next.map_or(0, char::len_utf8) };
        let message = format!("expected {what}, found {found}");
        self.problems.add(ErrorCode::Syntax, span, path, message, help.map(str::to_owned));
        Stop
    }

    fn value(&mut self, path: Path<'_>, depth: usize) -> Result<Node, Stop> {
        let start = self.at;
        let depth = if matches!(self.peek(), Some(b'{' | b'[')) { self.deeper(depth, path)? } else { depth };
        let value = match self.peek() {
            Some(b'{') => self.object(path, depth)?,
            Some(b'[') => self.array(path, depth)?,
            Some(b'"') => self.string(path)?.map_or(Value::Refused, Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(path)?,
            Some(b't') => self.word("true", Value::Boolean(true), path)?,
            Some(b'f') => self.word("false", Value::Boolean(false), path)?,
            Some(b'n') => self.word("null", Value::Null, path)?,
            _ => return Err(self.expected("a value", path, None)),
        };
        Ok(Node { value, span: Span { start, end: self.at } })
    }

    fn deeper(&mut self, depth: usize, path: Path<'_>) -> Result<usize, Stop> {
        if depth < MAX_DEPTH {
            return Ok(depth + 1);
        }
        let message = format!("more than {MAX_DEPTH} objects and arrays in one another");
        self.problems.add(ErrorCode::TooDeep, Span { start: self.at, end: self.at + 1 }, path, message, None);
        Err(Stop)
    }

    fn word(&mut self, word: &str, value: Value, path: Path<'_>) -> Result<Value, Stop> {
        for byte in word.bytes() {
            if !self.take(byte) {
                return Err(self.expected(&format!("`{word}`"), path, None));
            }
        }
        Ok(value)
    }

    fn array(&mut self, path: Path<'_>, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        self.at += 1;
        self.white_space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            if !items.is_empty() && self.peek() == Some(b']') {
                return Err(self.expected("a value", path, Some("remove the comma before it")));
            }
            items.push(self.value(Path::Index(&path, items.len()), depth)?);
            self.white_space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`", path, None));
            }
            self.white_space();
        }
    }

    fn object(&mut self, path: Path<'_>, depth: usize) -> Result<Value, Stop> {
        let mut members: Vec<Member> = Vec::new();
        let mut keys = BTreeSet::new();
        self.at += 1;
        self.white_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                let comma = (self.peek() == Some(b'}')).then_some("remove the comma before it");
                return Err(self.expected("a key in double quotes", path, comma));
            }
            let start = self.at;
            let key = self.string(path)?;
            let key_span = Span { start, end: self.at };
            let inner = Path::Key(&path, key.as_deref().unwrap_or_default());
            self.white_space();
            if !self.take(b':') {
                return Err(self.expected("`:`", inner, None));
            }
            self.white_space();
            let node = self.value(inner, depth)?;
            // A refused key was reported; of two equal ones the first stays.
            if let Some(key) = key {
                if keys.insert(key.clone()) {
                    members.push(Member { key, key_span, node });
                } else {
                    let message = format!("the key {} is there twice", quoted(&key));
                    let help = Some("remove one of them".to_owned());
                    self.problems.add(ErrorCode::DuplicateKey, key_span, Path::Key(&path, &key), message, help);
                }
            }
            self.white_space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`", path, None));
            }
            self.white_space();
        }
    }

    fn number(&mut self, path: Path<'_>) -> Result<Value, Stop> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.expected("the end of the number", path, Some("remove the zero before it")));
            }
        } else {
            self.digits(path)?;
        }
        let whole = self.at;
        if self.take(b'.') {
            self.digits(path)?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits(path)?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let problem = match digits.parse() {
            Ok(number) => return Ok(Value::Integer(number)),
            Err(_) if whole < self.at => "a policy has whole numbers only, without a fraction or an exponent",
            Err(_) => "the number does not fit into 64 bits",
        };
        let message = format!("{}: {problem}", quoted(digits));
        self.problems.add(ErrorCode::BadNumber, Span { start, end: self.at }, path, message, None);
        Ok(Value::Refused)
    }

    fn digits(&mut self, path: Path<'_>) -> Result<(), Stop> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.expected("a digit", path, None));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads a string; `None` for one with a character that no text may hold, which is reported.
    fn string(&mut self, path: Path<'_>) -> Result<Option<String>, Stop> {
        self.at += 1;
        let mut text = String::new();
        let mut clean = true;
        loop {
            let start = self.at;
            let rest = self.text.get(start..).unwrap_or_default();
            let Some(next) = rest.chars().next() else {
                return Err(self.expected("`\"`", path, None));
            };
            let read = match next {
                '"' => {
                    self.at += 1;
                    return Ok(clean.then_some(text));
                }
                '\\' => self.escape(path)?,
                '\0'..='\u{1F}' => {
                    let help = Some("a line break in a text is written `\\n`").filter(|_| next == '\n');
                    return Err(self.expected("a character of a string", path, help));
                }
                _ => {
                    self.at += next.len_utf8();
                    Ok(next)
                }
            };
            let bad = match read {
                Ok(c) if is_refused(c) => u32::from(c),
                Ok(c) => {
                    text.push(c);
                    continue;
                }
                Err(half) => u32::from(half),
            };
            // One report for each string is enough.
            if std::mem::replace(&mut clean, false) {
                let message = format!("the character U+{bad:04X} cannot stand in a policy");
                let what = match bad {
                    0xD800..=0xDFFF => "it is one half of a pair (`\\ud83d\\ude00`)",
                    0x202A.. => "it changes the order in which a text is read",
                    _ => "it is a control character; only a line break, `\\n`, is allowed",
                };
                let span = Span { start, end: self.at };
                self.problems.add(ErrorCode::BadCharacter, span, path, message, Some(what.to_owned()));
            }
        }
    }

    /// Reads an escape: the character, or half a surrogate pair that stands alone.
    fn escape(&mut self, path: Path<'_>) -> Result<Result<char, u16>, Stop> {
        self.at += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.four_digits(path)?;
                let low_follows = self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u"));
                if !(0xD800..0xDC00).contains(&first) || !low_follows {
                    return Ok(char::from_u32(u32::from(first)).ok_or(first));
                }
                let before = self.at;
                self.at += 2;
                let second = self.four_digits(path)?;
                if let Some(Ok(character)) = char::decode_utf16([first, second]).next() {
                    return Ok(Ok(character));
                }
                self.at = before;
                return Ok(Err(first));
            }
            _ => return Err(self.expected("one of `\"`, `\\`, `/`, `b`, `f`, `n`, `r`, `t` and `u`", path, None)),
        };
        self.at += 1;
        Ok(Ok(character))
    }

    fn four_digits(&mut self, path: Path<'_>) -> Result<u16, Stop> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
                return Err(self.expected("a hexadecimal digit", path, None));
            };
            unit = (unit << 4) | digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// Whether no text of a policy may hold a character: control characters but the line feed, and those that
/// change the direction of a text, with which a prompt could show something else than it says.
fn is_refused(character: char) -> bool {
    (character.is_control() && character != '\n') || turns_direction(character)
}
