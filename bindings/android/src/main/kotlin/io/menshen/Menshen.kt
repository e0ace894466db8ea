// Opening: one policy, one store, one key store, one device.
package io.menshen

import io.menshen.internal.BridgeConfiguration
import io.menshen.internal.BridgeMenshen
import io.menshen.internal.BridgeSession
import io.menshen.internal.Disposable
import java.io.File
import java.util.Collections
import java.util.WeakHashMap
import io.menshen.internal.checkPolicy as bridgeCheckPolicy
import io.menshen.internal.verifyLedger as bridgeVerifyLedger

/**
 * How to open a store.
 *
 * @property policy the policy document, JSON in UTF-8.
 * @property store the store's folder, which is made with its first content. One process at a time has it open.
 * @property markers folders outside the store in which denials are marked too, so that files rolled back don't undo
 * one.
 * @property capBytes the most bytes that the store takes; 64 MiB if null.
 */
class Configuration(
    val policy: ByteArray,
    val store: File,
    val markers: List<File> = emptyList(),
    val capBytes: Long? = null,
)

/** A policy at work over one store. [close] it to let go of the store. */
class Menshen private constructor(
    private val native: BridgeMenshen,
    private val clock: DeviceClock?,
) : AutoCloseable {
    private val handles = Handles()
    private val sessions = ArrayList<Session>()

    init {
        handles.keep(native)
    }

    /**
     * The session of nobody in particular: the app before anyone signed in. Each call gives the same one.
     *
     * A key store that is not ready is no error: every gate is closed until it is.
     *
     * @throws MenshenException the store failed.
     */
    fun guest(): Session = sessionOf { native.guest() }

    /**
     * The session of an account. Each call with the same name gives the same one. The first account takes over what the guest
     * answered and recorded: the guest's session is the account's from then on, and the next guest begins unasked, as every
     * other account does.
     *
     * @param account the app's own opaque id. It should not be a phone number or an address: somebody who has the
     * store's files can confirm a guess of it.
     * @throws MenshenException the store failed.
     */
    fun session(account: String): Session = sessionOf { native.session(account.sound()) }

    /**
     * The session of whoever uses the app now: of the account that signed in last, else of the guest.
     *
     * @throws MenshenException the store failed.
     */
    val current: Session get() = sessionOf { native.current() }

    /**
     * Signs an account in: its session is the [current] one, and that of an account before, or of the guest, is signed out.
     *
     * @param account as [session].
     * @throws MenshenException the store failed.
     */
    fun signIn(account: String): Session = switching { native.signIn(account.sound()) }

    /**
     * Signs the current account out: its gates close and its SDKs stop, what is sealed waits, and only what is owed to the person
     * is still sent. The guest's session is the [current] one, and returned.
     *
     * @throws MenshenException the store failed; the account is signed out all the same.
     */
    fun signOut(): Session = switching { native.signOut() }

    private fun switching(act: () -> BridgeSession): Session =
        try {
            sessionOf(act)
        } finally {
            // What signing in or out closed is closed on this side too, and its SDKs stop, before this returns.
            synchronized(sessions) { sessions.toList() }.forEach { it.settle() }
        }

    /** One object for each session of the library, which tells one listener of its changes. */
    private fun sessionOf(open: () -> BridgeSession): Session {
        // Opened without the lock, because opening asks the host for its permissions.
        val made = Session(handles.keep(bridged(open)), handles, clock)
        val kept = synchronized(sessions) { sessions.find { it.isSame(made) } ?: made.also { sessions += it } }
        if (kept === made) made.listen() else made.discard()
        return kept
    }

    /** What was found when the store was opened. */
    fun opened(): OpenReport = bridged { native.opened() }.toPublic()

    /** How the store is. */
    fun health(): Health = bridged { native.health() }.toPublic()

    /**
     * Makes everything recorded so far survive a power loss, if the device honours a sync.
     *
     * @throws MenshenException the disk failed; what was not synced before stays unsynced.
     */
    fun sync() = bridged { native.sync() }

    /**
     * Closes every session, flow and use, stops what [Session.whenAllowed] started, and lets go of the store once the
     * calls under way have returned. Calling it again does nothing.
     */
    override fun close() {
        val open = synchronized(sessions) { sessions.toList().also { sessions.clear() } }
        open.forEach { it.end() }
        handles.close()
    }

    companion object {
        /**
         * Opens a store under a policy.
         *
         * @param clock the device's clocks; the system's own if null.
         * @param anchor a value outside the store that shows that its files were rolled back; without one that is noticed
         * only as far as [Configuration.markers] and the keys show it.
         * @throws MenshenException the policy is wrong, or the store is in use, read-only, full, or no store; nothing
         * in it was changed then.
         */
        fun open(
            configuration: Configuration,
            keys: Keys,
            platform: Platform = Platform.None,
            clock: DeviceClock? = null,
            anchor: Anchor? = null,
        ): Menshen {
            val bridge =
                BridgeConfiguration(
                    policy = configuration.policy,
                    store = configuration.store.path.sound(),
                    fileKeys = (keys as? Keys.FileKeys)?.folder?.path?.sound(),
                    markers = configuration.markers.map { it.path.sound() },
                    capBytes = configuration.capBytes,
                )
            val provider = (keys as? Keys.Provider)?.keys?.let(::KeyBridge)
            val native =
                bridged {
                    BridgeMenshen.open(
                        bridge,
                        provider,
                        PlatformBridge(platform),
                        clock?.let(::ClockBridge),
                        anchor?.let(::AnchorBridge),
                    )
                }
            return Menshen(native, clock)
        }

        /**
         * Checks a policy document without opening anything, and returns its hash.
         *
         * @throws MenshenException [ErrorCode.POLICY] with every problem.
         */
        fun checkPolicy(policy: ByteArray): String = bridged { bridgeCheckPolicy(policy) }

        /** Verifies a ledger that [Session.exportLedger] gave, without the store. */
        fun verifyLedger(export: String): LedgerVerdict =
            if (export.isSound) bridged { bridgeVerifyLedger(export) }.toPublic() else LedgerVerdict.Unreadable
    }
}

/** Everything that keeps the store open, so that closing leaves nothing behind. */
internal class Handles {
    // Weak, so that a flow that nobody finished goes with its last reference.
    private val open = Collections.newSetFromMap(WeakHashMap<Disposable, Boolean>())
    private var closed = false

    fun <T : Disposable> keep(handle: T): T {
        val late = synchronized(open) { closed || !open.add(handle) }
        if (late) {
            handle.destroy()
            throw closed()
        }
        return handle
    }

    fun release(handle: Disposable) {
        synchronized(open) { open.remove(handle) }
        handle.destroy()
    }

    fun close() {
        val rest =
            synchronized(open) {
                closed = true
                open.toList().also { open.clear() }
            }
        rest.forEach { it.destroy() }
    }
}
