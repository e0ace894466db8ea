//! The texts of a policy that have a form: ids, places, dates, versions, durations, addresses.

use std::fmt;

use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use crate::countries::is_country;

#[cfg(feature = "schema")]
use schemars::JsonSchema;

macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $check:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        #[serde(transparent)]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(regex(pattern = $pattern)))]
            String
        );

        impl $name {
            /// Reads one, checking its form.
            ///
            /// # Errors
            /// The text has another form.
            pub fn parse(text: &str) -> Result<Self, BadForm> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(BadForm($what)) }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that is not of the form its place demands; says which form that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadForm(&'static str);

impl fmt::Display for BadForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for BadForm {}

string_type!(
    /// A name inside a policy: lower-case words of letters and digits, joined by `-`, `_` or `.`, at most 64 bytes.
    Id,
    r"^[a-z][a-z0-9]*([-_.][a-z0-9]+)*$",
    |text| {
        text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.split(['-', '_', '.']).all(|word| {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
    },
    "an id: lower-case letters and digits in words joined by `-`, `_` or `.`"
);

string_type!(
    /// A locale, BCP 47: `en`, `zh-Hans`, `zh-Hant-TW`.
    Locale,
    r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
    |text| {
        let mut parts = text.split('-');
        parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_lowercase()))
            && parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
    },
    "a locale such as `en` or `zh-Hans` (BCP 47)"
);

string_type!(
    /// A place: a country's assigned code (ISO 3166-1 alpha-2), with an optional subdivision in the form of ISO 3166-2:
    /// `CN`, `US-CA`. Which subdivisions there are is not checked.
    Place,
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
    |text| {
        let (country, rest) = text.split_once('-').map_or((text, None), |(c, r)| (c, Some(r)));
        is_country(country)
            && rest.is_none_or(|r| {
                (1..=3).contains(&r.len()) && r.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            })
    },
    "a place such as `DE` or `US-CA` (ISO 3166)"
);

string_type!(
    /// The name of a switch in an app's own files: `FIREBASE_ANALYTICS_COLLECTION_ENABLED`.
    NativeKey,
    r"^[A-Za-z][A-Za-z0-9_.-]*$",
    |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    },
    "a name of letters, digits, `_`, `.` and `-`"
);

string_type!(
    /// The clause of the published text that something comes from: the text's number, then the clause as
    /// printed there or `¶` and the number of the non-blank paragraph; or `not stated`.
    Source,
    r"^(not stated|[0-9]{3} .+)$",
    |text| {
        text == "not stated"
            || text.split_once(' ').is_some_and(|(n, clause)| {
                n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()) && !clause.trim().is_empty()
            })
    },
    "a source such as `001 ¶22`, or `not stated`"
);

string_type!(
    /// A day, ISO 8601: `2024-06-12`.
    Date,
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    |text| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
    "a date such as `2024-06-12`"
);

string_type!(
    /// A version, Semantic Versioning without a pre-release: `1.2.0`.
    Version,
    r"^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$",
    |text| {
        let parts: Vec<_> = text.split('.').collect();
        parts.len() == 3
            && parts.iter().all(|p| {
                (1..=9).contains(&p.len())
                    && p.bytes().all(|b| b.is_ascii_digit())
                    && (p.len() == 1 || !p.starts_with('0'))
            })
    },
    "a version such as `1.0.0`"
);

string_type!(
    /// A span of time in weeks, days, hours, minutes and seconds, ISO 8601: `P15D`, `PT24H`. At most ten years.
    Duration,
    r"^P([0-9]+W|([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?)$",
    |text| duration_seconds(text).is_some(),
    "a duration such as `P15D` or `PT24H` (ISO 8601), longer than zero and at most ten years"
);

string_type!(
    /// An address: `https://…`, or `http://` on a loopback address. It has no query and no fragment: further paths are
    /// made from it.
    Url,
    r"^(https://[^?#\\]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/[^?#\\]*)?)$",
    |text| {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\');
        if !text.chars().all(plain) {
            return false;
        }
        if let Some(rest) = text.strip_prefix("https://") {
            return !rest.is_empty() && !rest.starts_with('/') && !rest.contains('@');
        }
        text.strip_prefix("http://").is_some_and(|rest| {
            let host = rest.split('/').next().unwrap_or(rest);
            let name = host.rsplit_once(':').filter(|(h, p)| {
                !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && (!h.contains(':') || h.ends_with(']'))
            });
            matches!(name.map_or(host, |(h, _)| h), "127.0.0.1" | "localhost" | "[::1]")
        })
    },
    "an `https` address (`http` only on a loopback address) without query and fragment"
);

impl Version {
    /// The three numbers, for comparing.
    #[must_use]
    pub fn numbers(&self) -> (u32, u32, u32) {
        let mut parts = self.0.split('.').map(|p| p.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    }
}

impl Id {
    /// Whether it names the same thing as `whole`, or a part of it: `user.location.precise` is a part of
    /// `user.location`.
    #[must_use]
    pub fn is_part_of(&self, whole: &Self) -> bool {
        self.0.strip_prefix(&whole.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl Date {
    /// The day that holds a moment, in UTC. The moment is in milliseconds since 1970; one outside the years 1 to 9999
    /// gives `None`.
    #[must_use]
    pub fn at(wall_ms: i64) -> Option<Self> {
        let day = Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(wall_ms).ok()?).date();
        Self::parse(&day.to_string()).ok()
    }

    /// The first moment of the day, in UTC, in milliseconds since 1970.
    #[must_use]
    pub fn start_ms(&self) -> Option<i64> {
        let start = self.0.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0);
        Some(Offset::UTC.to_timestamp(start).ok()?.as_millisecond())
    }
}

impl Duration {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        duration_seconds(&self.0).unwrap_or(0)
    }
}

/// The length of an ISO 8601 duration without years and months, which have no fixed length.
fn duration_seconds(text: &str) -> Option<u64> {
    const TEN_YEARS: u64 = 3653 * 86_400;
    let rest = text.strip_prefix('P')?;
    let (date, time) = rest.split_once('T').map_or((rest, None), |(d, t)| (d, Some(t)));
    if time.is_some_and(str::is_empty) {
        return None;
    }
    let mut total: u64 = 0;
    for (part, units) in [
        (date, [('W', 604_800), ('D', 86_400)].as_slice()),
        (time.unwrap_or(""), [('H', 3600), ('M', 60), ('S', 1)].as_slice()),
    ] {
        let mut units = units.iter();
        let mut rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, tail) = rest.split_at(end);
            let unit = tail.chars().next()?;
            // Units stand in their order, each at most once.
            let (_, seconds) = units.by_ref().find(|(letter, _)| *letter == unit)?;
            total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
            rest = tail.get(1..)?;
        }
    }
    (1..=TEN_YEARS).contains(&total).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn an_address_has_no_query_no_fragment_and_one_reading() {
        assert!(Url::parse("https://collector.example/v1/logs").is_ok());
        assert!(Url::parse("http://[::1]:4318/v1/logs").is_ok());
        let wrong = [
            "https://a.example/v1/logs?token=7",
            "https://a.example/#a",
            "https://\\\\evil.example",
            "http://localhost/?a",
        ];
        assert!(wrong.iter().all(|url| Url::parse(url).is_err()));
    }
}
