// Streams of consent whose lists are read by several threads at once.

import XCTest

@testable import Menshen

final class ConsentStreamsTests: XCTestCase {
  private func states(_ allowed: Bool) -> [PurposeState] {
    [PurposeState(id: "statistics", name: "Statistics", isAllowed: allowed, denial: nil)]
  }

  func testAListThatWasReadEarlierAndComesLaterReplacesNothing() async {
    let streams = ConsentStreams()
    var open = streams.open { states(true) }.makeAsyncIterator()
    streams.publish {
      // Another thread reads and tells the states while this one is still at it.
      streams.publish { states(false) }
      return states(true)
    }
    let now = await open.next()
    XCTAssertEqual(now, states(false))
  }

  func testAStreamThatIsOpenedDuringAChangeBeginsWithWhatTheChangeLeft() async {
    let streams = ConsentStreams()
    var open = streams.open {
      streams.publish { states(false) }
      return states(true)
    }.makeAsyncIterator()
    let now = await open.next()
    XCTAssertEqual(now, states(false))
  }

  func testAStreamEndsWithItsSessionOrIfNothingCanBeRead() async {
    struct Own: Error {}
    let streams = ConsentStreams()
    var unreadable = streams.open { throw Own() }.makeAsyncIterator()
    let nothing = await unreadable.next()
    XCTAssertNil(nothing)
    var open = streams.open { states(true) }.makeAsyncIterator()
    streams.finish()
    let last = await open.next()
    let end = await open.next()
    XCTAssertEqual(last, states(true))
    XCTAssertNil(end)
  }
}
