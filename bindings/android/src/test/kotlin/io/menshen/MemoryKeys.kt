// A key store of one's own: AES-GCM keys that live in memory, and that can be made to fail.
package io.menshen

import java.util.concurrent.ConcurrentHashMap
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

internal class MemoryKeys : KeyProvider {
    private val keys = ConcurrentHashMap<String, SecretKey>()

    /** What a call does instead of its work. */
    sealed interface Answer {
        data object NotYet : Answer

        class Throws(val thrown: Throwable) : Answer

        /** Only to making a key; all else works. */
        data object AlreadyExists : Answer
    }

    /** What every call answers, if it does not work. */
    @Volatile
    var answer: Answer? = null

    private inline fun <T> working(act: () -> T): T =
        when (val answer = answer) {
            is Answer.NotYet -> throw KeyException.NotYet()
            is Answer.Throws -> throw answer.thrown
            is Answer.AlreadyExists, null -> act()
        }

    private fun cipher(alias: String, mode: Int, nonce: ByteArray?): Cipher {
        val key = keys[alias] ?: throw KeyException.NotFound()
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        if (nonce == null) cipher.init(mode, key) else cipher.init(mode, key, GCMParameterSpec(128, nonce))
        return cipher
    }

    override fun create(alias: String): Unit =
        working {
            if (answer is Answer.AlreadyExists) throw KeyException.AlreadyExists()
            val key = KeyGenerator.getInstance("AES").apply { init(256) }.generateKey()
            if (keys.putIfAbsent(alias, key) != null) throw KeyException.AlreadyExists()
        }

    override fun wrap(alias: String, secret: ByteArray, aad: ByteArray): ByteArray =
        working {
            val cipher = cipher(alias, Cipher.ENCRYPT_MODE, null)
            cipher.updateAAD(aad)
            cipher.iv + cipher.doFinal(secret)
        }

    override fun unwrap(alias: String, blob: ByteArray, aad: ByteArray): ByteArray =
        working {
            val cipher = cipher(alias, Cipher.DECRYPT_MODE, blob.copyOf(NONCE))
            cipher.updateAAD(aad)
            try {
                cipher.doFinal(blob, NONCE, blob.size - NONCE)
            } catch (_: AEADBadTagException) {
                throw KeyException.Refused()
            }
        }

    override fun exists(alias: String): Boolean = working { keys.containsKey(alias) }

    override fun list(): List<String> = working { keys.keys.toList() }

    override fun destroy(alias: String): Unit = working { keys.remove(alias) }

    override fun state(): KeyState = if (answer is Answer.NotYet) KeyState.NOT_YET else working { KeyState.READY }

    private companion object {
        const val NONCE = 12
    }
}
