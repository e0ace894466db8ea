// One account of one app on one device: what may happen now, and everything that changes it.

internal import Foundation
internal import MenshenInternal

/// One account of one app on one device. Every call may be made from any thread; none calls back with a lock
/// held.
///
/// Unchecked: `onChange` is touched only under `lock`, the rest is immutable and guards itself.
public final class Session: @unchecked Sendable {
  let native: Handle<BridgeSession>
  let handles: Handles
  private let clock: WallClock
  private let box = SnapshotBox()
  private let switches = Switches()
  private let lock = NSLock()
  private let streams = ConsentStreams()
  private var lastOnChange = 0
  private var onChange: [Int: @Sendable () -> Void] = [:]

  init(_ native: Handle<BridgeSession>, of handles: Handles, clock: WallClock) {
    self.native = native
    self.handles = handles
    self.clock = clock
    takeSnapshot()
  }

  func listen(to opened: BridgeSession) {
    opened.listen(listener: Listener(self))
    takeSnapshot()
  }

  func isSame(_ other: BridgeSession) -> Bool {
    (try? native.get().isSame(other: other)) ?? false
  }

  func close() {
    box.close()
    // Still with the native session, so that what stops is in the ledger.
    switches.turn { _ in false }
    native.release()
    lock.withLock { onChange = [:] }
    streams.finish()
  }

  // MARK: What is allowed

  /// Whether a feature is open: all its purposes allowed, all its permissions there. Answers from a copy on
  /// this side of the bridge, so it may be called as often as wanted. A name that the policy lacks is not
  /// allowed.
  public func isAllowed(_ feature: String) -> Bool {
    box.snapshot.isAllowed(feature, at: clock.milliseconds)
  }

  /// Whether a purpose is allowed, from the same copy.
  public func isPurposeAllowed(_ purpose: String) -> Bool {
    box.snapshot.isPurposeAllowed(purpose, at: clock.milliseconds)
  }

  /// Why a feature is not open; `nil` if it is.
  ///
  /// - Throws: ``MenshenError``: the policy has no such feature.
  public func whyNot(_ feature: String) throws -> Denial? {
    try call { try $0.whyNot(feature: feature).map(Denial.init) }
  }

  /// Why a third-party SDK may not run; `nil` if every purpose that names it is allowed.
  ///
  /// - Throws: ``MenshenError``: the policy has no such recipient.
  public func whyNotStart(_ recipient: String) throws -> Denial? {
    try call { try $0.mayStart(recipient: recipient).map(Denial.init) }
  }

  /// Puts a third-party SDK under its gate: `start` runs as soon as every purpose that names it is allowed,
  /// now or later; `stop` when that ends. An SDK that ignores its stop can only be kept from starting next
  /// time.
  ///
  /// Both run on the thread that made the change, one after another; go to the main actor where the SDK wants
  /// that.
  ///
  /// - Throws: ``MenshenError``: the policy has no such recipient.
  public func whenAllowed(
    _ recipient: String, start: @escaping @Sendable () -> Void, stop: @escaping @Sendable () -> Void
  ) throws {
    _ = try whyNotStart(recipient)
    switches.add(
      recipient,
      note: { [weak self] starts in
        guard let self else { return false }
        return (try? call { try $0.noteSdk(recipient: recipient, starts: starts) }) != nil
      },
      start: start, stop: stop)
    turnSwitches()
  }

  // MARK: Consent

