// Runs one shared vector through the public API. tests/vectors/README.md says what each step means.
package io.menshen

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import kotlinx.coroutines.runBlocking
import java.io.File
import java.nio.file.Files
import java.util.TreeSet
import kotlin.time.Duration.Companion.milliseconds

/** What a vector did that it should not. */
internal class Mismatch(message: String) : Exception(message)

internal class BrokenVector(message: String) : Exception(message)

/** The keys that a step may have besides `do` and `expect`. */
private val arguments =
    mapOf(
        "check" to setOf("policy"),
        "spoil" to setOf("policy"),
        "key-store" to setOf("answers"),
        "fill" to setOf(),
        "free" to setOf(),
        "open" to setOf("policy", "store", "keys", "cap"),
        "launch" to setOf("answers"),
        "changed" to setOf("answers"),
        "request" to setOf("feature", "tapped", "answers"),
        "settings" to setOf("purpose", "answers"),
        "use" to setOf(),
        "read" to setOf(),
        "end" to setOf(),
        "allowed" to setOf("feature"),
        "why" to setOf("feature"),
        "start" to setOf("recipient"),
        "record" to setOf("event", "fields", "json", "hex", "nested", "long"),
        "strict" to setOf("on"),
        "dropped" to setOf(),
        "waiting" to setOf("purpose"),
        "put" to setOf("purpose", "recipient", "ttl_ms", "text"),
        "deliver" to setOf("result"),
        "delivery" to setOf("id", "result"),
        "identifier" to setOf("recipient", "identifier"),
        "withdraw" to setOf("purpose"),
        "revocations" to setOf("answers"),
        "revoked" to setOf("permission"),
        "sign-in" to setOf("account"),
        "sign-out" to setOf(),
        "exercise" to setOf("right", "purpose", "text", "answers"),
        "object" to setOf("purpose"),
        "restrict" to setOf("purpose"),
        "rights" to setOf(),
        "used-rights" to setOf(),
        "copy" to setOf(),
        "maintain" to setOf(),
        "replace-lost-key" to setOf(),
        "purposes" to setOf(),
        "upload" to setOf("reply"),
        "answer" to setOf("reply"),
        "cancelled" to setOf(),
        "advance" to setOf("ms"),
        "wall" to setOf("ms"),
        "permission" to setOf("permission", "state"),
        "subject" to setOf("born", "place"),
        "offer" to setOf("policy"),
        "version" to setOf(),
        "locale" to setOf("locale"),
        "ledger" to setOf(),
        "tamper" to setOf(),
        "receipts" to setOf(),
        "damage" to setOf("what"),
    )

internal class VectorRunner(private val policy: ByteArray) : AutoCloseable {
    private val root: File = Files.createTempDirectory("vector").toFile()
    private val host = Host()
    private val clock = StandingClock()

    /** The store's folder as it was given last. */
    private var store: File = root.resolve("store")

    /** The folder of the file keys as it was given last. */
    private var keysFolder: File? = null
    private var menshen: Menshen? = null
    private var current: Session? = null
    private var permit: Permit? = null
    private var use: FeatureUse? = null
    private var held: Upload? = null
    private val scripted = MemoryKeys()
    private var disk: SmallDisk? = null

    /** The codes of the errors that the vector met. */
    val codes = TreeSet<ErrorCode>()

    private val session get() = current ?: throw BrokenVector("there is no session")

    /** Runs the steps of a vector; [Mismatch] says where it went wrong. */
    fun run(vector: JsonObject) {
        val name = vector.get("name")?.asString ?: throw Mismatch("a vector has no name")
        try {
            open(JsonObject())
        } catch (failed: MenshenException) {
            throw Mismatch("`$name`: the store can't be opened: ${failed.message}")
        }
        vector.getAsJsonArray("steps").forEachIndexed { index, step ->
            val at = "`$name`, step ${index + 1}"
            val got =
                try {
                    perform(step.asJsonObject)
                } catch (broken: BrokenVector) {
                    throw Mismatch("$at: the vector is broken: ${broken.message}")
                }
            val expected = step.asJsonObject.get("expect")
            if (expected == null && got.asJsonObject.has("error")) throw Mismatch("$at: expected no error\n  got      $got")
            if (expected != null && !matches(expected, got)) throw Mismatch("$at: expected $expected\n  got      $got")
        }
    }

