// Third-party SDKs that run only while every purpose that names them is allowed.

import Foundation

/// The SDKs of one session with what starts and stops them.
///
/// Unchecked: state is touched only under `lock`, `isRunning` only by the one thread that turns; the app's
/// closures run without the lock.
final class Switches: @unchecked Sendable {
  typealias Action = @Sendable () -> Void
  /// Writes down that the SDK starts or stops, and says whether it could.
  typealias Note = @Sendable (_ starts: Bool) -> Bool

  private final class Switch {
    let recipient: String
    let note: Note
    let start: Action
    let stop: Action
    var isRunning = false

    init(
      _ recipient: String, note: @escaping Note, start: @escaping Action, stop: @escaping Action
    ) {
      self.recipient = recipient
      self.note = note
      self.start = start
      self.stop = stop
    }
  }

  private let lock = NSLock()
  private var switches: [Switch] = []
  private var isTurning = false
  private var turnAgain = false

  func add(
    _ recipient: String, note: @escaping Note, start: @escaping Action, stop: @escaping Action
  ) {
    lock.withLock { switches.append(Switch(recipient, note: note, start: start, stop: stop)) }
  }

  /// Turns every switch to what is allowed. One thread at a time does it; a change that comes in
  /// meanwhile, also from a closure itself, makes that thread look once more.
  func turn(isAllowed: (String) -> Bool) {
    let busy = lock.withLock {
      if isTurning {
        turnAgain = true
        return true
      }
      isTurning = true
      return false
    }
    if busy { return }
    repeat {
      for one in lock.withLock({ switches }) {
        let allowed = isAllowed(one.recipient)
        if allowed == one.isRunning { continue }
        // Evidence first: what cannot be noted does not start, and is tried again; what stops, stops all the same.
        if !one.note(allowed) && allowed { continue }
        one.isRunning = allowed
        (allowed ? one.start : one.stop)()
      }
    } while lock.withLock { () -> Bool in
      defer { turnAgain = false }
      isTurning = turnAgain
      return turnAgain
    }
  }
}
