// The shared vectors, and two of this package's own that prove the runner.

import Foundation
import Menshen
import XCTest

final class VectorTests: XCTestCase {
  /// Two small stories on the minimal policy.
  private func ownVectors() throws -> Vectors {
    try Vectors(
      policy: JSON.parse(Data(contentsOf: minimalPolicy)),
      [
        "vectors": [
          [
            "name": "nothing is allowed before anyone was asked",
            "steps": [
              ["do": "allowed", "feature": "share-location", "expect": ["allowed": false]],
              [
                "do": "record", "event": "call_ended", "fields": ["seconds": 42],
                "expect": ["stored": "denied", "denial": ["code": "notice-not-agreed"]],
              ],
              [
                "do": "record", "event": "call_started", "fields": [:],
                "expect": ["error": ["code": "undeclared", "fields": ["name": "call_started"]]],
              ],
            ],
          ],
          [
            "name": "a refused notice ends the flow",
            "steps": [
              [
                "do": "request", "feature": "share-location", "answers": [],
                "expect": ["steps": ["show"], "kinds": ["notice"], "waiting": "show"],
              ],
              [
                "do": "request", "feature": "share-location", "answers": ["no"],
                "expect": ["outcome": "denied", "denial": ["code": "notice-not-agreed"]],
              ],
            ],
          ],
        ]
      ])
  }

  private func sharedVectors() throws -> Vectors {
    let environment = ProcessInfo.processInfo.environment["MENSHEN_VECTORS"]
    let folder = environment.map { URL(fileURLWithPath: $0) }
    return try Vectors(folder: folder ?? sharedTests.appendingPathComponent("vectors"))
  }

  func testEveryVectorIsKeptAndTheyMeetEveryErrorCode() async throws {
    if try AnotherProcess.isThis() { return }
    let shared = try sharedVectors()
    XCTAssertFalse(shared.vectors.isEmpty, "no vectors were found")
    var (executed, met) = (0, Set<MenshenError.Code>())
    for vector in shared.vectors {
      var verdict = "NOT RUN"
      if !vector.needsSmallDisk || SmallDisk.isThere {
        let run = await vector.run(policy: shared.policy)
        executed += 1
        met.formUnion(run.codes)
        verdict = run.mismatch == nil ? "ok" : "FAILED"
        if let mismatch = run.mismatch { XCTFail(mismatch.description) }
      }
      if vector.file == "bad-input" { print("bad input: \(vector.name): \(verdict)") }
    }
    // No vector closes the library and goes on: Rust's does not let a program do that.
    XCTAssertEqual(met, Set(MenshenError.Code.allCases).subtracting([.closed]))
    print("vectors executed: \(executed)")
  }

  func testTheRunnerKeepsWhatIsTrue() async throws {
    let own = try ownVectors()
    for vector in own.vectors {
      let run = await vector.run(policy: own.policy)
      XCTAssertNil(run.mismatch)
    }
  }

  func testTheRunnerReportsASpoiledExpectation() async throws {
    let (own, shared) = (try ownVectors(), try sharedVectors())
    let stories = own.vectors.map { ($0, own.policy) }
    for (vector, policy) in stories + shared.vectors.suffix(3).map({ ($0, shared.policy) }) {
      let first = vector.steps.firstIndex { $0["expect"] != nil }
      let mismatch = await vector.spoiled().run(policy: policy).mismatch
      XCTAssertEqual(mismatch?.vector, vector.name)
      XCTAssertEqual(mismatch?.step, first.map { $0 + 1 })
      XCTAssertNotEqual(mismatch?.expected, mismatch?.got)
    }
  }

  func testTheRunnerReportsAnUnknownStepAndAnUnknownKey() async throws {
    let policy = try ownVectors().policy
    for step: JSON in [["do": "dance"], ["do": "maintain", "purpose": "x"]] {
      let mismatch = await Vector(name: "broken", steps: [step]).run(policy: policy).mismatch
      XCTAssertEqual(mismatch?.got.hasPrefix("a broken vector"), true)
    }
  }
}