    override fun close() {
        menshen?.close()
        disk?.close()
        root.deleteRecursively()
    }

    private fun perform(step: JsonObject): JsonElement {
        val action = step.get("do")?.asString ?: throw BrokenVector("a step has no `do`")
        val known = arguments[action] ?: throw BrokenVector("unknown `do`: `$action`")
        val unknown = step.keySet() - known - setOf("do", "expect")
        if (unknown.isNotEmpty()) throw BrokenVector("`$action` has no $unknown")
        return try {
            json(act(action, step))
        } catch (failed: MenshenException) {
            codes += failed.code
            if (!isTold(failed)) throw Mismatch("an error without words: $failed ${failed.problems}")
            json(mapOf("error" to describe(failed)))
        }
    }

    /** Whether an error says in words what is wrong, and where in the document or which folder if it is about one. */
    private fun isTold(failed: MenshenException): Boolean {
        val isSentence = { text: String? -> text.orEmpty().trim().contains(' ') }
        return isSentence(failed.message) &&
            failed.message.orEmpty().contains(failed.fields["folder"].orEmpty()) &&
            (failed.code == ErrorCode.POLICY) == failed.problems.isNotEmpty() &&
            failed.problems.all { isSentence(it.message) && it.line > 0 && it.column > 0 }
    }

    private fun describe(failed: MenshenException) =
        mapOf(
            "code" to failed.code.id,
            "fields" to failed.fields.mapValues { if (it.key == "folder") folderName(it.value) else it.value },
            "problems" to
                failed.problems.map {
                    mapOf("code" to it.code, "pointer" to it.pointer, "line" to it.line, "column" to it.column)
                },
        )

    private fun folderName(path: String) =
        when (path) {
            store.path -> "given"
            keysFolder?.path -> "keys"
            else -> path
        }

