// The rights of the person: what they demand, what it closes here at once, and how it stands.
package io.menshen

import io.menshen.internal.BridgeExercised
import io.menshen.internal.BridgeOfferedRight
import io.menshen.internal.BridgeRightRecord
import io.menshen.internal.BridgeRightRequest

/**
 * What the person may demand.
 *
 * @property id the id that a policy writes.
 */
enum class Right(val id: String) {
    /** To see the data. */
    ACCESS("access"),

    /** A report of what was collected, from where, for what and for whom. */
    REPORT("report"),

    /** A copy. */
    COPY("copy"),

    /** The data in a form that another service can take in. */
    PORTABILITY("portability"),

    /** To have it corrected. */
    CORRECT("correct"),

    /** To have it deleted. */
    DELETE("delete"),

    /** To have its use stopped while something is clarified. */
    RESTRICT("restrict"),

    /** To object to a use. */
    OBJECT("object"),

    /** To take a consent back. */
    WITHDRAW("withdraw"),

    /** To be left out of direct marketing. */
    REFUSE_MARKETING("refuse-marketing"),

    /** To keep data from being sold or shared. */
    REFUSE_SALE("refuse-sale"),

    /** To have a person look at a program's decision. */
    HUMAN_REVIEW("human-review"),

    /** To close the account. */
    CLOSE_ACCOUNT("close-account"),

    /** To read the records of disclosures. */
    DISCLOSURE_RECORDS("disclosure-records"),

    /** To be treated no worse for using a right. */
    EQUAL_TREATMENT("equal-treatment"),

    /** To complain. */
    COMPLAIN("complain"),
}

/**
 * What the person demands.
 *
 * @property right the right that is used.
 */
sealed class RightRequest(val right: Right) {
    /** To see the data. */
    data object Access : RightRequest(Right.ACCESS)

    /** A report of what was collected, from where, for what and for whom. */
    data object Report : RightRequest(Right.REPORT)

    /** A copy of what the controller holds. That of what is on the device is [Session.copyHtml]. */
    data object Copy : RightRequest(Right.COPY)

    /** The data in a form that another service can take in. */
    data object Portability : RightRequest(Right.PORTABILITY)

    /** To have something corrected; [text] says what. */
    class Correct(val text: String) : RightRequest(Right.CORRECT)

    /** To have everything deleted, here and there. */
    data object Delete : RightRequest(Right.DELETE)

    /** To have the use for a purpose stopped while something is clarified. */
    data class Restrict(val purpose: String) : RightRequest(Right.RESTRICT)

    /** To object to a purpose. */
    data class Object(val purpose: String) : RightRequest(Right.OBJECT)

    /** To take every consent back. */
    data object WithdrawAll : RightRequest(Right.WITHDRAW)

    /** To be left out of direct marketing. */
    data object RefuseMarketing : RightRequest(Right.REFUSE_MARKETING)

    /** To keep data from being sold, or shared for advertising. */
    data object RefuseSale : RightRequest(Right.REFUSE_SALE)

    /** To have a person look at a program's decision about [purpose]; [text] says which and why. */
    class HumanReview(val purpose: String, val text: String) : RightRequest(Right.HUMAN_REVIEW)

    /** To close the account. Everything stays closed afterwards; only what is owed is still sent. */
    data object CloseAccount : RightRequest(Right.CLOSE_ACCOUNT)

    /** To read the records of disclosures. */
    data object DisclosureRecords : RightRequest(Right.DISCLOSURE_RECORDS)

    /** To complain; [text] says about what. */
    class Complain(val text: String) : RightRequest(Right.COMPLAIN)

    internal fun toBridge(): BridgeRightRequest =
        when (this) {
            is Restrict -> BridgeRightRequest(right.id, purpose.sound(), null)
            is Object -> BridgeRightRequest(right.id, purpose.sound(), null)
            is HumanReview -> BridgeRightRequest(right.id, purpose.sound(), text.sound())
            is Correct -> BridgeRightRequest(right.id, null, text.sound())
            is Complain -> BridgeRightRequest(right.id, null, text.sound())
            else -> BridgeRightRequest(right.id, null, null)
        }
}

