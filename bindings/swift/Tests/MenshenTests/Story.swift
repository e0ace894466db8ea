// One vector at work: a store, a session and the steps that are carried out on them, all through the public API.

import Foundation
@preconcurrency import Menshen

/// The state of a running vector. One task at a time uses it.
final class Story {
  private let base: JSON
  private let folder: TestFolder
  let clock = TestClock()
  let platform = TestPlatform()
  private var menshen: Menshen?
  private var session: Session?
  var permit: Permit?
  var use: FeatureUse?
  var heldUpload: Upload?

  init(policy: JSON) async throws {
    base = policy
    folder = try TestFolder()
    try await open(["do": "open"])
  }

  func close() {
    use = nil
    permit = nil
    heldUpload = nil
    session = nil
    menshen?.close()
    menshen = nil
  }

  /// The session, or a broken vector.
  var current: Session {
    get throws {
      guard let session else { throw BrokenVector("no session is open") }
      return session
    }
  }

  /// Carries out one step. A failure of the library is a result, too.
  func perform(_ step: JSON) async throws -> JSON {
    guard let name = step["do"]?.string else { throw BrokenVector("a step without `do`") }
    guard let known = Story.keys[name] else { throw BrokenVector("no step `\(name)`") }
    let unknown = Set(step.object?.keys.map { $0 } ?? []).subtracting(known + ["do", "expect"])
    guard unknown.isEmpty else { throw BrokenVector("step `\(name)` has no \(unknown.sorted())") }
    do {
      return try await carryOut(name, step)
    } catch let error as MenshenError {
      return ["error": Story.json(error)]
    }
  }

  // MARK: Opening

  func open(_ step: JSON) async throws {
    // A busy store stays open while it is opened again.
    let holder = step["store"] == "busy" ? menshen : nil
    if holder != nil { (menshen, session) = (nil, nil) }
    close()
    defer { holder?.close() }
    let store: URL
    switch step["store"]?.string ?? "same" {
    case "same", "busy": store = folder.at("store")
    case "missing": store = folder.at("nowhere/store")
    case "file":
      store = folder.at("file")
      try Data("not a folder".utf8).write(to: store)
    case "garbage":
      store = folder.at("garbage")
      try FileManager.default.createDirectory(at: store, withIntermediateDirectories: true)
      try Data(repeating: 0x5a, count: 4096).write(to: store.appendingPathComponent("manifest.1"))
      try Data(repeating: 0xff, count: 512).write(to: store.appendingPathComponent("holiday.jpg"))
    case "read-only":
      // Nobody can make a folder there, root neither, if it is the kernel's own.
      guard FileManager.default.fileExists(atPath: "/sys/kernel") else {
        throw BrokenVector("/sys is not mounted")
      }
      store = URL(fileURLWithPath: "/sys/menshen-store")
    case let other: throw BrokenVector("no store `\(other)`")
    }
    let opened = try Menshen(
      policy: .data(try step["policy"].map(document) ?? base.data), store: store,
      keys: .file(folder.at(step["keys"] == "other" ? "other-keys" : "keys")), platform: platform,
      clock: clock, markers: [folder.at("markers")], capacity: step["cap"]?.integer.map(Int.init))
    do {
      let session = try opened.guest()
      try session.setLocale("en")
      try session.setStrict(true)
      (menshen, self.session) = (opened, session)
    } catch {
      opened.close()
      throw error
    }
  }

  /// Flips the lowest bit of the middle byte of every file in a folder.
  func damage(_ what: String) throws {
    let damaged = what == "segments" ? folder.at("store/segments") : folder.at(what)
    let files = FileManager.default.enumerator(at: damaged, includingPropertiesForKeys: nil)
    for case let file as URL in files ?? .init() where !file.hasDirectoryPath {
      var bytes = try Data(contentsOf: file)
      guard !bytes.isEmpty else { continue }
      // In the middle of what was written: files may end in zeros.
      bytes[(bytes.lastIndex { $0 != 0 } ?? 0) / 2] ^= 1
      try bytes.write(to: file)
    }
  }

