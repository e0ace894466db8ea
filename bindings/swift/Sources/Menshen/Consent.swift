// What a settings screen shows, and what a withdrawal and maintenance did.

internal import MenshenInternal

/// The state of one purpose.
public struct PurposeState: Equatable, Sendable, Identifiable {
  /// The purpose.
  public let id: String
  /// Its name in the session's locale.
  public let name: String
  /// Whether it is allowed now.
  public let isAllowed: Bool
  /// Why not.
  public let denial: Denial?
}

/// What a withdrawal did.
public enum Withdrawal: Equatable, Sendable {
  /// It is durable, and the purpose's keys are gone from memory. The uploads with these numbers carry its
  /// records and must be stopped; ``Uploader`` stops its own.
  case done(inFlight: [Int64])
  /// The gate is closed and marked, but the entry could not be written. ``Session/maintain()`` tries again,
  /// and no restart opens the gate.
  case pending(MenshenError.Code)
}

/// What maintenance did.
public struct Maintained: Equatable, Sendable {
  /// Purposes whose keys are gone now.
  public let shredded: [String]
  /// Purposes whose keys are not destroyed yet.
  public let waiting: [String]
  /// Segments of the store that were removed because they expired.
  public let expiredSegments: Int
  /// The records in them.
  public let expiredRecords: Int
}

extension PurposeState {
  init(_ state: BridgePurpose) {
    self.init(
      id: state.purpose, name: state.name, isAllowed: state.allowed,
      denial: state.denial.map(Denial.init))
  }
}

extension Withdrawal {
  init(_ withdrawal: BridgeWithdrawal) {
    switch withdrawal {
    case .done(let inFlight): self = .done(inFlight: inFlight)
    case .pending(let code): self = .pending(MenshenError.Code(rawValue: code) ?? .internal)
    }
  }
}

extension Maintained {
  init(_ done: BridgeMaintained) {
    self.init(
      shredded: done.shredded, waiting: done.waiting, expiredSegments: Int(done.expiredSegments),
      expiredRecords: Int(done.expiredRecords))
  }
}
