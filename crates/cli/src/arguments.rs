//! Arguments that several commands take.

use menshen::policy::Month;
use menshen::policy::document::Place;

pub(crate) fn month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "expected a month such as 2014-03, between 1900 and 2200".to_owned())
}

pub(crate) fn place(text: &str) -> Result<Place, String> {
    Place::parse(text).map_err(|error| error.to_string())
}
