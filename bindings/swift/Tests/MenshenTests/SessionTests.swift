// A session as an app uses it: asking, using, stopping, closing.

import Foundation
import Menshen
import XCTest

final class SessionTests: XCTestCase {
  private let clock = TestClock()
  private let platform = TestPlatform()

  private func open(_ folder: TestFolder, _ name: String = "store") throws -> Menshen {
    try Menshen(
      policy: .file(minimalPolicy), store: folder.at(name), keys: .file(folder.at("keys-\(name)")),
      platform: platform, clock: clock, markers: [folder.at("markers-\(name)")])
  }

  // MARK: Asking

  func testARequestGoesThroughTheScreenAndOpensTheFeature() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let screen = TestScreen(platform: platform)
    XCTAssertFalse(session.isAllowed("share-location"))
    let outcome = try await session.request("share-location", screen: screen)
    guard case .allowed(let permit) = outcome else { return XCTFail("\(outcome)") }
    XCTAssertEqual(permit.feature, "share-location")
    XCTAssertEqual(screen.shown.with { $0 }, [.notice, .separateConsent])
    XCTAssertTrue(session.isAllowed("share-location"))
    XCTAssertTrue(session.isPurposeAllowed("share-location"))
    XCTAssertNil(try session.whyNot("share-location"))
    XCTAssertFalse(session.isAllowed("no-such-feature"))
  }

  func testANoOnTheScreenIsADenialWithASentence() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let outcome = try await session.request("share-location", screen: TestScreen(says: false))
    guard case .denied(let denial) = outcome else { return XCTFail("\(outcome)") }
    XCTAssertEqual(denial.code, "notice-not-agreed")
    XCTAssertFalse(denial.text.isEmpty)
    XCTAssertFalse(session.isAllowed("share-location"))
    XCTAssertEqual(denial.identity.policyID, "minimal")
    XCTAssertEqual(denial.identity.policyVersion, "1.0.0")
    XCTAssertEqual(denial.identity.policyHash, try Menshen.checkPolicy(.file(minimalPolicy)))
    XCTAssertEqual(denial.identity.lawPacks.map(\.id), ["cn", "eu", "us-ca", "us-coppa"])
    for pack in denial.identity.lawPacks {
      XCTAssertEqual(pack.asOf.split(separator: "-").map(\.count), [4, 2, 2])
      XCTAssertEqual(pack.hash.count, 64)
    }
  }

  func testAFlowGoesStepByStepAndRefusesAnAnswerToAnotherStep() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let flow = try await session.flow(.feature("share-location", .tap))
    let error = await menshenError { try await flow.answer(.switches([])) }
    XCTAssertEqual(error?.code, .unexpectedAnswer)
    guard case .show(let notice) = try flow.step() else { return XCTFail("no notice") }
    XCTAssertEqual(notice.kind, .notice)
    guard case .askSubject = try await flow.answer(.yes) else { return XCTFail("no question") }
  }

  func testACancelledRequestLeavesItsQuestionUnanswered() async throws {
    /// Waits until its task is cancelled, then says no, as a dismissed sheet does.
    struct Waiting: Screen {
      let isShown: @Sendable () -> Void

      func show(_ prompt: Prompt) async -> Bool {
        isShown()
        try? await Task.sleep(nanoseconds: 60_000_000_000)
        return false
      }
      func offer(_ offers: [Offer]) async -> Set<String> { [] }
      func askSubject() async -> SubjectAnswer { SubjectAnswer(born: "", place: "") }
      func confirmSubject(_ answer: SubjectAnswer) async -> Bool { false }
      func askSystem(_ permission: Permission, text: String) async -> PermissionState { .denied }
    }
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let before = try session.exportLedger()
    let shown = expectation(description: "the notice is shown")
    let task = Task {
      try await session.request("share-location", screen: Waiting(isShown: { shown.fulfill() }))
    }
    await fulfillment(of: [shown], timeout: 10)
    task.cancel()
    do {
      let outcome = try await task.value
      XCTFail("\(outcome)")
    } catch {
      XCTAssertTrue(error is CancellationError, "\(error)")
    }
    XCTAssertEqual(try session.exportLedger(), before)
    _ = try await openFeature(session, platform)
  }

  // MARK: Using

  func testAFeatureIsReadableWithinItsUseAndAPermitIsUsedOnce() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let permit = try await openFeature(session, platform)
    var kept: FeatureUse?
    var read = 0
    let result = try await session.withFeature(permit) { use in
      kept = use
      read += try use.read { 1 }
      await Task.yield()
      return try use.read { "here" }
    }
    XCTAssertEqual(result, "here")
    XCTAssertEqual(read, 1)
    XCTAssertThrowsError(try kept?.read {}) {
      XCTAssertEqual(($0 as? MenshenError)?.code, .permitEnded)
    }
    let again = await menshenError { try await session.withFeature(permit) { _ in } }
    XCTAssertEqual(again?.code, .permitEnded)
  }

  func testAUseOnTheMainActorStaysThere() async throws {
    @MainActor func useIt(_ session: Session, _ permit: Permit) async throws -> Int {
      var reads = 0
      try await session.withFeature(permit) { use in
        MainActor.assertIsolated()
        await Task.yield()
        reads += try use.read { 1 }
      }
      return reads
    }
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let reads = try await useIt(session, try await openFeature(session, platform))
    XCTAssertEqual(reads, 1)
  }

  func testAUseEndsWithAnErrorWithItsLimitAndWithAWithdrawal() async throws {
    struct Own: Error {}
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let ended = Locked<FeatureUse?>(nil)
    do {
      try await session.withFeature(try await openFeature(session, platform)) { use in
        ended.with { $0 = use }
        throw Own()
      }
      XCTFail("no error")
    } catch {
      XCTAssertTrue(error is Own)
    }
    XCTAssertThrowsError(try ended.with { try $0?.read {} })

    let limited = try session.begin(try await openFeature(session, platform), limit: 10)
    try limited.read {}
    clock.advance(10_000)
    XCTAssertThrowsError(try limited.read {})

    let use = try session.begin(try await openFeature(session, platform))
    try use.read {}
    try await session.withdraw("share-location")
    XCTAssertThrowsError(try use.read {})
  }

  func testACancelledTaskEndsItsUseAtOnce() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let permit = try await openFeature(session, platform)
    let started = expectation(description: "the use has begun")
    let closed = Locked(false)
    let task = Task {
      try await session.withFeature(permit) { use in
        try use.read {}
        started.fulfill()
        try? await Task.sleep(nanoseconds: 60_000_000_000)
        closed.with { $0 = (try? use.read {}) == nil }
      }
    }
    await fulfillment(of: [started], timeout: 10)
    task.cancel()
    _ = try await task.value
    XCTAssertTrue(closed.with { $0 })
  }

  func testAPermitOfAnotherSessionOpensNothing() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let (guest, account) = (try menshen.guest(), try menshen.session(account: "a-1"))
    let permit = try await openFeature(guest, platform)
    XCTAssertThrowsError(try account.begin(permit)) {
      XCTAssertEqual(($0 as? MenshenError)?.code, .permitEnded)
    }
    XCTAssertFalse(account.isAllowed("share-location"))
  }

  // MARK: Changes

  func testAnSDKStartsWithConsentAndStopsWithItsWithdrawal() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let calls = Locked<[String]>([])
    try session.whenAllowed(
      "umeng", start: { calls.with { $0.append("start") } },
      stop: { calls.with { $0.append("stop") } })
    XCTAssertEqual(calls.with { $0 }, [])
    try await session.firstLaunch(screen: TestScreen())
    XCTAssertEqual(calls.with { $0 }, ["start"])
    XCTAssertNil(try session.whyNotStart("umeng"))
    try await session.withdraw("usage-statistics")
    XCTAssertEqual(calls.with { $0 }, ["start", "stop"])
    try await session.requestPurpose("usage-statistics", screen: TestScreen())
    XCTAssertEqual(calls.with { $0 }, ["start", "stop", "start"])
    XCTAssertThrowsError(try session.whenAllowed("nobody", start: {}, stop: {})) {
      XCTAssertEqual(($0 as? MenshenError)?.code, .undeclared)
    }
  }

  func testAnSDKThatIsRunningStopsWhenTheStoreIsClosed() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let session = try menshen.guest()
    let calls = Locked<[String]>([])
    try await session.firstLaunch(screen: TestScreen())
    try session.whenAllowed(
      "umeng", start: { calls.with { $0.append("start") } },
      stop: { calls.with { $0.append("stop") } })
    menshen.close()
    XCTAssertEqual(calls.with { $0 }, ["start", "stop"])
  }

  func testAnSDKMayLookAtTheFlowWhoseAnswerStartsIt() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let flow = try await session.flow(.firstLaunch)
    let seen = Locked<[String]>([])
    try session.whenAllowed(
      "umeng", start: { seen.with { $0.append((try? flow.step()) == nil ? "nothing" : "a step") } },
      stop: {})
    var step = try flow.step()
    while true {
      switch step {
      case .show, .confirmSubject: step = try await flow.answer(.yes)
      case .askSubject:
        step = try await flow.answer(.subject(SubjectAnswer(born: "1990-05", place: "DE")))
      case .offer(let offers): step = try await flow.answer(.switches(Set(offers.map(\.id))))
      default:
        XCTAssertEqual(seen.with { $0 }, ["a step"])
        return
      }
    }
  }

  func testTheNamesOfPurposesFollowTheLocale() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    let names = Locked<[String?]>([])
    let task = Task {
      for await states in session.consent {
        names.with { $0.append(states.first { $0.id == "usage-statistics" }?.name) }
      }
    }
    try await eventually { names.with { $0 == ["Statistics"] } }
    try session.setLocale("zh-Hans")
    try await eventually { names.with { $0.last == "统计" } }
    task.cancel()
  }

  func testTheAnswersAreClosedWhenAWithdrawalReturnsAndWhenTheyExpire() async throws {
    let folder = try TestFolder()
    let session = try open(folder).guest()
    _ = try await openFeature(session, platform)
    clock.advance(25 * 3_600_000)
    XCTAssertFalse(session.isAllowed("share-location"))
    try await session.refresh()
    XCTAssertTrue(session.isAllowed("share-location"))
    platform.set(.locationPrecise, .blocked)
    try await session.refresh()
    XCTAssertFalse(session.isAllowed("share-location"))
    XCTAssertEqual(try session.whyNot("share-location")?.remedy, .systemSettings)
  }

  func testConsentIsAStreamOfStates() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let session = try menshen.guest()
    var states = session.consent.makeAsyncIterator()
    let before = await states.next()
    XCTAssertEqual(before?.first { $0.id == "usage-statistics" }?.isAllowed, false)
    try await session.firstLaunch(screen: TestScreen())
    let after = await states.next()
    XCTAssertEqual(after?.first { $0.id == "usage-statistics" }?.isAllowed, true)
    menshen.close()
    let end = await states.next()
    XCTAssertNil(end)
  }

  func testAnEventIsStoredAfterConsentAndItsLedgerVerifies() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let session = try menshen.guest()
    try await session.firstLaunch(screen: TestScreen())
    XCTAssertEqual(try session.record("call_ended", ["seconds": 42, "peer": "someone"]), .buffered)
    XCTAssertEqual(try session.recordJSON("call_ended", Data("{\"seconds\":1}".utf8)), .buffered)
    XCTAssertEqual(try session.waitingRecords("usage-statistics"), 2)
    try menshen.sync()
    let export = try session.exportLedger()
    guard case .sound(let entries) = Menshen.verifyLedger(export) else { return XCTFail(export) }
    XCTAssertGreaterThan(entries, 0)
    XCTAssertEqual(try session.verifyLedger(), .sound(entries: entries))
    let withdrawn = try await session.withdraw("usage-statistics")
    XCTAssertEqual(withdrawn, .done(inFlight: []))
    let done = try await session.maintain()
    XCTAssertEqual(done.shredded, ["usage-statistics"])
  }

  // MARK: Closing

  func testClosingFreesTheStoreAndDeniesEverythingAfter() async throws {
    let folder = try TestFolder()
    let menshen = try open(folder)
    let session = try menshen.guest()
    let use = try session.begin(try await openFeature(session, platform))
    let busy = await menshenError { try self.open(folder) }
    XCTAssertEqual(busy?.code, .storeBusy)
    menshen.close()
    menshen.close()
    XCTAssertFalse(session.isAllowed("share-location"))
    XCTAssertThrowsError(try use.read {})
    let closed = await menshenError { try session.record("call_ended") }
    XCTAssertEqual(closed?.code, .closed)
    let guest = await menshenError { try menshen.guest() }
    XCTAssertEqual(guest?.code, .closed)
    let again = try open(folder).guest()
    XCTAssertTrue(again.isAllowed("share-location"))
  }

  func testTwoStoresInOneProcessKnowNothingOfEachOther() async throws {
    let folder = try TestFolder()
    let (first, second) = (try open(folder, "first"), try open(folder, "second"))
    let (one, other) = (try first.guest(), try second.guest())
    XCTAssertTrue(one === (try first.guest()))
    _ = try await openFeature(one, platform)
    XCTAssertTrue(one.isAllowed("share-location"))
    try await other.refresh()
    XCTAssertFalse(other.isAllowed("share-location"))
    first.close()
    try await other.firstLaunch(screen: TestScreen())
    XCTAssertEqual(try other.record("call_ended", ["seconds": 1]), .buffered)
  }

  func testIsAllowedIsCheap() async throws {
    let folder = try TestFolder()
    let session = try Menshen(
      policy: .file(minimalPolicy), store: folder.at("store"), keys: .file(folder.at("keys")),
      platform: platform
    ).guest()
    _ = try await openFeature(session, platform)
    let rounds = 200_000
    var open = 0
    let start = DispatchTime.now().uptimeNanoseconds
    for _ in 0..<rounds where session.isAllowed("share-location") { open += 1 }
    let taken = DispatchTime.now().uptimeNanoseconds - start
    print("is_allowed: \(taken / UInt64(rounds)) ns")
    XCTAssertEqual(open, rounds)
  }
}

/// Says yes to everything that stands before the feature.
private func openFeature(_ session: Session, _ platform: TestPlatform) async throws -> Permit {
  let screen = TestScreen(platform: platform)
  let outcome = try await session.request("share-location", screen: screen)
  guard case .allowed(let permit) = outcome else {
    throw BrokenVector("the feature is not open: \(outcome)")
  }
  return permit
}
