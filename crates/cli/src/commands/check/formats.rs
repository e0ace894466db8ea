//! The answers of `menshen check`: drawn for people, as JSON, as SARIF.

use std::collections::BTreeMap;

use menshen::policy::{Finding, Position, locate, packs};
use serde_json::json;

use super::Checked;
use crate::output::{self, BAD, GOOD, NOTE};
use crate::words::count;

pub(super) fn text(checked: &[Checked]) -> String {
    let mut parts = Vec::new();
    for one in checked {
        let text = one.file.text();
        match &one.answer {
            Err(errors) => parts.push(one.file.render(errors)),
            Ok(findings) => {
                parts.extend(findings.iter().map(|f| output::drawn(&f.drawing(&text, &one.file.name), NOTE)));
            }
        }
    }
    parts.push(summary(checked));
    parts.join("\n")
}

fn summary(checked: &[Checked]) -> String {
    let errors: usize = checked.iter().map(Checked::errors).sum();
    let findings: usize = checked.iter().map(|one| one.findings().len()).sum();
    let style = match (errors, findings) {
        (0, 0) => GOOD,
        (0, _) => NOTE,
        _ => BAD,
    };
    let files = if checked.len() > 1 { format!(" in {}", count(checked.len(), "file")) } else { String::new() };
    format!("{style}{}, {}{style:#}{files}\n", count(errors, "error"), count(findings, "finding"))
}

pub(super) fn json(checked: &[Checked]) -> String {
    let file = |one: &Checked| {
        let text = one.file.text();
        let errors = one.answer.as_ref().err().into_iter().flatten().map(|error| {
            json!({
                "code": error.code(),
                "message": error.message,
                "help": error.help,
                "pointer": error.pointer,
                "line": error.position.line,
                "column": error.position.column,
                "width": error.position.width,
            })
        });
        let findings = one.findings().iter().map(|finding| {
            let position = position_of(finding, &text);
            json!({
                "id": finding.id,
                "message": finding.message,
                "source": finding.source,
                "help": finding.help,
                "pointer": finding.pointer,
                "line": position.line,
                "column": position.column,
                "width": position.width,
            })
        });
        json!({
            "file": one.file.name,
            "errors": errors.collect::<Vec<_>>(),
            "omitted_errors": one.answer.as_ref().err().map_or(0, menshen::Errors::omitted),
            "findings": findings.collect::<Vec<_>>(),
        })
    };
    let answer = json!({
        "format": "menshen/check/0",
        "errors": checked.iter().map(Checked::errors).sum::<usize>(),
        "findings": checked.iter().map(|one| one.findings().len()).sum::<usize>(),
        "files": checked.iter().map(file).collect::<Vec<_>>(),
    });
    format!("{answer:#}\n")
}

fn position_of(finding: &Finding, text: &str) -> Position {
    locate(text, &finding.pointer).unwrap_or(Position { line: 1, column: 1, width: 1 })
}

/// One thing to say, as SARIF has it.
struct SarifResult<'a> {
    rule: String,
    level: &'static str,
    message: String,
    file: &'a str,
    pointer: &'a str,
    position: Position,
}

/// Static Analysis Results Interchange Format 2.1.0 (OASIS).
pub(super) fn sarif(checked: &[Checked]) -> String {
    let mut results = Vec::new();
    for one in checked {
        let text = one.file.text();
        for error in one.answer.as_ref().err().into_iter().flatten() {
            let help = error.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
            results.push(SarifResult {
                rule: error.code().to_owned(),
                level: "error",
                message: format!("{}{help}", error.message),
                file: &one.file.name,
                pointer: &error.pointer,
                position: error.position,
            });
        }
        for finding in one.findings() {
            results.push(SarifResult {
                rule: finding.id.clone(),
                level: "warning",
                message: format!("{} ({}); {}", finding.message, finding.source, finding.help),
                file: &one.file.name,
                pointer: &finding.pointer,
                position: position_of(finding, &text),
            });
        }
    }
    let statements = law_statements();
    let mut rules: BTreeMap<&str, usize> = results.iter().map(|result| (result.rule.as_str(), 0)).collect();
    rules.values_mut().enumerate().for_each(|(index, at)| *at = index);
    let descriptors = rules.keys().map(|id| match statements.get(*id) {
        Some(statement) => json!({ "id": id, "shortDescription": { "text": statement } }),
        None => json!({ "id": id }),
    });
    let driver = json!({
        "name": "menshen",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": descriptors.collect::<Vec<_>>(),
    });
    let results = results.iter().map(|result| {
        let region = json!({
            "startLine": result.position.line,
            "startColumn": result.position.column,
            "endColumn": result.position.column + result.position.width,
        });
        json!({
            "ruleId": result.rule,
            "ruleIndex": rules.get(result.rule.as_str()),
            "level": result.level,
            "message": { "text": result.message },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": uri(result.file) }, "region": region },
                "logicalLocations": [{ "fullyQualifiedName": result.pointer }],
            }],
        })
    });
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// What each rule of law says, by the id of its findings.
fn law_statements() -> BTreeMap<String, String> {
    let packs = packs::built_in().unwrap_or_default();
    let rules = packs.iter().flat_map(|pack| pack.rules.iter().map(move |(id, rule)| (pack, id, rule)));
    rules.map(|(pack, id, rule)| (format!("{}/{id}", pack.id), rule.statement.clone())).collect()
}

/// A path as a URI reference (RFC 3986): what is not plain is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
