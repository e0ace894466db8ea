// The shared vectors, run through the public API; and proof that a wrong one is noticed.
package io.menshen

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.Test

private val folder = sharedTests.resolve("vectors")
private val policy = folder.resolve("policy.json").readBytes()

private class Vector(val file: String, val story: JsonObject) {
    val name: String = story.get("name").asString
    val isRunnable = story.get("needs")?.asString != "small-disk" || SmallDisk.isThere
}

private val vectors: List<Vector> =
    folder.listFiles { file -> file.extension == "json" && file.name != "policy.json" }.orEmpty().sorted().flatMap { file ->
        JsonParser.parseString(file.readText()).asJsonObject.getAsJsonArray("vectors").map { Vector(file.nameWithoutExtension, it.asJsonObject) }
    }

/** What is wrong with a vector, null if nothing is; and the codes of the errors that it met. */
private class Run(val vector: Vector, val wrong: String?, val codes: Set<ErrorCode>)

private fun run(story: JsonObject): Pair<String?, Set<ErrorCode>> =
    VectorRunner(policy).use { runner ->
        try {
            runner.run(story)
            Pair(null, runner.codes)
        } catch (mismatch: Mismatch) {
            Pair(mismatch.message, runner.codes)
        }
    }

/** Every vector that this machine can run, run once for all tests. */
private val runs: List<Run> by lazy {
    vectors.filter { it.isRunnable }.map { vector -> run(vector.story).let { (wrong, codes) -> Run(vector, wrong, codes) } }
}

class VectorTest {
    @Test
    fun `every vector gives what it says`(): Unit {
        assertTrue(vectors.isNotEmpty(), "there are no vectors in $folder")
        for (vector in vectors.filter { it.file == "bad-input" }) {
            val run = runs.find { it.vector === vector }
            println("bad input: ${vector.name}: ${if (run == null) "NOT RUN" else if (run.wrong == null) "ok" else "FAILED"}")
        }
        println("vectors executed: ${runs.size}")
        val wrong = runs.mapNotNull { it.wrong }
        if (wrong.isNotEmpty()) fail<Unit>("${wrong.size} of ${runs.size} vectors fail\n" + wrong.joinToString("\n"))
    }

    @Test
    fun `the vectors meet every error code that is declared`(): Unit {
        val met = runs.flatMap { it.codes }.toSet()
        // No vector closes the library and goes on: Rust's does not let a program do that.
        assertEquals(ErrorCode.entries.toSet() - ErrorCode.CLOSED, met)
    }

    @Test
    fun `a spoiled expectation is reported with its vector, its step, and what came instead`(): Unit {
        val vector = vectors.first { vector -> vector.story.getAsJsonArray("steps").any { it.asJsonObject.has("expect") } }.story.deepCopy()
        val steps = vector.getAsJsonArray("steps").map { it.asJsonObject }
        val number = steps.indexOfFirst { it.has("expect") } + 1
        steps[number - 1].add("expect", json(mapOf("spoiled" to true)))
        val report = checkNotNull(run(vector).first) { "the spoiled vector passed" }
        val name = vector.get("name").asString
        assertTrue(report.startsWith("`$name`, step $number: expected {\"spoiled\":true}\n  got      {"), report)
    }

    @Test
    fun `a step that nobody knows is reported`(): Unit {
        val steps = json(listOf(mapOf("do" to "strict", "on" to true, "off" to false)))
        val vector = JsonObject().apply { addProperty("name", "unknown"); add("steps", steps) }
        val report = run(vector).first.orEmpty()
        assertTrue(report.contains("broken"), report)
    }
}