    private fun act(action: String, step: JsonObject): Any =
        when (action) {
            "check" -> ok { Menshen.checkPolicy(document(step.getAsJsonObject("policy"))) }
            "spoil" -> spoil(document(step.getAsJsonObject("policy")))
            "open" -> ok { open(step) }
            "key-store" -> ok { script(step.text("answers")) }
            "fill" -> ok { disk().fill() }
            "free" -> ok { disk().free() }
            "launch" -> flow(step) { session.firstLaunchFlow() }
            "changed" -> flow(step) { session.changedPolicyFlow() }
            "request" -> flow(step) { session.requestFlow(step.text("feature"), trigger(step)) }
            "settings" -> flow(step) { session.purposeFlow(step.text("purpose")) }
            "use" -> ok { use = session.begin(permit ?: throw BrokenVector("no flow was allowed")) }
            "read" -> ok { (use ?: throw BrokenVector("no use was begun")).read {} }
            "end" -> ok { (use ?: throw BrokenVector("no use was begun")).end() }
            "allowed" -> mapOf("allowed" to session.isAllowed(step.text("feature")))
            "why" -> mapOf("denial" to denial(session.whyNot(step.text("feature"))))
            "start" -> mapOf("denial" to denial(session.whyNotStart(step.text("recipient"))))
            "record" -> stored(record(step))
            "strict" -> ok { session.setStrict(step.get("on").asBoolean) }
            "dropped" -> mapOf("fields" to session.droppedFields)
            "waiting" -> mapOf("records" to session.waitingRecords(step.text("purpose")))
            "put" -> stored(put(step))
            "deliver" -> deliver(step)
            "delivery" -> ok { session.outbox.deliveryFinished(step.number("id"), result(step.get("result"))) }
            "identifier" -> identifier(step)
            "withdraw" -> withdraw(step.text("purpose"))
            "revocations" -> flow(step) { session.revocationsFlow() }
            "revoked" -> withdrawal(runBlocking { session.revokedByPerson(checkNotNull(Permission.of(step.text("permission")))) })
            "sign-in" -> session { menshen().signIn(step.text("account")) }
            "sign-out" -> session { menshen().signOut() }
            "exercise" -> flow(step) { session.rightFlow(rightRequest(step)) }
            "object" -> exercised(runBlocking { session.objectTo(step.text("purpose")) })
            "restrict" -> exercised(runBlocking { session.restrict(step.text("purpose")) })
            "rights" -> mapOf("rights" to session.rights().map { it.right.id })
            "used-rights" -> mapOf("used" to session.rightRecords().map(::used))
            "copy" -> copy()
            "maintain" -> maintain()
            "replace-lost-key" -> mapOf("replaced" to runBlocking { session.replaceLostKey() })
            "purposes" -> mapOf("allowed" to session.purposes().filter { it.allowed }.map { it.purpose })
            "upload" -> upload(step)
            // No upload has the number 0.
            "answer" -> answered(held?.id ?: 0, step.get("reply")).also { held = null }
            "cancelled" -> mapOf("uploads" to session.cancelledUploads().size)
            "advance" -> ok { clock.advance(step.number("ms")) }
            "wall" -> ok { clock.advanceWall(step.number("ms")) }
            "permission" -> ok { permission(step) }
            "subject" -> ok { runBlocking { session.supplySubject(SubjectAnswer(step.text("born"), step.text("place"))) } }
            "offer" -> ok { runBlocking { session.offerPolicy(document(step.getAsJsonObject("policy"))) } }
            "version" -> mapOf("version" to session.policyVersion, "changed" to session.hasChangedPolicy)
            "locale" -> ok { session.setLocale(step.text("locale")) }
            "ledger" -> ledger()
            "tamper" -> tamper()
            "receipts" -> receipts()
            "damage" -> ok { damage(step.text("what")) }
            else -> throw BrokenVector("unknown `do`: `$action`")
        }

    private fun menshen() = menshen ?: throw BrokenVector("no store is open")

    /** The session becomes the vector's own; whether it is the one from before. */
    private fun session(open: () -> Session): Map<String, Any> {
        val before = current
        val opened = open()
        current = opened.apply {
            setStrict(true)
            setLocale("en")
        }
        if (menshen().current !== opened) throw BrokenVector("another session is the current one")
        return mapOf("same" to (opened === before))
    }

    private fun ok(act: () -> Unit): Map<String, Any> {
        act()
        return mapOf("ok" to true)
    }

    private fun document(of: JsonObject?): ByteArray {
        val (kind, value) = of?.entrySet()?.singleOrNull() ?: return policy
        return when (kind) {
            "patch" -> gson.toJson(merge(JsonParser.parseString(policy.decodeToString()), value)).encodeToByteArray()
            "text" -> value.asString.encodeToByteArray()
            "hex" -> hex(value.asString)
            "document" -> sharedTests.resolve(value.asString).readBytes()
            else -> throw BrokenVector("a policy has no `$kind`")
        }
    }

    private fun disk(): SmallDisk = disk ?: SmallDisk.take().also { disk = it }

    private fun store(kind: String): File =
        when (kind) {
            "same", "busy", "locked" -> root.resolve("store")
            "disk" -> disk().store
            "disk-read-only" -> disk().readOnlyStore
            else -> place(root, kind)
        }

    private fun script(answers: String) {
        scripted.answer =
            when (answers) {
                "works" -> null
                "not-yet" -> MemoryKeys.Answer.NotYet
                "throws" -> MemoryKeys.Answer.Throws(IllegalStateException("an exception of its own"))
                "already-exists" -> MemoryKeys.Answer.AlreadyExists
                else -> throw BrokenVector("a key store does not answer `$answers`")
            }
    }