  /// A policy as a vector gives it.
  func document(_ policy: JSON) throws -> Data {
    if let patch = policy["patch"] { return try base.merging(patch).data }
    if let text = policy["text"]?.string { return Data(text.utf8) }
    if let hex = policy["hex"]?.string { return try Data(hex: hex) }
    throw BrokenVector("a policy without `patch`, `text` or `hex`")
  }

  // MARK: Flows

  /// Goes through a flow with the answers of a vector.
  func go(_ goal: Goal, _ step: JSON) async throws -> JSON {
    let flow = try await current.flow(goal)
    var answers = (step["answers"]?.array ?? [])[...]
    var steps: [JSON] = []
    var kinds: [JSON] = []
    var result: [String: JSON] = [:]
    var next = try flow.step()
    while result.isEmpty {
      if let name = next.name { steps.append(.string(name)) }
      switch next {
      case .show(let prompt): kinds.append(.string(prompt.kind.rawValue))
      case .allowed(let permit):
        self.permit = permit
        result["outcome"] = "allowed"
      case .denied(let denial):
        result["outcome"] = "denied"
        result["denial"] = Story.json(denial)
      case .finished(let asksAgain):
        result["outcome"] = "finished"
        result["asks_again"] = .array(asksAgain.map(JSON.string))
      default: break
      }
      guard result.isEmpty else { break }
      guard let answer = answers.popFirst() else {
        result["waiting"] = .string(next.name ?? "")
        break
      }
      next = try await flow.answer(try self.answer(answer, to: next))
    }
    guard answers.isEmpty else { throw BrokenVector("more answers than steps") }
    result["steps"] = .array(steps)
    result["kinds"] = .array(kinds)
    return .object(result)
  }

  private func answer(_ answer: JSON, to step: Step) throws -> Answer {
    switch answer {
    case "yes": return .yes
    case "no": return .no
    default: break
    }
    if let switches = answer["switches"]?.strings { return .switches(Set(switches)) }
    if let born = answer["subject"]?["born"]?.string,
      let place = answer["subject"]?["place"]?.string
    {
      return .subject(SubjectAnswer(born: born, place: place))
    }
    if let state = answer["system"]?.string.flatMap(PermissionState.init) {
      if case .askSystem(let permission, _) = step { platform.set(permission, state) }
      return .system(state)
    }
    throw BrokenVector("no answer `\(answer)`")
  }

  // MARK: Results

  static func json(_ denial: Denial?) -> JSON {
    guard let denial else { return .null }
    let until = denial.until.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
    return [
      "code": .string(denial.code), "subject": .string(denial.subject),
      "rule": denial.rule.map(JSON.string) ?? .null,
      "source": denial.source.map(JSON.string) ?? .null,
      "until_ms": until.map(JSON.integer) ?? .null, "remedy": .string(denial.remedy.rawValue),
      "text": .string(denial.text),
    ]
  }

  static func json(_ error: MenshenError) -> JSON {
    let problems = error.problems.map { problem -> JSON in
      [
        "code": .string(problem.code), "pointer": .string(problem.pointer),
        "line": .integer(Int64(problem.line)), "column": .integer(Int64(problem.column)),
      ]
    }
    return [
      "code": .string(error.code.rawValue), "fields": .object(error.fields.mapValues(JSON.string)),
      "problems": .array(problems),
    ]
  }
}

extension Step {
  /// The name of a step that waits for an answer.
  fileprivate var name: String? {
    switch self {
    case .show: "show"
    case .offer: "offer"
    case .askSubject: "ask-subject"
    case .confirmSubject: "confirm-subject"
    case .askSystem: "ask-system"
    case .allowed, .denied, .finished: nil
    }
  }
}
