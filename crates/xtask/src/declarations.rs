//! The public declarations of a Kotlin or Swift file, without bodies, comments and layout.
//!
//! A reader of brackets, not a compiler: it walks the text scope by scope, keeps every declaration that a user of the
//! library can name, and skips bodies and initial values whole. Good for noticing a change, which is its only use.

use crate::pieces::{Piece, pieces};
use std::iter::Peekable;
use std::vec::IntoIter;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Kotlin,
    Swift,
}

impl Syntax {
    /// Words after which a pair of braces holds further declarations.
    fn containers(self) -> &'static [&'static str] {
        match self {
            Self::Kotlin => &["class", "interface", "object"],
            Self::Swift => &["class", "struct", "enum", "protocol", "extension", "actor"],
        }
    }

    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Kotlin => &["fun", "val", "var", "typealias", "constructor"],
            Self::Swift => &["func", "var", "let", "init", "init?", "subscript", "case", "typealias", "associatedtype"],
        }
    }

    fn hiding(self) -> &'static [&'static str] {
        match self {
            Self::Kotlin => &["private", "internal", "protected"],
            Self::Swift => &["private", "fileprivate", "internal", "package"],
        }
    }
}

/// One line for each public declaration, two blanks deeper for each type around it.
pub(crate) fn public(source: &str, syntax: Syntax) -> Vec<String> {
    let mut reader = Reader { pieces: pieces(source, syntax).into_iter().peekable(), syntax, lines: Vec::new() };
    // Kotlin declares publicly by default, Swift by the word.
    reader.scope(0, syntax == Syntax::Kotlin);
    reader.lines
}

struct Reader {
    pieces: Peekable<IntoIter<Piece>>,
    syntax: Syntax,
    lines: Vec<String>,
}

impl Reader {
    /// Reads declarations to the end of the text or the closing brace.
    fn scope(&mut self, depth: usize, public_by_default: bool) {
        let mut head = String::new();
        while let Some(piece) = self.pieces.next() {
            match piece {
                Piece::Close('}') => {
                    self.emit(&head, depth, public_by_default);
                    return;
                }
                Piece::Open('{') => {
                    let is_public = self.emit(&head, depth, public_by_default);
                    match (is_public, self.container(&head)) {
                        (true, Some(word)) => {
                            let declared = self.lines.len();
                            let inherits = match (self.syntax, word) {
                                (Syntax::Kotlin, _) | (Syntax::Swift, "protocol") => true,
                                (Syntax::Swift, "extension") => has_word(&head, "public"),
                                (Syntax::Swift, _) => false,
                            };
                            self.members(&head, depth + 1, inherits);
                            // An extension that adds nothing for others, not even a protocol, is nobody's but its own.
                            if word == "extension" && self.lines.len() == declared && !head.contains(':') {
                                self.lines.pop();
                            }
                        }
                        _ => self.skip('}'),
                    }
                    head.clear();
                }
                Piece::Open(open) => {
                    let inner = self.inside(open);
                    head.push(open);
                    head.push_str(&inner);
                    head.push(closing(open));
                }
                Piece::NewLine if self.continues(&head) => head.push(' '),
                Piece::NewLine | Piece::Semicolon => {
                    self.emit(&head, depth, public_by_default);
                    head.clear();
                }
                Piece::Equals if is_declaration(&head, self.syntax) && !has_word(&head, "typealias") => {
                    if first_keyword(&head, self.syntax) == Some("case") {
                        // A raw value crosses to other versions and other languages.
                        head.push_str("= ");
                        continue;
                    }
                    self.emit(&head, depth, public_by_default);
                    head.clear();
                    self.skip_value();
                }
                Piece::Equals => head.push('='),
                Piece::Comma => head.push_str(", "),
                Piece::Text(text) => head.push_str(&text),
                Piece::Close(_) => {}
            }
        }
        self.emit(&head, depth, public_by_default);
    }

