// What the library needs of the device: permissions, identifiers, clocks.
package io.menshen

import io.menshen.internal.BridgeClock
import io.menshen.internal.BridgeNow
import io.menshen.internal.BridgePermissionState
import io.menshen.internal.BridgePlatform

/**
 * The device under a [Menshen]. Called from the thread that made the call, without any lock of the library held.
 * If a function throws, the answer is the closed one: a blocked permission, no identifier.
 */
interface Platform {
    /** The state of a system permission now. Reading it is not reading the person's data. */
    fun state(permission: Permission): PermissionState

    /**
     * The raw identifier, or null where the device has none or refuses it. Called only through an open gate and for
     * a declared form that needs the value.
     */
    fun read(identifier: Identifier): String?

    /** A device without permissions and identifiers, as a server is. */
    object None : Platform {
        override fun state(permission: Permission): PermissionState = PermissionState.BLOCKED

        override fun read(identifier: Identifier): String? = null
    }
}

/** The clocks of the device, where the system's own are not wanted. */
fun interface DeviceClock {
    /** The time now. It must not call the library. If it throws, [Session.isAllowed] allows nothing and the store takes the last good reading. */
    fun now(): Now
}

/**
 * One reading of the device's clocks.
 *
 * @property wallMs the wall clock, in milliseconds since 1970.
 * @property sinceBootMs milliseconds since the device started, sleep included.
 * @property boot which start of the device it is.
 */
data class Now(val wallMs: Long, val sinceBootMs: Long, val boot: Int)

/**
 * The state of a system permission.
 *
 * @property id a stable name in kebab-case.
 */
enum class PermissionState(val id: String) {
    /** The person was never asked, or the system would ask again. */
    NOT_ASKED("not-asked"),

    /** It is there. */
    GRANTED("granted"),

    /** It is there in a lesser form than asked: approximate location, selected photos. */
    LIMITED("limited"),

    /** Refused; the system would still show its dialog. */
    DENIED("denied"),

    /** Refused, and only the system's settings can change that. */
    BLOCKED("blocked"),
}

/**
 * A system permission, as a policy names it.
 *
 * @property id the id that a policy writes.
 */
enum class Permission(val id: String) {
    /** Where the device is, to the street. */
    LOCATION_PRECISE("location.precise"),

    /** Where the device is, to the district. */
    LOCATION_COARSE("location.coarse"),

    /** The camera. */
    CAMERA("camera"),

    /** The microphone. */
    MICROPHONE("microphone"),

    /** Reading the address book. */
    CONTACTS_READ("contacts.read"),

    /** Writing the address book. */
    CONTACTS_WRITE("contacts.write"),

    /** The photo library. */
    PHOTOS("photos"),

    /** Sending and reading text messages. */
    SMS("sms"),

    /** Files of other apps. */
    STORAGE("storage"),

    /** Showing notifications. */
    NOTIFICATIONS("notifications"),

    /** The telephone state, which carries hardware identifiers. */
    PHONE_STATE("phone-state"),

    /** The advertising identifier. */
    TRACKING("tracking"),
    ;

    internal companion object {
        fun of(id: String): Permission? = entries.find { it.id == id }
    }
}

/**
 * An identifier of the device or the install, as a policy names it.
 *
 * @property id the id that a policy writes.
 */
enum class Identifier(val id: String) {
    /** International Mobile Equipment Identity. */
    IMEI("imei"),

    /** International Mobile Subscriber Identity, of the SIM card. */
    IMSI("imsi"),

    /** `Settings.Secure.ANDROID_ID`. */
    ANDROID_ID("android-id"),

    /** Open Anonymous Device Identifier of the Mobile Security Alliance. */
    OAID("oaid"),

    /** Google's advertising identifier. */
    ADVERTISING_ID("advertising-id"),

    /** Apple's advertising identifier. */
    IDFA("idfa"),

    /** Apple's identifier for the vendor. */
    IDFV("idfv"),

    /** An identifier that apps once shared through the pasteboard. */
    OPENUDID("openudid"),

    /** An identifier that an SDK makes for itself. */
    GUID("guid"),

    /** The network hardware address. */
    MAC("mac"),

    /** The address of the device in the network. */
    IP_ADDRESS("ip-address"),
    ;

    internal companion object {
        fun of(id: String): Identifier? = entries.find { it.id == id }
    }
}

internal fun PermissionState.toBridge(): BridgePermissionState =
    when (this) {
        PermissionState.NOT_ASKED -> BridgePermissionState.NOT_ASKED
        PermissionState.GRANTED -> BridgePermissionState.GRANTED
        PermissionState.LIMITED -> BridgePermissionState.LIMITED
        PermissionState.DENIED -> BridgePermissionState.DENIED
        PermissionState.BLOCKED -> BridgePermissionState.BLOCKED
    }

internal class PlatformBridge(private val platform: Platform) : BridgePlatform {
    override fun permission(permission: String): BridgePermissionState {
        // A permission that this version doesn't know can't be looked up, so it isn't there.
        val known = Permission.of(permission) ?: return BridgePermissionState.BLOCKED
        return guarded { platform.state(known) }.toBridge()
    }

    override fun identifier(identifier: String): String? =
        Identifier.of(identifier)?.let { known -> guarded { platform.read(known) } }
}

internal class ClockBridge(private val clock: DeviceClock) : BridgeClock {
    override fun now(): BridgeNow =
        guarded { clock.now() }.let { BridgeNow(wallMs = it.wallMs, sinceBootMs = it.sinceBootMs, boot = it.boot) }
}
