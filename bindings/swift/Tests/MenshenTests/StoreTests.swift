// The store as the app's developer sees it: rolled back behind its anchor, and reported at opening and after.

import Foundation
import Menshen
import XCTest

final class StoreTests: XCTestCase {
  private struct MemoryAnchor: Anchor {
    let value = Locked<Data?>(nil)

    func read() throws -> Data? { value.with { $0 } }
    func write(_ value: Data) throws { self.value.with { $0 = value } }
  }

  private struct ThrowingAnchor: Anchor {
    struct Own: Error {}

    func read() throws -> Data? { throw Own() }
    func write(_ value: Data) throws { throw Own() }
  }

  private let platform = TestPlatform()

  private func open(_ folder: TestFolder, _ anchor: (any Anchor)? = nil) throws -> Menshen {
    try Menshen(
      policy: .file(minimalPolicy), store: folder.at("store"), keys: .file(folder.at("keys")),
      platform: platform, clock: TestClock(), anchor: anchor)
  }

  private func allowEverything(_ session: Session) async throws {
    let screen = TestScreen(platform: platform)
    try await session.firstLaunch(screen: screen)
    guard case .allowed = try await session.request("share-location", screen: screen) else {
      return XCTFail("the feature is not open")
    }
  }

  private func put(_ old: URL, backTo store: URL) throws {
    try FileManager.default.removeItem(at: store)
    try FileManager.default.copyItem(at: old, to: store)
  }

  func testAStoreRolledBackToBeforeAWithdrawalOpensNothingWhereAnAnchorRemembers() async throws {
    let folder = try TestFolder()
    let (store, old) = (folder.at("store"), folder.at("old"))
    let anchor = MemoryAnchor()
    let first = try open(folder, anchor)
    try await allowEverything(try first.guest())
    first.close()
    try FileManager.default.copyItem(at: store, to: old)
    let second = try open(folder, anchor)
    XCTAssertTrue(try second.guest().isAllowed("share-location"))
    try await second.guest().withdraw("usage-statistics")
    second.close()

    try put(old, backTo: store)
    let rolledBack = try open(folder, anchor)
    let session = try rolledBack.guest()
    XCTAssertFalse(session.isAllowed("share-location"))
    XCTAssertEqual(try session.whyNot("share-location")?.code, "ledger-broken")
    guard case .denied = try session.record("call_ended", ["seconds": 1]) else {
      return XCTFail("it was recorded")
    }
    rolledBack.close()

    // The control: nobody who has only the files can tell.
    try put(old, backTo: store)
    XCTAssertTrue(try open(folder, MemoryAnchor()).guest().isAllowed("share-location"))
  }

  func testAnAnchorThatThrowsFailsNothing() async throws {
    let folder = try TestFolder()
    let first = try open(folder, ThrowingAnchor())
    try await allowEverything(try first.guest())
    first.close()
    let session = try open(folder, ThrowingAnchor()).guest()
    XCTAssertTrue(session.isAllowed("share-location"))
    let withdrawn = try await session.withdraw("share-location")
    XCTAssertEqual(withdrawn, .done(inFlight: []))
  }

  func testOpeningTellsWhatItFoundAndHealthWhatIsThere() async throws {
    let folder = try TestFolder()
    let empty = try open(folder)
    XCTAssertEqual(try empty.opened().records, 0)
    let session = try empty.guest()
    try await allowEverything(session)
    XCTAssertEqual(try session.record("call_ended", ["seconds": 42]), .buffered)
    let health = try empty.health()
    XCTAssertGreaterThan(health.bytes, 0)
    XCTAssertGreaterThan(health.records, 0)
    empty.close()
    let closed = await menshenError { try empty.health() }
    XCTAssertEqual(closed?.code, .closed)

    let again = try open(folder)
    XCTAssertEqual(try again.opened().records, health.records)
    XCTAssertEqual(try again.health().records, health.records)
    XCTAssertFalse(try again.opened().manifestDamaged)
  }

  func testTheNextUploadIsDueWhenItsReceiverMayBeAskedAgain() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let session = try menshen.guest()
    try await session.firstLaunch(screen: TestScreen())
    try session.record("call_ended", ["seconds": 42])
    XCTAssertNil(try session.nextUploadAt())
    guard let upload = try session.nextUpload() else { return XCTFail("nothing is due") }
    guard case .later(_, let notBefore) = try session.uploadFinished(upload.id, .failed) else {
      return XCTFail("it is not offered again")
    }
    XCTAssertEqual(try session.nextUploadAt(), notBefore)
  }
}
