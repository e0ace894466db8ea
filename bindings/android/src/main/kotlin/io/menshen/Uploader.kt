// Makes the uploads with the platform's own HTTP stack, which brings its trust store, proxy and pinning configuration.
package io.menshen

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.net.HttpRetryException
import java.net.HttpURLConnection
import java.net.URL
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/**
 * Makes the uploads of a session that are due, one after another.
 *
 * It follows no redirect, sends nothing twice, adds nothing that tells about the device, and stops what a withdrawal
 * cancelled. If the app installed a default `CookieHandler`, that one's cookies go along as with every connection.
 *
 * @param timeout for one upload: connecting, sending, waiting and the reply's body.
 */
class Uploader(
    private val session: Session,
    private val timeout: Duration = 30.seconds,
) {
    /** What stops an exchange that is under way when it is cancelled. */
    private val stops = ConcurrentHashMap<Long, Job>()

    /**
     * Makes every upload that is allowed and due now, and returns what came of each. Cancelling it stops the one that is
     * under way; its records are offered again.
     *
     * @throws MenshenException the store failed.
     */
    suspend fun uploadAll(): List<UploadOutcome> =
        coroutineScope {
            val watch =
                launch(Dispatchers.IO) {
                    session.changes.collect {
                        session.cancelledUploads().forEach { stops[it]?.cancel() }
                    }
                }
            try {
                buildList { while (true) add(one() ?: break) }
            } finally {
                watch.cancel()
            }
        }

    private suspend fun one(): UploadOutcome? {
        var upload: Upload? = null
        var reply: Reply = Reply.Failed
        try {
            withContext(Dispatchers.IO) { upload = session.nextUpload() }
            reply = withTimeoutOrNull(timeout) { send(upload ?: return@withTimeoutOrNull null) } ?: Reply.Failed
        } catch (cancelled: CancellationException) {
            upload?.let { withContext(NonCancellable + Dispatchers.IO) { session.uploadFinished(it.id, Reply.Failed) } }
            throw cancelled
        }
        // An answer that arrived counts, even if the caller was cancelled meanwhile.
        return upload?.let { withContext(NonCancellable + Dispatchers.IO) { session.uploadFinished(it.id, reply) } }
    }

    private suspend fun send(upload: Upload): Reply =
        coroutineScope {
            val connection =
                try {
                    URL(upload.url).openConnection() as? HttpURLConnection
                } catch (_: IOException) {
                    null
                } ?: return@coroutineScope Reply.Failed
            val isOver = AtomicBoolean()
            // Blocking reads don't hear of a cancellation; a closed connection they do.
            val stop =
                // Undispatched, because what never started never cleans up.
                launch(Dispatchers.IO, CoroutineStart.UNDISPATCHED) {
                    try {
                        awaitCancellation()
                    } finally {
                        connection.disconnect()
                        // An exchange that was just about to read connects once more, sends nothing, and would wait.
                        withContext(NonCancellable) {
                            while (!isOver.get()) {
                                delay(20.milliseconds)
                                connection.disconnect()
                            }
                        }
                    }
                }
            stops[upload.id] = stop
            try {
                withContext(Dispatchers.IO) {
                    try {
                        if (upload.id in session.cancelledUploads()) Reply.Failed else exchange(connection, upload)
                    } finally {
                        isOver.set(true)
                    }
                }
            } finally {
                // Also where the exchange never began.
                isOver.set(true)
                stops.remove(upload.id)
                stop.cancel()
            }
        }

    private fun exchange(connection: HttpURLConnection, upload: Upload): Reply =
        try {
            connection.requestMethod = "POST"
            connection.instanceFollowRedirects = false
            connection.useCaches = false
            connection.doOutput = true
            connection.connectTimeout = timeout.inWholeMilliseconds.toInt()
            connection.readTimeout = timeout.inWholeMilliseconds.toInt()
            // The stacks' own values name the device's model, and ask for compression that hides the reply's length.
            connection.setRequestProperty("user-agent", "menshen")
            connection.setRequestProperty("accept-encoding", "identity")
            upload.headers.forEach { (name, value) -> connection.setRequestProperty(name, value) }
            // Without a fixed length the stack may send the body a second time by itself.
            connection.setFixedLengthStreamingMode(upload.body.size)
            connection.outputStream.use { it.write(upload.body) }
            read(connection)
        } catch (refused: HttpRetryException) {
            // A redirect or a demand for a password, which a streamed body is not sent again for.
            Reply.Response(refused.responseCode(), emptyList(), ByteArray(0), complete = false)
        } catch (_: IOException) {
            Reply.Failed
        } catch (_: RuntimeException) {
            // The stacks answer some broken replies and a missing network permission so.
            Reply.Failed
        }

    private fun read(connection: HttpURLConnection): Reply {
        val status = connection.responseCode
        if (status < 0) return Reply.Failed
        val headers =
            connection.headerFields.orEmpty().flatMap { (name, values) ->
                if (name == null) emptyList() else values.map { Pair(name, it) }
            }
        val stream = if (status < 400) connection.inputStream else connection.errorStream
        val body = Body()
        val ended = stream == null || stream.use { body.readFrom(it) }
        return Reply.Response(status, headers, body.bytes(), ended && isWhole(status, headers, body.size))
    }

    private fun isWhole(status: Int, headers: List<Pair<String, String>>, size: Int): Boolean {
        fun values(name: String) =
            headers.filter { it.first.equals(name, ignoreCase = true) }.flatMap { it.second.split(',') }
                .map { it.trim().lowercase() }.distinct()
        val codings = values("transfer-encoding")
        val lengths = values("content-length")
        return when {
            status == HttpURLConnection.HTTP_NO_CONTENT || status == HttpURLConnection.HTTP_NOT_MODIFIED -> true
            // The stack reports a chunked body that was cut as an error.
            codings.isNotEmpty() -> codings == listOf("chunked") && lengths.isEmpty()
            // It does not always do so for one with a length.
            else -> lengths.size == 1 && lengths.single().toLongOrNull() == size.toLong()
        }
    }

    /** What is kept of a reply: an OTLP one takes a few bytes, the rest is somebody's web page. */
    private class Body {
        private val kept = ByteArrayOutputStream()
        val size get() = kept.size()

        /** Whether the end was reached within the limit. */
        fun readFrom(stream: InputStream): Boolean {
            val buffer = ByteArray(8 * 1024)
            try {
                while (true) {
                    val count = stream.read(buffer)
                    if (count < 0) return true
                    if (kept.size() + count > MAX_BODY_BYTES) return false
                    kept.write(buffer, 0, count)
                }
            } catch (_: IOException) {
                return false
            }
        }

        fun bytes(): ByteArray = kept.toByteArray()
    }

    private companion object {
        const val MAX_BODY_BYTES = 64 * 1024
    }
}
