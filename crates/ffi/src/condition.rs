//! What opening found and how the store is, as records that cross the bridge.

use menshen::{Health, OpenReport};

use crate::answers::signed;

/// What opening a store found.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct BridgeOpenReport {
    /// Segments in use.
    pub segments: i64,
    /// Whole records in them.
    pub records: i64,
    /// Segments taken in from their own headers.
    pub adopted: i64,
    /// Files left alone.
    pub quarantined: i64,
    /// Listed segments whose files are missing.
    pub missing: i64,
    /// Records of which only a gap is left.
    pub damaged_records: i64,
    /// Bytes behind the last whole record of a segment.
    pub torn_bytes: i64,
    /// Slots of the key file that cannot be read.
    pub damaged_keys: i64,
    /// Whether frames of the manifest were lost.
    pub manifest_damaged: bool,
    /// Cursors that were not written by this store.
    pub foreign_cursors: i64,
}

impl From<OpenReport> for BridgeOpenReport {
    fn from(report: OpenReport) -> Self {
        Self {
            segments: signed(report.segments),
            records: signed(report.records),
            adopted: signed(report.adopted),
            quarantined: signed(report.quarantined),
            missing: signed(report.missing),
            damaged_records: signed(report.damaged_records),
            torn_bytes: signed(report.torn_bytes),
            damaged_keys: signed(report.damaged_keys),
            manifest_damaged: report.manifest_damaged,
            foreign_cursors: signed(report.foreign_cursors),
        }
    }
}

/// How a store is.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct BridgeHealth {
    /// Bytes of all segments.
    pub bytes: i64,
    /// Segments in use.
    pub segments: i64,
    /// Whole records on disk.
    pub records: i64,
    /// Records dropped by telemetry's bound, ever.
    pub dropped: i64,
    /// Records that an endpoint refused.
    pub quarantined: i64,
    /// Files left alone since the store was opened.
    pub quarantined_files: i64,
    /// Damaged records met since the store was opened.
    pub damaged: i64,
    /// Segments whose last sync failed.
    pub suspect: i64,
}

impl From<Health> for BridgeHealth {
    fn from(health: Health) -> Self {
        Self {
            bytes: signed(health.bytes),
            segments: signed(health.segments),
            records: signed(health.records),
            dropped: signed(health.dropped),
            quarantined: signed(health.quarantined),
            quarantined_files: signed(health.quarantined_files),
            damaged: signed(health.damaged),
            suspect: signed(health.suspect),
        }
    }
}
