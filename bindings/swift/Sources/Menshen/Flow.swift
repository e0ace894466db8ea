// The questions that stand between now and a goal, one at a time.

internal import MenshenInternal

/// Whether the person tapped for it.
public enum Trigger: String, CaseIterable, Sendable {
  /// The person tapped the feature.
  case tap
  /// The app wants it by itself.
  case app
}

/// What a flow is for.
public enum Goal: Equatable, Sendable {
  /// The use of a feature.
  case feature(String, Trigger)
  /// The notice, and after it the switches for purposes that no feature uses.
  case firstLaunch
  /// A changed policy, where one waits, and what it adds.
  case changedPolicy
  /// One purpose, from a settings screen.
  case purpose(String)
  /// The use of a right.
  case right(RightRequest)
  /// Whose act the loss of a system permission was.
  case revocations
}

/// What is to be done next.
public enum Step: Sendable {
  /// Show a question; answer with ``Answer/yes`` or ``Answer/no``.
  case show(Prompt)
  /// Show switches, all off; answer with ``Answer/switches(_:)``.
  case offer([Offer])
  /// Ask for birth month and place; answer with ``Answer/subject(_:)``.
  case askSubject
  /// Show the answer back; ``Answer/yes`` if it is right, ``Answer/no`` to change it.
  case confirmSubject(SubjectAnswer)
  /// Ask the system for a permission; answer with ``Answer/system(_:)``.
  case askSystem(Permission, text: String)
  /// Done: the feature is open.
  case allowed(Permit)
  /// Done: it is not, and why.
  case denied(Denial)
  /// Done: the flow is through. These purposes ask again, because the accepted version widened them.
  case finished(asksAgain: [String])
  /// Done: a right was used.
  case exercised(Exercised)
}

/// What the person or the system answered.
public enum Answer: Equatable, Sendable {
  /// Yes to what is shown.
  case yes
  /// No to what is shown.
  case no
  /// The switches that are on; every other one is a no.
  case switches(Set<String>)
  /// The answer to the neutral question.
  case subject(SubjectAnswer)
  /// What the system answered.
  case system(PermissionState)
}

/// How the request for a feature ended.
public enum Outcome: Sendable {
  /// The feature is open.
  case allowed(Permit)
  /// It is not, and why.
  case denied(Denial)
}

/// How any other flow ended.
public enum Completion: Equatable, Sendable {
  /// It is through. These purposes ask again, because the accepted version widened them.
  case finished(asksAgain: [String])
  /// It could not go on, and why.
  case denied(Denial)
}

/// The proof that a feature was open when its request ended. Only the library makes one, it is used once, and
/// it doesn't outlive its decision.
public final class Permit: Sendable {
  /// The feature.
  public let feature: String
  let session: Session
  let flow: Handle<BridgeFlow>

  init(_ feature: String, session: Session, flow: Handle<BridgeFlow>) {
    self.feature = feature
    self.session = session
    self.flow = flow
  }
}

/// One run through the questions for a goal. Dropping it leaves everything as it is.
public final class Flow: Sendable {
  private let session: Session
  private let native: Handle<BridgeFlow>

  init(_ goal: Goal, of session: Session) throws {
    let opened = try session.change { native in
      switch goal {
      case .feature(let feature, let trigger):
        try native.request(feature: feature, tapped: trigger == .tap)
      case .firstLaunch: try native.firstLaunch()
      case .changedPolicy: try native.changedPolicy()
      case .purpose(let purpose): try native.requestPurpose(purpose: purpose)
      case .revocations: try native.confirmRevocations()
      case .right(let request): try native.exercise(request: BridgeRightRequest(request))
      }
    }
    self.session = session
    native = session.handles.hold(opened)
  }

  /// What is to be done next.
  ///
  /// - Throws: ``MenshenError``: the store was closed.
  public func step() throws -> Step {
    let native = try native.get()
    return try step(try bridged { try native.step() })
  }

  /// Takes the answer to the current step and gives the next one. An answer counts when this returned, unless
  /// another version of the policy came since the step was shown: then nothing is written, and what is asked now is
  /// returned.
  ///
  /// - Throws: ``MenshenError``: the answer does not fit the step, or it could not be written; the step then
  ///   stays.
  public func answer(_ answer: Answer) async throws -> Step {
    try await inBackground { [self] in
      let native = try native.get()
      defer { session.settle() }
      return try step(try bridged { try native.answer(answer: BridgeAnswer(answer)) })
    }
  }

