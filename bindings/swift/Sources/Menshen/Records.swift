// Recording events, items of the app's own for a recipient, and identifiers in their smallest useful form.

public import Foundation
internal import MenshenInternal

/// The value of one field of an event.
public enum Value: Equatable, Sendable {
  /// Text.
  case text(String)
  /// A whole number.
  case integer(Int64)
  /// A finite number.
  case number(Double)
  /// Yes or no.
  case boolean(Bool)
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral
{
  /// Text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A whole number.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// Yes or no.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// What became of an event or item.
public enum Recorded: Equatable, Sendable {
  /// In memory only, because the key store is not ready: it goes with the process. It is sealed as soon as the key is
  /// there, and destroyed if the key is gone or the person says no first.
  case held
  /// Sealed; the operating system has it, so it survives the end of the process.
  case buffered
  /// Not stored, because it is not allowed now, and why.
  case denied(Denial)
}

/// An item of the outbox for the app to send.
public struct Delivery: Equatable, Sendable, Identifiable {
  /// Names it when its result comes back.
  public let id: Int64
  /// The purpose.
  public let purpose: String
  /// The recipient.
  public let recipient: String
  /// The bytes.
  public let bytes: Data
  /// When it ends.
  public let expires: Date
}

/// What came of sending an item.
public enum DeliveryResult: Equatable, Sendable {
  /// It arrived.
  case delivered
  /// Offer it again after so many seconds.
  case later(TimeInterval)
  /// It will never be taken.
  case refused
}

/// The form in which an identifier is handed out. The raw value is not a form.
public enum IdentifierForm: String, CaseIterable, Sendable {
  /// Declared, and never handed out.
  case refused
  /// A hash under a key of this recipient and consent: useless to anyone else, and another value after a
  /// withdrawal.
  case keyedHash = "keyed-hash"
  /// A random value of this recipient and consent in place of the identifier.
  case pseudonym
  /// The address without its last part.
  case truncated
}

/// What became of a request for an identifier.
public enum IdentifierAnswer: Equatable, Sendable {
  /// Handed out, in its declared form.
  case handed(form: IdentifierForm, value: String)
  /// Not handed out, and why.
  case denied(Denial)
}

extension Session {
  /// Records an event that the policy declares. Without leave it is not stored, which is no error.
  ///
  /// ```swift
  /// try session.record("call_ended", ["seconds": 42, "video": true])
  /// ```
  ///
  /// - Throws: ``MenshenError``: the policy declares no such event; a field is of the wrong type, or undeclared
  ///   in strict mode; it is too large; or the store is full or failed.
  @discardableResult
  public func record(_ event: String, _ fields: [String: Value] = [:]) throws -> Recorded {
    let fields = fields.map { BridgeField(name: $0.key, value: BridgeValue($0.value)) }
    return try call { Recorded(try $0.record(event: event, fields: fields)) }
  }

  /// As ``record(_:_:)``, with the fields as one flat JSON object in UTF-8.
  ///
  /// - Throws: ``MenshenError``, as ``record(_:_:)``.
  @discardableResult
  public func recordJSON(_ event: String, _ fields: Data) throws -> Recorded {
    try call { Recorded(try $0.recordJson(event: event, fields: fields)) }
  }

  /// Fields that were dropped because the policy does not declare them.
  public func droppedFields() throws -> Int {
    Int(try call { $0.droppedFields() })
  }

  /// Records of a purpose that wait in the store.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  public func waitingRecords(_ purpose: String) throws -> Int {
    Int(try call { try $0.waitingRecords(purpose: purpose) })
  }

  /// Seals an item of the app's own, an encrypted message for example, to be sent by the app itself.
  ///
  /// - Parameter timeToLive: In seconds, above zero and at most the retention of the purpose.
  /// - Throws: ``MenshenError``: no such purpose or recipient, a time to live that cannot be, an item that is too
  ///   large (about 1 MiB), or the store failed.
  @discardableResult
  public func put(
    _ item: Data, purpose: String, recipient: String, timeToLive: TimeInterval
  ) throws -> Recorded {
    try call {
      Recorded(
        try $0.outboxPut(
          purpose: purpose, recipient: recipient, ttlMs: Int64(milliseconds: timeToLive),
          bytes: item))
    }
  }

  /// The next item that is allowed and due for the app to send. Answer it with
  /// ``deliveryFinished(_:_:)``.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  public func nextDelivery() throws -> Delivery? {
    try call { try $0.nextDelivery().map(Delivery.init) }
  }

  /// Takes the result of an item.
  ///
  /// - Throws: ``MenshenError``: no such item is under way, or the store failed; it is then offered again.
  public func deliveryFinished(_ id: Delivery.ID, _ result: DeliveryResult) throws {
    try call { try $0.deliveryFinished(id: id, result: BridgeDeliveryResult(result)) }
  }

  /// An identifier in the form that the policy declares for a recipient. The platform is read only if that
  /// form needs it.
  ///
  /// - Throws: ``MenshenError``: no such recipient, or the store failed.
  public func identifier(
    for recipient: String, _ identifier: Identifier
  ) throws -> IdentifierAnswer {
    try call {
      try IdentifierAnswer(
        try $0.identifier(recipient: recipient, identifier: identifier.rawValue))
    }
  }
}

extension BridgeValue {
  init(_ value: Value) {
    self =
      switch value {
      case .text(let value): .text(value: value)
      case .integer(let value): .integer(value: value)
      case .number(let value): .number(value: value)
      case .boolean(let value): .boolean(value: value)
      }
  }
}

extension BridgeDeliveryResult {
  init(_ result: DeliveryResult) {
    self =
      switch result {
      case .delivered: .delivered
      case .later(let seconds): .later(afterMs: Int64(milliseconds: seconds))
      case .refused: .refused
      }
  }
}

extension Recorded {
  init(_ stored: BridgeStored) {
    switch stored {
    case .held: self = .held
    case .buffered: self = .buffered
    case .denied(let denial): self = .denied(Denial(denial))
    }
  }
}

extension Delivery {
  init(_ delivery: BridgeDelivery) {
    self.init(
      id: delivery.id, purpose: delivery.purpose, recipient: delivery.recipient,
      bytes: delivery.bytes, expires: Date(milliseconds: delivery.expiresMs))
  }
}

extension IdentifierAnswer {
  init(_ answer: BridgeIdentifier) throws {
    switch answer {
    case .handed(let form, let value):
      guard let form = IdentifierForm(rawValue: form) else {
        throw MenshenError(
          .internal, "a form that this version does not know", fields: ["what": "form"])
      }
      self = .handed(form: form, value: value)
    case .denied(let denial):
      self = .denied(Denial(denial))
    }
  }
}
