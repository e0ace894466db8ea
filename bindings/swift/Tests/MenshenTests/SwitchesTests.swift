// The gate of a third-party SDK, where noting its start fails.

import XCTest

@testable import Menshen

final class SwitchesTests: XCTestCase {
  func testAStartThatCouldNotBeNotedIsTriedAgainAndNothingIsStoppedThatDidNotStart() {
    let calls = Locked<[String]>([])
    let canNote = Locked(false)
    let switches = Switches()
    switches.add(
      "umeng",
      note: { starts in
        calls.with { $0.append("note \(starts)") }
        return canNote.with { $0 }
      },
      start: { calls.with { $0.append("start") } }, stop: { calls.with { $0.append("stop") } })
    switches.turn { _ in true }
    switches.turn { _ in false }
    XCTAssertEqual(calls.with { $0 }, ["note true"])

    canNote.with { $0 = true }
    switches.turn { _ in true }
    XCTAssertEqual(calls.with { $0 }, ["note true", "note true", "start"])
  }

  func testAStopThatCouldNotBeNotedStopsAllTheSame() {
    let calls = Locked<[String]>([])
    let switches = Switches()
    switches.add(
      "umeng", note: { $0 }, start: { calls.with { $0.append("start") } },
      stop: { calls.with { $0.append("stop") } })
    switches.turn { _ in true }
    switches.turn { _ in false }
    switches.turn { _ in false }
    XCTAssertEqual(calls.with { $0 }, ["start", "stop"])
  }
}
