// The use of an open feature, bounded in time.

public import Foundation
internal import MenshenInternal

/// A use of a feature that is going on. Protected data is readable through it and only while it lasts. It ends
/// with ``end()``, when its time is over, when a gate closes, or when it is dropped.
///
/// Unchecked: `isEnded` is touched only under `lock`.
public final class FeatureUse: @unchecked Sendable {
  /// The feature.
  public let feature: String
  private let native: Handle<BridgeUse>
  private let lock = NSLock()
  private var isEnded = false

  init(_ permit: Permit, limit: TimeInterval?) throws {
    let flow = try permit.flow.get()
    let begun = try bridged { try flow.begin(limitMs: limit.map(Int64.init(milliseconds:))) }
    feature = permit.feature
    native = permit.session.handles.hold(begun)
  }

  /// Reads protected data, if the use is still going on and its gates are still open.
  ///
  /// - Throws: ``MenshenError`` with ``MenshenError/Code/permitEnded`` if not; `reader` was not called then. What
  ///   `reader` throws.
  public func read<Result>(_ reader: () throws -> Result) throws -> Result {
    guard !lock.withLock({ isEnded }) else { throw MenshenError.permitEnded }
    let native = try native.get()
    try bridged { try native.countRead() }
    return try reader()
  }

  /// Ends the use; nothing is readable through it afterwards.
  public func end() {
    close()
    try? native.get().end()
  }

  /// Ends the use at once for readers, and a little later in the ledger.
  func endSoon() {
    close()
    laterInBackground { [native] in try? native.get().end() }
  }

  private func close() {
    lock.withLock { isEnded = true }
  }
}

extension MenshenError {
  static let permitEnded = MenshenError(
    .permitEnded, "the permit has ended; request the feature again")
}

extension Session {
  /// Begins a use of a feature: for what does not fit into ``withFeature(_:limit:isolation:_:)``.
  ///
  /// - Parameter limit: The longest it lasts, in seconds.
  /// - Throws: ``MenshenError``: the permit is of another session or was used, the feature is closed meanwhile, or
  ///   the ledger could not be written.
  public func begin(_ permit: Permit, limit: TimeInterval? = nil) throws -> FeatureUse {
    guard permit.session === self else { throw MenshenError.permitEnded }
    return try FeatureUse(permit, limit: limit)
  }

  /// Runs something within a use of a feature. The use ends when it returns or throws, and as soon as the task
  /// is cancelled.
  ///
  /// ```swift
  /// try await session.withFeature(permit) { use in
  ///   for await place in places { try use.read { map.follow(place) } }
  /// }
  /// ```
  ///
  /// - Throws: As ``begin(_:limit:)``, and what `act` throws.
  public func withFeature<Result>(
    _ permit: Permit, limit: TimeInterval? = nil, isolation: isolated (any Actor)? = #isolation,
    _ act: (FeatureUse) async throws -> Result
  ) async throws -> Result {
    let use = try await inBackground { [self] in try begin(permit, limit: limit) }
    do {
      let result = try await withTaskCancellationHandler {
        try await act(use)
      } onCancel: {
        use.endSoon()
      }
      await use.endInBackground()
      return result
    } catch {
      await use.endInBackground()
      throw error
    }
  }
}

extension FeatureUse {
  fileprivate func endInBackground() async {
    try? await inBackground { [self] in end() }
  }
}