    /// The body of a type. A Kotlin enum's constants stand before its first declaration and have no keyword.
    fn members(&mut self, head: &str, depth: usize, inherits: bool) {
        if self.syntax == Syntax::Kotlin && has_word(head, "enum") {
            let mut constants = String::new();
            while let Some(piece) = self.pieces.next() {
                match piece {
                    Piece::Close('}') | Piece::Semicolon => {
                        let constants = squeeze(&constants);
                        let constants = constants.trim_end_matches([',', ' ']);
                        self.lines.push(format!("{}{constants}", "  ".repeat(depth)));
                        if piece == Piece::Semicolon {
                            self.scope(depth, inherits);
                        }
                        return;
                    }
                    Piece::Open('{') => self.skip('}'),
                    Piece::Open(open) => {
                        constants.push_str(&format!("{open}{}{}", self.inside(open), closing(open)));
                    }
                    Piece::Text(text) => constants.push_str(&text),
                    Piece::Comma => constants.push_str(", "),
                    _ => constants.push(' '),
                }
            }
            return;
        }
        // The cases of a public Swift enum are as public as it is, and carry no word for it.
        self.scope(depth, inherits);
    }

    /// Writes the declaration down if there is one and a user can name it; says whether it did.
    fn emit(&mut self, head: &str, depth: usize, public_by_default: bool) -> bool {
        if !is_declaration(head, self.syntax) {
            return false;
        }
        let hidden = self.syntax.hiding().iter().any(|word| has_modifier(head, word, self.syntax));
        let said = has_modifier(head, "public", self.syntax) || has_modifier(head, "open", self.syntax);
        let is_case = self.syntax == Syntax::Swift && depth > 0 && first_keyword(head, self.syntax) == Some("case");
        // What a public Swift type's extension holds is told by its members, each with its own word.
        let is_extension = self.syntax == Syntax::Swift && first_keyword(head, self.syntax) == Some("extension");
        if hidden || !(said || public_by_default || is_case || is_extension) {
            return false;
        }
        let head = squeeze(head);
        // Which other constructor one calls is its own affair.
        let head = head.split(": this(").map(str::trim_end).next().unwrap_or_default();
        let head = without_hidden_constructor(head);
        self.lines.push(format!("{}{head}", "  ".repeat(depth)));
        true
    }

    fn container(&self, head: &str) -> Option<&'static str> {
        let containers = self.syntax.containers();
        let mut rest = words(head).skip_while(|word| MODIFIERS.contains(word) && !containers.contains(word));
        let found = rest.next()?;
        // `class func` declares a member.
        let is_member = rest.next().is_some_and(|next| self.syntax.members().contains(&next));
        let container = containers.iter().copied().find(|word| *word == found);
        container.filter(|_| !is_member)
    }

    /// Whether a declaration goes on after the end of this line.
    fn continues(&mut self, head: &str) -> bool {
        let head = head.trim_end();
        if head.is_empty() {
            return false;
        }
        if head.ends_with([',', ':', '=', '.', '&']) || head.ends_with("->") || only_modifiers(head) {
            return true;
        }
        while self.pieces.next_if(|piece| *piece == Piece::NewLine || is_blank(piece)).is_some() {}
        match self.pieces.peek() {
            Some(Piece::Text(text)) => {
                let text = text.trim_start();
                [":", "->", "where ", "async ", "throws ", "by "].iter().any(|mark| text.starts_with(mark))
            }
            Some(Piece::Equals) => true,
            Some(Piece::Open('{')) => is_declaration(head, self.syntax),
            _ => false,
        }
    }

    /// The text up to the matching bracket, on one line.
    fn inside(&mut self, open: char) -> String {
        let close = closing(open);
        let mut text = String::new();
        while let Some(piece) = self.pieces.next() {
            match piece {
                Piece::Close(found) if found == close => return text,
                Piece::Close(_) => {}
                Piece::Open('{') => {
                    self.skip('}');
                    text.push_str("{…}");
                }
                Piece::Open(open) => {
                    let inner = self.inside(open);
                    text.push(open);
                    text.push_str(&inner);
                    text.push(closing(open));
                }
                Piece::Comma => text.push_str(", "),
                Piece::NewLine | Piece::Semicolon => text.push(' '),
                Piece::Equals => text.push('='),
                Piece::Text(more) => text.push_str(&more),
            }
        }
        text
    }

    fn skip(&mut self, close: char) {
        while let Some(piece) = self.pieces.next() {
            match piece {
                Piece::Close(found) if found == close => return,
                Piece::Open(open) => self.skip(closing(open)),
                _ => {}
            }
        }
    }

    /// An initial value or a one-expression body: to the end of its line, brackets skipped whole. Further lines of
    /// it start with no declaration and fall away by themselves.
    fn skip_value(&mut self) {
        while let Some(piece) = self.pieces.next_if(|piece| !matches!(piece, Piece::Close(_))) {
            match piece {
                Piece::NewLine | Piece::Semicolon => return,
                Piece::Open(open) => self.skip(closing(open)),
                _ => {}
            }
        }
    }
}

