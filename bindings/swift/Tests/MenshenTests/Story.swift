// One vector at work: a store, a session and the steps that are carried out on them, all through the public API.

import Foundation
@preconcurrency import Menshen

/// The state of a running vector. One task at a time uses it.
final class Story {
  private let base: JSON
  private let folder: TestFolder
  /// The store's folder as it was given last.
  private var store: URL
  /// The folder of the file keys as it was given last.
  private var keysFolder: URL?
  let clock = TestClock()
  let platform = TestPlatform()
  private var menshen: Menshen?
  private var session: Session?
  private let keys = ScriptedKeys()
  private var smallDisk: SmallDisk?
  /// The codes of the errors that the vector met.
  private(set) var codes: Set<MenshenError.Code> = []
  var permit: Permit?
  var use: FeatureUse?
  var heldUpload: Upload?

  init(policy: JSON) async throws {
    base = policy
    folder = try TestFolder()
    store = folder.at("store")
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

  /// The session becomes the vector's own; whether it is the one from before.
  func become(_ open: (Menshen) throws -> Session) throws -> JSON {
    guard let menshen else { throw BrokenVector("no store is open") }
    let before = session
    let opened = try open(menshen)
    try opened.setLocale("en")
    try opened.setStrict(true)
    session = opened
    guard try menshen.current() === opened else { throw BrokenVector("another session is the current one") }
    return ["same": .bool(opened === before)]
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
      codes.insert(error.code)
      guard error.isTold else { throw BrokenVector("an error without words: \(error)") }
      return ["error": json(error)]
    }
  }

  // MARK: Opening

  func open(_ step: JSON) async throws {
    // A busy store stays open while it is opened again.
    let holder = step["store"] == "busy" ? menshen : nil
    if holder != nil { (menshen, session) = (nil, nil) }
    close()
    defer { holder?.close() }
    let other = step["store"] == "locked" ? try AnotherProcess(holding: folder.url) : nil
    defer { other?.end() }
    switch step["store"]?.string ?? "same" {
    case "same", "busy", "locked": store = folder.at("store")
    case "disk": store = try disk().store
    case "disk-read-only": store = try disk().readOnlyStore
    case let kind: store = try place(kind, in: folder)
    }
    let given = try keys(step["keys"]?.string ?? "same")
    if case .file(let folder) = given { keysFolder = folder }
    let opened = try Menshen(
      policy: .data(try step["policy"].map(document) ?? base.data), store: store,
      keys: given, platform: platform, clock: clock,
      markers: [folder.at("markers")], capBytes: step["cap"]?.integer.map(Int.init))
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

  private func keys(_ kind: String) throws -> Keys {
    switch kind {
    case "same": return .file(folder.at("keys"))
    case "other": return .file(folder.at("other-keys"))
    case "the-store": return .file(store)
    case "in-store": return .file(store.appendingPathComponent("platform-keys"))
    case "file": return .file(try place("file", in: folder))
    case "scripted": return .provider(keys)
    default: throw BrokenVector("keys are not `\(kind)`")
    }
  }

  func disk() throws -> SmallDisk {
    let disk = try smallDisk ?? SmallDisk()
    smallDisk = disk
    return disk
  }

  /// What the scripted key store answers from now on.
  func script(_ answers: String) throws {
    switch answers {
    case "works": keys.answer.with { $0 = nil }
    case "not-yet": keys.answer.with { $0 = .all(KeyError.notYet) }
    case "throws": keys.answer.with { $0 = .all(ThrowingKeys.Secret()) }
    case "already-exists": keys.answer.with { $0 = .creating(.alreadyExists) }
    default: throw BrokenVector("a key store does not answer `\(answers)`")
    }
  }

  /// Offers a document cut at every byte, and checks it with two bits of every byte flipped.
  func spoil(_ document: Data) async throws -> JSON {
    let white = document.reversed().prefix { $0 == 0x0a || $0 == 0x20 }.count
    let whole = Data(document.dropLast(white))
    for at in 0..<whole.count {
      let cut = await failure { try await self.current.offerPolicy(.data(whole.prefix(at))) }
      guard cut?.code == .policy, cut?.isTold == true else { return ["cut_at": .integer(Int64(at))] }
      for bit: UInt8 in [0x01, 0x80] {
        var flipped = whole
        flipped[at] ^= bit
        // A letter of a text may turn into another one, which is no error.
        guard let failed = await failure({ try Menshen.checkPolicy(.data(flipped)) }) else { continue }
        guard failed.code == .policy, failed.isTold else { return ["flipped_at": .integer(Int64(at))] }
      }
    }
    try Menshen.checkPolicy(.data(whole))
    return ["ok": true]
  }

  private func failure<Result>(_ call: () async throws -> Result) async -> MenshenError? {
    do {
      _ = try await call()
      return nil
    } catch {
      return error as? MenshenError
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
    if let path = policy["document"]?.string {
      return try Data(contentsOf: sharedTests.appendingPathComponent(path))
    }
    throw BrokenVector("a policy without `patch`, `text`, `hex` or `document`")
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
      case .exercised(let exercised):
        result["outcome"] = "exercised"
        result["exercised"] = Story.json(exercised)
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

  static func json(_ exercised: Exercised) -> JSON {
    switch exercised {
    case .done(_, let inFlight): ["kind": "done", "in_flight": .integer(Int64(inFlight.count))]
    case .refused(_, let ground, let source):
      ["kind": "refused", "ground": .string(ground), "source": .string(source)]
    case .pending(let code): ["kind": "pending", "code": .string(code.rawValue)]
    }
  }

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

  private func json(_ error: MenshenError) -> JSON {
    var fields = error.fields
    switch fields["folder"] {
    case store.path: fields["folder"] = "given"
    case keysFolder?.path: fields["folder"] = "keys"
    default: break
    }
    let problems = error.problems.map { problem -> JSON in
      [
        "code": .string(problem.code), "pointer": .string(problem.pointer),
        "line": .integer(Int64(problem.line)), "column": .integer(Int64(problem.column)),
      ]
    }
    return [
      "code": .string(error.code.rawValue), "fields": .object(fields.mapValues(JSON.string)),
      "problems": .array(problems),
    ]
  }
}

extension MenshenError {
  /// Whether it says in words what is wrong, and where in the document or which folder if it is about one.
  fileprivate var isTold: Bool {
    message.contains(" ") && (fields["folder"].map(message.contains) ?? true)
      && (code == .policy) == !problems.isEmpty
      && problems.allSatisfy { $0.message.contains(" ") && $0.line > 0 && $0.column > 0 }
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
    case .allowed, .denied, .finished, .exercised: nil
    }
  }
}
