// What a settings screen shows and does: purposes, withdrawal, maintenance, identifiers.
package io.menshen

import io.menshen.internal.BridgeIdentifier
import io.menshen.internal.BridgePurpose
import io.menshen.internal.BridgeWithdrawal

/**
 * The state of one purpose, for a settings screen.
 *
 * @property purpose the purpose.
 * @property name its name in the session's locale.
 * @property allowed whether it is allowed now.
 * @property denial why not.
 */
data class PurposeState(val purpose: String, val name: String, val allowed: Boolean, val denial: Denial?)

/** What a withdrawal did. The gate is closed in either case. */
sealed interface Withdrawal {
    /**
     * It is durable. Destroying the keys in the key store is [Session.maintain]'s work.
     *
     * @property inFlight uploads that carry records of the purpose and must be stopped; an [Uploader] does it by itself.
     */
    data class Done(val inFlight: List<Long>) : Withdrawal

    /**
     * The gate is closed and marked, but the entry could not be written. [Session.maintain] tries again, and no restart
     * opens the gate.
     *
     * @property code what stood in the way.
     */
    data class Pending(val code: ErrorCode) : Withdrawal
}

/**
 * What maintenance did.
 *
 * @property shredded purposes whose keys are gone now.
 * @property waiting purposes whose keys are not destroyed yet.
 * @property expiredSegments segments removed because they expired.
 * @property expiredRecords records in them.
 */
data class Maintained(
    val shredded: List<String>,
    val waiting: List<String>,
    val expiredSegments: Long,
    val expiredRecords: Long,
)

/** What became of a request for an identifier. */
sealed interface IdentifierAnswer {
    /**
     * Handed out.
     *
     * @property form its form; the raw value is none.
     * @property value its value in that form.
     */
    data class Handed(val form: IdentifierForm, val value: String) : IdentifierAnswer

    /** Refused, and why. */
    data class Denied(val reason: Denial) : IdentifierAnswer
}

/**
 * The form of an identifier.
 *
 * @property id the id that a policy writes.
 */
enum class IdentifierForm(val id: String) {
    /** Never handed out; the platform is not read. */
    REFUSED("refused"),

    /** A hash under a key of this recipient and consent, of no use to anyone else. */
    KEYED_HASH("keyed-hash"),

    /** A random value of this recipient and consent; the platform is not read. */
    PSEUDONYM("pseudonym"),

    /** The address without its last part. */
    TRUNCATED("truncated"),
}

internal fun BridgePurpose.toPublic(): PurposeState = PurposeState(purpose, name, allowed, denial?.toPublic())

internal fun BridgeWithdrawal.toPublic(): Withdrawal =
    when (this) {
        is BridgeWithdrawal.Done -> Withdrawal.Done(inFlight)
        is BridgeWithdrawal.Pending -> Withdrawal.Pending(ErrorCode.of(code))
    }

internal fun BridgeIdentifier.toPublic(): IdentifierAnswer =
    when (this) {
        is BridgeIdentifier.Handed ->
            IdentifierAnswer.Handed(
                IdentifierForm.entries.find { it.id == form }
                    ?: throw MenshenException(ErrorCode.INTERNAL, "the identifier form `$form` is not known here"),
                value,
            )
        is BridgeIdentifier.Denied -> IdentifierAnswer.Denied(denial.toPublic())
    }
