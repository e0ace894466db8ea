// Native calls block, so async functions make them away from the caller's actor and from Swift's own threads.

import Foundation

private let queue = DispatchQueue(label: "menshen", attributes: .concurrent)

/// Runs a blocking call on a thread where blocking harms nobody.
func inBackground<Result: Sendable>(
  _ call: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    queue.async { continuation.resume(with: Swift.Result { try call() }) }
  }
}

/// Runs a blocking call later, without anyone who waits for it.
func laterInBackground(_ call: @escaping @Sendable () -> Void) {
  queue.async(execute: call)
}
