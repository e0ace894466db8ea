// The sealed outbox: the app's own payloads, kept in order, decided anew, sent by the app itself.
package io.menshen

import io.menshen.internal.BridgeDeliveryResult
import io.menshen.internal.BridgeSession
import kotlin.time.Duration

/** The sealed outbox of a session. */
class Outbox internal constructor(private val native: BridgeSession) {
    /**
     * Seals an item for a recipient of a purpose.
     *
     * @param timeToLive above zero and at most the retention of the purpose.
     * @throws MenshenException an unknown purpose or recipient, an item too large, a wrong time to live, or a full or
     * failing store.
     */
    fun put(purpose: String, recipient: String, timeToLive: Duration, bytes: ByteArray): Recorded =
        bridged { native.outboxPut(purpose.sound(), recipient.sound(), timeToLive.inWholeMilliseconds, bytes) }.toPublic()

    /**
     * The next item that is allowed and due, or null. What has expired or lost its leave is never returned.
     *
     * @throws MenshenException the store failed.
     */
    fun nextDelivery(): Delivery? =
        bridged { native.nextDelivery() }?.let { Delivery(it.id, it.purpose, it.recipient, it.bytes, it.expiresMs) }

    /**
     * Takes the result of an item. A delivered one is never offered again.
     *
     * @throws MenshenException no such delivery is under way, or the store failed.
     */
    fun deliveryFinished(id: Long, result: DeliveryResult) =
        bridged {
            val bridge =
                when (result) {
                    DeliveryResult.Delivered -> BridgeDeliveryResult.Delivered
                    DeliveryResult.Refused -> BridgeDeliveryResult.Refused
                    is DeliveryResult.Later -> BridgeDeliveryResult.Later(result.after.inWholeMilliseconds)
                }
            native.deliveryFinished(id, bridge)
        }
}

/**
 * An item for the app to send.
 *
 * @property id names it when its result comes back.
 * @property purpose the purpose that it serves.
 * @property recipient who is to receive it.
 * @property bytes the bytes as they were put in.
 * @property expiresMs when it ends, in milliseconds since 1970.
 */
class Delivery internal constructor(
    val id: Long,
    val purpose: String,
    val recipient: String,
    val bytes: ByteArray,
    val expiresMs: Long,
)

/** What came of sending an item. */
sealed interface DeliveryResult {
    /** It arrived, or is with somebody who keeps it. */
    data object Delivered : DeliveryResult

    /** Not now; offer it again after this time. */
    data class Later(val after: Duration) : DeliveryResult

    /** Never: it is not offered again, and goes when it expires. */
    data object Refused : DeliveryResult
}
