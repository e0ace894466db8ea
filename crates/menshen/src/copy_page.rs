//! The copy as one page of HTML that loads nothing and runs nothing. Whatever comes from outside is escaped.

use std::fmt::Write as _;

use crate::copy::{Copy, ItemContent};
use crate::texts::moment;

const HEAD: &str = "<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"referrer\" content=\"no-referrer\">\n\
<style>\n\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }\n\
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }\n\
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }\n\
.wide { overflow-x: auto }\n\
table { border-collapse: collapse; width: 100% }\n\
th, td { text-align: start; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8886; overflow-wrap: anywhere }\n\
td:first-child { white-space: nowrap } th + th, td + td { min-width: 8rem }\n\
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem } dd { margin: 0; overflow-wrap: anywhere }\n\
</style>\n";

/// Text as it may stand between tags and within quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What no document of HTML may hold.
            '\0' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

struct Page(String);

impl Page {
    fn heading(&mut self, text: &str) {
        self.line(&format!("<h2>{}</h2>", escape(text)));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A table, or a sentence where there is nothing in it.
    fn table(&mut self, columns: &[&str], rows: impl Iterator<Item = Vec<String>>, nothing: &str) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            self.line(&format!("<p>{}</p>", escape(nothing)));
            return;
        }
        let row = |cells: &mut dyn Iterator<Item = &str>, tag: &str| {
            let mut out = String::from("<tr>");
            for cell in cells {
                let _ = write!(out, "<{tag} dir=\"auto\">{}</{tag}>", escape(cell));
            }
            out + "</tr>"
        };
        self.line("<div class=\"wide\"><table>");
        self.line(&row(&mut columns.iter().copied(), "th"));
        for cells in rows {
            self.line(&row(&mut cells.iter().map(String::as_str), "td"));
        }
        self.line("</table></div>");
    }
}

/// Values as a person reads them: a text as it is, everything else as JSON.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a String, &'a serde_json::Value)>) -> String {
    fields.map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(" · ")
}

pub(crate) fn render(copy: &Copy) -> String {
    let words = &copy.labels;
    let mut page = Page(String::from("<!doctype html>\n"));
    page.line(&format!("<html lang=\"{}\">\n<head>", escape(&copy.language)));
    page.0.push_str(HEAD);
    page.line(&format!("<title>{}</title>\n</head>\n<body>", escape(words.title)));
    page.line(&format!("<h1>{}</h1>", escape(words.title)));
    page.line("<dl>");
    let person = &copy.person;
    let next = person.next_threshold.clone();
    let facts = [
        (words.made, Some(moment(copy.made_at_ms))),
        (words.controller, Some(format!("{} · {}", copy.controller.name, copy.controller.contact))),
        (words.policy, Some(format!("{} {}", copy.policy.id, copy.policy.version))),
        (words.account, person.account.clone()),
        (words.place, person.place.clone()),
        (words.age, person.age_from.map(|age| format!("{age}+"))),
        (words.next_threshold, next),
    ];
    for (label, text) in facts.into_iter().filter_map(|(label, text)| Some((label, text?))) {
        page.line(&format!("<dt>{}</dt><dd dir=\"auto\">{}</dd>", escape(label), escape(&text)));
    }
    page.line("</dl>");

    page.heading(words.answers);
    let answers = copy.purposes.iter().map(|one| {
        let state = one.why_not.clone().unwrap_or_else(|| words.on.to_owned());
        vec![one.name.clone(), state]
    });
    page.table(&[words.purpose, words.state], answers, words.nothing);

    page.heading(words.records);
    let records = copy.records.iter().map(|one| {
        let fields = pairs(one.fields.iter());
        vec![moment(one.recorded_at_ms), one.event.clone(), fields, moment(one.kept_until_ms)]
    });
    page.table(&[words.when, words.what, words.content, words.kept_until], records, words.nothing);
    if copy.unreadable > 0 {
        page.line(&format!("<p>{}: {}</p>", escape(words.unreadable), copy.unreadable));
    }

    page.heading(words.items);
    let items = copy.items.iter().map(|one| {
        let content = match &one.content {
            ItemContent::Text(text) => text.clone(),
            ItemContent::Base64(text) => format!("base64: {text}"),
        };
        vec![moment(one.put_at_ms), one.recipient_name.clone(), content, moment(one.kept_until_ms)]
    });
    page.table(&[words.when, words.recipient, words.content, words.kept_until], items, words.nothing);

    page.heading(words.requests);
    let requests = copy.requests.iter().map(|one| vec![moment(one.made_at_ms), one.text.clone(), one.id.clone()]);
    page.table(&[words.when, words.state, words.request], requests, words.nothing);

    page.heading(words.history);
    let history = copy.history.iter().map(|one| vec![moment(one.at_ms), one.r#type.clone(), pairs(one.details.iter())]);
    page.table(&[words.when, words.what, words.content], history, words.nothing);
    page.line("</body>\n</html>");
    page.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_written_into_the_page_becomes_a_part_of_it() {
        let hostile = "<script>alert('1')</script> \" & \0";
        assert_eq!(escape(hostile), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &quot; &amp; \u{fffd}");
    }
}