/// A class whose constructor is hidden shows only the properties that the constructor declares for everybody.
fn without_hidden_constructor(head: &str) -> String {
    let found = [" internal constructor(", " private constructor("].iter().find_map(|word| head.split_once(word));
    let Some((before, rest)) = found else {
        return head.to_owned();
    };
    let (mut depth, mut start, mut parameters, mut end) = (0_usize, 0, Vec::new(), rest.len());
    for (at, character) in rest.char_indices() {
        match character {
            '(' | '<' => depth += 1,
            ')' if depth == 0 => {
                end = at;
                break;
            }
            ')' => depth -= 1,
            '>' if !rest.get(..at).is_some_and(|before| before.ends_with('-')) => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parameters.extend(rest.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parameters.extend(rest.get(start..end));
    let properties = parameters.into_iter().map(str::trim).filter(|one| {
        let mut words = one.split_whitespace().skip_while(|word| ["override", "public"].contains(word));
        words.next().is_some_and(|word| word == "val" || word == "var")
    });
    let properties: Vec<&str> = properties.map(|one| one.split(" = ").next().unwrap_or(one)).collect();
    let after = rest.get(end + 1..).unwrap_or_default();
    if properties.is_empty() {
        format!("{before}{after}")
    } else {
        format!("{before}{after} {{ {} }}", properties.join("; "))
    }
}

fn is_blank(piece: &Piece) -> bool {
    matches!(piece, Piece::Text(text) if text.trim().is_empty())
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// The words of a head, its leading annotations left out.
fn words(head: &str) -> impl Iterator<Item = &str> {
    without_annotations(head).split(|c: char| c.is_whitespace() || "(<:".contains(c)).filter(|word| !word.is_empty())
}

fn first_keyword(head: &str, syntax: Syntax) -> Option<&'static str> {
    words(head).find_map(|word| {
        let all = syntax.members().iter().chain(syntax.containers());
        all.copied().find(|keyword| *keyword == word)
    })
}

/// The words that may stand before a declaration's keyword.
const MODIFIERS: &[&str] = &[
    "public",
    "private",
    "internal",
    "protected",
    "fileprivate",
    "package",
    "open",
    "final",
    "abstract",
    "sealed",
    "data",
    "enum",
    "value",
    "inline",
    "suspend",
    "override",
    "operator",
    "infix",
    "companion",
    "const",
    "lateinit",
    "tailrec",
    "external",
    "static",
    "mutating",
    "nonisolated",
    "indirect",
    "convenience",
    "required",
    "lazy",
    "weak",
    "fun",
    "annotation",
    "inner",
    "crossinline",
    "vararg",
];

fn only_modifiers(head: &str) -> bool {
    let mut any = false;
    for word in head.split_whitespace() {
        any = true;
        let is_annotation = word.starts_with('@') && !word.contains('(');
        if !is_annotation && !MODIFIERS.contains(&word) {
            return false;
        }
    }
    any
}

/// Whether the head starts, after modifiers and annotations, with a declaring word.
fn is_declaration(head: &str, syntax: Syntax) -> bool {
    let mut rest = head;
    loop {
        rest = without_annotations(rest);
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let Some((word, after)) = rest.split_at_checked(end) else {
            return false;
        };
        if syntax.containers().contains(&word) || syntax.members().contains(&word) {
            return true;
        }
        if !MODIFIERS.contains(&word) {
            return false;
        }
        // `private(set)` is a modifier with an argument.
        rest = match after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            Some((_, after)) => after.trim_start(),
            None => after.trim_start(),
        };
    }
}

fn after_annotation(annotation: &str) -> &str {
    let end = annotation.find(|c: char| !(c.is_alphanumeric() || "_.:".contains(c))).unwrap_or(annotation.len());
    let rest = annotation.split_at_checked(end).map_or("", |(_, rest)| rest);
    let Some(arguments) = rest.strip_prefix('(') else {
        return rest.trim_start();
    };
    let mut depth = 1;
    for (at, character) in arguments.char_indices() {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return arguments.split_at_checked(at + 1).map_or("", |(_, rest)| rest.trim_start());
        }
    }
    ""
}

fn has_word(head: &str, word: &str) -> bool {
    words(head).any(|found| found == word)
}

/// Whether a word stands before the declaring keyword. `private(set)` is another word than `private`.
fn has_modifier(head: &str, modifier: &str, syntax: Syntax) -> bool {
    let keyword = first_keyword(head, syntax);
    without_annotations(head)
        .split_whitespace()
        .take_while(|word| Some(*word) != keyword && (!word.contains('(') || word.ends_with("(set)")))
        .any(|word| word == modifier)
}

fn without_annotations(head: &str) -> &str {
    let mut rest = head.trim_start();
    while let Some(annotation) = rest.strip_prefix('@') {
        rest = after_annotation(annotation);
    }
    rest
}

fn squeeze(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(", )", ")").replace(" )", ")").replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kotlin_is_public_unless_it_says_otherwise() {
        let source = r#"
package a
/** Doc { with a brace. */
@Suppress("unused")
public class Door private constructor(
    private val raw: Raw, // a remark
    public val size: Int = 1,
) : AutoCloseable {
    constructor(keys: Keys) : this(Raw(keys))
    suspend fun record(name: String = "}{", done: (Int) -> Unit = { println("fun no() {}") }): Long =
        raw.record(name)
            .also { val no = 1 }
    val isOpen: Boolean
        get() = raw.isOpen()
    fun <T : Any> with(block: () -> T): T
        where T : Comparable<T> {
        val no = 3
    }
    internal fun hidden() = 1
    private class Hidden { fun no() = 1 }
}
enum class Answer(val id: String, val n: Int) { YES("yes", 1), NO("no", 2) { override fun no() = 3 }; fun t() = n }
fun interface Listener { fun changed(generation: Long) }
"#;
        let expected = [
            "public class Door : AutoCloseable { public val size: Int }",
            "  constructor(keys: Keys)",
            "  suspend fun record(name: String = \"}{\", done: (Int) -> Unit = {…}): Long",
            "  val isOpen: Boolean",
            "  fun <T : Any> with(block: () -> T): T where T : Comparable<T>",
            "enum class Answer(val id: String, val n: Int)",
            "  YES(\"yes\", 1), NO(\"no\", 2)",
            "  fun t()",
            "fun interface Listener",
            "  fun changed(generation: Long)",
        ];
        assert_eq!(public(source, Syntax::Kotlin), expected);
    }

    #[test]
    fn swift_is_public_where_it_says_so_and_in_public_protocols_and_cases() {
        let source = r#"
// A remark.
public enum Refusal: Error {
    case closed(code: String)
    var hidden: Int { 1 }
}
public enum Form: String {
    /// Doc.
    case plain
    case keyedHash = "keyed-hash"  // A remark.
    case other = "x", last
}
public protocol Keys: Sendable {
    func wrap(_ key: Data) throws -> Data
}
final class Hidden { public func no() {} }
public final class Door {
    public private(set) var count = ["a": 1].count
    let raw: Raw
    public init(
        keys: any Keys,
        names: [String] = ["{"]
    ) {
        let no = 3
    }
    public func record(_ name: String)
        async throws -> UInt64
    { 1 }
}
extension Door {
    public func more() {}
    func no() {}
}
extension Door {
    init(_ raw: Raw) {}
}
extension Door: Keys {}
"#;
        let expected = [
            "public enum Refusal: Error",
            "  case closed(code: String)",
            "public enum Form: String",
            "  case plain",
            "  case keyedHash = \"keyed-hash\"",
            "  case other = \"x\", last",
            "public protocol Keys: Sendable",
            "  func wrap(_ key: Data) throws -> Data",
            "public final class Door",
            "  public private(set) var count",
            "  public init(keys: any Keys, names: [String] = [\"{\"])",
            "  public func record(_ name: String) async throws -> UInt64",
            "extension Door",
            "  public func more()",
            "extension Door: Keys",
        ];
        assert_eq!(public(source, Syntax::Swift), expected);
    }
}
