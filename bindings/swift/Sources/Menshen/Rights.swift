// The rights of the person: what they demand, what it closes here at once, and how it stands.

public import Foundation
internal import MenshenInternal

/// What the person may demand.
public enum Right: String, CaseIterable, Sendable {
  /// To see the data.
  case access
  /// A report of what was collected, from where, for what and for whom.
  case report
  /// A copy.
  case copy
  /// The data in a form that another service can take in.
  case portability
  /// To have it corrected.
  case correct
  /// To have it deleted.
  case delete
  /// To have its use stopped while something is clarified.
  case restrict
  /// To object to a use.
  case object
  /// To take a consent back.
  case withdraw
  /// To be left out of direct marketing.
  case refuseMarketing = "refuse-marketing"
  /// To keep data from being sold or shared.
  case refuseSale = "refuse-sale"
  /// To have a person look at a program's decision.
  case humanReview = "human-review"
  /// To close the account.
  case closeAccount = "close-account"
  /// To read the records of disclosures.
  case disclosureRecords = "disclosure-records"
  /// To be treated no worse for using a right.
  case equalTreatment = "equal-treatment"
  /// To complain.
  case complain
}

/// What the person demands.
public enum RightRequest: Equatable, Sendable {
  /// To see the data.
  case access
  /// A report of what was collected, from where, for what and for whom.
  case report
  /// A copy of what the controller holds. That of what is on the device is ``Session/copyHTML()``.
  case copy
  /// The data in a form that another service can take in.
  case portability
  /// To have something corrected, in the person's words.
  case correct(text: String)
  /// To have everything deleted, here and there.
  case delete
  /// To have the use for a purpose stopped while something is clarified.
  case restrict(purpose: String)
  /// To object to a purpose.
  case object(purpose: String)
  /// To take every consent back.
  case withdrawAll
  /// To be left out of direct marketing.
  case refuseMarketing
  /// To keep data from being sold, or shared for advertising.
  case refuseSale
  /// To have a person look at a program's decision: which and why, in the person's words.
  case humanReview(purpose: String, text: String)
  /// To close the account. Everything stays closed afterwards; only what is owed is still sent.
  case closeAccount
  /// To read the records of disclosures.
  case disclosureRecords
  /// To complain, in the person's words.
  case complain(text: String)
}

/// What came of using a right.
public enum Exercised: Equatable, Sendable {
  /// It is in the ledger, and the controller is told with the next uploads. The uploads with these numbers must be
  /// stopped; ``Uploader`` stops its own.
  case done(request: String, inFlight: [Int64])
  /// The policy itself refuses it, on a ground that it states, with the clause. The purpose goes on.
  case refused(request: String, ground: String, source: String)
  /// What it closes is closed, and stays so over a restart, but the request could not be written: use the right
  /// again.
  case pending(MenshenError.Code)
}

/// How a request stands.
public enum RightState: String, CaseIterable, Sendable {
  /// The controller has not confirmed it: uninstalling the app loses it.
  case waiting
  /// The controller has it.
  case acknowledged
  /// It was refused, with the reason.
  case refused
}

/// A right that the person used, and how it stands.
public struct RightRecord: Equatable, Sendable, Identifiable {
  /// The request.
  public let id: String
  /// The right.
  public let right: Right
  /// The purpose it is about, where it is one.
  public let purpose: String?
  /// When it was used.
  public let made: Date
  /// The last day on which an answer is in time, ISO 8601; `nil` where neither policy nor law names a time.
  public let due: String?
  /// Whether that day is over without an answer.
  public let isOverdue: Bool
  /// How it stands.
  public let state: RightState
  /// The same, in the session's locale.
  public let text: String
  /// A ready text for the controller's contact, while the controller has not confirmed the request.
  public let letter: Letter?
}

/// A ready text for the controller, in case a request cannot be sent.
public struct Letter: Equatable, Sendable {
  /// How to reach the controller, as the policy says it.
  public let to: String
  /// The text.
  public let body: String
}

/// A right that the person has, for a settings screen.
public struct OfferedRight: Equatable, Sendable {
  /// The right.
  public let right: Right
  /// The way that the policy describes; `nil` where only a law gives the right.
  public let way: String?
  /// What the policy limits it to.
  public let limits: String?
  /// The last day on which an answer to a request of today would be in time, ISO 8601.
  public let due: String?
  /// The clause of the policy.
  public let source: String?
}

