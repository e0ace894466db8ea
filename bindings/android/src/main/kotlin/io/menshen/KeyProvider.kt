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
 * library: the store waits for its answer. Whatever it throws besides a [KeyStoreException] counts as [KeyStoreException.Suspect].
 */
interface KeyProvider {
    /**
     * Makes a key.
     *
     * @throws KeyStoreException [KeyStoreException.AlreadyExists] if the alias has one.
     */
    fun create(alias: String)

    /**
     * Seals a secret, bound to [aad]. [secret] is wiped after the call: keep no reference to it.
     *
     * @throws KeyStoreException [KeyStoreException.NotFound] if the alias has no key.
     */
    fun wrap(alias: String, secret: ByteArray, aad: ByteArray): ByteArray

    /**
     * Opens what [wrap] sealed.
     *
     * @throws KeyStoreException [KeyStoreException.Refused] if it was sealed with another key or other [aad].
     */
    fun unwrap(alias: String, blob: ByteArray, aad: ByteArray): ByteArray

    /**
     * Whether the key is there. A doubt is an exception, never a `false`.
     *
     * @throws KeyStoreException if that cannot be told now.
     */
    fun exists(alias: String): Boolean

    /**
     * Every alias of this app.
     *
     * @throws KeyStoreException if that cannot be told now.
     */
    fun list(): List<String>

    /**
     * Destroys a key; one that is not there is no error.
     *
     * @throws KeyStoreException if it may still be there.
     */
    fun destroy(alias: String)

    /** How the key store is. */
    fun state(): KeyStoreState
}

/** The state of a key store. */
enum class KeyStoreState {
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
sealed class KeyStoreException(message: String) : Exception(message) {
    /** There is no such key. */
    class NotFound : KeyStoreException("no such key")

    /** There is one already. */
    class AlreadyExists : KeyStoreException("the alias has a key already")

    /** Locked, busy, or before the first unlock. */
    class NotYet : KeyStoreException("the key store is not ready")

    /** It failed, and nobody knows why. */
    class Suspect : KeyStoreException("the key store failed")

    /** What was sealed was sealed with another key. */
    class Refused : KeyStoreException("sealed with another key")
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
            KeyStoreState.READY -> BridgeKeyState.READY
            KeyStoreState.NOT_YET -> BridgeKeyState.NOT_YET
            KeyStoreState.SUSPECT -> BridgeKeyState.SUSPECT
            KeyStoreState.MISMATCH -> BridgeKeyState.MISMATCH
            KeyStoreState.LOST -> BridgeKeyState.LOST
        }
}

/** Calls the host. Nothing that it throws crosses to the library with its text. */
internal inline fun <T> guarded(call: () -> T): T =
    try {
        call()
    } catch (failed: Throwable) {
        throw when (failed) {
            is KeyStoreException.NotFound -> BridgeKeyException.NotFound()
            is KeyStoreException.AlreadyExists -> BridgeKeyException.AlreadyExists()
            is KeyStoreException.NotYet -> BridgeKeyException.NotYet()
            is KeyStoreException.Refused -> BridgeKeyException.Refused()
            else -> BridgeKeyException.Suspect()
        }
    }