    /** Offers the document cut at every byte, and checks it with two bits of every byte flipped. */
    private fun spoil(document: ByteArray): Map<String, Any> {
        var size = document.size
        while (document[size - 1].toInt().toChar().isWhitespace()) size--
        val isTold = { failed: MenshenException? -> failed != null && failed.code == ErrorCode.POLICY && isTold(failed) }
        for (at in 0 until size) {
            if (!isTold(failure { session.offerPolicy(document.copyOf(at)) })) return mapOf("cut_at" to at)
            for (bit in listOf(0x01, 0x80)) {
                val flipped = document.copyOf(size)
                flipped[at] = (flipped[at].toInt() xor bit).toByte()
                // A letter of a text may turn into another one, which is no error.
                val failed = failure { Menshen.checkPolicy(flipped) } ?: continue
                if (!isTold(failed)) return mapOf("flipped_at" to at)
            }
        }
        return ok { Menshen.checkPolicy(document.copyOf(size)) }
    }

    private fun failure(act: suspend () -> Unit): MenshenException? =
        try {
            runBlocking { act() }
            null
        } catch (failed: MenshenException) {
            failed
        }

    private fun damage(what: String) {
        val folder =
            when (what) {
                "keys" -> root.resolve("keys")
                "segments" -> root.resolve("store/segments")
                else -> throw BrokenVector("unknown damage `$what`")
            }
        for (file in folder.listFiles().orEmpty()) {
            val bytes = file.readBytes()
            // In the middle of what was written: files may end in zeros.
            val middle = bytes.indexOfLast { it != 0.toByte() }.coerceAtLeast(0) / 2
            bytes[middle] = (bytes[middle].toInt() xor 1).toByte()
            file.writeBytes(bytes)
        }
    }

    private fun open(step: JsonObject) {
        menshen?.close()
        menshen = null
        current = null
        permit = null
        use = null
        held = null
        val kind = step.get("store")?.asString ?: "same"
        store = store(kind)
        val keys =
            when (val which = step.get("keys")?.asString ?: "same") {
                "same" -> Keys.FileKeys(root.resolve("keys"))
                "other" -> Keys.FileKeys(root.resolve("keys-other"))
                "the-store" -> Keys.FileKeys(store)
                "in-store" -> Keys.FileKeys(store.resolve("platform-keys"))
                "file" -> Keys.FileKeys(place(root, "file"))
                "scripted" -> Keys.Provider(scripted)
                else -> throw BrokenVector("keys are not `$which`")
            }
        keysFolder = (keys as? Keys.FileKeys)?.folder
        val configuration =
            Configuration(
                policy = document(step.getAsJsonObject("policy")),
                store = store,
                markers = listOf(root.resolve("markers")),
                capBytes = step.get("cap")?.asLong,
            )
        val open = { Menshen.open(configuration, keys, host, clock) }
        val other: AutoCloseable? =
            when (kind) {
                "busy" -> open()
                "locked" -> AnotherProcess.holding(root)
                else -> null
            }
        val opened =
            try {
                open()
            } finally {
                other?.close()
            }
        menshen = opened
        current = opened.guest().apply {
            setStrict(true)
            setLocale("en")
        }
    }

    private fun trigger(step: JsonObject) = if (step.get("tapped")?.asBoolean != false) Trigger.TAP else Trigger.APP

