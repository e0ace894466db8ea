// Uploads over real connections, and replies that are not what they seem.
package io.menshen

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.RepeatedTest
import org.junit.jupiter.api.Test
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** Answers each request with the next reply, then closes the connection; at a null it keeps silent. */
private class Receiver(private vararg val replies: String?) : AutoCloseable {
    private val socket = ServerSocket(0, 50, InetAddress.getLoopbackAddress())
    private val connections = CopyOnWriteArrayList<Socket>()
    val requests = CopyOnWriteArrayList<String>()
    private val arrived = CountDownLatch(1)
    val url = "http://127.0.0.1:${socket.localPort}/v1/logs"

    init {
        thread(isDaemon = true) {
            try {
                while (true) serve(socket.accept().also { connections += it })
            } catch (_: IOException) {
                // Closed.
            }
        }
    }

    private fun serve(connection: Socket) {
        val input = connection.getInputStream()
        val head = StringBuilder()
        while (!head.endsWith("\r\n\r\n")) head.append(input.read().toChar())
        val length = Regex("(?i)content-length: (\\d+)").find(head)?.groupValues?.get(1)?.toInt() ?: 0
        input.readNBytes(length)
        requests += head.toString()
        arrived.countDown()
        val reply = replies[minOf(requests.size, replies.size) - 1] ?: return
        connection.getOutputStream().apply {
            write(reply.encodeToByteArray())
            flush()
        }
        connection.close()
    }

    fun awaitRequest() = assertTrue(arrived.await(10, TimeUnit.SECONDS), "no request arrived")

    override fun close() {
        socket.close()
        connections.forEach { it.close() }
    }
}

class UploaderTest {
    /** One upload of one record, answered so. */
    private fun uploadTo(vararg replies: String?, test: suspend (Session, Receiver) -> Unit): Unit =
        Receiver(*replies).use { receiver ->
            val patch = """{"endpoints": {"own": {"url": "${receiver.url}"}}}"""
            withFixture(patch) { fixture ->
                runBlocking {
                    val session = fixture.open().guest()
                    session.firstLaunch(AnsweringScreen(fixture.host))
                    assertEquals(Recorded.Buffered, session.record("call_ended") { "seconds" to 42 })
                    test(session, receiver)
                }
            }
        }

    private fun reply(head: String, body: String = "") = "HTTP/1.1 $head\r\n\r\n$body"

    private val protobuf = "200 OK\r\ncontent-type: application/x-protobuf"

    private fun isPostponed(reply: String): Unit =
        uploadTo(reply) { session, receiver ->
            val later = Uploader(session, timeout = 5.seconds).uploadAll().single() as UploadOutcome.Later
            assertEquals(later.notBeforeMs, session.nextUploadAtMs())
            assertEquals(1, receiver.requests.size, "it was sent more than once")
        }

    @Test
    fun `a whole reply acknowledges`(): Unit =
        uploadTo(reply("$protobuf\r\ncontent-length: 0")) { session, receiver ->
            assertEquals(listOf(UploadOutcome.Acknowledged(1)), Uploader(session).uploadAll())
            assertNull(session.nextUploadAtMs())
            assertEquals(emptyList<UploadOutcome>(), Uploader(session).uploadAll())
            val head = receiver.requests.single().lowercase()
            assertTrue(head.startsWith("post /v1/logs http/1.1\r\n"), head)
            assertTrue(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), head)
            assertTrue(head.contains("\r\nuser-agent: menshen\r\n"), head)
            assertFalse(head.contains("java"), head)
        }

    @Test
    fun `a whole chunked reply acknowledges`(): Unit =
        uploadTo(reply("$protobuf\r\ntransfer-encoding: chunked", "0\r\n\r\n")) { session, _ ->
            assertEquals(listOf(UploadOutcome.Acknowledged(1)), Uploader(session).uploadAll())
        }

    @Test
    fun `a reply that was cut acknowledges nothing`(): Unit = isPostponed(reply("$protobuf\r\ncontent-length: 5", "\n"))

    @Test
    fun `a chunked reply that was cut acknowledges nothing`(): Unit =
        isPostponed(reply("$protobuf\r\ntransfer-encoding: chunked", "2\r\n\n"))

    @Test
    fun `a reply that ends because the connection did acknowledges nothing`(): Unit = isPostponed(reply(protobuf))

    @Test
    fun `a reply longer than what is kept acknowledges nothing`(): Unit =
        isPostponed(reply("$protobuf\r\ncontent-length: 70000", "x".repeat(70_000)))

    @Test
    fun `a redirect is not followed`(): Unit =
        isPostponed(reply("307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0"))

    @Test
    fun `a demand for a password is not answered`(): Unit =
        isPostponed(reply("401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\ncontent-length: 0"))

    @Test
    fun `a connection that closes without an answer is not tried again`(): Unit = isPostponed("")

    @Test
    fun `a receiver that keeps silent is given up`(): Unit =
        uploadTo(null) { session, _ ->
            val outcome = Uploader(session, timeout = 300.milliseconds).uploadAll().single()
            assertTrue(outcome is UploadOutcome.Later, "$outcome")
        }

    // Where the cancellation meets the exchange is left to chance.
    @RepeatedTest(8)
    fun `a cancelled upload ends at once and offers its records again`(): Unit =
        uploadTo(null) { session, receiver ->
            runBlocking {
                val job = launch(Dispatchers.IO) { Uploader(session).uploadAll() }
                receiver.awaitRequest()
                withTimeout(10.seconds) { job.cancelAndJoin() }
                assertEquals(emptyList<Long>(), session.cancelledUploads())
                assertEquals(1, session.waitingRecords("usage-statistics"))
            }
        }

    @Test
    fun `a withdrawal stops what is under way, and its request to erase follows`(): Unit =
        uploadTo(null, reply("204 No Content")) { session, receiver ->
            runBlocking {
                val outcomes = CompletableDeferred<List<UploadOutcome>>()
                launch(Dispatchers.IO) { outcomes.complete(Uploader(session, timeout = 60.seconds).uploadAll()) }
                receiver.awaitRequest()
                val done = session.withdraw("usage-statistics") as Withdrawal.Done
                assertEquals(1, done.inFlight.size)
                assertEquals(UploadOutcome.Cancelled(delivered = false), withTimeout(20.seconds) { outcomes.await() }.first())
                assertTrue(receiver.requests.last().startsWith("POST /v1/logs/erase HTTP/1.1\r\n"), receiver.requests.last())
            }
        }
}
