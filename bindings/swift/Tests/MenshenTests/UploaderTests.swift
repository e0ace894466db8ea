// The transport over URLSession, against a server that sends exactly the bytes a test gives it.

import Dispatch
import Foundation
import XCTest

@testable import Menshen

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

final class UploaderTests: XCTestCase {
  private func session(_ folder: TestFolder) throws -> Session {
    try Menshen(
      policy: .file(minimalPolicy), store: folder.at("store"), keys: .file(folder.at("keys"))
    ).guest()
  }

  private func reply(_ bytes: String) async throws -> (reply: Reply, requests: [String]) {
    let folder = try TestFolder()
    let server = try Server(answer: bytes)
    let uploader = Uploader(try session(folder))
    let reply = await uploader.send(server.upload)
    return (reply, server.requests.with { $0 })
  }

  func testAWholeReplyIsCompleteAndTheRequestIsWhatTheLibraryMade() async throws {
    let (reply, requests) = try await reply(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
    guard case .response(200, let headers, let body, true) = reply else {
      return XCTFail("\(reply)")
    }
    XCTAssertEqual(headers["Content-Type"], "text/plain")
    XCTAssertEqual(String(decoding: body, as: UTF8.self), "hello")
    XCTAssertEqual(requests.count, 1)
    XCTAssertTrue(requests[0].hasPrefix("POST /v1/logs HTTP/1.1\r\n"), requests[0])
    XCTAssertTrue(requests[0].contains("X-Test: one\r\n"), requests[0])
    XCTAssertTrue(requests[0].hasSuffix("\r\n\r\nrecords"), requests[0])
  }

  func testAChunkedReplyIsCompleteOnlyWithItsLastChunk() async throws {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    let whole = try await reply(head + "0\r\n\r\n").reply
    guard case .response(200, _, _, true) = whole else { return XCTFail("\(whole)") }
    let cut = try await reply(head).reply
    guard case .response(200, _, _, false) = cut else { return XCTFail("\(cut)") }
  }

  func testACutReplyAndOneThatOnlyTheConnectionEndsAreNotComplete() async throws {
    let cut = try await reply("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").reply
    guard case .response(200, _, _, false) = cut else { return XCTFail("\(cut)") }
    let unframed = try await reply("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello").reply
    guard case .response(200, _, _, false) = unframed else { return XCTFail("\(unframed)") }
  }

  func testARedirectIsAnAnswerAndIsNotFollowed() async throws {
    let target = try Server(answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    let location = "http://127.0.0.1:\(target.port)/elsewhere"
    let (reply, _) = try await reply(
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n")
    guard case .response(307, _, _, _) = reply else { return XCTFail("\(reply)") }
    XCTAssertEqual(target.requests.with { $0.count }, 0)
  }

  func testALongReplyIsCutAndNotComplete() async throws {
    let length = 10 * Uploader.longestBody
    let (reply, _) = try await reply(
      "HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n" + String(repeating: "a", count: length)
    )
    guard case .response(200, _, let body, false) = reply else { return XCTFail("\(reply)") }
    XCTAssertEqual(body.count, Uploader.longestBody)
  }

  func testNobodyThereAndSilenceFail() async throws {
    let folder = try TestFolder()
    let uploader = Uploader(try session(folder))
    let gone = try Server(answer: "")
    gone.stop()
    let refused = await uploader.send(gone.upload)
    XCTAssertEqual(refused, .failed)
    let silent = try await reply("").reply
    XCTAssertEqual(silent, .failed)
  }

  func testACancelledTaskStopsItsUpload() async throws {
    let folder = try TestFolder()
    let uploader = Uploader(try session(folder))
    let server = try Server(answer: nil)
    let task = Task { await uploader.send(server.upload) }
    try await eventually { server.requests.with { !$0.isEmpty } }
    task.cancel()
    let reply = await task.value
    XCTAssertEqual(reply, .failed)
    let early = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await uploader.send(server.upload)
    }
    let stopped = await early.value
    XCTAssertEqual(stopped, .failed)
  }

  func testAnUploadIsMadeAndAWithdrawalStopsIt() async throws {
    let folder = try TestFolder()
    let server = try Server(answer: nil)
    let policy = try JSON.parse(Data(contentsOf: minimalPolicy)).merging([
      "endpoints": ["own": ["url": .string("http://127.0.0.1:\(server.port)/v1/logs")]]
    ])
    let session = try Menshen(
      policy: .data(try policy.data), store: folder.at("store"), keys: .file(folder.at("keys"))
    ).guest()
    try await session.firstLaunch(screen: TestScreen())
    try session.record("call_ended", ["seconds": 42])
    let uploader = Uploader(session)
    let isOver = Locked(false)
    let task = Task {
      defer { isOver.with { $0 = true } }
      return try await uploader.uploadAll()
    }
    try await eventually { server.requests.with { !$0.isEmpty } }
    guard case .done(let inFlight) = try await session.withdraw("usage-statistics") else {
      return XCTFail("the withdrawal is not durable")
    }
    XCTAssertEqual(inFlight.count, 1)
    // What comes next, a request to erase, gets no answer either.
    try await eventually { server.requests.with { $0.count == 2 } || isOver.with { $0 } }
    task.cancel()
    let outcomes = try await task.value
    XCTAssertEqual(outcomes.first, .cancelled(delivered: false))
  }
}

/// A server on a loopback port that answers every connection with the same bytes and closes it; without an
/// answer it keeps connections open. It knows just enough of HTTP to see where a request ends.
private final class Server: Sendable {
  let port: UInt16
  let requests = Locked<[String]>([])
  private let listener: Int32

  init(answer: String?) throws {
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let listener = socket(AF_INET, kind, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 8) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard bound else { throw BrokenVector("no loopback port") }
    self.listener = listener
    port = UInt16(bigEndian: address.sin_port)
    let requests = requests
    Thread.detachNewThread {
      signal(SIGPIPE, SIG_IGN)
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { return }
        requests.with { $0.append(Server.read(connection)) }
        guard let answer else { continue }
        var bytes = Array(answer.utf8)[...]
        while !bytes.isEmpty {
          let written = bytes.withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
          if written <= 0 { break }
          bytes = bytes.dropFirst(written)
        }
        close(connection)
      }
    }
  }

  deinit {
    stop()
  }

  var upload: Upload {
    Upload(
      id: 1, url: URL(string: "http://127.0.0.1:\(port)/v1/logs")!, headers: ["X-Test": "one"],
      body: Data("records".utf8))
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private static func read(_ connection: Int32) -> String {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = recv(connection, &buffer, buffer.count, 0)
      if count <= 0 { return text }
      text += String(decoding: buffer[..<count], as: UTF8.self)
      guard let end = text.range(of: "\r\n\r\n") else { continue }
      let length = text[..<end.lowerBound].components(separatedBy: "\r\n")
        .first { $0.lowercased().hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
      if text[end.upperBound...].utf8.count >= length ?? 0 { return text }
    }
  }
}
