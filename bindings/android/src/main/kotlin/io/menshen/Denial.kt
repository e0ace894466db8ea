// A refusal that helps: a stable code, the clause, and a sentence for the person.
package io.menshen

import io.menshen.internal.BridgeDenial
import io.menshen.internal.BridgeIdentity

/**
 * Why something is not allowed now.
 *
 * @property code a stable code in kebab-case.
 * @property subject what was refused: the id of a feature, purpose or recipient, or an identifier.
 * @property rule the rule that decided, as `id` or `pack/id`.
 * @property source the clause of the policy, or the law's source.
 * @property untilMs when it may change by itself, in milliseconds since 1970.
 * @property remedy what can be done.
 * @property identity the policy and the law packs that decided.
 * @property text the same in one or two sentences for the person, in the session's locale.
 */
data class Denial(
    val code: String,
    val subject: String,
    val rule: String?,
    val source: String?,
    val untilMs: Long?,
    val remedy: Remedy,
    val identity: Identity,
    val text: String,
)

/**
 * What a decision rests on.
 *
 * @property policyId the policy's id.
 * @property policyVersion its version.
 * @property policyHash the SHA-256 of its canonical bytes, in lower-case hexadecimal.
 * @property lawPacks the law packs in force for the person, in the order of their ids; all of them while the place is
 * unknown.
 */
data class Identity(
    val policyId: String,
    val policyVersion: String,
    val policyHash: String,
    val lawPacks: List<PackIdentity>,
)

/**
 * The identity of a law pack.
 *
 * @property id the pack's id.
 * @property asOf the day of the pack, ISO 8601.
 * @property hash its SHA-256, in lower-case hexadecimal.
 */
data class PackIdentity(val id: String, val asOf: String, val hash: String)

/**
 * What can be done about a denial.
 *
 * @property id a stable code in kebab-case.
 */
enum class Remedy(val id: String) {
    /** Nothing here and now. */
    NOTHING("nothing"),

    /** Request the feature, so that the person is asked. */
    REQUEST("request"),

    /** The person can change their answer in the settings of the app. */
    SETTINGS("settings"),

    /** The person can change it in the settings of the system. */
    SYSTEM_SETTINGS("system-settings"),

    /** Wait until [Denial.untilMs]. */
    WAIT("wait"),

    /** A guardian must answer. */
    GUARDIAN("guardian"),

    /** The changed policy must be accepted first. */
    ACCEPT_POLICY("accept-policy"),
}

internal fun BridgeDenial.toPublic(): Denial =
    Denial(
        code = code,
        subject = subject,
        rule = rule,
        source = source,
        untilMs = untilMs,
        remedy = Remedy.entries.find { it.id == remedy } ?: Remedy.NOTHING,
        identity = identity.toPublic(),
        text = text,
    )

private fun BridgeIdentity.toPublic(): Identity =
    Identity(policyId, policyVersion, policyHash, lawPacks.map { PackIdentity(it.id, it.asOf, it.hash) })
