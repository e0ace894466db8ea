// A clock, a platform, key stores, screens and folders under a test's control.

import Foundation
import Menshen
import XCTest

/// Anything a test shares between threads.
final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) {
    self.value = value
  }

  @discardableResult
  func with<Result>(_ act: (inout Value) throws -> Result) rethrows -> Result {
    try lock.withLock { try act(&value) }
  }
}

/// Stands still until it is moved.
struct TestClock: DeviceClock {
  let time = Locked(
    DeviceTime(
      wallMilliseconds: 1_800_000_000_000, sinceBootMilliseconds: 3_600_000, boot: 1))

  func now() -> DeviceTime {
    time.with { $0 }
  }

  func advance(_ milliseconds: Int64) {
    time.with {
      $0.wallMilliseconds += milliseconds
      $0.sinceBootMilliseconds += milliseconds
    }
  }
}

/// Nothing was asked yet, and every identifier is there; counts its reads.
struct TestPlatform: Platform {
  private let states = Locked<[Permission: PermissionState]>([:])
  private let count = Locked(0)

  var reads: Int {
    count.with { $0 }
  }

  func set(_ permission: Permission, _ state: PermissionState) {
    states.with { $0[permission] = state }
  }

  func state(of permission: Permission) -> PermissionState {
    states.with { $0[permission] ?? .notAsked }
  }

  func read(_ identifier: Identifier) -> String? {
    count.with { $0 += 1 }
    return Self.raw(identifier)
  }

  static func raw(_ identifier: Identifier) -> String {
    identifier == .ipAddress ? "203.0.113.77" : "raw-\(identifier.rawValue)"
  }
}

/// Keys in a dictionary. What it seals starts with its random key; it proves behaviour, it protects nothing.
final class DictionaryKeys: KeyProvider {
  private let keys = Locked<[String: Data]>([:])

  var aliases: [String] {
    keys.with { Array($0.keys) }
  }

  func create(_ alias: String) throws {
    try keys.with {
      guard $0[alias] == nil else { throw KeyError.alreadyExists }
      $0[alias] = Data((0..<16).map { _ in UInt8.random(in: 0...255) })
    }
  }

  func wrap(_ secret: Data, alias: String, binding: Data) throws -> Data {
    try head(alias, binding) + secret
  }

  func unwrap(_ sealed: Data, alias: String, binding: Data) throws -> Data {
    let head = try head(alias, binding)
    guard sealed.starts(with: head) else { throw KeyError.refused }
    return Data(sealed.dropFirst(head.count))
  }

  func exists(_ alias: String) throws -> Bool {
    keys.with { $0[alias] != nil }
  }

  func list() throws -> [String] {
    aliases
  }

  func destroy(_ alias: String) throws {
    _ = keys.with { $0.removeValue(forKey: alias) }
  }

  func state() -> KeyState {
    .ready
  }

  private func head(_ alias: String, _ binding: Data) throws -> Data {
    guard let key = keys.with({ $0[alias] }) else { throw KeyError.notFound }
    return key + Data("\(binding.count):".utf8) + binding
  }
}

/// Keys in a dictionary, and calls that answer as a test tells them to.
final class ScriptedKeys: KeyProvider {
  enum Answer {
    /// Every call throws.
    case all(any Error & Sendable)
    /// Making a key throws; all else works.
    case creating(KeyError)
  }

  private let keys = DictionaryKeys()
  /// What calls do instead of their work.
  let answer = Locked<Answer?>(nil)

  private func working<Result>(_ call: () throws -> Result) throws -> Result {
    if case .all(let error) = answer.with({ $0 }) { throw error }
    return try call()
  }

  func create(_ alias: String) throws {
    if case .creating(let error) = answer.with({ $0 }) { throw error }
    try working { try keys.create(alias) }
  }

  func wrap(_ secret: Data, alias: String, binding: Data) throws -> Data {
    try working { try keys.wrap(secret, alias: alias, binding: binding) }
  }

  func unwrap(_ sealed: Data, alias: String, binding: Data) throws -> Data {
    try working { try keys.unwrap(sealed, alias: alias, binding: binding) }
  }

  func exists(_ alias: String) throws -> Bool { try working { try keys.exists(alias) } }
  func list() throws -> [String] { try working { try keys.list() } }
  func destroy(_ alias: String) throws { try working { try keys.destroy(alias) } }

  func state() -> KeyState {
    switch answer.with({ $0 }) {
    case .all(let error): error as? KeyError == .notYet ? .notYet : .suspect
    case .creating, nil: .ready
    }
  }
}

/// Throws an error of its own at every call, with a secret in it.
struct ThrowingKeys: KeyProvider {
  struct Secret: Error {
    let text = "canary-4711"
  }

  func create(_ alias: String) throws { throw Secret() }
  func wrap(_ secret: Data, alias: String, binding: Data) throws -> Data { throw Secret() }
  func unwrap(_ sealed: Data, alias: String, binding: Data) throws -> Data { throw Secret() }
  func exists(_ alias: String) throws -> Bool { throw Secret() }
  func list() throws -> [String] { throw Secret() }
  func destroy(_ alias: String) throws { throw Secret() }
  func state() -> KeyState { .suspect }
}

/// Says yes or no to everything, is an adult from Germany, and grants what the system is asked for.
struct TestScreen: Screen {
  var says = true
  var platform: TestPlatform?
  /// What was shown, by kind.
  let shown = Locked<[PromptKind]>([])

  func show(_ prompt: Prompt) async -> Bool {
    shown.with { $0.append(prompt.kind) }
    return says
  }

  func offer(_ offers: [Offer]) async -> Set<String> {
    says ? Set(offers.map(\.id)) : []
  }

  func askSubject() async -> SubjectAnswer {
    SubjectAnswer(born: "1990-05", place: "DE")
  }

  func confirmSubject(_ answer: SubjectAnswer) async -> Bool {
    true
  }

  func askSystem(_ permission: Permission, text: String) async -> PermissionState {
    platform?.set(permission, says ? .granted : .denied)
    return says ? .granted : .denied
  }
}

/// A folder that is gone after the test.
final class TestFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "menshen-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  func at(_ name: String) -> URL {
    url.appendingPathComponent(name)
  }
}

/// The checkout's `tests` folder.
let sharedTests = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("tests")

let minimalPolicy = sharedTests.appendingPathComponent("policies/minimal.json")

/// The library's error that a call must throw.
func menshenError<Result: Sendable>(
  isolation: isolated (any Actor)? = #isolation, file: StaticString = #filePath,
  line: UInt = #line, _ call: () async throws -> Result
) async -> MenshenError? {
  do {
    _ = try await call()
    XCTFail("no error was thrown", file: file, line: line)
    return nil
  } catch {
    XCTAssertTrue(error is MenshenError, "\(error)", file: file, line: line)
    return error as? MenshenError
  }
}

/// Waits until something is so, for at most ten seconds.
func eventually(_ isSo: () throws -> Bool) async throws {
  for _ in 0..<2_000 where try !isSo() { try await Task.sleep(nanoseconds: 5_000_000) }
  guard try isSo() else { throw BrokenVector("waited in vain") }
}