    private fun flow(step: JsonObject, start: () -> Flow): Any {
        val steps = ArrayList<String>()
        val kinds = ArrayList<String>()
        val answers = ArrayDeque(step.getAsJsonArray("answers")?.toList().orEmpty())
        start().use { flow ->
            while (true) {
                val name = name(flow.step) ?: break
                steps += name
                (flow.step as? Step.Show)?.let { kinds += it.prompt.kind.id }
                val answer = answers.removeFirstOrNull() ?: return mapOf("steps" to steps, "kinds" to kinds, "waiting" to name)
                flow.answer(answer(answer, flow.step))
            }
            if (answers.isNotEmpty()) throw BrokenVector("answers are left over: $answers")
            val last = flow.step
            if (last is Step.Allowed) permit = last.permit
            return mapOf(
                "steps" to steps,
                "kinds" to kinds,
                "outcome" to
                    when (last) {
                        is Step.Allowed -> "allowed"
                        is Step.Denied -> "denied"
                        is Step.Exercised -> "exercised"
                        else -> "finished"
                    },
                "exercised" to (last as? Step.Exercised)?.let { exercised(it.exercised) },
                "denial" to denial((last as? Step.Denied)?.reason),
                "asks_again" to (last as? Step.Finished)?.asksAgain.orEmpty(),
            )
        }
    }

    private fun name(step: Step): String? =
        when (step) {
            is Step.Show -> "show"
            is Step.Offer -> "offer"
            is Step.AskSubject -> "ask-subject"
            is Step.ConfirmSubject -> "confirm-subject"
            is Step.AskSystem -> "ask-system"
            is Step.Allowed, is Step.Denied, is Step.Finished, is Step.Exercised -> null
        }

    private fun answer(given: JsonElement, step: Step): Answer {
        if (!given.isJsonObject) {
            return when (given.asString) {
                "yes" -> Answer.Yes
                "no" -> Answer.No
                else -> throw BrokenVector("unknown answer $given")
            }
        }
        val (kind, value) = given.asJsonObject.entrySet().single()
        return when (kind) {
            "switches" -> Answer.Switches(value.asJsonArray.map { it.asString }.toSet())
            "subject" -> value.asJsonObject.let { Answer.Subject(SubjectAnswer(it.text("born"), it.text("place"))) }
            "system" -> Answer.System(state(value.asString).also { if (step is Step.AskSystem) host.permissions[step.permission] = it })
            else -> throw BrokenVector("unknown answer $given")
        }
    }

    private fun state(id: String) = PermissionState.entries.find { it.id == id } ?: throw BrokenVector("no state `$id`")

    private fun permission(step: JsonObject) {
        val id = step.text("permission")
        val permission = Permission.entries.find { it.id == id } ?: throw BrokenVector("no permission `$id`")
        host.permissions[permission] = state(step.text("state"))
        runBlocking { session.refresh() }
    }

    private fun record(step: JsonObject): Recorded {
        val event = step.text("event")
        return when {
            step.has("json") -> session.recordJson(event, step.text("json").encodeToByteArray())
            step.has("hex") -> session.recordJson(event, hex(step.text("hex")))
            step.has("nested") -> {
                val depth = step.number("nested").toInt()
                session.recordJson(event, "{\"page\":${"[".repeat(depth)}${"]".repeat(depth)}}".encodeToByteArray())
            }
            step.has("long") -> session.record(event) { "page" to "x".repeat(step.number("long").toInt()) }
            else -> session.record(event) { fields(step.getAsJsonObject("fields") ?: JsonObject()) }
        }
    }

    private fun EventFields.fields(given: JsonObject) {
        for ((name, value) in given.entrySet()) {
            if (!value.isJsonPrimitive) throw BrokenVector("the field `$name` is not flat")
            val one = value.asJsonPrimitive
            when {
                one.isBoolean -> name to one.asBoolean
                one.isString -> name to one.asString
                one.asString.any { it in ".eE" } -> name to one.asDouble
                else -> name to one.asLong
            }
        }
    }

    private fun stored(recorded: Recorded): Map<String, Any?> =
        when (recorded) {
            Recorded.Held -> mapOf("stored" to "held")
            Recorded.Buffered -> mapOf("stored" to "buffered")
            is Recorded.Denied -> mapOf("stored" to "denied", "denial" to denial(recorded.reason))
        }

    private fun put(step: JsonObject): Recorded =
        session.outbox.put(
            step.text("purpose"),
            step.text("recipient"),
            step.number("ttl_ms").milliseconds,
            step.text("text").encodeToByteArray(),
        )

