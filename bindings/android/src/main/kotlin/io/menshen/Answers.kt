// The answers of a session at one moment, kept on this side because a call into the library costs microseconds.
package io.menshen

import io.menshen.internal.BridgeSnapshot

/** Immutable; an expired one denies. */
internal class Answers(
    val generation: Long,
    private val validUntilMs: Long,
    private val features: HashSet<String>,
    private val purposes: HashSet<String>,
) {
    fun isAllowed(feature: String, nowMs: Long): Boolean = nowMs < validUntilMs && feature in features

    fun isPurposeAllowed(purpose: String, nowMs: Long): Boolean = nowMs < validUntilMs && purpose in purposes

    companion object {
        /** Denies everything; any real one is newer. */
        val CLOSED = Answers(Long.MIN_VALUE, Long.MIN_VALUE, HashSet(), HashSet())

        fun of(snapshot: BridgeSnapshot) =
            Answers(snapshot.generation, snapshot.validUntilMs, HashSet(snapshot.features), HashSet(snapshot.purposes))
    }
}
