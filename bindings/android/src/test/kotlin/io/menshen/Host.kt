// A device for tests: permissions and identifiers that are set by hand, and a clock that stands still.
package io.menshen

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger

internal class Host : Platform {
    val permissions = ConcurrentHashMap<Permission, PermissionState>()
    val reads = AtomicInteger()

    override fun state(permission: Permission): PermissionState = permissions[permission] ?: PermissionState.NOT_ASKED

    override fun read(identifier: Identifier): String {
        reads.incrementAndGet()
        return raw(identifier)
    }

    fun raw(identifier: Identifier): String =
        if (identifier == Identifier.IP_ADDRESS) "203.0.113.77" else "raw-${identifier.id}"
}

internal class StandingClock : DeviceClock {
    @Volatile
    private var time = Now(wallMs = 1_800_000_000_000, sinceBootMs = 3_600_000, boot = 1)

    override fun now(): Now = time

    fun advance(ms: Long) {
        time = time.copy(wallMs = time.wallMs + ms, sinceBootMs = time.sinceBootMs + ms)
    }

    fun advanceWall(ms: Long) {
        time = time.copy(wallMs = time.wallMs + ms)
    }
}
