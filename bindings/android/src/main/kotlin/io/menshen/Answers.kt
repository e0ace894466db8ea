// The answers of a session at one moment, kept on this side because a call into the library costs microseconds.
package io.menshen

import io.menshen.internal.BridgeSnapshot

/** Immutable; an expired one denies. */
internal class Answers(
    val generation: Long,
    private val validUntilMs: Long,
    private val features: HashSet<String>,
) {
    fun allows(feature: String, nowMs: Long): Boolean = nowMs < validUntilMs && feature in features

    companion object {
        /** Denies everything; any real one is newer. */
        val CLOSED = Answers(Long.MIN_VALUE, Long.MIN_VALUE, HashSet())

        fun of(snapshot: BridgeSnapshot) = Answers(snapshot.generation, snapshot.validUntilMs, HashSet(snapshot.features))
    }
}
