// A small value outside the store that shows that the store's files were rolled back.

public import Foundation
internal import MenshenInternal

/// A small value, at most a few kilobytes, kept outside the store and best where no backup reaches. It holds no personal
/// data.
///
/// With one, a store whose files were rolled back to before a denial opens nothing. If a function throws, the value counts
/// as out of reach: nothing fails, only less is noticed. It must not call the library: the store waits for its answer.
public protocol Anchor: Sendable {
  /// The value that was written last, or `nil` if none ever was.
  func read() throws -> Data?
  /// Replaces the value, as a whole or not at all.
  func write(_ value: Data) throws
}

/// Answers the bridge from the app's anchor. That an error happened crosses, never its text.
final class AnchorAdapter: BridgeAnchor {
  private let anchor: any Anchor

  init(_ anchor: any Anchor) {
    self.anchor = anchor
  }

  func read() throws -> Data? {
    do { return try anchor.read() } catch { throw BridgeKeyError.Suspect }
  }

  func write(value: Data) throws {
    do { try anchor.write(value) } catch { throw BridgeKeyError.Suspect }
  }
}
