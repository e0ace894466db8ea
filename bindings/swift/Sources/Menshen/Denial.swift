// A refusal that helps: a stable code, the clause, and a sentence for the person.

public import Foundation
internal import MenshenInternal

/// Why something is not allowed now.
public struct Denial: Equatable, Sendable {
  /// A stable code in kebab-case, `consent-refused` for example.
  public let code: String
  /// The id of what was refused: a feature, purpose, recipient or identifier.
  public let subject: String
  /// The rule that decided, as `id` or `pack/id`.
  public let rule: String?
  /// The clause of the policy, or the law's source.
  public let source: String?
  /// When it may change by itself.
  public let until: Date?
  /// What can be done.
  public let remedy: Remedy
  /// The policy and the law packs that decided.
  public let identity: Identity
  /// The same in one or two sentences, in the session's locale.
  public let text: String
}

/// What a decision rests on.
public struct Identity: Equatable, Sendable {
  /// The policy's id.
  public let policyID: String
  /// Its version.
  public let policyVersion: String
  /// The SHA-256 of its canonical bytes, in lower-case hexadecimal.
  public let policyHash: String
  /// The law packs in force for the person, in the order of their ids; all of them while the place is unknown.
  public let lawPacks: [PackIdentity]
}

/// The identity of a law pack.
public struct PackIdentity: Equatable, Sendable, Identifiable {
  /// The pack's id.
  public let id: String
  /// The day of the pack, ISO 8601.
  public let asOf: String
  /// Its SHA-256, in lower-case hexadecimal.
  public let hash: String
}

/// What can be done about a denial.
public enum Remedy: String, CaseIterable, Sendable {
  /// Nothing here and now.
  case nothing
  /// Request the feature, so that the person is asked.
  case request
  /// The person can change their answer in the settings of the app.
  case settings
  /// The person can change it in the settings of the system.
  case systemSettings = "system-settings"
  /// Wait until ``Denial/until``.
  case wait
  /// A guardian must answer.
  case guardian
  /// The changed policy must be accepted first.
  case acceptPolicy = "accept-policy"
}

extension Denial {
  init(_ denial: BridgeDenial) {
    self.init(
      code: denial.code, subject: denial.subject, rule: denial.rule, source: denial.source,
      until: denial.untilMs.map(Date.init(milliseconds:)),
      remedy: Remedy(rawValue: denial.remedy) ?? .nothing, identity: Identity(denial.identity),
      text: denial.text)
  }
}

extension Identity {
  init(_ identity: BridgeIdentity) {
    self.init(
      policyID: identity.policyId, policyVersion: identity.policyVersion,
      policyHash: identity.policyHash,
      lawPacks: identity.lawPacks.map {
        PackIdentity(id: $0.id, asOf: $0.asOf, hash: $0.hash)
      })
  }
}
