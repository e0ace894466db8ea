// Uploads as values: what to send next, and what a reply meant.
package io.menshen

import io.menshen.internal.BridgeHeader
import io.menshen.internal.BridgeReply
import io.menshen.internal.BridgeUpload
import io.menshen.internal.BridgeUploadOutcome

/**
 * One HTTP `POST` for the host to make. The bytes are final: follow no redirect and send them at most once.
 *
 * @property id names it when its reply comes back or when it must be stopped.
 * @property url where to, as the policy's endpoint declares it.
 * @property headers names and values, in order.
 * @property body the bytes as they go over the wire.
 */
class Upload internal constructor(
    val id: Long,
    val url: String,
    val headers: List<Pair<String, String>>,
    val body: ByteArray,
)

/** What the transport got back for an [Upload]. */
sealed interface Reply {
    /**
     * The receiver answered.
     *
     * @property status the HTTP status.
     * @property headers names and values, in order.
     * @property body the body as far as it arrived and was kept.
     * @property complete true only if the reply's own framing shows that [body] is all of it. One that was cut, was
     * longer than what is kept, or ends only because the connection did acknowledges nothing.
     */
    class Response(
        val status: Int,
        val headers: List<Pair<String, String>>,
        val body: ByteArray,
        val complete: Boolean,
    ) : Reply

    /** No answer arrived. The receiver may still have taken the records. */
    data object Failed : Reply
}

/** What a reply meant for the records. */
sealed interface UploadOutcome {
    /** The receiver has them; so many are acknowledged. */
    data class Acknowledged(val records: Long) : UploadOutcome

    /**
     * Nothing is acknowledged; they are offered again.
     *
     * @property code what stood in the way, in kebab-case.
     * @property notBeforeMs not before this time, in milliseconds since 1970.
     */
    data class Later(val code: String, val notBeforeMs: Long) : UploadOutcome

    /**
     * The receiver refused them for good. They are kept and not offered again, until they expire.
     *
     * @property code what the receiver answered, in kebab-case.
     */
    data class Quarantined(val records: Long, val code: String) : UploadOutcome

    /**
     * A withdrawal cancelled the upload.
     *
     * @property delivered whether the receiver has it all the same.
     */
    data class Cancelled(val delivered: Boolean) : UploadOutcome
}

internal fun BridgeUpload.toPublic(): Upload = Upload(id, url, headers.map { Pair(it.name, it.value) }, body)

internal fun Reply.toBridge(): BridgeReply =
    when (this) {
        is Reply.Response -> BridgeReply.Response(status, headers.map { BridgeHeader(it.first.sound(), it.second.sound()) }, body, complete)
        Reply.Failed -> BridgeReply.Failed
    }

internal fun BridgeUploadOutcome.toPublic(): UploadOutcome =
    when (this) {
        is BridgeUploadOutcome.Acknowledged -> UploadOutcome.Acknowledged(records)
        is BridgeUploadOutcome.Later -> UploadOutcome.Later(code, notBeforeMs)
        is BridgeUploadOutcome.Quarantined -> UploadOutcome.Quarantined(records, code)
        is BridgeUploadOutcome.Cancelled -> UploadOutcome.Cancelled(delivered)
    }
