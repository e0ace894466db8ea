// What is shown to the person.
package io.menshen

import io.menshen.internal.BridgeOffer
import io.menshen.internal.BridgeParticular
import io.menshen.internal.BridgePrompt

/**
 * A question to the person. Both buttons have equal weight.
 *
 * @property kind what it asks for.
 * @property purpose the purpose asked for, where it is one.
 * @property locale the locale of the texts.
 * @property title one line.
 * @property body why, in a few sentences.
 * @property particulars what is used, who receives it, how long it is kept, what a no means.
 * @property source the clause of the policy.
 * @property yes the word on the button that says yes.
 * @property no the word on the button that says no.
 */
data class Prompt(
    val kind: PromptKind,
    val purpose: String?,
    val locale: String,
    val title: String,
    val body: String,
    val particulars: List<Particular>,
    val source: String,
    val yes: String,
    val no: String,
)

/**
 * What a prompt asks for.
 *
 * @property id a stable name in kebab-case.
 */
enum class PromptKind(val id: String) {
    /** Agreement to the notice at first launch. */
    NOTICE("notice"),

    /** Consent to one purpose. */
    PURPOSE("purpose"),

    /** A consent on a sheet of its own. */
    SEPARATE_CONSENT("separate-consent"),

    /** Agreement to a changed policy. */
    CHANGED_POLICY("changed-policy"),

    /** Whether it was the person who took a system permission away, which ends a consent. */
    REVOCATION("revocation"),

    /** The use of a right that destroys something. The screen offers a copy first: [Session.copyHtml]. */
    RIGHT("right"),
}

/**
 * One labelled line of a prompt.
 *
 * @property label what it is about; empty for a line that needs none.
 * @property text what it says.
 */
data class Particular(val label: String, val text: String)

/**
 * A switch offered after the notice: off, until the person turns it on.
 *
 * @property purpose the purpose.
 * @property name its name.
 * @property text why, in a few sentences.
 * @property particulars what is used, who receives it, how long it is kept.
 * @property source the clause of the policy.
 */
data class Offer(
    val purpose: String,
    val name: String,
    val text: String,
    val particulars: List<Particular>,
    val source: String,
)

internal fun BridgePrompt.toPublic(): Prompt =
    Prompt(
        // A kind that this version doesn't know is shown as the weightiest one.
        kind = PromptKind.entries.find { it.id == kind } ?: PromptKind.SEPARATE_CONSENT,
        purpose = purpose,
        locale = locale,
        title = title,
        body = body,
        particulars = particulars.toPublic(),
        source = source,
        yes = yes,
        no = no,
    )

internal fun BridgeOffer.toPublic(): Offer = Offer(purpose, name, text, particulars.toPublic(), source)

private fun List<BridgeParticular>.toPublic(): List<Particular> = map { Particular(it.label, it.text) }
