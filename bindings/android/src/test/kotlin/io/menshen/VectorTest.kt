// The shared vectors, run through the public API; and proof that a wrong one is noticed.
package io.menshen

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.Test
import java.io.File

class VectorTest {
    private val folder = File(System.getenv("MENSHEN_VECTORS") ?: "../../tests/vectors")
    private val policy = folder.resolve("policy.json").readBytes()

    private val vectors: List<JsonObject> =
        folder.listFiles { file -> file.extension == "json" && file.name != "policy.json" }.orEmpty().sorted().flatMap { file ->
            JsonParser.parseString(file.readText()).asJsonObject.getAsJsonArray("vectors").map { it.asJsonObject }
        }

    /** What is wrong with it; null if nothing is. */
    private fun run(vector: JsonObject): String? =
        VectorRunner(policy).use { runner ->
            try {
                runner.run(vector)
                null
            } catch (mismatch: Mismatch) {
                mismatch.message
            }
        }

    @Test
    fun `every vector gives what it says`(): Unit {
        assertTrue(vectors.isNotEmpty(), "there are no vectors in $folder")
        val wrong = vectors.mapNotNull { run(it) }
        println("vectors executed: ${vectors.size}")
        if (wrong.isNotEmpty()) fail<Unit>("${wrong.size} of ${vectors.size} vectors fail\n" + wrong.joinToString("\n"))
    }

    @Test
    fun `a spoiled expectation is reported with its vector, its step, and what came instead`(): Unit {
        val vector = vectors.first { vector -> vector.getAsJsonArray("steps").any { it.asJsonObject.has("expect") } }.deepCopy()
        val steps = vector.getAsJsonArray("steps").map { it.asJsonObject }
        val number = steps.indexOfFirst { it.has("expect") } + 1
        steps[number - 1].add("expect", json(mapOf("spoiled" to true)))
        val report = checkNotNull(run(vector)) { "the spoiled vector passed" }
        val name = vector.get("name").asString
        assertTrue(report.startsWith("`$name`, step $number: expected {\"spoiled\":true}\n  got      {"), report)
    }

    @Test
    fun `a step that nobody knows is reported`(): Unit {
        val steps = json(listOf(mapOf("do" to "strict", "on" to true, "off" to false)))
        val vector = JsonObject().apply { addProperty("name", "unknown"); add("steps", steps) }
        assertTrue(run(vector).orEmpty().contains("broken"), run(vector))
    }
}
