// The copy of a session's answers that `isAllowed` reads without crossing the bridge.

import Foundation
internal import MenshenInternal

/// The answers at one moment. An expired one denies.
struct Snapshot: Equatable, Sendable {
  static let closed = Snapshot(generation: -1, validUntil: .min, features: [], purposes: [])

  let generation: Int64
  /// In milliseconds since 1970.
  let validUntil: Int64
  let features: Set<String>
  let purposes: Set<String>

  func isAllowed(_ feature: String, at now: Int64) -> Bool {
    now < validUntil && features.contains(feature)
  }

  func isPurposeAllowed(_ purpose: String, at now: Int64) -> Bool {
    now < validUntil && purposes.contains(purpose)
  }
}

extension Snapshot {
  init(_ snapshot: BridgeSnapshot) {
    self.init(
      generation: snapshot.generation, validUntil: snapshot.validUntilMs,
      features: Set(snapshot.features), purposes: Set(snapshot.purposes))
  }
}

/// Holds the newest snapshot.
///
/// Unchecked: `current` is touched only under `lock`, which is held for one assignment or copy.
final class SnapshotBox: @unchecked Sendable {
  private let lock = NSLock()
  private var current = Snapshot.closed
  private var isOver = false

  var isClosed: Bool {
    lock.withLock { isOver }
  }

  var snapshot: Snapshot {
    lock.withLock { current }
  }

  /// Takes a snapshot unless a newer one is here already: two threads may bring theirs in any order.
  func take(_ snapshot: Snapshot) {
    lock.withLock {
      if !isOver && snapshot.generation > current.generation { current = snapshot }
    }
  }

  /// Denies from now on.
  func close() {
    lock.withLock {
      isOver = true
      current = .closed
    }
  }
}
