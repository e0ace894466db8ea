// Third-party SDKs under the gates of their recipients.
package io.menshen

import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger

/**
 * Starts and stops SDKs and tells about changes. One thread at a time does it, without a lock: who comes while another
 * is at it leaves the work to that one.
 */
internal class Switches(private val publish: () -> Unit) {
    private class Switch(
        val isAllowed: () -> Boolean,
        val note: (starts: Boolean) -> Boolean,
        val start: () -> Unit,
        val stop: () -> Unit,
    ) {
        var running = false
    }

    private val switches = CopyOnWriteArrayList<Switch>()
    private val turns = AtomicInteger()

    /** @param note writes down that it starts or stops, and says whether it could. */
    fun add(isAllowed: () -> Boolean, note: (starts: Boolean) -> Boolean, start: () -> Unit, stop: () -> Unit) {
        switches += Switch(isAllowed, note, start, stop)
        settle()
    }

    fun settle() {
        if (turns.getAndIncrement() != 0) return
        var seen: Int
        do {
            seen = turns.get()
            contained(publish)
            switches.forEach { run(it) }
        } while (turns.addAndGet(-seen) != 0)
    }

    private fun run(switch: Switch) {
        val allowed =
            try {
                switch.isAllowed()
            } catch (_: Exception) {
                false
            }
        if (allowed == switch.running) return
        // Evidence first: what cannot be noted does not start, and is tried again; what stops, stops all the same.
        if (!switch.note(allowed) && allowed) return
        // Set first: one that fails half-way through its start must be stopped all the same.
        switch.running = allowed
        contained(if (allowed) switch.start else switch.stop)
    }

    /** What a callback throws is the app's own, and no reason to leave the other ones out. */
    private fun contained(callback: () -> Unit) {
        try {
            callback()
        } catch (thrown: Throwable) {
            val thread = Thread.currentThread()
            thread.uncaughtExceptionHandler.uncaughtException(thread, thrown)
        }
    }
}