    private fun deliver(step: JsonObject): Map<String, Any> {
        val item = session.outbox.nextDelivery() ?: return mapOf("none" to true)
        session.outbox.deliveryFinished(item.id, result(step.get("result")))
        return mapOf("text" to item.bytes.decodeToString(), "purpose" to item.purpose, "recipient" to item.recipient)
    }

    private fun result(given: JsonElement): DeliveryResult =
        when {
            given.isJsonObject -> DeliveryResult.Later(given.asJsonObject.number("later").milliseconds)
            given.asString == "delivered" -> DeliveryResult.Delivered
            given.asString == "refused" -> DeliveryResult.Refused
            else -> throw BrokenVector("unknown result $given")
        }

    private fun identifier(step: JsonObject): Map<String, Any?> {
        val id = step.text("identifier")
        val identifier = Identifier.entries.find { it.id == id } ?: throw BrokenVector("no identifier `$id`")
        val answer =
            when (val answer = session.identifier(step.text("recipient"), identifier)) {
                is IdentifierAnswer.Handed -> mapOf("form" to answer.form.id, "raw" to (host.raw(identifier) in answer.value))
                is IdentifierAnswer.Denied -> mapOf("denial" to denial(answer.reason))
            }
        return answer + mapOf("reads" to host.reads.get())
    }

    private fun withdraw(purpose: String): Map<String, Any> = withdrawal(runBlocking { session.withdraw(purpose) })

    private fun withdrawal(done: Withdrawal): Map<String, Any> =
        when (done) {
            is Withdrawal.Done -> mapOf("withdrawal" to "done", "in_flight" to done.inFlight.size)
            is Withdrawal.Pending -> mapOf("withdrawal" to "pending", "code" to done.code.id)
        }

    private fun rightRequest(step: JsonObject): RightRequest =
        when (val right = step.text("right")) {
            "access" -> RightRequest.Access
            "report" -> RightRequest.Report
            "copy" -> RightRequest.Copy
            "portability" -> RightRequest.Portability
            "correct" -> RightRequest.Correct(step.text("text"))
            "delete" -> RightRequest.Delete
            "restrict" -> RightRequest.Restrict(step.text("purpose"))
            "object" -> RightRequest.Object(step.text("purpose"))
            "withdraw" -> RightRequest.WithdrawAll
            "refuse-marketing" -> RightRequest.RefuseMarketing
            "refuse-sale" -> RightRequest.RefuseSale
            "human-review" -> RightRequest.HumanReview(step.text("purpose"), step.text("text"))
            "close-account" -> RightRequest.CloseAccount
            "disclosure-records" -> RightRequest.DisclosureRecords
            "complain" -> RightRequest.Complain(step.text("text"))
            else -> throw BrokenVector("there is no right `$right`")
        }

    private fun exercised(done: Exercised): Map<String, Any> =
        when (done) {
            is Exercised.Done -> mapOf("kind" to "done", "in_flight" to done.inFlight.size)
            is Exercised.Refused -> mapOf("kind" to "refused", "ground" to done.ground, "source" to done.source)
            is Exercised.Pending -> mapOf("kind" to "pending", "code" to done.code.id)
        }

    private fun used(record: RightRecord): Map<String, Any?> =
        mapOf(
            "right" to record.right.id,
            "purpose" to record.purpose,
            "due" to record.due,
            "overdue" to record.isOverdue,
            "state" to record.state.id,
            "text" to record.text,
            "letter" to record.letter?.to,
        )

    private fun copy(): Map<String, Any> {
        val copy = JsonParser.parseString(runBlocking { session.copyJson() }).asJsonObject
        return mapOf(
            "records" to copy.getAsJsonArray("records").size(),
            "items" to copy.getAsJsonArray("items").size(),
            "requests" to copy.getAsJsonArray("requests").size(),
            "unreadable" to copy.get("unreadable"),
            "page" to runBlocking { session.copyHtml() }.startsWith("<!doctype html>"),
        )
    }

