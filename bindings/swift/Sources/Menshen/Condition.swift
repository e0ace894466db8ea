// What opening found and how the store is.

internal import MenshenInternal

/// What opening a store found.
public struct OpenReport: Equatable, Sendable {
  /// Segments in use.
  public let segments: Int
  /// Whole records in them.
  public let records: Int
  /// Segments that the manifest did not list and that were taken in from their own headers.
  public let adopted: Int
  /// Files left alone because they are not understood or must not come back.
  public let quarantined: Int
  /// Listed segments whose files are missing.
  public let missing: Int
  /// Records of which only a gap in the numbering is left.
  public let damagedRecords: Int
  /// Bytes behind the last whole record of a segment: a write that did not finish, or damage.
  public let tornBytes: Int
  /// Slots of the key file of which neither copy can be read.
  public let damagedKeys: Int
  /// Whether frames of the manifest were lost.
  public let manifestDamaged: Bool
  /// Cursors that were not written by this store; their records are offered again. Known once the store's key is.
  public let foreignCursors: Int
}

/// How a store is.
public struct Health: Equatable, Sendable {
  /// Bytes of all segments.
  public let bytes: Int
  /// Segments in use.
  public let segments: Int
  /// Whole records on disk.
  public let records: Int
  /// Records dropped by telemetry's bound, ever.
  public let dropped: Int
  /// Records that an endpoint refused, kept until they expire.
  public let quarantined: Int
  /// Files left alone since the store was opened.
  public let quarantinedFiles: Int
  /// Damaged records met since the store was opened.
  public let damaged: Int
  /// Segments whose last sync failed and whose records are to be written anew.
  public let suspect: Int
}

extension OpenReport {
  init(_ report: BridgeOpenReport) {
    self.init(
      segments: Int(report.segments), records: Int(report.records), adopted: Int(report.adopted),
      quarantined: Int(report.quarantined), missing: Int(report.missing),
      damagedRecords: Int(report.damagedRecords), tornBytes: Int(report.tornBytes),
      damagedKeys: Int(report.damagedKeys), manifestDamaged: report.manifestDamaged,
      foreignCursors: Int(report.foreignCursors))
  }
}

extension Health {
  init(_ health: BridgeHealth) {
    self.init(
      bytes: Int(health.bytes), segments: Int(health.segments), records: Int(health.records),
      dropped: Int(health.dropped), quarantined: Int(health.quarantined),
      quarantinedFiles: Int(health.quarantinedFiles), damaged: Int(health.damaged),
      suspect: Int(health.suspect))
  }
}
