//! Which rules an answer rests on: the policy's id, version and hash, and the law packs beside them.

use serde::{Deserialize, Serialize};

/// The policy and the law packs under which something is decided, recorded or sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The policy's id.
    pub policy_id: String,
    /// Its version.
    pub policy_version: String,
    /// The SHA-256 of its canonical bytes, in lower-case hexadecimal.
    pub policy_hash: String,
    /// The law packs in force for the person, in the order of their ids; all of them while the place is unknown.
    pub law_packs: Vec<PackIdentity>,
}

/// The identity of a law pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackIdentity {
    /// The pack's id.
    pub id: String,
    /// The day of the pack, ISO 8601.
    pub as_of: String,
    /// Its SHA-256, in lower-case hexadecimal.
    pub hash: String,
}