    private fun maintain(): Map<String, Any> {
        val done = runBlocking { session.maintain() }
        return mapOf("shredded" to done.shredded, "expired_records" to done.expiredRecords)
    }

    private fun upload(step: JsonObject): Map<String, Any> {
        val upload = session.nextUpload() ?: return mapOf("none" to true)
        val url = mapOf("url" to upload.url)
        if (step.get("reply").let { it.isJsonPrimitive && it.asString == "hold" }) {
            held = upload
            return url
        }
        return url + answered(upload.id, step.get("reply"))
    }

    private fun answered(id: Long, reply: JsonElement): Map<String, Any> =
        when (val outcome = session.uploadFinished(id, reply(reply))) {
            is UploadOutcome.Acknowledged -> mapOf("kind" to "acknowledged", "records" to outcome.records)
            is UploadOutcome.Later -> mapOf("kind" to "later", "code" to outcome.code)
            is UploadOutcome.Quarantined -> mapOf("kind" to "quarantined", "records" to outcome.records, "code" to outcome.code)
            is UploadOutcome.Cancelled -> mapOf("kind" to "cancelled")
        }

    private fun reply(given: JsonElement): Reply {
        if (!given.isJsonObject) {
            return if (given.asString == "failed") Reply.Failed else throw BrokenVector("unknown reply $given")
        }
        val reply = given.asJsonObject
        val unknown = reply.keySet() - setOf("status", "headers", "hex", "complete")
        if (unknown.isNotEmpty()) throw BrokenVector("a reply has no $unknown")
        return Reply.Response(
            status = reply.number("status").toInt(),
            headers = reply.getAsJsonObject("headers")?.entrySet().orEmpty().map { Pair(it.key, it.value.asString) },
            body = hex(reply.get("hex")?.asString.orEmpty()),
            complete = reply.get("complete")?.asBoolean ?: true,
        )
    }

    private fun ledger(): Map<String, Any> {
        val own = session.verifyLedger()
        val exported = Menshen.verifyLedger(session.exportLedger())
        if (own != exported) return mapOf("verdict" to "$own in the store, $exported in its export")
        return verdict(own)
    }

    private fun tamper(): Map<String, Any> {
        val export = JsonParser.parseString(session.exportLedger()).asJsonObject
        val first = (export.get("entries") as JsonArray).first().asJsonObject
        val entry = first.text("statement")
        val at = entry.indexOfFirst { it.isLetter() }
        val other = if (entry[at] == 'x') 'y' else 'x'
        first.addProperty("statement", entry.replaceRange(at, at + 1, other.toString()))
        return verdict(Menshen.verifyLedger(gson.toJson(export)))
    }

    private fun receipts(): Map<String, Any> {
        val receipts = JsonParser.parseString(session.receipts()).asJsonArray
        return mapOf("purposes" to receipts.map { it.asJsonObject.get("purpose") })
    }

    private fun verdict(verdict: LedgerVerdict): Map<String, Any> =
        when (verdict) {
            is LedgerVerdict.Sound -> mapOf("verdict" to "sound", "number" to verdict.entries)
            is LedgerVerdict.Broken -> mapOf("verdict" to "broken", "number" to verdict.entry)
            LedgerVerdict.Unreadable -> mapOf("verdict" to "unreadable")
        }

    private fun denial(denial: Denial?): Map<String, Any?>? =
        denial?.let {
            mapOf(
                "code" to it.code,
                "subject" to it.subject,
                "rule" to it.rule,
                "source" to it.source,
                "until_ms" to it.untilMs,
                "remedy" to it.remedy.id,
                "text" to it.text,
            )
        }

    private fun JsonObject.text(name: String): String = get(name)?.asString ?: throw BrokenVector("`$name` is missing")

    private fun JsonObject.number(name: String): Long = get(name)?.asLong ?: throw BrokenVector("`$name` is missing")
}
