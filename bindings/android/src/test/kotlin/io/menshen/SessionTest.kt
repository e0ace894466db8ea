// The API as an app uses it: coroutines, screens, SDKs under their gates.
package io.menshen

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration.Companion.seconds

class SessionTest {
    private fun codeOf(act: () -> Unit): ErrorCode = assertThrows(MenshenException::class.java) { act() }.code

    private suspend fun Fixture.permit(session: Session): Permit =
        assertInstanceOf(Outcome.Allowed::class.java, session.request(LOCATION, AnsweringScreen(host))).permit

    @Test
    fun `a feature is open after a yes and closed when a withdrawal returns`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                assertFalse(session.isAllowed(LOCATION))
                assertNotNull(session.whyNot(LOCATION))

                val permit = fixture.permit(session)
                assertTrue(session.isAllowed(LOCATION))
                assertTrue(session.isPurposeAllowed(LOCATION))
                assertFalse(session.isPurposeAllowed("no-such-purpose"))
                assertNull(session.whyNot(LOCATION))

                assertEquals(42, session.withFeature(permit) { it.read { 42 } })
                assertInstanceOf(Withdrawal.Done::class.java, session.withdraw(LOCATION))
                assertFalse(session.isAllowed(LOCATION))
                assertFalse(session.isPurposeAllowed(LOCATION))
                assertEquals(listOf(LOCATION), session.maintain().shredded)
            }
        }

    @Test
    fun `a no is a denial that says what can be done`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val screen = AnsweringScreen(fixture.host, yes = false)
                val reason = assertInstanceOf(Outcome.Denied::class.java, session.request(LOCATION, screen)).reason
                assertEquals("notice-not-agreed", reason.code)
                assertEquals(Remedy.REQUEST, reason.remedy)
                assertTrue(reason.text.isNotBlank())
                assertEquals(listOf(PromptKind.NOTICE), screen.shown.map { it.kind })

                val policy = sharedTests.resolve("policies/minimal.json").readBytes()
                assertEquals(listOf("minimal", "1.0.0"), reason.identity.let { listOf(it.policyId, it.policyVersion) })
                assertEquals(Menshen.checkPolicy(policy), reason.identity.policyHash)
                assertEquals(listOf("cn", "eu", "us-ca", "us-coppa"), reason.identity.lawPacks.map { it.id })
                for (pack in reason.identity.lawPacks) {
                    assertTrue(Regex("\\d{4}-\\d\\d-\\d\\d").matches(pack.asOf), pack.asOf)
                    assertTrue(Regex("[0-9a-f]{64}").matches(pack.hash), pack.hash)
                }
            }
        }

    @Test
    fun `a refused system permission denies the feature`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val screen = AnsweringScreen(fixture.host, system = PermissionState.DENIED)
                assertInstanceOf(Outcome.Denied::class.java, session.request(LOCATION, screen))
                assertFalse(session.isAllowed(LOCATION))
            }
        }

    @Test
    fun `a cancelled request leaves its question open and the store free`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val shown = CompletableDeferred<Prompt>()
                val screen =
                    object : AnsweringScreen(fixture.host) {
                        override suspend fun show(prompt: Prompt): Boolean {
                            shown.complete(prompt)
                            awaitCancellation()
                        }
                    }
                val request = launch { session.request(LOCATION, screen) }
                assertEquals(PromptKind.NOTICE, shown.await().kind)
                request.cancelAndJoin()
                assertEquals("notice-not-agreed", session.whyNot(LOCATION)?.code)
                fixture.menshen.close()
                fixture.open()
            }
        }

    @Test
    fun `an answer that is being written when its coroutine is cancelled counts, and the next question is asked next time`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val (writing, go) = Pair(CountDownLatch(1), CountDownLatch(1))
                val answered = AtomicBoolean()
                val clock =
                    DeviceClock {
                        if (answered.compareAndSet(true, false)) {
                            writing.countDown()
                            go.await()
                        }
                        fixture.clock.now()
                    }
                val policy = sharedTests.resolve("policies/minimal.json").readBytes()
                val keys = Keys.FileKeys(fixture.root.resolve("keys"))
                Menshen.open(Configuration(policy, fixture.root.resolve("other")), keys, fixture.host, clock).use { menshen ->
                    val session = menshen.guest()
                    val screen =
                        object : AnsweringScreen(fixture.host) {
                            override suspend fun show(prompt: Prompt): Boolean = super.show(prompt).also { answered.set(true) }
                        }
                    val request = launch(Dispatchers.Default) { session.request(LOCATION, screen) }
                    withContext(Dispatchers.IO) { writing.await() }
                    request.cancel()
                    go.countDown()
                    request.join()
                    assertEquals(listOf(PromptKind.NOTICE), screen.shown.map { it.kind })

                    val again = AnsweringScreen(fixture.host)
                    assertInstanceOf(Outcome.Allowed::class.java, session.request(LOCATION, again))
                    assertFalse(PromptKind.NOTICE in again.shown.map { it.kind })
                }
            }
        }

    @Test
    fun `an SDK that throws at its start keeps no other one from starting, and is stopped with them`(): Unit =
        withFixture { fixture ->
            runBlocking(Dispatchers.Unconfined) {
                val session = fixture.open().guest()
                val calls = ConcurrentLinkedQueue<String>()
                session.whenAllowed("umeng", start = { error("mine") }, stop = { calls += "stop first" })
                session.whenAllowed("umeng", start = { calls += "start second" }, stop = { calls += "stop second" })
                val before = Thread.getDefaultUncaughtExceptionHandler()
                try {
                    Thread.setDefaultUncaughtExceptionHandler { _, thrown -> calls += thrown.message.orEmpty() }
                    session.firstLaunch(AnsweringScreen(fixture.host))
                    session.withdraw(STATISTICS)
                } finally {
                    Thread.setDefaultUncaughtExceptionHandler(before)
                }
                assertEquals(listOf("mine", "start second", "stop first", "stop second"), calls.toList())
            }
        }

    @Test
    fun `a use ends with its block, with an exception, with a cancellation, and with its limit`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                lateinit var use: FeatureUse
                val isOver = { codeOf { use.read {} } == ErrorCode.PERMIT_ENDED }

                session.withFeature(fixture.permit(session)) { use = it }
                assertTrue(isOver())

                val thrown = runCatching { session.withFeature(fixture.permit(session)) { use = it; error("mine") } }
                assertEquals("mine", thrown.exceptionOrNull()?.message)
                assertTrue(isOver())

                val permit = fixture.permit(session)
                val begun = CompletableDeferred<Unit>()
                val sharing =
                    launch {
                        session.withFeature(permit) {
                            use = it
                            begun.complete(Unit)
                            awaitCancellation()
                        }
                    }
                begun.await()
                use.read {}
                sharing.cancelAndJoin()
                assertTrue(isOver())

                session.withFeature(fixture.permit(session), limit = 10.seconds) {
                    use = it
                    it.read {}
                    fixture.clock.advance(10_000)
                    assertTrue(isOver())
                }
            }
        }

    @Test
    fun `a permit is used once and only by its session`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val permit = fixture.permit(session)
                assertSame(session, fixture.menshen.session("first"))
                val other = fixture.menshen.session("another")
                assertEquals(ErrorCode.PERMIT_ENDED, codeOf { other.begin(permit) })
                session.begin(permit).end()
                assertEquals(ErrorCode.PERMIT_ENDED, codeOf { session.begin(permit) })
            }
        }

    @Test
    fun `an SDK starts when it is allowed and stops when that ends`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val calls = ArrayList<String>()
                session.whenAllowed(
                    "umeng",
                    // Calls back into the session, which no lock may keep it from.
                    start = { calls += "start ${session.whyNotStart("umeng") == null}" },
                    stop = { calls += "stop ${session.whyNotStart("umeng") == null}" },
                )
                assertEquals(emptyList<String>(), calls)
                session.firstLaunch(AnsweringScreen(fixture.host))
                assertEquals(listOf("start true"), calls)
                session.withdraw(STATISTICS)
                assertEquals(listOf("start true", "stop false"), calls)
                assertEquals(ErrorCode.UNDECLARED, codeOf { session.whenAllowed("nobody", {}, {}) })
            }
        }

    @Test
    fun `an SDK that is running stops when the store is closed`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                session.firstLaunch(AnsweringScreen(fixture.host))
                val calls = ArrayList<String>()
                session.whenAllowed("umeng", start = { calls += "start" }, stop = { calls += "stop" })
                fixture.menshen.close()
                assertEquals(listOf("start", "stop"), calls)
            }
        }

    @Test
    fun `consent shows every change`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                val isAllowed = { session.consent.value.single { it.purpose == STATISTICS }.allowed }
                assertFalse(isAllowed())
                session.firstLaunch(AnsweringScreen(fixture.host))
                assertTrue(isAllowed())
                session.setLocale("zh-Hans")
                assertEquals("统计", session.consent.value.single { it.purpose == STATISTICS }.name)
                session.withdraw(STATISTICS)
                assertFalse(isAllowed())
                assertEquals(Completion.Finished(emptyList()), session.requestPurpose(STATISTICS, AnsweringScreen(fixture.host)))
                assertTrue(isAllowed())
            }
        }

    @Test
    fun `an event is stored only after a yes, and only as declared`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                session.setStrict(true)
                assertInstanceOf(Recorded.Denied::class.java, session.record("call_ended") { "seconds" to 42 })
                session.firstLaunch(AnsweringScreen(fixture.host))
                assertEquals(Recorded.Buffered, session.record("call_ended") { "seconds" to 42; "peer" to "someone" })
                assertEquals(Recorded.Buffered, session.recordJson("call_ended", """{"seconds":7}""".encodeToByteArray()))
                assertEquals(2, session.waitingRecords(STATISTICS))

                val undeclared = assertThrows(MenshenException::class.java) { session.record("call_ended") { "video" to true } }
                assertEquals(ErrorCode.UNDECLARED_FIELD, undeclared.code)
                assertEquals(mapOf("event" to "call_ended", "field" to "video"), undeclared.fields)
                assertEquals(ErrorCode.FIELD_TYPE, codeOf { session.record("call_ended") { "seconds" to 0.5 } })
                session.setStrict(false)
                session.record("call_ended") { "video" to true }
                assertEquals(1, session.droppedFields)
            }
        }

    @Test
    fun `one process at a time has a store, until it is closed`(): Unit =
        withFixture { fixture ->
            val first = fixture.open()
            val session = first.guest()
            assertSame(session, first.guest())
            val flow = session.firstLaunchFlow()
            assertEquals(ErrorCode.STORE_BUSY, codeOf { fixture.open() })
            first.close()
            first.close()
            assertFalse(session.isAllowed(LOCATION))
            assertEquals(ErrorCode.CLOSED, codeOf { session.purposes() })
            assertEquals(ErrorCode.CLOSED, codeOf { flow.answer(Answer.Yes) })
            assertEquals(ErrorCode.CLOSED, codeOf { first.guest() })
            assertEquals(ErrorCode.CLOSED, codeOf { runBlocking { session.withdraw(LOCATION) } })
            assertEquals(ErrorCode.CLOSED, codeOf { runBlocking { session.request(LOCATION, AnsweringScreen(fixture.host)) } })
            fixture.open().guest()
        }

    @Test
    fun `answers that have expired deny`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                fixture.permit(session)
                assertTrue(session.isAllowed(LOCATION))
                fixture.clock.advance(25 * 3_600_000L)
                assertFalse(session.isAllowed(LOCATION))
                session.refresh()
                assertTrue(session.isAllowed(LOCATION))
            }
        }

    @Test
    fun `a withdrawal is carried out even if its coroutine was cancelled`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                fixture.permit(session)
                var done: Withdrawal? = null
                launch {
                    currentCoroutineContext().cancel()
                    done = session.withdraw(LOCATION)
                }.join()
                assertInstanceOf(Withdrawal.Done::class.java, done)
                assertFalse(session.isAllowed(LOCATION))
            }
        }

    @Test
    fun `a wrong policy is told in full`(): Unit {
        val wrong = assertThrows(MenshenException::class.java) { Menshen.checkPolicy("{ \"id\": 7 }".encodeToByteArray()) }
        assertEquals(ErrorCode.POLICY, wrong.code)
        assertTrue(wrong.problems.isNotEmpty())
        assertTrue(wrong.problems.all { it.line >= 1 && it.column >= 1 && it.message.isNotBlank() }, wrong.problems.toString())
    }

    @Test
    fun `the evidence can be exported and verified`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                fixture.permit(session)
                val verdict = assertInstanceOf(LedgerVerdict.Sound::class.java, session.verifyLedger())
                assertEquals(verdict, Menshen.verifyLedger(session.exportLedger()))
                assertEquals(LedgerVerdict.Unreadable, Menshen.verifyLedger("{}"))
                assertTrue(session.receipts().contains(LOCATION))
            }
        }

    @Test
    fun `asking whether a feature is allowed costs no call into the library`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val session = fixture.open().guest()
                fixture.permit(session)
                val runs =
                    List(101) {
                        val start = System.nanoTime()
                        var open = 0
                        repeat(10_000) { if (session.isAllowed(LOCATION)) open++ }
                        val nanos = System.nanoTime() - start
                        assertEquals(10_000, open)
                        nanos / 10_000
                    }
                val median = runs.sorted()[runs.size / 2]
                println("is_allowed: $median ns")
                // A call through JNA takes several microseconds.
                assertTrue(median < 1_000, "$median ns")
            }
        }

    private companion object {
        const val LOCATION = "share-location"
        const val STATISTICS = "usage-statistics"
    }
}
