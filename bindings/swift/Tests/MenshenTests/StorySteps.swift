// What each `do` of a vector means.

import Foundation
import Menshen

extension Story {
  /// Every step with the arguments it may have.
  static let keys: [String: [String]] = [
    "check": ["policy"], "spoil": ["policy"], "key-store": ["answers"], "fill": [], "free": [], "open": ["policy", "store", "keys", "cap"], "launch": ["answers"],
    "changed": ["answers"], "request": ["feature", "tapped", "answers"],
    "settings": ["purpose", "answers"], "use": [], "read": [], "end": [], "allowed": ["feature"],
    "why": ["feature"], "start": ["recipient"],
    "record": ["event", "fields", "json", "hex", "nested", "long"], "strict": ["on"],
    "dropped": [], "waiting": ["purpose"], "put": ["purpose", "recipient", "ttl_ms", "text"],
    "deliver": ["result"], "delivery": ["id", "result"], "identifier": ["recipient", "identifier"],
    "revocations": ["answers"], "revoked": ["permission"],
    "sign-in": ["account"], "sign-out": [],
    "exercise": ["right", "purpose", "text", "answers"], "object": ["purpose"], "restrict": ["purpose"],
    "rights": [], "used-rights": [], "copy": [],
    "withdraw": ["purpose"], "maintain": [], "replace-lost-key": [], "purposes": [], "upload": ["reply"],
    "answer": ["reply"], "cancelled": [], "advance": ["ms"], "wall": ["ms"],
    "permission": ["permission", "state"], "subject": ["born", "place"], "offer": ["policy"],
    "version": [], "locale": ["locale"], "ledger": [], "tamper": [], "receipts": [],
    "damage": ["what"],
  ]

  func carryOut(_ name: String, _ step: JSON) async throws -> JSON {
    switch name {
    case "check":
      try Menshen.checkPolicy(.data(try document(try need(step["policy"], "policy"))))
    case "spoil": return try await spoil(try document(try need(step["policy"], "policy")))
    case "key-store": try script(try text(step, "answers"))
    case "fill": try disk().fill()
    case "free": try disk().free()
    case "open": try await open(step)
    case "launch": return try await go(.firstLaunch, step)
    case "changed": return try await go(.changedPolicy, step)
    case "request":
      let trigger: Trigger = step["tapped"]?.bool ?? true ? .tap : .app
      return try await go(.feature(try text(step, "feature"), trigger), step)
    case "settings": return try await go(.purpose(try text(step, "purpose")), step)
    case "revocations": return try await go(.revocations, step)
    case "revoked":
      let permission = try need(Permission(rawValue: try text(step, "permission")), "permission")
      return withdrawal(try await current.revokedByPerson(permission))
    case "sign-in":
      let account = try text(step, "account")
      return try become { try $0.signIn(account) }
    case "sign-out": return try become { try $0.signOut() }
    case "exercise": return try await go(.right(try rightRequest(step)), step)
    case "object": return Story.json(try await current.object(to: try text(step, "purpose")))
    case "restrict": return Story.json(try await current.restrict(try text(step, "purpose")))
    case "copy": return try await copy()
    case "use", "read", "end": return try carryOutUse(name)
    case "damage": try damage(try text(step, "what"))
    case "strict": try current.setStrict(try need(step["on"]?.bool, "on"))
    case "locale": try current.setLocale(try text(step, "locale"))
    case "advance": clock.advance(try need(step["ms"]?.integer, "ms"))
    case "wall":
      let milliseconds = try need(step["ms"]?.integer, "ms")
      clock.time.with { $0.wallMilliseconds += milliseconds }
    case "permission":
      let permission = Permission(rawValue: try text(step, "permission"))
      let state = PermissionState(rawValue: try text(step, "state"))
      platform.set(try need(permission, "permission"), try need(state, "state"))
      try await current.refresh()
    case "subject":
      try await current.supplySubject(born: try text(step, "born"), place: try text(step, "place"))
    case "offer":
      try await current.offerPolicy(.data(try document(try need(step["policy"], "policy"))))
    case "delivery":
      let id = try need(step["id"]?.integer, "id")
      try current.deliveryFinished(id, try deliveryResult(step))
    case "withdraw":
      return withdrawal(try await current.withdraw(try text(step, "purpose")))
    case "replace-lost-key": return ["replaced": .bool(try await current.replaceLostKey())]
    case "maintain":
      let done = try await current.maintain()
      return [
        "shredded": .array(done.shredded.map(JSON.string)),
        "expired_records": count(done.expiredRecords),
      ]
    case "record", "put", "deliver", "identifier": return try carryOutRecord(name, step)
    case "upload", "answer": return try carryOutUpload(name, step)
    default: return try ask(name, step)
    }
    return ["ok": true]
  }

