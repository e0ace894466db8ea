// The streams of purposes' states, each of which ends up with the newest list.

import Foundation

/// Everybody who listens to one session's consent.
///
/// Two threads may read the states and bring them in any order, so each reading takes a number before it begins: one
/// with a higher number saw everything that one with a lower number saw.
///
/// Unchecked: everything is touched only under `lock`, and nothing of the app's runs under it.
final class ConsentStreams: @unchecked Sendable {
  private struct Listener {
    let continuation: AsyncStream<[PurposeState]>.Continuation
    var latest = 0
  }

  private let lock = NSLock()
  private var listeners: [Int: Listener] = [:]
  private var lastListener = 0
  private var lastReading = 0

  /// A stream that begins with the states now. It ends at once if they cannot be read.
  func open(_ read: () throws -> [PurposeState]) -> AsyncStream<[PurposeState]> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: [PurposeState].self, bufferingPolicy: .bufferingNewest(1))
    let id = lock.withLock {
      lastListener += 1
      listeners[lastListener] = Listener(continuation: continuation)
      return lastListener
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.lock.withLock { self?.listeners.removeValue(forKey: id) }
    }
    let number = begin()
    if let now = try? read() {
      lock.withLock { give(now, number, to: id) }
    } else {
      continuation.finish()
    }
    return stream
  }

  /// Tells everybody the states now.
  func publish(_ read: () throws -> [PurposeState]) {
    guard !lock.withLock({ listeners.isEmpty }) else { return }
    let number = begin()
    guard let now = try? read() else { return }
    lock.withLock { for id in listeners.keys { give(now, number, to: id) } }
  }

  func finish() {
    let ended = lock.withLock {
      defer { listeners = [:] }
      return Array(listeners.values)
    }
    for listener in ended { listener.continuation.finish() }
  }

  deinit {
    finish()
  }

  private func begin() -> Int {
    lock.withLock {
      lastReading += 1
      return lastReading
    }
  }

  private func give(_ states: [PurposeState], _ number: Int, to id: Int) {
    guard let listener = listeners[id], number > listener.latest else { return }
    listeners[id]?.latest = number
    listener.continuation.yield(states)
  }
}
