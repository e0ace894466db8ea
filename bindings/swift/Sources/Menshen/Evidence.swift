// Evidence for the person: receipts, the ledger and its verification.

internal import MenshenInternal

/// What the verification of a ledger found.
public enum LedgerVerdict: Equatable, Sendable {
  /// The chain is whole and its last head is signed.
  case sound(entries: Int)
  /// It is not, from this entry on, counted from 0.
  case broken(entry: Int)
  /// It is no exported ledger.
  case unreadable
}

extension Session {
  /// The consents and openings that hold now, each a receipt, as a JSON array.
  ///
  /// - Throws: ``MenshenError``: the ledger cannot be read.
  public func receipts() throws -> String {
    try call { try $0.receipts() }
  }

  /// The whole ledger as JSON, with everything that ``Menshen/verifyLedger(_:)`` needs.
  ///
  /// - Throws: ``MenshenError``: the ledger cannot be read.
  public func exportLedger() throws -> String {
    try call { try $0.exportLedger() }
  }

  /// Verifies the ledger in the store.
  ///
  /// - Throws: ``MenshenError``: the ledger cannot be read.
  public func verifyLedger() throws -> LedgerVerdict {
    try call { LedgerVerdict(try $0.verifyOwnLedger()) }
  }
}

extension LedgerVerdict {
  init(_ verdict: BridgeVerdict) {
    self =
      switch verdict {
      case .sound(let entries): .sound(entries: Int(entries))
      case .broken(let sequence): .broken(entry: Int(sequence))
      case .unreadable: .unreadable
      }
  }
}
