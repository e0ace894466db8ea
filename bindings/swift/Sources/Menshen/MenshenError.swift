// The one error of the package: a stable code with fields, and nobody else's error text.

internal import MenshenInternal

/// Why a call could not be carried out. A refusal is no error: see ``Denial``.
///
/// No message holds personal data or the text of an error that the app's own code threw.
public struct MenshenError: Error, Equatable, Sendable {
  /// What went wrong.
  public let code: Code
  /// What happened and what to do, in English.
  public let message: String
  /// The parts of the message by name.
  public let fields: [String: String]
  /// Everything wrong with a policy document, where the code is ``Code/policy``.
  public let problems: [PolicyProblem]

  init(
    _ code: Code, _ message: String, fields: [String: String] = [:],
    problems: [PolicyProblem] = []
  ) {
    self.code = code
    self.message = message
    self.fields = fields
    self.problems = problems
  }

  /// What can go wrong, with a stable id.
  public enum Code: String, CaseIterable, Sendable {
    /// The policy document is wrong; every problem is listed with its place.
    case policy
    /// The store holds the answers to another policy.
    case foreignPolicy = "foreign-policy"
    /// The policy is older than the accepted one.
    case olderPolicy = "older-policy"
    /// The policy has nothing of this name.
    case undeclared
    /// Only a version that the person has not accepted has this name.
    case notAcceptedYet = "not-accepted-yet"
    /// The event has no such field (strict mode).
    case undeclaredField = "undeclared-field"
    /// A field has another type than the policy declares.
    case fieldType = "field-type"
    /// An event or item is larger than the limit.
    case tooLarge = "too-large"
    /// Fields given as JSON are not one flat object.
    case badFields = "bad-fields"
    /// The answer does not belong to the step that waits.
    case unexpectedAnswer = "unexpected-answer"
    /// A birth month or place that cannot be.
    case badSubject = "bad-subject"
    /// The time to live is zero or longer than the retention of the purpose.
    case badTimeToLive = "bad-time-to-live"
    /// The purpose does not name this recipient.
    case recipientNotOfPurpose = "recipient-not-of-purpose"
    /// A statute demands the purpose, so that it cannot be withdrawn.
    case legalDuty = "legal-duty"
    /// No upload or delivery with this number is under way.
    case unknownExchange = "unknown-exchange"
    /// The permit was used, or its feature is closed meanwhile.
    case permitEnded = "permit-ended"
    /// The key store is locked or busy; nothing is lost, try later.
    case keyNotReady = "key-not-ready"
    /// The key is not the one that the store was sealed with.
    case wrongKey = "wrong-key"
    /// The key that the store was sealed with is gone.
    case keyLost = "key-lost"
    /// The store is open elsewhere.
    case storeBusy = "store-busy"
    /// The store's folder or disk is read-only.
    case storeReadOnly = "store-read-only"
    /// The disk, or the store's own limit, is full.
    case storeFull = "store-full"
    /// The path is not a folder.
    case notAFolder = "not-a-folder"
    /// The path is in an app group, where the system kills an app that is suspended with a lock.
    case inAppGroup = "in-app-group"
    /// The folder of the keys or of markers is in the store's own, with which it would be copied and put back.
    case insideStore = "inside-store"
    /// The folder holds something that is not a store; nothing in it was touched.
    case notAStore = "not-a-store"
    /// A file or the disk failed.
    case io
    /// The ledger does not verify; every gate is closed.
    case ledgerBroken = "ledger-broken"
    /// ``Menshen/close()`` was called.
    case closed
    /// Something in the library is not as it must be.
    case `internal`
  }
}

/// One thing wrong with a policy document.
public struct PolicyProblem: Equatable, Sendable {
  /// The stable code, in kebab-case.
  public let code: String
  /// What is wrong.
  public let message: String
  /// Where, as a JSON pointer.
  public let pointer: String
  /// The line, counted from 1.
  public let line: Int
  /// The column, counted from 1.
  public let column: Int
  /// What to do, where the library has an idea.
  public let help: String?
}

extension MenshenError {
  static let closed = MenshenError(.closed, "the store was closed; open it again")

  /// Anything but the bridge's own error is a fault in the bridge, and its text may hold anything.
  init(_ error: any Error) {
    switch error {
    case let error as MenshenError:
      self = error
    case BridgeError.Failed(let code, let text, let fields, let problems):
      guard let known = Code(rawValue: code) else {
        self.init(.internal, "an error that this version does not know", fields: ["what": "code"])
        return
      }
      self.init(known, text, fields: fields, problems: problems.map(PolicyProblem.init))
    default:
      self.init(.internal, "internal inconsistency; please report it", fields: ["what": "bridge"])
    }
  }
}

extension PolicyProblem {
  init(_ problem: BridgeProblem) {
    self.init(
      code: problem.code, message: problem.text, pointer: problem.pointer,
      line: Int(problem.line), column: Int(problem.column), help: problem.help)
  }
}

/// Runs a native call and turns what it throws into the package's own error.
func bridged<Result>(_ call: () throws -> Result) throws -> Result {
  do {
    return try call()
  } catch {
    throw MenshenError(error)
  }
}
