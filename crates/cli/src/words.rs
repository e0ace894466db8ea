//! Small things that several commands say in the same way.

use menshen::policy::closest;
use menshen::policy::document::LegalBasis;
use serde::Serialize;

/// `1 error`, `2 errors`.
pub(crate) fn count(number: usize, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// A word as the document writes it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// The way out for a name that is not there: the one that was probably meant, or all that there are.
pub(crate) fn instead_of<'a>(name: &str, there_are: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(close) = closest(name, there_are.clone()) {
        return format!("did you mean `{close}`?");
    }
    let names: Vec<String> = there_are.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) }
}

/// Where the law of a pack has a legal basis; `None` where it has none, or this tool knows no article.
pub(crate) fn article(basis: LegalBasis, pack: &str) -> Option<&'static str> {
    Some(match (pack, basis) {
        ("eu", LegalBasis::Consent) => "GDPR art. 6(1)(a)",
        ("eu", LegalBasis::Contract) => "GDPR art. 6(1)(b)",
        ("eu", LegalBasis::LegalDuty) => "GDPR art. 6(1)(c)",
        ("eu", LegalBasis::LegitimateInterest) => "GDPR art. 6(1)(f)",
        ("eu", LegalBasis::Instruction) => "GDPR art. 28",
        ("cn", LegalBasis::Consent) => "PIPL art. 13(1)",
        ("cn", LegalBasis::Contract) => "PIPL art. 13(2)",
        ("cn", LegalBasis::LegalDuty) => "PIPL art. 13(3)",
        ("cn", LegalBasis::Instruction) => "PIPL art. 21",
        _ => return None,
    })
}
