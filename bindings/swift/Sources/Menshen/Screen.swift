// What is shown to the person, and who shows it.

internal import MenshenInternal

/// A question to the person. Both answers have a button of equal weight.
public struct Prompt: Equatable, Sendable {
  /// What it asks for.
  public let kind: PromptKind
  /// The purpose asked for, where it is one.
  public let purpose: String?
  /// The locale of the texts.
  public let locale: String
  /// One line.
  public let title: String
  /// Why, in a few sentences.
  public let body: String
  /// What is used, who receives it, how long it is kept, what a no means.
  public let particulars: [Particular]
  /// The clause of the policy.
  public let source: String
  /// The word on the button that says yes.
  public let yes: String
  /// The word on the button that says no.
  public let no: String
}

/// What a prompt asks for.
public enum PromptKind: String, CaseIterable, Sendable {
  /// Agreement to the notice at first launch.
  case notice
  /// Consent to one purpose.
  case purpose
  /// A consent on a sheet of its own.
  case separateConsent = "separate-consent"
  /// Agreement to a changed policy.
  case changedPolicy = "changed-policy"
  /// Whether it was the person who took a system permission away, which ends a consent.
  case revocation
  /// The use of a right that destroys something. The screen offers a copy first: ``Session/copyHTML()``.
  case right
}

/// One labelled line of a prompt.
public struct Particular: Equatable, Sendable {
  /// What it is about; may be empty.
  public let label: String
  /// What it says.
  public let text: String
}

/// A switch offered after the notice: off, until the person turns it on.
public struct Offer: Equatable, Sendable, Identifiable {
  /// The purpose.
  public let id: String
  /// Its name.
  public let name: String
  /// Why, in a few sentences.
  public let text: String
  /// What is used, who receives it, how long it is kept.
  public let particulars: [Particular]
  /// The clause of the policy.
  public let source: String
}

/// The answer to the neutral question for birth month and place. Only what the rules need of it is kept.
public struct SubjectAnswer: Equatable, Sendable {
  /// The birth month, `2014-03`.
  public var born: String
  /// The residence, ISO 3166: `DE`, `US-CA`.
  public var place: String

  /// An answer.
  public init(born: String, place: String) {
    self.born = born
    self.place = place
  }
}

/// Shows the person what a flow asks. A screen that belongs to the main actor fits.
///
/// When the task that requested is cancelled, end the question and return anything: the answer does not count.
public protocol Screen: Sendable {
  /// Shows a question; whether the person said yes. Closing it is a no.
  func show(_ prompt: Prompt) async -> Bool
  /// Shows switches, all off, with *agree to all* and *refuse all* alike; the ids of those that are on.
  func offer(_ offers: [Offer]) async -> Set<String>
  /// Asks for birth month and place, without a hint of what they decide.
  func askSubject() async -> SubjectAnswer
  /// Shows the answer back once; `false` to change it.
  func confirmSubject(_ answer: SubjectAnswer) async -> Bool
  /// Asks the system for a permission, with this text beside its dialog.
  func askSystem(_ permission: Permission, text: String) async -> PermissionState
}

extension Prompt {
  init(_ prompt: BridgePrompt) {
    self.init(
      // A kind that this version doesn't know is shown as the weightiest one.
      kind: PromptKind(rawValue: prompt.kind) ?? .separateConsent, purpose: prompt.purpose,
      locale: prompt.locale, title: prompt.title, body: prompt.body,
      particulars: prompt.particulars.map(Particular.init), source: prompt.source, yes: prompt.yes,
      no: prompt.no)
  }
}

extension Particular {
  init(_ particular: BridgeParticular) {
    self.init(label: particular.label, text: particular.text)
  }
}

extension Offer {
  init(_ offer: BridgeOffer) {
    self.init(
      id: offer.purpose, name: offer.name, text: offer.text,
      particulars: offer.particulars.map(Particular.init), source: offer.source)
  }
}
