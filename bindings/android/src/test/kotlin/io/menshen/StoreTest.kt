// The store as the app's developer sees it: rolled back behind its anchor, and reported at opening and after.
package io.menshen

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class StoreTest {
    private class MemoryAnchor : Anchor {
        @Volatile
        var value: ByteArray? = null

        override fun read(): ByteArray? = value

        override fun write(value: ByteArray) {
            this.value = value
        }
    }

    private suspend fun Fixture.allowEverything(session: Session) {
        session.firstLaunch(AnsweringScreen(host))
        assertInstanceOf(Outcome.Allowed::class.java, session.request(LOCATION, AnsweringScreen(host)))
    }

    @Test
    fun `a store rolled back to before a withdrawal opens nothing where an anchor remembers`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val anchor = MemoryAnchor()
                fixture.allowEverything(fixture.open(anchor = anchor).guest())
                fixture.menshen.close()
                val old = fixture.root.resolve("old")
                fixture.store.copyRecursively(old)
                val session = fixture.open(anchor = anchor).guest()
                assertTrue(session.isAllowed(LOCATION))
                session.withdraw(STATISTICS)
                fixture.menshen.close()

                fixture.store.deleteRecursively()
                old.copyRecursively(fixture.store)
                val rolledBack = fixture.open(anchor = anchor).guest()
                assertFalse(rolledBack.isAllowed(LOCATION))
                assertEquals("ledger-broken", rolledBack.whyNot(LOCATION)?.code)
                assertInstanceOf(Recorded.Denied::class.java, rolledBack.record("call_ended") { "seconds" to 1 })
                fixture.menshen.close()

                // The control: nobody who has only the files can tell.
                fixture.store.deleteRecursively()
                old.copyRecursively(fixture.store)
                assertTrue(fixture.open(anchor = MemoryAnchor()).guest().isAllowed(LOCATION))
            }
        }

    @Test
    fun `an anchor that throws fails nothing`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val throwing =
                    object : Anchor {
                        override fun read(): ByteArray? = error("no")

                        override fun write(value: ByteArray): Unit = throw StackOverflowError("no")
                    }
                fixture.allowEverything(fixture.open(anchor = throwing).guest())
                fixture.menshen.close()
                val session = fixture.open(anchor = throwing).guest()
                assertTrue(session.isAllowed(LOCATION))
                assertInstanceOf(Withdrawal.Done::class.java, session.withdraw(LOCATION))
            }
        }

    @Test
    fun `opening tells what it found, and health what is there`(): Unit =
        withFixture { fixture ->
            runBlocking {
                val empty = fixture.open()
                assertEquals(OpenReport(0, 0, 0, 0, 0, 0, 0, 0, false, 0), empty.opened())
                val session = empty.guest()
                fixture.allowEverything(session)
                assertEquals(Recorded.Buffered, session.record("call_ended") { "seconds" to 42 })
                val health = empty.health()
                assertTrue(health.bytes > 0 && health.records > 0, health.toString())
                empty.close()

                val again = fixture.open()
                assertEquals(health.records, again.opened().records)
                assertEquals(health.records, again.health().records)
                assertEquals(false, again.opened().manifestDamaged)
            }
        }

    private companion object {
        const val LOCATION = "share-location"
        const val STATISTICS = "usage-statistics"
    }
}