/** What came of using a right. */
sealed interface Exercised {
    /**
     * It is in the ledger, and the controller is told with the next uploads.
     *
     * @property request the request.
     * @property inFlight uploads that must be stopped; an [Uploader] does it by itself.
     */
    data class Done(val request: String, val inFlight: List<Long>) : Exercised

    /**
     * The policy itself refuses it, on a ground that it states. The purpose goes on.
     *
     * @property request the request, which stays in the ledger.
     * @property ground the ground, in the session's locale.
     * @property source the clause of the policy.
     */
    data class Refused(val request: String, val ground: String, val source: String) : Exercised

    /**
     * What it closes is closed, and stays so over a restart, but the request could not be written: use the right again.
     *
     * @property code what stood in the way.
     */
    data class Pending(val code: ErrorCode) : Exercised
}

/**
 * How a request stands.
 *
 * @property id a stable name in kebab-case.
 */
enum class RightState(val id: String) {
    /** The controller has not confirmed it: uninstalling the app loses it. */
    WAITING("waiting"),

    /** The controller has it. */
    ACKNOWLEDGED("acknowledged"),

    /** It was refused, with the reason. */
    REFUSED("refused"),
}

/**
 * A right that the person used, and how it stands.
 *
 * @property id the request.
 * @property right the right.
 * @property purpose the purpose it is about, where it is one.
 * @property madeMs when it was used, in milliseconds since 1970.
 * @property due the last day on which an answer is in time, ISO 8601; null where neither policy nor law names a time.
 * @property isOverdue whether that day is over without an answer.
 * @property state how it stands.
 * @property text the same, in the session's locale.
 * @property letter a ready text for the controller's contact, while the controller has not confirmed the request.
 */
data class RightRecord(
    val id: String,
    val right: Right,
    val purpose: String?,
    val madeMs: Long,
    val due: String?,
    val isOverdue: Boolean,
    val state: RightState,
    val text: String,
    val letter: Letter?,
)

/**
 * A ready text for the controller, in case a request cannot be sent.
 *
 * @property to how to reach the controller, as the policy says it.
 * @property body the text.
 */
data class Letter(val to: String, val body: String)

/**
 * A right that the person has, for a settings screen.
 *
 * @property right the right.
 * @property way the way that the policy describes; null where only a law gives the right.
 * @property limits what the policy limits it to.
 * @property due the last day on which an answer to a request of today would be in time, ISO 8601.
 * @property source the clause of the policy.
 */
data class OfferedRight(val right: Right, val way: String?, val limits: String?, val due: String?, val source: String?)

private fun rightOf(id: String): Right =
    Right.entries.find { it.id == id } ?: throw MenshenException(ErrorCode.INTERNAL, "the right `$id` is not known here")

internal fun BridgeExercised.toPublic(): Exercised =
    when (this) {
        is BridgeExercised.Done -> Exercised.Done(request, inFlight)
        is BridgeExercised.Refused -> Exercised.Refused(request, ground, source)
        is BridgeExercised.Pending -> Exercised.Pending(ErrorCode.of(code))
    }

internal fun BridgeRightRecord.toPublic(): RightRecord =
    RightRecord(
        id = id,
        right = rightOf(right),
        purpose = purpose,
        madeMs = madeMs,
        due = due,
        isOverdue = isOverdue,
        // A state that this version doesn't know is shown as the one that claims least.
        state = RightState.entries.find { it.id == state } ?: RightState.WAITING,
        text = text,
        letter = letter?.let { Letter(it.to, it.body) },
    )

internal fun BridgeOfferedRight.toPublic(): OfferedRight = OfferedRight(rightOf(right), way, limits, due, source)
