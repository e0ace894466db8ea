// Uploads as values: what to send next, and what a reply meant.

public import Foundation
internal import MenshenInternal

/// One HTTP `POST` that a transport is asked to make. The bytes are final: a transport adds nothing, follows no
/// redirect and sends them at most once.
public struct Upload: Equatable, Sendable, Identifiable {
  /// Names it when its reply comes back or when it has to be stopped.
  public let id: Int64
  /// Where to.
  public let url: URL
  /// The headers.
  public let headers: [String: String]
  /// The body as it goes over the wire.
  public let body: Data
}

/// What a transport got back.
public enum Reply: Equatable, Sendable {
  /// The receiver answered. `complete` only if the reply's own framing shows that `body` is all of it.
  case response(status: Int, headers: [String: String], body: Data, complete: Bool)
  /// No answer arrived; the receiver may still have taken the records.
  case failed
}

/// What a reply meant for the records.
public enum UploadOutcome: Equatable, Sendable {
  /// The receiver has them.
  case acknowledged(records: Int)
  /// Nothing is acknowledged; they are offered again, not before this moment.
  case later(code: String, notBefore: Date)
  /// The receiver refused them for good. They are kept and not offered again, until they expire.
  case quarantined(records: Int, code: String)
  /// The upload was cancelled by a withdrawal; whether the receiver confirmed it all the same.
  case cancelled(delivered: Bool)
}

extension Session {
  /// The next upload that is allowed and due. ``Uploader`` makes it; an app with a transport of its own answers
  /// with ``uploadFinished(_:_:)``.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  public func nextUpload() throws -> Upload? {
    try call { try $0.nextUpload().map(Upload.init) }
  }

  /// When the next upload may be due, if a receiver is left alone for a while; `nil` if none is.
  ///
  /// - Throws: ``MenshenError``: the store was closed.
  public func nextUploadAt() throws -> Date? {
    try call { $0.nextUploadAtMs().map(Date.init(milliseconds:)) }
  }

  /// Takes the reply to an upload. Records are acknowledged only by a complete reply of the right type that
  /// rejects nothing.
  ///
  /// - Throws: ``MenshenError``: no such upload is under way, or the store failed; the records are then offered
  ///   again.
  public func uploadFinished(_ id: Upload.ID, _ reply: Reply) throws -> UploadOutcome {
    try call { UploadOutcome(try $0.uploadFinished(id: id, reply: BridgeReply(reply))) }
  }

  /// Uploads that are with the transport and must be stopped, because a purpose in them was withdrawn.
  public func cancelledUploads() throws -> [Upload.ID] {
    try call { $0.cancelledUploads() }
  }
}

extension Upload {
  init(_ upload: BridgeUpload) throws {
    guard let url = URL(string: upload.url) else {
      throw MenshenError(.internal, "an address that cannot be", fields: ["what": "url"])
    }
    let headers = upload.headers.map { ($0.name, $0.value) }
    self.init(
      id: upload.id, url: url, headers: Dictionary(headers) { first, _ in first },
      body: upload.body)
  }
}

extension BridgeReply {
  init(_ reply: Reply) {
    switch reply {
    case .response(let status, let headers, let body, let complete):
      let headers = headers.map { BridgeHeader(name: $0.key, value: $0.value) }
      self = .response(
        status: Int32(clamping: status), headers: headers, body: body, complete: complete)
    case .failed:
      self = .failed
    }
  }
}

extension UploadOutcome {
  init(_ outcome: BridgeUploadOutcome) {
    self =
      switch outcome {
      case .acknowledged(let records): .acknowledged(records: Int(records))
      case .later(let code, let notBeforeMs):
        .later(code: code, notBefore: Date(milliseconds: notBeforeMs))
      case .quarantined(let records, let code): .quarantined(records: Int(records), code: code)
      case .cancelled(let delivered): .cancelled(delivered: delivered)
      }
  }
}
