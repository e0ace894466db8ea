// What the library needs of the system it runs on: permissions, identifiers and clocks.

internal import Foundation
internal import MenshenInternal

/// A system permission, by the id that the policy uses.
public enum Permission: String, CaseIterable, Sendable {
  /// Where the device is, to the street.
  case locationPrecise = "location.precise"
  /// Where the device is, to the district.
  case locationCoarse = "location.coarse"
  /// The camera.
  case camera
  /// The microphone.
  case microphone
  /// Reading the address book.
  case contactsRead = "contacts.read"
  /// Writing the address book.
  case contactsWrite = "contacts.write"
  /// The photo library.
  case photos
  /// Sending and reading text messages (Android).
  case sms
  /// Files of other apps (Android).
  case storage
  /// Showing notifications.
  case notifications
  /// The telephone state (Android).
  case phoneState = "phone-state"
  /// The advertising identifier (App Tracking Transparency).
  case tracking
}

/// The state of a system permission, as the system tells it.
public enum PermissionState: String, CaseIterable, Sendable {
  /// The person was never asked, or the system would ask again.
  case notAsked = "not-asked"
  /// It is there.
  case granted
  /// It is there in a lesser form than asked: approximate location, selected photos.
  case limited
  /// Refused; the system would still show its dialog.
  case denied
  /// Refused, and only the system's settings can change that.
  case blocked
}

/// A device identifier, by the id that the policy uses.
public enum Identifier: String, CaseIterable, Sendable {
  /// International Mobile Equipment Identity (Android).
  case imei
  /// International Mobile Subscriber Identity, of the SIM card (Android).
  case imsi
  /// `Settings.Secure.ANDROID_ID`.
  case androidID = "android-id"
  /// Open Anonymous Device Identifier (Android, China).
  case oaid
  /// Google's advertising identifier.
  case advertisingID = "advertising-id"
  /// Apple's advertising identifier.
  case idfa
  /// Apple's identifier for the vendor.
  case idfv
  /// An identifier that apps once shared through the pasteboard.
  case openUDID = "openudid"
  /// An identifier that an SDK makes for itself.
  case guid
  /// The network hardware address.
  case mac
  /// The address of the device in the network.
  case ipAddress = "ip-address"
}

/// The system under the library. It is asked from any thread, never with a lock of the library held.
public protocol Platform: Sendable {
  /// The state of a permission now. Reading this is not reading the person's data.
  func state(of permission: Permission) -> PermissionState
  /// The raw identifier, or `nil` where the system has none or refuses it. Called only through an open
  /// gate and for a declared form that needs the value.
  func read(_ identifier: Identifier) -> String?
}

/// A platform without any permission or identifier, as a server is.
public struct BarePlatform: Platform {
  /// Makes one.
  public init() {}
  /// Every permission is blocked.
  public func state(of permission: Permission) -> PermissionState { .blocked }
  /// No identifier is there.
  public func read(_ identifier: Identifier) -> String? { nil }
}

/// The clocks of the device at one moment.
public struct Now: Equatable, Sendable {
  /// The wall clock, in milliseconds since 1970.
  public var wallMilliseconds: Int64
  /// Milliseconds since the device started, sleep included.
  public var sinceBootMilliseconds: Int64
  /// Which start of the device it is.
  public var boot: Int32

  /// A moment.
  public init(wallMilliseconds: Int64, sinceBootMilliseconds: Int64, boot: Int32) {
    self.wallMilliseconds = wallMilliseconds
    self.sinceBootMilliseconds = sinceBootMilliseconds
    self.boot = boot
  }
}

/// The clocks of the device, in place of the library's own; for tests above all. It must not call the library.
public protocol DeviceClock: Sendable {
  /// The time now.
  func now() -> Now
}

/// Answers the bridge from the app's platform. An id of a newer core is answered closed.
final class PlatformAdapter: BridgePlatform {
  private let platform: any Platform

  init(_ platform: any Platform) {
    self.platform = platform
  }

  func permission(permission: String) -> BridgePermissionState {
    guard let known = Permission(rawValue: permission) else { return .blocked }
    return BridgePermissionState(platform.state(of: known))
  }

  func identifier(identifier: String) -> String? {
    Identifier(rawValue: identifier).flatMap(platform.read)
  }
}

final class ClockAdapter: BridgeClock {
  private let clock: any DeviceClock

  init(_ clock: any DeviceClock) {
    self.clock = clock
  }

  func now() -> BridgeNow {
    let now = clock.now()
    return BridgeNow(
      wallMs: now.wallMilliseconds, sinceBootMs: now.sinceBootMilliseconds, boot: now.boot)
  }
}

/// The wall clock for the snapshot on this side of the bridge: the same one that the core goes by.
enum WallClock: Sendable {
  case system
  case device(any DeviceClock)

  var milliseconds: Int64 {
    switch self {
    case .system: Int64(Date().timeIntervalSince1970 * 1000)
    case .device(let clock): clock.now().wallMilliseconds
    }
  }
}

extension BridgePermissionState {
  init(_ state: PermissionState) {
    self =
      switch state {
      case .notAsked: .notAsked
      case .granted: .granted
      case .limited: .limited
      case .denied: .denied
      case .blocked: .blocked
      }
  }
}
