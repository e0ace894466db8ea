// JSON as the vectors need it: numbers and booleans kept apart, merge patches, and matching.

import Foundation

enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  static func parse(_ data: Data) throws -> JSON {
    try JSONDecoder().decode(JSON.self, from: data)
  }

  static func parse(_ text: String) throws -> JSON {
    try parse(Data(text.utf8))
  }

  var data: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self)
    }
  }

  subscript(key: String) -> JSON? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  var integer: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  var object: [String: JSON]? {
    if case .object(let value) = self { value } else { nil }
  }

  var strings: [String]? {
    array.map { $0.compactMap(\.string) }
  }

  /// RFC 7386.
  func merging(_ patch: JSON) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    var result = object ?? [:]
    for (key, change) in changes {
      result[key] = change == .null ? nil : (result[key] ?? .null).merging(change)
    }
    return .object(result)
  }

  /// Whether this is what a vector expects: every expected key matches, arrays element by element.
  func matches(_ expected: JSON) -> Bool {
    switch (expected, self) {
    case (.object(let wanted), .object(let got)):
      wanted.allSatisfy { key, value in got[key]?.matches(value) ?? false }
    case (.array(let wanted), .array(let got)):
      wanted.count == got.count && zip(got, wanted).allSatisfy { $0.matches($1) }
    case (.integer(let wanted), .number(let got)): Double(wanted) == got
    case (.number(let wanted), .integer(let got)): wanted == Double(got)
    default: self == expected
    }
  }
}

extension JSON: Codable {
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSON].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

extension JSON: CustomStringConvertible {
  var description: String {
    (try? data).map { String(decoding: $0, as: UTF8.self) } ?? "unprintable"
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(integerLiteral value: Int64) { self = .integer(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSON...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(Dictionary(elements) { first, _ in first })
  }
}

extension Data {
  /// Bytes from hexadecimal text.
  init(hex: String) throws {
    var bytes: [UInt8] = []
    var rest = Substring(hex)
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16), rest.count > 1 else {
        throw BrokenVector("`\(hex)` is not hexadecimal")
      }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    self.init(bytes)
  }
}
