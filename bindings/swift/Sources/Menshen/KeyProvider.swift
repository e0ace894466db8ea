// The app's own key store under the library.

public import Foundation
internal import MenshenInternal

/// What a key store could not do. Any other error that a ``KeyProvider`` throws counts as ``suspect``.
public enum KeyError: Error, Equatable, Sendable {
  /// There is no such key.
  case notFound
  /// There is one already.
  case alreadyExists
  /// Locked, busy, or before the first unlock.
  case notYet
  /// It failed, and nobody knows why.
  case suspect
  /// What was sealed was sealed with another key.
  case refused
}

/// The state of a key store.
public enum KeyState: Equatable, Sendable {
  /// It works.
  case ready
  /// Locked, busy, or before the first unlock.
  case notYet
  /// It failed, and nobody knows why.
  case suspect
  /// It belongs to another install.
  case mismatch
  /// The keys are gone.
  case lost
}

/// A key store: one key for each alias, that never leaves it. It is called from any thread, and must not call the
/// library: the store waits for its answer.
public protocol KeyProvider: Sendable {
  /// Makes a key; ``KeyError/alreadyExists`` if there is one.
  func create(_ alias: String) throws
  /// Seals a secret with a key, bound to more data that must be the same at ``unwrap(_:alias:binding:)``.
  func wrap(_ secret: Data, alias: String, binding: Data) throws -> Data
  /// Opens what ``wrap(_:alias:binding:)`` sealed.
  func unwrap(_ sealed: Data, alias: String, binding: Data) throws -> Data
  /// Whether the key is there; an error if that cannot be told.
  func exists(_ alias: String) throws -> Bool
  /// Every alias.
  func list() throws -> [String]
  /// Destroys a key; one that is not there is no error.
  func destroy(_ alias: String) throws
  /// How the key store is.
  func state() -> KeyState
}

/// Answers the bridge from the app's key store. Only the kind of an error crosses, never its text.
final class KeyAdapter: BridgeKeyProvider {
  private let keys: any KeyProvider

  init(_ keys: any KeyProvider) {
    self.keys = keys
  }

  func create(alias: String) throws {
    try guarded { try keys.create(alias) }
  }

  func wrap(alias: String, secret: Data, aad: Data) throws -> Data {
    try guarded { try keys.wrap(secret, alias: alias, binding: aad) }
  }

  func unwrap(alias: String, blob: Data, aad: Data) throws -> Data {
    try guarded { try keys.unwrap(blob, alias: alias, binding: aad) }
  }

  func exists(alias: String) throws -> Bool {
    try guarded { try keys.exists(alias) }
  }

  func list() throws -> [String] {
    try guarded { try keys.list() }
  }

  func destroy(alias: String) throws {
    try guarded { try keys.destroy(alias) }
  }

  func state() -> BridgeKeyState {
    switch keys.state() {
    case .ready: .ready
    case .notYet: .notYet
    case .suspect: .suspect
    case .mismatch: .mismatch
    case .lost: .lost
    }
  }

  private func guarded<Result>(_ call: () throws -> Result) throws -> Result {
    do {
      return try call()
    } catch let error as KeyError {
      throw BridgeKeyError(error)
    } catch {
      throw BridgeKeyError.Suspect
    }
  }
}

extension BridgeKeyError {
  fileprivate init(_ error: KeyError) {
    self =
      switch error {
      case .notFound: .NotFound
      case .alreadyExists: .AlreadyExists
      case .notYet: .NotYet
      case .suspect: .Suspect
      case .refused: .Refused
      }
  }
}
