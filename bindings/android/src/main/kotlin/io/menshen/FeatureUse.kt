// The proof that a feature is open, and the use of it that is bounded in time.
package io.menshen

import io.menshen.internal.BridgeFlow
import io.menshen.internal.BridgeUse
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration

/**
 * The proof that a feature was open when the person's request ended. Only the library makes one, it is used once, and it
 * doesn't outlive its decision.
 *
 * @property feature the feature.
 */
class Permit internal constructor(
    internal val session: Session,
    val feature: String,
    private val native: BridgeFlow,
) {
    private val used = AtomicBoolean()

    internal fun begin(limit: Duration?): FeatureUse {
        if (!used.compareAndSet(false, true)) throw permitEnded()
        try {
            val limitMs = limit?.takeIf { it.isFinite() }?.inWholeMilliseconds
            return FeatureUse(session, feature, session.keep(bridged { native.begin(limitMs) }))
        } finally {
            session.release(native)
        }
    }

    internal fun discard() {
        if (used.compareAndSet(false, true)) session.release(native)
    }
}

/**
 * A use of a feature that is going on. Protected data is readable through it and only while it lasts.
 *
 * @property feature the feature.
 */
class FeatureUse internal constructor(
    private val session: Session,
    val feature: String,
    private val native: BridgeUse,
) : AutoCloseable {
    private val ended = AtomicBoolean()

    /**
     * Reads protected data, if the use is still going on and its gates are still open.
     *
     * @throws MenshenException [ErrorCode.PERMIT_ENDED]: the use ended, its time is over, or a gate or permission closed
     * meanwhile. [reader] was not called.
     */
    inline fun <T> read(reader: () -> T): T {
        countRead()
        return reader()
    }

    @PublishedApi
    internal fun countRead() {
        if (ended.get()) throw permitEnded()
        bridged { native.countRead() }
    }

    /** Ends the use; nothing is readable through it afterwards. Calling it again does nothing. */
    fun end() {
        if (!ended.compareAndSet(false, true)) return
        try {
            bridged { native.end() }
        } catch (_: MenshenException) {
            // The store was closed, which ended the use too.
        }
        session.release(native)
    }

    /** The same as [end]. */
    override fun close() = end()
}
