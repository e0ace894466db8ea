//! A declaration as a table: Markdown, HTML and JSON from the same rows.

use std::fmt::Write as _;

use maud::{DOCTYPE, PreEscaped, html};
use menshen::Policy;
use serde_json::json;

use super::{Declared, made_from};

/// A table for people.
pub(super) struct Table<'a> {
    /// The language of its texts (BCP 47).
    pub(super) locale: &'a str,
    pub(super) title: String,
    /// What stands above it: a label and a text each.
    pub(super) facts: Vec<(&'static str, String)>,
    /// The columns: a stable key and a heading each.
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) rows: Vec<Vec<String>>,
}

impl Table<'_> {
    /// Adds it in its three forms.
    pub(super) fn declare(&self, policy: &Policy, path: &str, declared: &mut Declared) {
        declared.file(format!("{path}.md"), self.markdown(policy));
        declared.file(format!("{path}.html"), self.html(policy));
        declared.file(format!("{path}.json"), self.json(policy));
    }

    fn markdown(&self, policy: &Policy) -> String {
        let cell = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("# {}\n\n", self.title);
        // Writing to a string cannot fail.
        for (label, fact) in &self.facts {
            let _ = writeln!(text, "- {label}: {fact}");
        }
        text.push('\n');
        text.push_str(&line(self.columns.iter().map(|(_, heading)| (*heading).to_owned()).collect()));
        text.push_str(&line(self.columns.iter().map(|_| "---".to_owned()).collect()));
        for row in &self.rows {
            text.push_str(&line(row.iter().map(|text| cell(text)).collect()));
        }
        let _ = writeln!(text, "\n{}", made_from(policy));
        text
    }

    fn html(&self, policy: &Policy) -> String {
        const STYLE: &str = "\
            :root{color-scheme:light dark}\
            body{font:1rem/1.5 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}\
            .wide{overflow-x:auto}table{border-collapse:collapse;min-width:48rem;width:100%}\
            th,td{border:1px solid #8888;padding:.5rem;text-align:start;vertical-align:top;min-width:4.5rem;\
            overflow-wrap:anywhere}\
            th{background:#8882}dt{font-weight:600}dd{margin:0 0 .5rem}footer{font-size:.8rem;overflow-wrap:anywhere}";
        let markup = html! {
            (DOCTYPE)
            html lang=(self.locale) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.title) }
                    dl { @for (label, fact) in &self.facts { dt { (label) } dd { (fact) } } }
                    div.wide tabindex="0" role="region" aria-label=(self.title) {
                        table {
                            thead { tr { @for (_, heading) in self.columns { th scope="col" { (heading) } } } }
                            tbody { @for row in &self.rows { tr { @for cell in row { td { (cell) } } } } }
                        }
                    }
                    footer { (made_from(policy)) }
                }
            }
        };
        markup.into_string() + "\n"
    }

    fn json(&self, policy: &Policy) -> String {
        let document = policy.document();
        let rows = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row).map(|((key, _), cell)| ((*key).to_owned(), json!(cell)));
            serde_json::Value::Object(cells.collect())
        });
        let facts = self.facts.iter().map(|(label, fact)| ((*label).to_owned(), json!(fact)));
        let table = json!({
            "title": self.title,
            "language": self.locale,
            "policy": { "id": document.id, "version": document.version, "sha256": policy.hash() },
            "facts": facts.collect::<serde_json::Map<_, _>>(),
            "rows": rows.collect::<Vec<_>>(),
        });
        format!("{table:#}\n")
    }
}
