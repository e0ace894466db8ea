// The flow with a screen that performs each step.
package io.menshen

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * Performs the steps of a flow for the person. Each function suspends until there is an answer. One that is cancelled or
 * throws ends the flow; what was answered before stays, the open question is as if never shown.
 */
interface Screen {
    /** Shows a question; true for yes. Both buttons have equal weight, and leaving is possible. */
    suspend fun show(prompt: Prompt): Boolean

    /** Shows switches, all off, and returns the purposes that were turned on. */
    suspend fun offer(offers: List<Offer>): Set<String>

    /** Asks for birth month and place, without a hint of what they decide. */
    suspend fun askSubject(): SubjectAnswer

    /** Shows the answer back once; true if it is right. */
    suspend fun confirmSubject(subject: SubjectAnswer): Boolean

    /** Asks the system for a permission, with a text beside the dialog that says why. */
    suspend fun askSystem(permission: Permission, text: String): PermissionState
}

/** How the request for a feature ended. */
sealed interface Outcome {
    /** The feature is open. */
    class Allowed internal constructor(val permit: Permit) : Outcome

    /** It is not, and why. */
    data class Denied(val reason: Denial) : Outcome
}

/** How a flow without a feature ended. */
sealed interface Completion {
    /**
     * It is through.
     *
     * @property asksAgain purposes that ask again because the accepted version added something to them.
     */
    data class Finished(val asksAgain: List<String>) : Completion

    /** It stopped at a refusal, and why. */
    data class Denied(val reason: Denial) : Completion
}

/** Goes through a flow and returns its last step. The screen is called in the caller's own context. */
internal suspend fun drive(screen: Screen, start: () -> Flow): Step {
    // Kept outside of withContext, which drops its result when the caller was cancelled meanwhile.
    var flow: Flow? = null
    var permitHandedOver = false
    try {
        var step = withContext(Dispatchers.IO) { start().also { flow = it }.step }
        while (true) {
            val answer = screen.perform(step) ?: break
            step = withContext(Dispatchers.IO) { checkNotNull(flow).answer(answer) }
        }
        permitHandedOver = true
        return step
    } finally {
        flow?.run {
            val last = step
            if (last is Step.Allowed && !permitHandedOver) last.permit.discard() else close()
        }
    }
}

/** The answer to a step, or null if it is the last one. */
private suspend fun Screen.perform(step: Step): Answer? =
    when (step) {
        is Step.Show -> if (show(step.prompt)) Answer.Yes else Answer.No
        is Step.Offer -> Answer.Switches(offer(step.offers))
        is Step.AskSubject -> Answer.Subject(askSubject())
        is Step.ConfirmSubject -> if (confirmSubject(step.subject)) Answer.Yes else Answer.No
        is Step.AskSystem -> Answer.System(askSystem(step.permission, step.text))
        is Step.Allowed, is Step.Denied, is Step.Finished, is Step.Exercised -> null
    }

internal fun Step.toOutcome(): Outcome =
    when (this) {
        is Step.Allowed -> Outcome.Allowed(permit)
        is Step.Denied -> Outcome.Denied(reason)
        else -> throw unexpectedEnd()
    }

internal fun Step.toCompletion(): Completion =
    when (this) {
        is Step.Finished -> Completion.Finished(asksAgain)
        is Step.Denied -> Completion.Denied(reason)
        else -> throw unexpectedEnd()
    }

private fun unexpectedEnd() = MenshenException(ErrorCode.INTERNAL, "internal inconsistency (flow); please report it")
