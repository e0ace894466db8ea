// Makes the uploads of a session with URLSession.

#if canImport(FoundationNetworking)
  internal import Foundation
  public import FoundationNetworking
#else
  public import Foundation
#endif

/// Makes the uploads of a session: one after another, no redirects, no cookies, no cache, and only replies
/// that are surely whole count as such. Uploads that a withdrawal cancels are stopped at once.
///
/// Unchecked: `tasks` is touched only under `lock`, the rest is immutable.
public final class Uploader: @unchecked Sendable {
  /// What is kept of a reply's body, in bytes; a longer one is not complete.
  static let longestBody = 64 * 1024

  private let session: Session
  private let transport: URLSession
  private let exchanges: Exchanges
  private let lock = NSLock()
  private var tasks: [Upload.ID: URLSessionTask] = [:]
  private var stopListening: @Sendable () -> Void = {}

  /// An uploader. The configuration's cookies, cache and credentials are turned off.
  public init(_ session: Session, configuration: URLSessionConfiguration = .ephemeral) {
    configuration.httpCookieStorage = nil
    configuration.httpShouldSetCookies = false
    configuration.urlCache = nil
    configuration.urlCredentialStorage = nil
    configuration.timeoutIntervalForResource = min(configuration.timeoutIntervalForResource, 30)
    self.session = session
    exchanges = Exchanges()
    transport = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
    stopListening = session.afterChange { [weak self] in self?.stopCancelled() }
  }

  deinit {
    stopListening()
    transport.invalidateAndCancel()
  }

  /// Makes every upload that is allowed and due now, and returns what came of each. Cancelling the task stops the
  /// one that is under way; its records are offered again.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  @discardableResult
  public func uploadAll() async throws -> [UploadOutcome] {
    var outcomes: [UploadOutcome] = []
    while !Task.isCancelled,
      let upload = try await inBackground({ [session] in try session.nextUpload() })
    {
      let reply = await send(upload)
      outcomes.append(
        try await inBackground { [session] in try session.uploadFinished(upload.id, reply) })
    }
    return outcomes
  }

  /// Makes one upload. Cancelling the task stops it.
  func send(_ upload: Upload) async -> Reply {
    var request = URLRequest(url: upload.url)
    request.httpMethod = "POST"
    request.httpBody = upload.body
    request.cachePolicy = .reloadIgnoringLocalCacheData
    for (name, value) in upload.headers { request.setValue(value, forHTTPHeaderField: name) }
    // Decoded replies would no longer have the length that their framing told.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    let task = transport.dataTask(with: request)
    lock.withLock { tasks[upload.id] = task }
    defer { lock.withLock { tasks[upload.id] = nil } }
    // A withdrawal may have come between taking the upload and this.
    stopCancelled()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        exchanges.begin(task) { continuation.resume(returning: $0) }
      }
    } onCancel: {
      exchanges.stop(task)
    }
  }

  private func stopCancelled() {
    guard !lock.withLock({ tasks.isEmpty }), let ids = try? session.cancelledUploads() else {
      return
    }
    for task in lock.withLock({ ids.compactMap { tasks[$0] } }) {
      exchanges.stop(task)
    }
  }
}

/// Collects the replies of the transport's tasks.
///
/// Unchecked: `open` and `stoppedEarly` are touched only under `lock`.
private final class Exchanges: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  private struct Exchange {
    let finish: @Sendable (Reply) -> Void
    var response: HTTPURLResponse?
    var body = Data()
    var isCut = false
    var isFramedByProtocol = false
  }

  private let lock = NSLock()
  private var open: [Int: Exchange] = [:]
  /// Stopped before they began.
  private var stoppedEarly: Set<Int> = []

  func begin(_ task: URLSessionTask, finish: @escaping @Sendable (Reply) -> Void) {
    let isStopped = lock.withLock {
      if stoppedEarly.remove(task.taskIdentifier) != nil { return true }
      open[task.taskIdentifier] = Exchange(finish: finish)
      return false
    }
    if isStopped { finish(.failed) } else { task.resume() }
  }

  /// Stops a task without waiting for what the transport makes of it.
  func stop(_ task: URLSessionTask) {
    let stopped = lock.withLock {
      let stopped = open.removeValue(forKey: task.taskIdentifier)
      if stopped == nil && task.state == .suspended { stoppedEarly.insert(task.taskIdentifier) }
      return stopped
    }
    task.cancel()
    stopped?.finish(.failed)
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    lock.withLock { open[dataTask.taskIdentifier]?.response = response as? HTTPURLResponse }
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTooLong = lock.withLock {
      guard var exchange = open[dataTask.taskIdentifier] else { return false }
      let room = Uploader.longestBody - exchange.body.count
      exchange.body.append(data.prefix(room))
      exchange.isCut = data.count > room
      open[dataTask.taskIdentifier] = exchange
      return exchange.isCut
    }
    if isTooLong { dataTask.cancel() }
  }

  #if !canImport(FoundationNetworking)
    func urlSession(
      _ session: URLSession, task: URLSessionTask,
      didFinishCollecting metrics: URLSessionTaskMetrics
    ) {
      let name = metrics.transactionMetrics.last?.networkProtocolName
      let isFramed = name == "h2" || name == "h3"
      lock.withLock { open[task.taskIdentifier]?.isFramedByProtocol = isFramed }
    }
  #endif

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let ended = lock.withLock { open.removeValue(forKey: task.taskIdentifier) }
    guard let ended else { return }
    guard let response = ended.response ?? task.response as? HTTPURLResponse else {
      ended.finish(.failed)
      return
    }
    var headers: [String: String] = [:]
    for case (let name as String, let value as String) in response.allHeaderFields {
      headers[name] = value
    }
    let isWhole = error == nil && !ended.isCut && isWhole(ended, response)
    ended.finish(
      .response(
        status: response.statusCode, headers: headers, body: ended.body, complete: isWhole))
  }

  /// Whether the framing shows where the body ends; the end of the connection does not.
  private func isWhole(_ exchange: Exchange, _ response: HTTPURLResponse) -> Bool {
    if exchange.isFramedByProtocol || response.statusCode == 204 { return true }
    if let length = response.value(forHTTPHeaderField: "Content-Length") {
      return Int(length) == exchange.body.count
    }
    return response.value(forHTTPHeaderField: "Transfer-Encoding") != nil
  }
}
