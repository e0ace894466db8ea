// The flow step by step, for those who drive it by hand.
package io.menshen

import io.menshen.internal.BridgeAnswer
import io.menshen.internal.BridgeFlow
import io.menshen.internal.BridgeStep

/** Whether the person tapped for what is requested. */
enum class Trigger {
    /** The person tapped the feature. */
    TAP,

    /** The app wants it by itself. */
    APP,
}

/** What is to be done next. */
sealed interface Step {
    /** Show this question; answer with [Answer.Yes] or [Answer.No]. */
    data class Show(val prompt: Prompt) : Step

    /** Show these switches, all off, with *agree to all* and *refuse all* alike; answer with [Answer.Switches]. */
    data class Offer(val offers: List<io.menshen.Offer>) : Step

    /** Ask for birth month and place, without a hint of what they decide; answer with [Answer.Subject]. */
    data object AskSubject : Step

    /** Show the answer back once; [Answer.Yes] if it is right, [Answer.No] to change it. */
    data class ConfirmSubject(val subject: SubjectAnswer) : Step

    /** Ask the system for a permission, with this text beside the dialog; answer with [Answer.System]. */
    data class AskSystem(val permission: Permission, val text: String) : Step

    /** The feature is open. */
    class Allowed internal constructor(val permit: Permit) : Step

    /** It is not, and why. */
    data class Denied(val reason: Denial) : Step

    /**
     * The flow is through.
     *
     * @property asksAgain purposes that ask again because the accepted version added something to them.
     */
    data class Finished(val asksAgain: List<String>) : Step

    /** A right was used. */
    data class Exercised(val exercised: io.menshen.Exercised) : Step
}

/** What the person or the system answered. */
sealed interface Answer {
    /** Yes to what is shown. */
    data object Yes : Answer

    /** No to what is shown. */
    data object No : Answer

    /** The purposes whose switches are on; every other one was left off, which is a no. */
    data class Switches(val on: Set<String>) : Answer

    /** The answer to the neutral question. */
    data class Subject(val subject: SubjectAnswer) : Answer

    /** What the system answered. */
    data class System(val state: PermissionState) : Answer
}

/**
 * What the person said about themselves.
 *
 * @property born the birth month, `2014-03`.
 * @property place the residence, ISO 3166: `DE`, `US-CA`.
 */
data class SubjectAnswer(val born: String, val place: String)

/**
 * One run through the questions for a goal. [close] it when it is over; closing one that is not leaves everything as it
 * is. Its functions read and write the store: call them off the main thread, from one thread at a time.
 */
class Flow internal constructor(
    private val session: Session,
    private val native: BridgeFlow,
) : AutoCloseable {
    /** What is to be done next. */
    @Volatile
    var step: Step = bridged { native.step() }.toPublic()
        private set

    /**
     * Takes the answer to the current step and moves on. An answer counts when this returned, unless another version of the
     * policy came since the step was shown: then nothing is written, and what is asked now is returned.
     *
     * @return what is to be done next.
     * @throws MenshenException the answer does not fit the step, or it could not be written; the step then stays.
     */
    fun answer(answer: Answer): Step {
        step = session.changing { native.answer(answer.toBridge()) }.toPublic()
        return step
    }

    /** Ends the flow. The permit of an allowed one stays usable. */
    override fun close() {
        if (step !is Step.Allowed) session.release(native)
    }

    private fun BridgeStep.toPublic(): Step =
        when (this) {
            is BridgeStep.Show -> Step.Show(prompt.toPublic())
            is BridgeStep.Offer -> Step.Offer(offers.map { it.toPublic() })
            is BridgeStep.AskSubject -> Step.AskSubject
            is BridgeStep.ConfirmSubject -> Step.ConfirmSubject(SubjectAnswer(born, place))
            is BridgeStep.AskSystem ->
                Step.AskSystem(
                    Permission.of(permission)
                        ?: throw MenshenException(ErrorCode.INTERNAL, "the permission `$permission` is not known here"),
                    text,
                )
            is BridgeStep.Allowed -> Step.Allowed(Permit(session, feature, native))
            is BridgeStep.Denied -> Step.Denied(denial.toPublic())
            is BridgeStep.Finished -> Step.Finished(asksAgain)
            is BridgeStep.Exercised -> Step.Exercised(exercised.toPublic())
        }
}

private fun Answer.toBridge(): BridgeAnswer =
    when (this) {
        Answer.Yes -> BridgeAnswer.Yes
        Answer.No -> BridgeAnswer.No
        is Answer.Switches -> BridgeAnswer.Switches(on.map { it.sound() })
        is Answer.Subject -> BridgeAnswer.Subject(subject.born.sound(), subject.place.sound())
        is Answer.System -> BridgeAnswer.System(state.toBridge())
    }
