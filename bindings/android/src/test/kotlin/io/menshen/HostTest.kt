// The app's own code under the library: key stores, platforms, clocks and texts that are not as they should be.
package io.menshen

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration.Companion.seconds

class HostTest {
    private fun codeOf(act: () -> Unit): ErrorCode = assertThrows(MenshenException::class.java) { act() }.code

    private suspend fun Fixture.permit(session: Session): Permit =
        assertInstanceOf(Outcome.Allowed::class.java, session.request(LOCATION, AnsweringScreen(host))).permit

    @Test
    fun `an own key store keeps what was answered`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val keys = Keys.Provider(MemoryKeys())
                fixture.permit(fixture.open(keys).guest())
                fixture.menshen.close()
                assertTrue(fixture.open(keys).guest().isAllowed(LOCATION))
            }
        }

    @Test
    fun `a key store that throws closes every gate until it works again`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val keys = MemoryKeys()
                fixture.permit(fixture.open(Keys.Provider(keys)).guest())
                fixture.menshen.close()

                for (failure in listOf(KeyException.NotYet(), IllegalStateException(CANARY), StackOverflowError(CANARY))) {
                    keys.answer = MemoryKeys.Answer.Throws(failure)
                    val session = fixture.open(Keys.Provider(keys)).guest()
                    assertFalse(session.isAllowed(LOCATION))
                    val outcome = runCatching { session.request(LOCATION, AnsweringScreen(fixture.host)) }
                    assertFalse(outcome.getOrNull() is Outcome.Allowed)
                    assertFalse(outcome.toString().contains(CANARY), outcome.toString())
                    keys.answer = null
                    session.refresh()
                    assertTrue(session.isAllowed(LOCATION))
                    fixture.menshen.close()
                }
            }
        }

    @Test
    fun `a platform that throws is answered closed`(): Unit =
        withFixture { fixture ->
            val throwing =
                object : Platform {
                    override fun state(permission: Permission): PermissionState = error(CANARY)

                    override fun read(identifier: Identifier): String = error(CANARY)
                }
            val policy = sharedTests.resolve("policies/minimal.json").readBytes()
            val keys = Keys.FileKeys(fixture.root.resolve("keys"))
            Menshen.open(Configuration(policy, fixture.root.resolve("other")), keys, throwing).use { menshen ->
                runBlocking {
                    val session = menshen.guest()
                    val outcome = session.request(LOCATION, AnsweringScreen(fixture.host))
                    assertEquals("permission-blocked", assertInstanceOf(Outcome.Denied::class.java, outcome).reason.code)
                }
            }
        }

    @Test
    fun `a text with half a surrogate pair is a typed error wherever it is given, and loses nothing`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val half = "\uD83D"
                val session = fixture.open().guest()
                session.firstLaunch(AnsweringScreen(fixture.host))
                assertEquals(Recorded.Buffered, session.record("call_ended") { "peer" to "someone" })

                val wrong = assertThrows(MenshenException::class.java) { session.record("call_ended") { "peer" to "a$half" } }
                assertEquals(ErrorCode.BAD_FIELDS, wrong.code)
                assertEquals(mapOf("why" to "not-utf8"), wrong.fields)
                assertFalse(wrong.message.orEmpty().contains(half))
                assertEquals(ErrorCode.BAD_FIELDS, codeOf { session.record("call_ended") { half to 1 } })
                assertEquals(ErrorCode.BAD_FIELDS, codeOf { session.record(half) })
                val calls: List<suspend () -> Any?> =
                    listOf(
                        { fixture.menshen.session(half) },
                        { session.recordJson(half, "{}".encodeToByteArray()) },
                        { session.whyNot(half) },
                        { session.request(half, AnsweringScreen(fixture.host)) },
                        { session.requestPurpose(half, AnsweringScreen(fixture.host)) },
                        { session.firstLaunchFlow().use { it.answer(Answer.Switches(setOf(half))) } },
                        { session.firstLaunchFlow().use { it.answer(Answer.Subject(SubjectAnswer(half, half))) } },
                        { session.identifier(half, Identifier.IMEI) },
                        { session.whyNotStart(half) },
                        { session.whenAllowed(half, {}, {}) },
                        { session.withdraw(half) },
                        { session.waitingRecords(half) },
                        { session.supplySubject(SubjectAnswer(half, half)) },
                        { session.setLocale(half) },
                        { session.outbox.put(half, half, 1.seconds, ByteArray(1)) },
                        { session.uploadFinished(1, Reply.Response(200, listOf(Pair(half, half)), ByteArray(0), true)) },
                    )
                for (call in calls) assertEquals(ErrorCode.BAD_FIELDS, codeOf { runBlocking { call() } })
                assertEquals(LedgerVerdict.Unreadable, Menshen.verifyLedger(half))
                assertFalse(session.isAllowed(half))

                assertEquals(1, session.waitingRecords(STATISTICS))
                fixture.menshen.close()
                assertEquals(1, fixture.open().guest().waitingRecords(STATISTICS))
            }
        }

    @Test
    fun `what a host answers with half a surrogate pair is answered closed`(): Unit =
        withFixture { fixture ->
            val platform =
                object : Platform {
                    override fun state(permission: Permission) = PermissionState.GRANTED

                    override fun read(identifier: Identifier) = "id-\uD83D"
                }
            val policy = sharedTests.resolve("policies/minimal.json").readBytes()
            val keys = Keys.FileKeys(fixture.root.resolve("keys"))
            Menshen.open(Configuration(policy, fixture.root.resolve("other")), keys, platform).use { menshen ->
                runBlocking {
                    val session = menshen.guest()
                    session.firstLaunch(AnsweringScreen(fixture.host))
                    val answer = session.identifier("umeng", Identifier.ANDROID_ID)
                    assertInstanceOf(IdentifierAnswer.Denied::class.java, answer)
                }
            }
        }

    @Test
    fun `a clock that throws anything allows nothing`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val failing = AtomicBoolean()
                val clock = DeviceClock { if (failing.get()) throw StackOverflowError(CANARY) else fixture.clock.now() }
                val policy = sharedTests.resolve("policies/minimal.json").readBytes()
                val keys = Keys.FileKeys(fixture.root.resolve("keys"))
                Menshen.open(Configuration(policy, fixture.root.resolve("other")), keys, fixture.host, clock).use { menshen ->
                    val session = menshen.guest()
                    fixture.permit(session)
                    assertTrue(session.isAllowed(LOCATION))
                    failing.set(true)
                    assertFalse(session.isAllowed(LOCATION))
                    failing.set(false)
                    assertTrue(session.isAllowed(LOCATION))
                }
            }
        }

    @Test
    fun `no function that suspends works on the thread of its caller`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val own = Thread.currentThread()
                val asked = ConcurrentLinkedQueue<Thread>()
                val platform =
                    object : Platform {
                        override fun state(permission: Permission): PermissionState {
                            asked += Thread.currentThread()
                            return PermissionState.GRANTED
                        }

                        override fun read(identifier: Identifier): String? = null
                    }
                val policy = sharedTests.resolve("policies/minimal.json").readBytes()
                val keys = Keys.FileKeys(fixture.root.resolve("keys"))
                Menshen.open(Configuration(policy, fixture.root.resolve("other")), keys, platform).use { menshen ->
                    val session = menshen.guest()
                    asked.clear()
                    session.supplySubject(SubjectAnswer("1990-05", "DE"))
                    session.request(LOCATION, AnsweringScreen(fixture.host))
                    session.offerPolicy(policy)
                    session.refresh()
                    session.withdraw(LOCATION)
                    session.maintain()
                    assertTrue(asked.isNotEmpty())
                    assertFalse(own in asked, "the platform was asked on the caller's thread")
                }
            }
        }

    private companion object {
        const val LOCATION = "share-location"
        const val STATISTICS = "usage-statistics"
        const val CANARY = "canary-7f3a"
    }
}