  private func carryOutUse(_ name: String) throws -> JSON {
    switch name {
    case "use":
      guard let permit else { return Story.error("permit-ended") }
      use = try current.begin(permit)
    case "read":
      guard let use else { return Story.error("permit-ended") }
      try use.read {}
    default: use?.end()
    }
    return ["ok": true]
  }

  /// Steps that only look.
  private func ask(_ name: String, _ step: JSON) throws -> JSON {
    switch name {
    case "allowed": return ["allowed": .bool(try current.isAllowed(try text(step, "feature")))]
    case "why":
      return ["denial": Story.json(try current.whyNot(try text(step, "feature")))]
    case "start":
      return ["denial": Story.json(try current.whyNotStart(try text(step, "recipient")))]
    case "dropped": return ["fields": count(try current.droppedFields())]
    case "waiting":
      return ["records": count(try current.waitingRecords(try text(step, "purpose")))]
    case "purposes":
      let allowed = try current.purposes().filter(\.isAllowed)
      return ["allowed": .array(allowed.map { .string($0.id) })]
    case "rights": return ["rights": .array(try current.rights().map { .string($0.right.rawValue) })]
    case "used-rights": return ["used": .array(try current.rightRecords().map(used))]
    case "cancelled": return ["uploads": count(try current.cancelledUploads().count)]
    case "version":
      return [
        "version": .string(try current.policyVersion()),
        "changed": .bool(try current.hasChangedPolicy()),
      ]
    case "ledger":
      let own = try current.verifyLedger()
      let exported = Menshen.verifyLedger(try current.exportLedger())
      return own == exported ? verdict(own) : ["own": verdict(own), "exported": verdict(exported)]
    case "tamper": return verdict(Menshen.verifyLedger(try tampered(current.exportLedger())))
    case "receipts":
      let receipts = try JSON.parse(try current.receipts()).array ?? []
      return ["purposes": .array(receipts.map { $0["purpose"] ?? .null })]
    default: throw BrokenVector("no step `\(name)`")
    }
  }

  private func carryOutRecord(_ name: String, _ step: JSON) throws -> JSON {
    let session = try current
    switch name {
    case "record": return stored(try record(step))
    case "put":
      let milliseconds = try need(step["ttl_ms"]?.integer, "ttl_ms")
      return stored(
        try session.put(
          Data(try text(step, "text").utf8), purpose: try text(step, "purpose"),
          recipient: try text(step, "recipient"), timeToLive: Double(milliseconds) / 1000))
    case "deliver":
      guard let delivery = try session.nextDelivery() else { return ["none": true] }
      try session.deliveryFinished(delivery.id, try deliveryResult(step))
      return [
        "text": .string(String(decoding: delivery.bytes, as: UTF8.self)),
        "purpose": .string(delivery.purpose), "recipient": .string(delivery.recipient),
      ]
    default:
      let identifier = try need(Identifier(rawValue: try text(step, "identifier")), "identifier")
      switch try session.identifier(for: try text(step, "recipient"), identifier) {
      case .handed(let form, let value):
        return [
          "form": .string(form.rawValue),
          "raw": .bool(value.contains(TestPlatform.raw(identifier))),
          "reads": count(platform.reads),
        ]
      case .denied(let denial):
        return ["denial": Story.json(denial), "reads": count(platform.reads)]
      }
    }
  }

  private func record(_ step: JSON) throws -> Recorded {
    let (session, event) = (try current, try text(step, "event"))
    if let json = step["json"]?.string { return try session.recordJSON(event, Data(json.utf8)) }
    if let hex = step["hex"]?.string { return try session.recordJSON(event, Data(hex: hex)) }
    if let depth = step["nested"]?.integer.map(Int.init) {
      let nested =
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
      return try session.recordJSON(event, Data("{\"page\":\(nested)}".utf8))
    }
    if let length = step["long"]?.integer.map(Int.init) {
      return try session.record(event, ["page": .text(String(repeating: "a", count: length))])
    }
    let fields = try (step["fields"]?.object ?? [:]).mapValues { field -> Value in
      switch field {
      case .string(let value): .text(value)
      case .integer(let value): .integer(value)
      case .number(let value): .number(value)
      case .bool(let value): .boolean(value)
      case .null, .array, .object: throw BrokenVector("no field value `\(field)`")
      }
    }
    return try session.record(event, fields)
  }

  private func carryOutUpload(_ name: String, _ step: JSON) throws -> JSON {
    let session = try current
    let reply = try need(step["reply"], "reply")
    guard name == "upload" else {
      guard let upload = heldUpload else { return Story.error("unknown-exchange") }
      heldUpload = nil
      return outcome(try session.uploadFinished(upload.id, try self.reply(reply)))
    }
    guard let upload = try session.nextUpload() else { return ["none": true] }
    let url: JSON = ["url": .string(upload.url.absoluteString)]
    if reply == "hold" {
      heldUpload = upload
      return url
    }
    return url.merging(outcome(try session.uploadFinished(upload.id, try self.reply(reply))))
  }