  /// Every purpose with its state, for a settings screen.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  public func purposes() throws -> [PurposeState] {
    try call { try $0.purposes().map(PurposeState.init) }
  }

  /// Every purpose with its state: now, and again after each change, of the locale too. The newest state replaces
  /// one that was not taken yet. Ends when the store is closed.
  public var consent: AsyncStream<[PurposeState]> {
    streams.open(purposes)
  }

  /// Withdraws a purpose. The gate is closed when this returns, whatever it returns.
  ///
  /// - Throws: ``MenshenError``: the policy has no such purpose.
  @discardableResult
  public func withdraw(_ purpose: String) async throws -> Withdrawal {
    try await inBackground { [self] in
      try change { Withdrawal(try $0.withdraw(purpose: purpose)) }
    }
  }

  /// Whether a system permission was lost whose loss may end a consent, and nobody said yet whose act it was: ask with
  /// ``confirmRevocations(screen:)``.
  public func hasRevocations() throws -> Bool {
    try call { $0.hasRevocations() }
  }

  /// The system told that the person took a permission away: what cannot run without it, and whose policy says so, is
  /// withdrawn.
  ///
  /// - Throws: ``MenshenError``: the ledger cannot be read.
  @discardableResult
  public func revokedByPerson(_ permission: Permission) async throws -> Withdrawal {
    try await inBackground { [self] in
      try change { Withdrawal(try $0.revokedByPerson(permission: permission.rawValue)) }
    }
  }

  /// Does what may take time: destroys the keys of what was withdrawn, removes what expired, takes up what an
  /// earlier call could not finish. Call it after a withdrawal and now and then.
  ///
  /// - Throws: ``MenshenError``: the store or the key store failed; what is left is done by a later call.
  @discardableResult
  public func maintain() async throws -> Maintained {
    try await inBackground { [self] in
      try change { Maintained(try $0.maintain()) }
    }
  }

  /// Begins this account anew where the key store lost the store's own key or the account's, as on a new device to which
  /// the files were restored; whether that was so. What was sealed under a lost key stays unread, and every purpose is
  /// asked again. Call it when the person wants to go on after the code `key-lost`.
  ///
  /// - Throws: ``MenshenError``: the key store is not ready, does not say whether the key is gone, or has another key;
  ///   the store failed.
  public func replaceLostKey() async throws -> Bool {
    try await inBackground { [self] in
      try change { try $0.replaceLostKey() }
    }
  }

  /// Looks again at what the system may have changed: call it when the app comes to the front.
  ///
  /// - Throws: ``MenshenError``: the store failed.
  public func refresh() async throws {
    try await inBackground { [self] in
      try change { try $0.refresh() }
    }
  }

  // MARK: The person and the policy

  /// Age and place that the app knows. They are kept instead of asked, as the band that the rules need.
  ///
  /// - Parameters:
  ///   - born: The birth month, `2014-03`.
  ///   - place: The residence, ISO 3166: `DE`, `US-CA`.
  /// - Throws: ``MenshenError``: a month or place that cannot be, or the store failed.
  public func supplySubject(born: String, place: String) async throws {
    try await inBackground { [self] in
      try change { try $0.supplySubject(born: born, place: place) }
    }
  }

  /// The locale in which the person reads, `zh-Hans` for example; the policy's first one without it.
  public func setLocale(_ locale: String) throws {
    try call { $0.setLocale(locale: locale) }
    changed()
  }

  /// Whether undeclared event fields are errors, or are dropped and counted.
  public func setStrict(_ strict: Bool) throws {
    try call { $0.setStrict(strict: strict) }
  }

  /// Takes a newer version of the policy. What it takes away ends on its day, what it adds waits for the
  /// person.
  ///
  /// - Throws: ``MenshenError``: the document is wrong, of another policy, or older than the accepted one.
  public func offerPolicy(_ policy: PolicySource) async throws {
    try await inBackground { [self] in
      let document = try policy.read()
      try change { try $0.offerPolicy(policy: document) }
    }
  }

  /// Whether a changed policy waits for the person: show it with ``changedPolicy(screen:)``.
  public func hasChangedPolicy() throws -> Bool {
    try call { $0.hasChangedPolicy() }
  }

  /// The version of the policy that governs now.
  public func policyVersion() throws -> String {
    try call { $0.policyVersion() }
  }

  // MARK: The bridge

  /// A native call that changes no answer.
  func call<Result>(_ work: (BridgeSession) throws -> Result) throws -> Result {
    let session = try native.get()
    return try bridged { try work(session) }
  }

  /// A native call that may change the answers: the copy is new before this returns, also after an error.
  func change<Result>(_ work: (BridgeSession) throws -> Result) throws -> Result {
    defer { settle() }
    return try call(work)
  }

  /// Brings the copy and the SDKs up to date.
  func settle() {
    takeSnapshot()
    turnSwitches()
    for act in lock.withLock({ Array(onChange.values) }) { act() }
  }

  /// Has a closure run after every change, until the returned one is called.
  func afterChange(_ act: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
    let id = lock.withLock {
      lastOnChange += 1
      onChange[lastOnChange] = act
      return lastOnChange
    }
    return { [weak self] in
      _ = self?.lock.withLock { self?.onChange.removeValue(forKey: id) }
    }
  }

  fileprivate func changed() {
    settle()
    streams.publish(purposes)
  }

  private func takeSnapshot() {
    guard let native = try? native.get() else { return }
    box.take(Snapshot(native.snapshot()))
  }

  private func turnSwitches() {
    guard let native = try? native.get() else { return }
    switches.turn { [box] recipient in
      do {
        return try !box.isClosed && native.mayStart(recipient: recipient) == nil
      } catch {
        return false
      }
    }
  }
}

/// Hears of changes. Weak, because the native session keeps its listener.
private final class Listener: BridgeListener {
  private let session: WeakSession

  init(_ session: Session) {
    self.session = WeakSession(session)
  }

  func changed(generation: Int64) {
    session.value?.changed()
  }
}

/// Unchecked: a weak reference that is set once; reading it is atomic.
private final class WeakSession: @unchecked Sendable {
  private(set) weak var value: Session?

  init(_ value: Session) {
    self.value = value
  }
}
