// A small value outside the store that shows that the store's files were rolled back.
package io.menshen

import io.menshen.internal.BridgeAnchor

/**
 * A small value, at most a few kilobytes, kept outside the store and best where no backup reaches. It holds no personal data.
 *
 * With one, a store whose files were rolled back to before a denial opens nothing. If a function throws, the value counts as
 * out of reach: nothing fails, only less is noticed. It must not call the library: the store waits for its answer.
 */
interface Anchor {
    /** The value that was written last, or null if none ever was. */
    fun read(): ByteArray?

    /** Replaces the value, as a whole or not at all. */
    fun write(value: ByteArray)
}

internal class AnchorBridge(private val anchor: Anchor) : BridgeAnchor {
    override fun read(): ByteArray? = guarded { anchor.read() }

    override fun write(value: ByteArray): Unit = guarded { anchor.write(value) }
}
