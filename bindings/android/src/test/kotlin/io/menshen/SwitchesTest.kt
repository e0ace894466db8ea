// The gate of a third-party SDK, where noting its start fails.
package io.menshen

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class SwitchesTest {
    @Test
    fun `a start that could not be noted is tried again at the next change, and nothing is stopped that did not start`(): Unit {
        val calls = ArrayList<String>()
        val switches = Switches {}
        var allowed = true
        var canNote = false
        switches.add(
            isAllowed = { allowed },
            note = { starts -> canNote.also { calls += "note $starts" } },
            start = { calls += "start" },
            stop = { calls += "stop" },
        )
        allowed = false
        switches.settle()
        assertEquals(listOf("note true"), calls)

        allowed = true
        canNote = true
        switches.settle()
        assertEquals(listOf("note true", "note true", "start"), calls)
    }

    @Test
    fun `a stop that could not be noted stops all the same`(): Unit {
        val calls = ArrayList<String>()
        val switches = Switches {}
        var allowed = true
        switches.add(isAllowed = { allowed }, note = { it }, start = { calls += "start" }, stop = { calls += "stop" })
        allowed = false
        switches.settle()
        switches.settle()
        assertEquals(listOf("start", "stop"), calls)
    }
}
