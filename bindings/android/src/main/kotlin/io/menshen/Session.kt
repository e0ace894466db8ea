// One account of one app on one device: what may happen now, and everything that changes it.
package io.menshen

import io.menshen.internal.BridgeFlow
import io.menshen.internal.BridgeListener
import io.menshen.internal.BridgeSession
import io.menshen.internal.Disposable
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.withContext
import kotlin.time.Duration

/**
 * One account of one app on one device. Safe to use from several threads.
 *
 * The suspending functions may be called from the main thread. The others read or write the store, except [isAllowed],
 * [isPurposeAllowed] and [consent], which answer from memory. After [Menshen.close] nothing is allowed and every other call
 * throws [ErrorCode.CLOSED].
 */
class Session internal constructor(
    private val native: BridgeSession,
    private val handles: Handles,
    private val clock: DeviceClock?,
) {
    @Volatile
    private var answers = Answers.CLOSED

    @Volatile
    private var ended = false
    private val swapping = Any()
    private val states = MutableStateFlow<List<PurposeState>>(emptyList())
    private val switches = Switches { publish() }

    /** Counts the changes, for those who must look again after each. */
    internal val changes = MutableStateFlow(0L)

    /** Every purpose with its state, now and after every change. Empty while they can't be read. */
    val consent: StateFlow<List<PurposeState>> = states.asStateFlow()

    /** The sealed outbox. */
    val outbox = Outbox(native)

    /** The version of the policy that governs now. */
    val policyVersion: String get() = bridged { native.policyVersion() }

    /** Whether a changed policy waits for the person: show it with [changedPolicy]. */
    val hasChangedPolicy: Boolean get() = bridged { native.hasChangedPolicy() }

    /** Fields dropped since the session was opened because the policy does not declare them. */
    val droppedFields: Long get() = bridged { native.droppedFields() }

    /**
     * Whether a feature is open: all its purposes allowed, all its permissions there. Answers from memory: no lock, no
     * input or output. A name that the policy lacks is not allowed, nor is anything once the answers have expired; call
     * [refresh] when the app comes to the front.
     */
    fun isAllowed(feature: String): Boolean = answers.isAllowed(feature, nowMs())

    /** Whether a purpose is allowed, from memory as [isAllowed]. */
    fun isPurposeAllowed(purpose: String): Boolean = answers.isPurposeAllowed(purpose, nowMs())

    private fun nowMs(): Long =
        if (clock == null) {
            System.currentTimeMillis()
        } else {
            try {
                clock.now().wallMs
            } catch (_: Throwable) {
                Long.MAX_VALUE // Every snapshot has expired by then.
            }
        }

    /**
     * Why a feature is not open; null if it is.
     *
     * @throws MenshenException the policy has no such feature.
     */
    fun whyNot(feature: String): Denial? = bridged { native.whyNot(feature.sound()) }?.toPublic()

    /**
     * Requests a feature: asks the person whatever stands between now and its use.
     *
     * @throws MenshenException the policy has no such feature, or the store failed.
     */
    suspend fun request(feature: String, screen: Screen, trigger: Trigger = Trigger.TAP): Outcome =
        drive(screen) { requestFlow(feature, trigger) }.toOutcome()

    /**
     * Shows the notice, and after it the switches for purposes that no feature uses.
     *
     * @throws MenshenException the store failed.
     */
    suspend fun firstLaunch(screen: Screen): Completion = drive(screen) { firstLaunchFlow() }.toCompletion()

    /**
     * Shows a changed policy, where one waits, and asks for what it adds.
     *
     * @throws MenshenException the store failed.
     */
    suspend fun changedPolicy(screen: Screen): Completion = drive(screen) { changedPolicyFlow() }.toCompletion()

    /**
     * Asks for one purpose from a settings screen.
     *
     * @throws MenshenException the policy has no such purpose, or the store failed.
     */
    suspend fun requestPurpose(purpose: String, screen: Screen): Completion =
        drive(screen) { purposeFlow(purpose) }.toCompletion()

    /**
     * Whether a system permission was lost whose loss may end a consent, and nobody said yet whose act it was: ask with
     * [confirmRevocations].
     */
    val hasRevocations: Boolean get() = bridged { native.hasRevocations() }

    /**
     * Asks the person, for each system permission that was lost, whether they took it away themselves, where that ends a consent by
     * the policy. Unanswered or answered with no, everything stays suspended until the permission is back.
     *
     * @throws MenshenException the store failed.
     */
    suspend fun confirmRevocations(screen: Screen): Completion = drive(screen) { revocationsFlow() }.toCompletion()

    /** As [confirmRevocations], step by step. */
    fun revocationsFlow(): Flow = flow { native.confirmRevocations() }

    /**
     * The system told that the person took a permission away: what cannot run without it, and whose policy says so, is withdrawn.
     *
     * @throws MenshenException the ledger cannot be read.
     */
    suspend fun revokedByPerson(permission: Permission): Withdrawal =
        withContext(NonCancellable) { inBackground { native.revokedByPerson(permission.id) }.toPublic() }

    /**
     * Uses a right. What destroys something shows one prompt first, on which a copy is offered; everything else is done without
     * a question. A no always works: deleting, restricting, objecting and refusing need no promise of the policy.
     *
     * @return null if the person did not go on.
     * @throws MenshenException the policy has no such purpose, neither policy nor law gives the right here, a statute demands
     * the purpose, or the ledger could not be written.
     */
    suspend fun exercise(request: RightRequest, screen: Screen): Exercised? =
        (drive(screen) { rightFlow(request) } as? Step.Exercised)?.exercised

    /**
     * Objects to a purpose: nothing is read or sent for it from now on, and nothing is destroyed. An objection to marketing is a
     * withdrawal, and one that the policy refuses on a compelling ground changes nothing. A cancelled coroutine objects all the same.
     *
     * @throws MenshenException as [exercise].
     */
    suspend fun objectTo(purpose: String): Exercised =
        withContext(NonCancellable) { inBackground { native.objectTo(purpose.sound()) }.toPublic() }

    /**
     * Has the use for a purpose stopped until the person takes that back. Nothing is destroyed.
     *
     * @throws MenshenException as [exercise].
     */
    suspend fun restrict(purpose: String): Exercised =
        withContext(NonCancellable) { inBackground { native.restrict(purpose.sound()) }.toPublic() }

    /**
     * Every right that the person used, the latest first.
     *
     * @throws MenshenException the ledger cannot be read.
     */
    fun rightRecords(): List<RightRecord> = bridged { native.rightRecords() }.map { it.toPublic() }

    /** The rights that policy and law give the person where they live. */
    fun rights(): List<OfferedRight> = bridged { native.rights() }.map { it.toPublic() }

    /**
     * Everything that the device keeps of this account, as one JSON document. Made without network.
     *
     * @throws MenshenException the ledger or the store cannot be read.
     */
    suspend fun copyJson(): String = withContext(Dispatchers.IO) { bridged { native.copyJson() } }

    /**
     * The same as one readable HTML page, in the session's locale. It loads nothing and runs nothing.
     *
     * @throws MenshenException as [copyJson].
     */
    suspend fun copyHtml(): String = withContext(Dispatchers.IO) { bridged { native.copyHtml() } }

    /** As [request], step by step. */
    fun requestFlow(feature: String, trigger: Trigger = Trigger.TAP): Flow =
        flow { native.request(feature.sound(), trigger == Trigger.TAP) }

    /** As [firstLaunch], step by step. */
    fun firstLaunchFlow(): Flow = flow { native.firstLaunch() }

    /** As [changedPolicy], step by step. */
    fun changedPolicyFlow(): Flow = flow { native.changedPolicy() }

    /** As [requestPurpose], step by step. */
    fun purposeFlow(purpose: String): Flow = flow { native.requestPurpose(purpose.sound()) }

    /** As [exercise], step by step. */
    fun rightFlow(request: RightRequest): Flow = flow { native.exercise(request.toBridge()) }

    private fun flow(start: () -> BridgeFlow): Flow =
        Flow(this, changing { handles.keep(start()) })

    /**
     * Runs something within a use of a feature. The use ends with it, also if it throws or is cancelled.
     *
     * @param limit the longest that the use lasts; without one, until [block] returns.
     * @throws MenshenException the permit was used, its feature is closed meanwhile, or the store failed.
     */
    suspend fun <T> withFeature(permit: Permit, limit: Duration? = null, block: suspend (FeatureUse) -> T): T {
        var use: FeatureUse? = null
        try {
            return block(withContext(Dispatchers.IO) { begin(permit, limit).also { use = it } })
        } finally {
            use?.let { withContext(NonCancellable + Dispatchers.IO) { it.end() } }
        }
    }

    /**
     * Begins a use of a feature that ends with [FeatureUse.end] or after [limit].
     *
     * @throws MenshenException the permit is of another session or was used, its feature is closed meanwhile, or the
     * store failed.
     */
    fun begin(permit: Permit, limit: Duration? = null): FeatureUse {
        if (permit.session !== this) throw permitEnded()
        return permit.begin(limit)
    }

    /**
     * Records an event: `record("call_ended") { "seconds" to 42; "video" to true }`.
     *
     * @throws MenshenException the policy has no such event or field, a field has another type, the event is too large,
     * or the store failed.
     */
    fun record(event: String, fields: EventFields.() -> Unit = {}): Recorded {
        val given = EventFields().apply(fields).fields
        return bridged { native.record(event.sound(), given) }.toPublic()
    }

    /**
     * Records an event whose fields are one flat JSON object in UTF-8.
     *
     * @throws MenshenException as [record], and [ErrorCode.BAD_FIELDS].
     */
    fun recordJson(event: String, fields: ByteArray): Recorded = bridged { native.recordJson(event.sound(), fields) }.toPublic()

    /**
     * An identifier in the form that the policy declares for a recipient. The raw value goes nowhere.
     *
     * @throws MenshenException the policy has no such recipient, or the store failed.
     */
    fun identifier(recipient: String, identifier: Identifier): IdentifierAnswer =
        bridged { native.identifier(recipient.sound(), identifier.id) }.toPublic()

    /**
     * Puts a third-party SDK under its gate: [start] runs as soon as every purpose that names the recipient is allowed,
     * now or later; [stop] when that ends. Both run on the thread that made the change (a background one, if the call
     * suspends), never at the same time, and without a lock: go to the main thread where the SDK wants that. What they throw goes to that thread's handler for uncaught exceptions.
     *
     * @throws MenshenException the policy has no such recipient.
     */
    fun whenAllowed(recipient: String, start: () -> Unit, stop: () -> Unit) {
        whyNotStart(recipient)
        switches.add(
            isAllowed = { !ended && whyNotStart(recipient) == null },
            note = { starts -> runCatching { bridged { native.noteSdk(recipient, starts) } }.isSuccess },
            start = start,
            stop = stop,
        )
    }

    /**
     * Why a third-party SDK may not run; null if it may.
     *
     * @throws MenshenException the policy has no such recipient.
     */
    fun whyNotStart(recipient: String): Denial? = bridged { native.mayStart(recipient.sound()) }?.toPublic()

    /**
     * Withdraws a purpose. The gate is closed when this returns, whatever it returns. A cancelled coroutine withdraws all
     * the same.
     *
     * @throws MenshenException the policy has no such purpose.
     */
    suspend fun withdraw(purpose: String): Withdrawal =
        // One inside the other, because the way back from another thread asks for cancellation once more.
        withContext(NonCancellable) { inBackground { native.withdraw(purpose.sound()) }.toPublic() }

    /**
     * Does what may take time: destroys the keys of what was withdrawn, removes what expired, takes up what an earlier
     * call could not finish. Call it after a withdrawal and now and then.
     *
     * @throws MenshenException the store or the key store failed; what is left is done by a later call.
     */
    suspend fun maintain(): Maintained {
        val done = inBackground { native.maintain() }
        return Maintained(done.shredded, done.waiting, done.expiredSegments, done.expiredRecords)
    }

    /**
     * Begins this account anew where the key store lost the store's own key or the account's, as on a new device to which the files were
     * restored; whether that was so. What was sealed under a lost key stays unread, and every purpose is asked again. Call it when the person
     * wants to go on after the code `key-lost`.
     *
     * @throws MenshenException the key store is not ready, does not say whether the key is gone, or has another key; the store failed.
     */
    suspend fun replaceLostKey(): Boolean = withContext(NonCancellable) { inBackground { native.replaceLostKey() } }

    /**
     * Every purpose with its state.
     *
     * @throws MenshenException the store failed.
     */
    fun purposes(): List<PurposeState> = bridged { native.purposes() }.map { it.toPublic() }

    /**
     * The next upload that is allowed and due, or null. An [Uploader] makes them all.
     *
     * @throws MenshenException the store failed.
     */
    fun nextUpload(): Upload? = bridged { native.nextUpload() }?.toPublic()

    /** When the next upload may be due, in milliseconds since 1970, if a receiver is left alone for a while; null if none is. */
    fun nextUploadAtMs(): Long? = bridged { native.nextUploadAtMs() }

    /**
     * Takes the reply to an upload.
     *
     * @throws MenshenException no such upload is under way, or the store failed; the records are then offered again.
     */
    fun uploadFinished(id: Long, reply: Reply): UploadOutcome =
        bridged { native.uploadFinished(id, reply.toBridge()) }.toPublic()

    /** Uploads that are under way and must be stopped, because a purpose in them was withdrawn. */
    fun cancelledUploads(): List<Long> = bridged { native.cancelledUploads() }

    /**
     * Records of a purpose that are in the store.
     *
     * @throws MenshenException the store failed.
     */
    fun waitingRecords(purpose: String): Long = bridged { native.waitingRecords(purpose.sound()) }

    /**
     * The consents that hold now, each a receipt, as a JSON array.
     *
     * @throws MenshenException the ledger cannot be read.
     */
    fun receipts(): String = bridged { native.receipts() }

    /**
     * The ledger as JSON, which [Menshen.verifyLedger] verifies without the store.
     *
     * @throws MenshenException the ledger cannot be read.
     */
    fun exportLedger(): String = bridged { native.exportLedger() }

    /**
     * Verifies the ledger in the store.
     *
     * @throws MenshenException the ledger cannot be read.
     */
    fun verifyLedger(): LedgerVerdict = bridged { native.verifyOwnLedger() }.toPublic()

    /**
     * Takes a newer version of the policy. What it takes away ends on its day, what it adds waits for the person.
     *
     * @throws MenshenException the document is wrong, of another policy, or older than the accepted one.
     */
    suspend fun offerPolicy(policy: ByteArray) = inBackground { native.offerPolicy(policy) }

    /**
     * Supplies age and place where the app knows them; the person is then not asked.
     *
     * @throws MenshenException a month or place that cannot be, or the store failed.
     */
    suspend fun supplySubject(subject: SubjectAnswer) = inBackground { native.supplySubject(subject.born.sound(), subject.place.sound()) }

    /** The locale in which the person reads; the policy's first one without it. */
    fun setLocale(locale: String) = changing { native.setLocale(locale.sound()) }

    /** Whether undeclared event fields are errors, or are dropped and counted. */
    fun setStrict(strict: Boolean) = bridged { native.setStrict(strict) }

    /**
     * Looks again at what the system may have changed: call it when the app comes to the front.
     *
     * @throws MenshenException the store failed.
     */
    suspend fun refresh() = inBackground { native.refresh() }

    private suspend fun <T> inBackground(act: () -> T): T = withContext(Dispatchers.IO) { changing(act) }

    /** Runs what may change the answers. The copy of them is new before this returns; listeners are told after. */
    internal fun <T> changing(act: () -> T): T =
        try {
            bridged(act)
        } finally {
            swap()
            switches.settle()
        }

    private fun swap() =
        // Fetched under the lock, so that an older one can't come last. The library takes none for it and calls nobody.
        synchronized(swapping) {
            answers =
                try {
                    if (ended) Answers.CLOSED else Answers.of(native.snapshot())
                } catch (_: Exception) {
                    Answers.CLOSED // What can't be known is closed.
                }
        }

    private fun publish() {
        states.value =
            try {
                if (ended) emptyList() else purposes()
            } catch (_: Exception) {
                emptyList()
            }
        changes.value += 1
    }

    internal fun listen() {
        bridged {
            native.listen(
                object : BridgeListener {
                    // The rest follows when the call that brought the change has returned: nothing is called from within.
                    override fun changed(generation: Long) {
                        if (generation > answers.generation) swap()
                    }
                },
            )
        }
        swap()
        switches.settle()
    }

    internal fun <T : Disposable> keep(handle: T): T = handles.keep(handle)

    internal fun release(handle: Disposable) = handles.release(handle)

    internal fun isSame(other: Session): Boolean = bridged { native.isSame(other.native) }

    /** Brings this side up to date with a change that another object brought. */
    internal fun settle() {
        swap()
        switches.settle()
    }

    /** Lets go of an object for a session that has one. */
    internal fun discard() = handles.release(native)

    /** Closes every gate on this side. */
    internal fun end() {
        ended = true
        swap()
        switches.settle()
    }
}
