// What a verification of the ledger found.
package io.menshen

import io.menshen.internal.BridgeVerdict

/** What a verification of the ledger found. */
sealed interface LedgerVerdict {
    /**
     * The chain is whole and its last head is signed.
     *
     * @property entries how many entries it has.
     */
    data class Sound(val entries: Long) : LedgerVerdict

    /**
     * It is not, from this entry on.
     *
     * @property entry the first bad entry, counted from 0.
     */
    data class Broken(val entry: Long) : LedgerVerdict

    /** It is no exported ledger. */
    data object Unreadable : LedgerVerdict
}

internal fun BridgeVerdict.toPublic(): LedgerVerdict =
    when (this) {
        is BridgeVerdict.Sound -> LedgerVerdict.Sound(entries)
        is BridgeVerdict.Broken -> LedgerVerdict.Broken(sequence)
        is BridgeVerdict.Unreadable -> LedgerVerdict.Unreadable
    }