  /// Goes through the flow with a screen, and returns the last step.
  func drive(_ screen: any Screen) async throws -> Step {
    var step = try step()
    while true {
      let answer: Answer
      switch step {
      case .show(let prompt): answer = await screen.show(prompt) ? .yes : .no
      case .offer(let offers): answer = .switches(await screen.offer(offers))
      case .askSubject: answer = .subject(await screen.askSubject())
      case .confirmSubject(let subject):
        answer = await screen.confirmSubject(subject) ? .yes : .no
      case .askSystem(let permission, let text):
        answer = .system(await screen.askSystem(permission, text: text))
      case .allowed, .denied, .finished, .exercised: return step
      }
      // What a screen returns because its task ended is nobody's answer.
      try Task.checkCancellation()
      step = try await self.answer(answer)
    }
  }

  private func step(_ step: BridgeStep) throws -> Step {
    switch step {
    case .show(let prompt): return .show(Prompt(prompt))
    case .offer(let offers): return .offer(offers.map(Offer.init))
    case .askSubject: return .askSubject
    case .confirmSubject(let born, let place):
      return .confirmSubject(SubjectAnswer(born: born, place: place))
    case .askSystem(let permission, let text):
      guard let known = Permission(rawValue: permission) else {
        throw MenshenError(
          .internal, "a permission that this version does not know", fields: ["what": "permission"])
      }
      return .askSystem(known, text: text)
    case .allowed(let feature):
      return .allowed(Permit(feature, session: session, flow: native))
    case .denied(let denial): return .denied(Denial(denial))
    case .finished(let asksAgain): return .finished(asksAgain: asksAgain)
    case .exercised(let exercised): return .exercised(Exercised(exercised))
    }
  }
}

extension Session {
  /// Requests a feature: shows on the screen what stands between now and its use.
  ///
  /// - Throws: ``MenshenError``: the policy has no such feature, or the store failed. `CancellationError` if the
  ///   task was cancelled: the question that was open then has no answer.
  public func request(
    _ feature: String, screen: any Screen, trigger: Trigger = .tap
  ) async throws -> Outcome {
    switch try await flow(.feature(feature, trigger)).drive(screen) {
    case .allowed(let permit): return .allowed(permit)
    case .denied(let denial): return .denied(denial)
    default: throw MenshenError.unexpectedStep
    }
  }

  /// Shows the notice, and after it the switches for purposes that no feature uses.
  ///
  /// - Throws: As ``request(_:screen:trigger:)``.
  @discardableResult
  public func firstLaunch(screen: any Screen) async throws -> Completion {
    try await complete(.firstLaunch, screen)
  }

  /// Shows a changed policy, where one waits, and asks for what it adds.
  ///
  /// - Throws: As ``request(_:screen:trigger:)``.
  @discardableResult
  public func changedPolicy(screen: any Screen) async throws -> Completion {
    try await complete(.changedPolicy, screen)
  }

  /// Asks for one purpose, from a settings screen.
  ///
  /// - Throws: As ``request(_:screen:trigger:)``.
  @discardableResult
  public func requestPurpose(_ purpose: String, screen: any Screen) async throws -> Completion {
    try await complete(.purpose(purpose), screen)
  }

  /// Asks the person, for each system permission that was lost, whether they took it away themselves, where that ends a
  /// consent by the policy. Unanswered or answered with no, everything stays suspended until the permission is back.
  ///
  /// - Throws: As ``request(_:screen:trigger:)``.
  @discardableResult
  public func confirmRevocations(screen: any Screen) async throws -> Completion {
    try await complete(.revocations, screen)
  }

  /// The same flows step by step, for an app that shows the questions its own way.
  ///
  /// - Throws: ``MenshenError``: the policy has no such feature or purpose, or the store failed.
  public func flow(_ goal: Goal) async throws -> Flow {
    try Task.checkCancellation()
    return try await inBackground { [self] in try Flow(goal, of: self) }
  }

  private func complete(_ goal: Goal, _ screen: any Screen) async throws -> Completion {
    switch try await flow(goal).drive(screen) {
    case .finished(let asksAgain): return .finished(asksAgain: asksAgain)
    case .denied(let denial): return .denied(denial)
    default: throw MenshenError.unexpectedStep
    }
  }
}

extension MenshenError {
  fileprivate static let unexpectedStep = MenshenError(
    .internal, "internal inconsistency; please report it", fields: ["what": "step"])
}

extension BridgeAnswer {
  init(_ answer: Answer) {
    self =
      switch answer {
      case .yes: .yes
      case .no: .no
      case .switches(let on): .switches(on: on.sorted())
      case .subject(let subject): .subject(born: subject.born, place: subject.place)
      case .system(let state): .system(state: BridgePermissionState(state))
      }
  }
}
