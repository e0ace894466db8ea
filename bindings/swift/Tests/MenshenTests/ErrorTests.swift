// What crosses between the app's own code and the library when something fails.

import Foundation
import XCTest

@testable import Menshen

final class ErrorTests: XCTestCase {
  func testAKeyStoreOfTheAppsOwnKeepsTheStoreAcrossAReopening() async throws {
    let folder = try TestFolder()
    let keys = DictionaryKeys()
    let open = {
      try Menshen(
        policy: .file(minimalPolicy), store: folder.at("store"), keys: .provider(keys))
    }
    let menshen = try open()
    let session = try menshen.guest()
    try await session.firstLaunch(screen: TestScreen())
    XCTAssertEqual(try session.record("call_ended", ["seconds": 42]), .buffered)
    XCTAssertFalse(keys.aliases.isEmpty)
    menshen.close()
    let again = try open().guest()
    XCTAssertEqual(try again.waitingRecords("usage-statistics"), 1)
    let before = Set(keys.aliases)
    try await again.withdraw("usage-statistics")
    try await again.maintain()
    XCTAssertEqual(before.subtracting(keys.aliases).count, 1, "the key of what was withdrawn is gone")
  }

  func testAKeyStoreThatThrowsClosesEveryGateAndItsTextGoesNowhere() async throws {
    let folder = try TestFolder()
    var texts: [String] = []
    do {
      let menshen = try Menshen(
        policy: .file(minimalPolicy), store: folder.at("store"), keys: .provider(ThrowingKeys()))
      let session = try menshen.guest()
      XCTAssertFalse(session.isAllowed("share-location"))
      XCTAssertFalse(session.isPurposeAllowed("keep-logs"))
      do {
        let outcome = try await session.request("share-location", screen: TestScreen())
        guard case .denied(let denial) = outcome else { return XCTFail("\(outcome)") }
        texts.append("\(denial)")
      } catch {
        texts.append("\(error)")
        XCTAssertEqual((error as? MenshenError)?.code, .keyNotReady)
      }
    } catch {
      texts.append("\(error)")
      XCTAssertEqual((error as? MenshenError)?.code, .keyNotReady)
    }
    XCTAssertFalse(texts.isEmpty)
    XCTAssertFalse(texts.joined().contains("canary"), "\(texts)")
  }

  func testAnErrorThatIsNotTheBridgesLosesItsText() {
    struct Stranger: Error { let text = "canary-4711" }
    let error = MenshenError(Stranger())
    XCTAssertEqual(error.code, .internal)
    XCTAssertFalse("\(error)".contains("canary"))
  }

  func testAWrongPolicyIsToldInFullWithPlaces() async throws {
    let text = try String(contentsOf: minimalPolicy, encoding: .utf8)
      .replacingOccurrences(of: "\"legal_basis\": \"consent\"", with: "\"legal_base\": \"consent\"")
    let error = await menshenError { try Menshen.checkPolicy(.data(Data(text.utf8))) }
    XCTAssertEqual(error?.code, .policy)
    XCTAssertGreaterThanOrEqual(error?.problems.count ?? 0, 2)
    for problem in error?.problems ?? [] {
      XCTAssertGreaterThan(problem.line, 0)
      XCTAssertTrue(problem.pointer.hasPrefix("/"), problem.pointer)
    }
    XCTAssertEqual(try Menshen.checkPolicy(.file(minimalPolicy)).count, 64)
    let missing = await menshenError { try Menshen.checkPolicy(.bundled("nowhere")) }
    XCTAssertEqual(missing?.code, .io)
  }

  func testHalfASurrogatePairIsReplacedBySwiftBeforeTheLibrarySeesIt() async throws {
    let folder = try TestFolder()
    let menshen = try Menshen(
      policy: .file(minimalPolicy), store: folder.at("store"), keys: .file(folder.at("keys")))
    let session = try menshen.guest()
    try await session.firstLaunch(screen: TestScreen())
    let half = String(decoding: [0x61, 0xd83d] as [UInt16], as: UTF16.self)
    XCTAssertEqual(half, "a\u{fffd}")
    XCTAssertEqual(try session.record("call_ended", ["peer": .text(half)]), .buffered)
    let name = await menshenError { try session.record(half) }
    XCTAssertEqual(name?.code, .undeclared)
    XCTAssertEqual(name?.fields["name"], "a\u{fffd}")
    XCTAssertEqual(try session.waitingRecords("usage-statistics"), 1)
  }

  func testDurationsThatNoNumberCanHoldDoNotTrap() {
    XCTAssertEqual(Int64(milliseconds: 1.5), 1500)
    XCTAssertEqual(Int64(milliseconds: .nan), 0)
    XCTAssertEqual(Int64(milliseconds: .infinity), .max)
    XCTAssertEqual(Int64(milliseconds: -.infinity), .min)
    XCTAssertEqual(Int64(milliseconds: 1e300), .max)
  }

  func testAFlagAndANumberStayWhatTheyAreAsLiterals() {
    let fields: [String: Value] = ["a": 1, "b": true, "c": 1.0, "d": "1"]
    XCTAssertEqual(
      fields, ["a": .integer(1), "b": .boolean(true), "c": .number(1), "d": .text("1")])
  }
}
