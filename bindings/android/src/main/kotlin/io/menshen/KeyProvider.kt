// The platform's key store as the library needs it.
package io.menshen

import io.menshen.internal.BridgeKeyException
import io.menshen.internal.BridgeKeyProvider
import io.menshen.internal.BridgeKeyState
import java.io.File

/** Where the keys of a store are kept. */
sealed interface Keys {
    /**
     * A file key, for tests and servers: whoever reads the folder can open the store.
     *
     * @property folder holds the key; made if it is not there.
     */
    class FileKeys(val folder: File) : Keys

    /**
     * A key store.
     *
     * @property keys the key store.
     */
    class Provider(val keys: KeyProvider) : Keys
}

/**
 * The platform's key store: one key for each alias, that never leaves it.
 *
 * It is called from the thread that made the call, and may be called from several threads at once. It must not call the
 * library: the store waits for its answer. Whatever it throws besides a [KeyException] counts as [KeyException.Suspect].
 */
interface KeyProvider {
    /**
     * Makes a key.
     *
     * @throws KeyException [KeyException.AlreadyExists] if the alias has one.
     */
    fun create(alias: String)

    /**
     * Seals a secret, bound to [aad]. [secret] is wiped after the call: keep no reference to it.
     *
     * @throws KeyException [KeyException.NotFound] if the alias has no key.
     */
    fun wrap(alias: String, secret: ByteArray, aad: ByteArray): ByteArray

    /**
     * Opens what [wrap] sealed.
     *
     * @throws KeyException [KeyException.Refused] if it was sealed with another key or other [aad].
     */
    fun unwrap(alias: String, blob: ByteArray, aad: ByteArray): ByteArray

    /**
     * Whether the key is there. A doubt is an exception, never a `false`.
     *
     * @throws KeyException if that cannot be told now.
     */
    fun exists(alias: String): Boolean

    /**
     * Every alias of this app.
     *
     * @throws KeyException if that cannot be told now.
     */
    fun list(): List<String>

    /**
     * Destroys a key; one that is not there is no error.
     *
     * @throws KeyException if it may still be there.
     */
    fun destroy(alias: String)

    /** How the key store is. */
    fun state(): KeyState
}

/** The state of a key store. */
enum class KeyState {
    /** It works. */
    READY,

    /** Locked, busy, or before the first unlock. */
    NOT_YET,

    /** It failed, and nobody knows why. */
    SUSPECT,

    /** It belongs to another install. */
    MISMATCH,

    /** The keys are gone. */
    LOST,
}

/** What a key store could not do. */
sealed class KeyException(message: String) : Exception(message) {
    /** There is no such key. */
    class NotFound : KeyException("no such key")

    /** There is one already. */
    class AlreadyExists : KeyException("the alias has a key already")

    /** Locked, busy, or before the first unlock. */
    class NotYet : KeyException("the key store is not ready")

    /** It failed, and nobody knows why. */
    class Suspect : KeyException("the key store failed")

    /** What was sealed was sealed with another key. */
    class Refused : KeyException("sealed with another key")
}

internal class KeyBridge(private val keys: KeyProvider) : BridgeKeyProvider {
    override fun create(alias: String) = guarded { keys.create(alias) }

    override fun wrap(alias: String, secret: ByteArray, aad: ByteArray): ByteArray =
        try {
            guarded { keys.wrap(alias, secret, aad) }
        } finally {
            secret.fill(0)
        }

    override fun unwrap(alias: String, blob: ByteArray, aad: ByteArray): ByteArray =
        guarded { keys.unwrap(alias, blob, aad) }

    override fun exists(alias: String): Boolean = guarded { keys.exists(alias) }

    override fun list(): List<String> = guarded { keys.list() }

    override fun destroy(alias: String) = guarded { keys.destroy(alias) }

    override fun state(): BridgeKeyState =
        when (guarded { keys.state() }) {
            KeyState.READY -> BridgeKeyState.READY
            KeyState.NOT_YET -> BridgeKeyState.NOT_YET
            KeyState.SUSPECT -> BridgeKeyState.SUSPECT
            KeyState.MISMATCH -> BridgeKeyState.MISMATCH
            KeyState.LOST -> BridgeKeyState.LOST
        }
}

/** Calls the host. Nothing that it throws crosses to the library with its text. */
internal inline fun <T> guarded(call: () -> T): T =
    try {
        call()
    } catch (failed: Throwable) {
        throw when (failed) {
            is KeyException.NotFound -> BridgeKeyException.NotFound()
            is KeyException.AlreadyExists -> BridgeKeyException.AlreadyExists()
            is KeyException.NotYet -> BridgeKeyException.NotYet()
            is KeyException.Refused -> BridgeKeyException.Refused()
            else -> BridgeKeyException.Suspect()
        }
    }
