// Native objects that hold a store open, so that closing it can let go of all of them at once.

import Foundation

/// Every native object that one ``Menshen`` made.
///
/// Unchecked: `live` and `isClosed` are touched only under `lock`.
final class Handles: @unchecked Sendable {
  private struct Weak {
    weak var handle: (any Releasing)?
  }

  private let lock = NSLock()
  private var live: [ObjectIdentifier: Weak] = [:]
  private var isClosed = false

  /// Takes charge of a native object. After closing it is let go at once.
  func hold<Native: AnyObject & Sendable>(_ native: Native) -> Handle<Native> {
    let handle = Handle(native, of: self)
    let late = lock.withLock {
      live[ObjectIdentifier(handle)] = Weak(handle: handle)
      return isClosed
    }
    if late { handle.release() }
    return handle
  }

  /// Lets go of everything, now and from now on.
  func close() {
    let all = lock.withLock {
      isClosed = true
      defer { live = [:] }
      return live.values.compactMap(\.handle)
    }
    for handle in all { handle.release() }
  }

  fileprivate func forget(_ id: ObjectIdentifier) {
    _ = lock.withLock { live.removeValue(forKey: id) }
  }
}

private protocol Releasing: AnyObject {
  func release()
}

/// One native object, until its store is closed.
///
/// Unchecked: `native` is touched only under `lock`.
final class Handle<Native: AnyObject & Sendable>: Releasing, @unchecked Sendable {
  private let lock = NSLock()
  private var native: Native?
  private weak var handles: Handles?

  fileprivate init(_ native: Native, of handles: Handles) {
    self.native = native
    self.handles = handles
  }

  deinit {
    handles?.forget(ObjectIdentifier(self))
  }

  /// The native object; a call that has it keeps the store open until it returns.
  func get() throws -> Native {
    guard let native = lock.withLock({ native }) else { throw MenshenError.closed }
    return native
  }

  /// Lets go of it. The last reference goes outside the lock, because native clean-up may write.
  func release() {
    let last = lock.withLock {
      defer { native = nil }
      return native
    }
    withExtendedLifetime(last) {}
  }
}