  /// What a vector means by a permit or an upload that there never was.
  private static func error(_ code: String) -> JSON {
    ["error": ["code": .string(code), "fields": [:], "problems": []]]
  }

  private func withdrawal(_ done: Withdrawal) -> JSON {
    switch done {
    case .done(let inFlight): ["withdrawal": "done", "in_flight": count(inFlight.count)]
    case .pending(let code): ["withdrawal": "pending", "code": .string(code.rawValue)]
    }
  }

  // MARK: Rights

  private func rightRequest(_ step: JSON) throws -> RightRequest {
    switch try text(step, "right") {
    case "access": .access
    case "report": .report
    case "copy": .copy
    case "portability": .portability
    case "correct": .correct(text: try text(step, "text"))
    case "delete": .delete
    case "restrict": .restrict(purpose: try text(step, "purpose"))
    case "object": .object(purpose: try text(step, "purpose"))
    case "withdraw": .withdrawAll
    case "refuse-marketing": .refuseMarketing
    case "refuse-sale": .refuseSale
    case "human-review": .humanReview(purpose: try text(step, "purpose"), text: try text(step, "text"))
    case "close-account": .closeAccount
    case "disclosure-records": .disclosureRecords
    case "complain": .complain(text: try text(step, "text"))
    case let right: throw BrokenVector("there is no right `\(right)`")
    }
  }

  private func used(_ record: RightRecord) -> JSON {
    [
      "right": .string(record.right.rawValue), "purpose": record.purpose.map(JSON.string) ?? .null,
      "due": record.due.map(JSON.string) ?? .null, "overdue": .bool(record.isOverdue),
      "state": .string(record.state.rawValue), "text": .string(record.text),
      "letter": record.letter.map { .string($0.to) } ?? .null,
    ]
  }

  private func copy() async throws -> JSON {
    let copy = try JSON.parse(try await current.copyJSON())
    let page = try await current.copyHTML()
    func size(_ key: String) -> JSON { count(copy[key]?.array?.count ?? 0) }
    return [
      "records": size("records"), "items": size("items"), "requests": size("requests"),
      "unreadable": copy["unreadable"] ?? .null, "page": .bool(page.hasPrefix("<!doctype html>")),
    ]
  }

  // MARK: Arguments

  private func need<Value>(_ value: Value?, _ name: String) throws -> Value {
    guard let value else { throw BrokenVector("no `\(name)`") }
    return value
  }

  private func text(_ step: JSON, _ key: String) throws -> String {
    try need(step[key]?.string, key)
  }

  private func reply(_ reply: JSON) throws -> Reply {
    if reply == "failed" { return .failed }
    return .response(
      status: Int(try need(reply["status"]?.integer, "status")),
      headers: (reply["headers"]?.object ?? [:]).compactMapValues(\.string),
      body: try Data(hex: reply["hex"]?.string ?? ""), complete: reply["complete"]?.bool ?? true)
  }

  private func deliveryResult(_ step: JSON) throws -> DeliveryResult {
    switch try need(step["result"], "result") {
    case "delivered": return .delivered
    case "refused": return .refused
    case let later:
      return .later(Double(try need(later["later"]?.integer, "later")) / 1000)
    }
  }

  /// An export with one letter of its first entry changed.
  private func tampered(_ export: String) throws -> String {
    var document = try JSON.parse(export)
    guard var entries = document["entries"]?.array, let first = entries.first,
      let entry = first["statement"]?.string, let at = entry.firstIndex(where: \.isLetter)
    else { throw BrokenVector("an export without an entry") }
    let other = entry[at] == "a" ? "b" : "a"
    let changed = entry.replacingCharacters(in: at...at, with: other)
    entries[0] = first.merging(["statement": .string(changed)])
    document = document.merging(["entries": .array(entries)])
    return document.description
  }

  // MARK: Results

  private func count(_ number: Int) -> JSON {
    .integer(Int64(number))
  }

  private func stored(_ recorded: Recorded) -> JSON {
    switch recorded {
    case .held: ["stored": "held"]
    case .buffered: ["stored": "buffered"]
    case .denied(let denial): ["stored": "denied", "denial": Story.json(denial)]
    }
  }

  private func outcome(_ outcome: UploadOutcome) -> JSON {
    switch outcome {
    case .acknowledged(let records): ["kind": "acknowledged", "records": count(records)]
    case .later(let code, _): ["kind": "later", "code": .string(code)]
    case .quarantined(let records, let code):
      ["kind": "quarantined", "records": count(records), "code": .string(code)]
    case .cancelled(let delivered): ["kind": "cancelled", "delivered": .bool(delivered)]
    }
  }

  private func verdict(_ verdict: LedgerVerdict) -> JSON {
    switch verdict {
    case .sound: ["verdict": "sound"]
    case .broken(let entry): ["verdict": "broken", "number": count(entry)]
    case .unreadable: ["verdict": "unreadable"]
    }
  }
}
