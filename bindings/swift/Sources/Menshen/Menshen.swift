// Opening: one policy, one store, one key store, one platform.

public import Foundation
internal import MenshenInternal

/// Where the policy document is.
public enum PolicySource: Sendable {
  /// `name.json` in the app's main bundle.
  case bundled(String)
  /// The document itself.
  case data(Data)
  /// A file.
  case file(URL)
}

/// Where the keys are that the store is sealed with.
public enum Keys: Sendable {
  /// A file in a folder, for tests and servers: whoever can read it can read the store.
  case file(URL)
  /// The platform's key store.
  case provider(any KeyProvider)
}

/// A policy at work over one store. Take a ``Session`` from it and go through that for everything.
///
/// ```swift
/// let menshen = try Menshen(policy: .bundled("policy"), store: folder, keys: .provider(keys))
/// let session = try menshen.guest()
/// switch try await session.request("share-location", screen: screen) {
/// case .allowed(let permit):
///   try await session.withFeature(permit) { use in try use.read { map.follow(location) } }
/// case .denied(let denial): show(denial.text)
/// }
/// ```
///
/// Unchecked: `sessions` is touched only under `lock`, everything else is immutable.
public final class Menshen: @unchecked Sendable {
  private let handles = Handles()
  private let native: Handle<BridgeMenshen>
  private let clock: WallClock
  private let lock = NSLock()
  /// One for each native session, which has one listener.
  private var sessions: [Session] = []

  /// Opens a store.
  ///
  /// - Parameters:
  ///   - policy: The policy document that the app brings along.
  ///   - store: A folder of the library's own, created with its first content.
  ///   - keys: What seals it.
  ///   - platform: Permissions and identifiers; without it there are none.
  ///   - clock: Clocks in place of the device's.
  ///   - anchor: A value outside the store that shows that its files were rolled back; without one that is noticed only
  ///     as far as `markers` and the keys show it.
  ///   - markers: Folders outside the store in which a denial is marked too, so that files rolled back
  ///     do not undo it.
  ///   - capBytes: The most bytes that the store takes; 64 MiB without it.
  /// - Throws: ``MenshenError``. Nothing in the store was changed then.
  public init(
    policy: PolicySource, store: URL, keys: Keys, platform: any Platform = BarePlatform(),
    clock: (any DeviceClock)? = nil, anchor: (any Anchor)? = nil, markers: [URL] = [], capBytes: Int? = nil
  ) throws {
    let fileKeys: String?
    let provider: KeyAdapter?
    switch keys {
    case .file(let folder): (fileKeys, provider) = (folder.path, nil)
    case .provider(let keys): (fileKeys, provider) = (nil, KeyAdapter(keys))
    }
    let configuration = BridgeConfiguration(
      policy: try policy.read(), store: store.path, fileKeys: fileKeys,
      markers: markers.map(\.path), capBytes: capBytes.map(Int64.init))
    let opened = try bridged {
      try BridgeMenshen.open(
        configuration: configuration, keys: provider, platform: PlatformAdapter(platform),
        clock: clock.map(ClockAdapter.init), anchor: anchor.map(AnchorAdapter.init))
    }
    native = handles.hold(opened)
    self.clock = clock.map(WallClock.device) ?? .system
  }

  /// The session of nobody in particular: the app before anyone signed in.
  ///
  /// - Throws: ``MenshenError``. A key store that is not ready is no error: every gate is closed until it is.
  public func guest() throws -> Session {
    try session { try $0.guest() }
  }

  /// The session of an account, by the app's own opaque id. The first account takes over what the guest answered and
  /// recorded: the guest's session is the account's from then on, and the next guest begins unasked, as every other
  /// account does. The id should not be a phone number or an address,
  /// because somebody who has the store's files can confirm a guess of it.
  ///
  /// - Throws: ``MenshenError``, as ``guest()``.
  public func session(account: String) throws -> Session {
    try session { try $0.session(account: account) }
  }

