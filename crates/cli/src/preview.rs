//! Every screen that a policy shows, walked through with the library itself and drawn as one HTML page.

mod page;
mod policy_text;
mod walk;
mod words;

pub(crate) use page::{Localised, page};
pub(crate) use walk::{Walk, Walker};