extension Session {
  /// Uses a right. What destroys something shows one prompt first, on which a copy is offered; everything else is done
  /// without a question. A no always works: deleting, restricting, objecting and refusing need no promise of the policy.
  ///
  /// - Returns: `nil` if the person did not go on.
  /// - Throws: ``MenshenError``: the policy has no such purpose, neither policy nor law gives the right here, a statute
  ///   demands the purpose, or the ledger could not be written.
  @discardableResult
  public func exercise(_ request: RightRequest, screen: any Screen) async throws -> Exercised? {
    if case .exercised(let exercised) = try await flow(.right(request)).drive(screen) { return exercised }
    return nil
  }

  /// Objects to a purpose: nothing is read or sent for it from now on, and nothing is destroyed. An objection to
  /// marketing is a withdrawal, and one that the policy refuses on a compelling ground changes nothing.
  ///
  /// - Throws: As ``exercise(_:screen:)``.
  @discardableResult
  public func object(to purpose: String) async throws -> Exercised {
    try await inBackground { [self] in
      try change { Exercised(try $0.objectTo(purpose: purpose)) }
    }
  }

  /// Has the use for a purpose stopped until the person takes that back. Nothing is destroyed.
  ///
  /// - Throws: As ``exercise(_:screen:)``.
  @discardableResult
  public func restrict(_ purpose: String) async throws -> Exercised {
    try await inBackground { [self] in
      try change { Exercised(try $0.restrict(purpose: purpose)) }
    }
  }

  /// Every right that the person used, the latest first.
  ///
  /// - Throws: ``MenshenError``: the ledger cannot be read.
  public func rightRecords() throws -> [RightRecord] {
    try call { try $0.rightRecords().map(RightRecord.init) }
  }

  /// The rights that policy and law give the person where they live.
  ///
  /// - Throws: ``MenshenError``: the store was closed.
  public func rights() throws -> [OfferedRight] {
    try call { try $0.rights().map(OfferedRight.init) }
  }

  /// Everything that the device keeps of this account, as one JSON document. Made without network.
  ///
  /// - Throws: ``MenshenError``: the ledger or the store cannot be read.
  public func copyJSON() async throws -> String {
    try await inBackground { [self] in try call { try $0.copyJson() } }
  }

  /// The same as one readable HTML page, in the session's locale. It loads nothing and runs nothing.
  ///
  /// - Throws: As ``copyJSON()``.
  public func copyHTML() async throws -> String {
    try await inBackground { [self] in try call { try $0.copyHtml() } }
  }
}

extension BridgeRightRequest {
  init(_ request: RightRequest) {
    let right: Right
    var (purpose, text): (String?, String?) = (nil, nil)
    switch request {
    case .access: right = .access
    case .report: right = .report
    case .copy: right = .copy
    case .portability: right = .portability
    case .correct(let words): (right, text) = (.correct, words)
    case .delete: right = .delete
    case .restrict(let id): (right, purpose) = (.restrict, id)
    case .object(let id): (right, purpose) = (.object, id)
    case .withdrawAll: right = .withdraw
    case .refuseMarketing: right = .refuseMarketing
    case .refuseSale: right = .refuseSale
    case .humanReview(let id, let words): (right, purpose, text) = (.humanReview, id, words)
    case .closeAccount: right = .closeAccount
    case .disclosureRecords: right = .disclosureRecords
    case .complain(let words): (right, text) = (.complain, words)
    }
    self.init(right: right.rawValue, purpose: purpose, text: text)
  }
}

extension Right {
  init(id: String) throws {
    guard let known = Right(rawValue: id) else {
      throw MenshenError(.internal, "a right that this version does not know", fields: ["what": "right"])
    }
    self = known
  }
}

extension Exercised {
  init(_ exercised: BridgeExercised) {
    switch exercised {
    case .done(let request, let inFlight): self = .done(request: request, inFlight: inFlight)
    case .refused(let request, let ground, let source):
      self = .refused(request: request, ground: ground, source: source)
    case .pending(let code): self = .pending(MenshenError.Code(rawValue: code) ?? .internal)
    }
  }
}

extension RightRecord {
  init(_ record: BridgeRightRecord) throws {
    self.init(
      id: record.id, right: try Right(id: record.right), purpose: record.purpose,
      made: Date(milliseconds: record.madeMs), due: record.due, isOverdue: record.isOverdue,
      // A state that this version does not know is shown as the one that claims least.
      state: RightState(rawValue: record.state) ?? .waiting, text: record.text,
      letter: record.letter.map { Letter(to: $0.to, body: $0.body) })
  }
}

extension OfferedRight {
  init(_ offered: BridgeOfferedRight) throws {
    self.init(
      right: try Right(id: offered.right), way: offered.way, limits: offered.limits, due: offered.due,
      source: offered.source)
  }
}