  /// The session of whoever uses the app now: of the account that signed in last, else of the guest.
  ///
  /// - Throws: ``MenshenError``, as ``guest()``.
  public func current() throws -> Session {
    try session { try $0.current() }
  }

  /// Signs an account in: its session is the current one, and that of an account before, or of the guest, is signed
  /// out.
  ///
  /// - Throws: ``MenshenError``, as ``session(account:)``.
  @discardableResult
  public func signIn(_ account: String) throws -> Session {
    defer { settle() }
    return try session { try $0.signIn(account: account) }
  }

  /// Signs the current account out: its gates close and its SDKs stop, what is sealed waits, and only what is owed to
  /// the person is still sent. The guest's session is the current one, and returned.
  ///
  /// - Throws: ``MenshenError``; the account is signed out all the same.
  @discardableResult
  public func signOut() throws -> Session {
    defer { settle() }
    return try session { try $0.signOut() }
  }

  /// What signing in or out closed is closed on this side too, and its SDKs stop, before it returns.
  private func settle() {
    for session in lock.withLock({ sessions }) { session.settle() }
  }

  /// What was found when the store was opened.
  ///
  /// - Throws: ``MenshenError``: the store was closed.
  public func opened() throws -> OpenReport {
    let native = try native.get()
    return try bridged { OpenReport(native.opened()) }
  }

  /// How the store is.
  ///
  /// - Throws: ``MenshenError``: the store was closed.
  public func health() throws -> Health {
    let native = try native.get()
    return try bridged { Health(native.health()) }
  }

  /// Makes everything recorded so far survive a power loss, if the device honours a sync. Blocks for as long
  /// as the device takes.
  ///
  /// - Throws: ``MenshenError``; what was not synced before stays unsynced.
  public func sync() throws {
    let native = try native.get()
    try bridged { try native.sync() }
  }

  /// Closes the store: its lock is free when the calls under way on other threads have returned. Sessions,
  /// flows and uses that came from here deny and throw ``MenshenError/Code/closed`` from now on. What
  /// ``Session/whenAllowed(_:start:stop:)`` started is stopped.
  public func close() {
    let all = lock.withLock {
      defer { sessions = [] }
      return sessions
    }
    for session in all { session.close() }
    handles.close()
  }

  /// Checks a policy document without opening anything, and returns its SHA-256 in hexadecimal.
  ///
  /// - Throws: ``MenshenError`` with every problem of the document.
  @discardableResult
  public static func checkPolicy(_ policy: PolicySource) throws -> String {
    let document = try policy.read()
    return try bridged { try MenshenInternal.checkPolicy(policy: document) }
  }

  /// Verifies a ledger that ``Session/exportLedger()`` gave, without the store.
  public static func verifyLedger(_ export: String) -> LedgerVerdict {
    LedgerVerdict(MenshenInternal.verifyLedger(export: export))
  }

  /// Opening calls the app's key store and platform, so no lock is held meanwhile; of two threads that open
  /// the same account, one wins.
  private func session(_ open: (BridgeMenshen) throws -> BridgeSession) throws -> Session {
    let native = try native.get()
    let opened = try bridged { try open(native) }
    if let known = lock.withLock({ sessions.first { $0.isSame(opened) } }) { return known }
    let session = Session(handles.hold(opened), of: handles, clock: clock)
    let winner = lock.withLock {
      if let known = sessions.first(where: { $0.isSame(opened) }) { return known }
      sessions.append(session)
      return session
    }
    if winner === session { session.listen(to: opened) }
    return winner
  }
}

extension PolicySource {
  func read() throws -> Data {
    let file: URL?
    switch self {
    case .data(let document): return document
    case .bundled(let name): file = Bundle.main.url(forResource: name, withExtension: "json")
    case .file(let url): file = url
    }
    guard let file, let document = try? Data(contentsOf: file) else {
      throw MenshenError(
        .io, "the policy document cannot be read; check its name and that the app brings it along",
        fields: ["operation": "read the policy"])
    }
    return document
  }
}
