// The names that this layer gives to what the library and the policy name.
package io.menshen

import com.google.gson.JsonParser
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class StableNamesTest {
    private val crates = sharedTests.resolveSibling("crates")

    private fun namesInSchema(definition: String): Set<String> {
        val schema = JsonParser.parseString(crates.resolve("policy/policy.schema.json").readText()).asJsonObject
        val one = schema.getAsJsonObject("\$defs").getAsJsonObject(definition)
        val names = one.getAsJsonArray("oneOf")?.map { it.asJsonObject.get("const").asString } ?: one.getAsJsonArray("enum").map { it.asString }
        return names.toSet()
    }

    @Test
    fun `permissions and identifiers are those of the policy's schema`(): Unit {
        assertEquals(namesInSchema("Permission"), Permission.entries.map { it.id }.toSet())
        assertEquals(namesInSchema("Identifier"), Identifier.entries.map { it.id }.toSet())
        assertEquals(namesInSchema("IdentifierForm"), IdentifierForm.entries.map { it.id }.toSet())
    }

    @Test
    fun `error codes are those of the library`(): Unit {
        val source = crates.resolve("menshen/src/error.rs").readText()
        val codes = Regex("""Self::.* => "([a-z-]+)",""").findAll(source).map { it.groupValues[1] }.toSet()
        // Rust's library is closed by letting go of it, so nothing can be called afterwards.
        assertEquals(codes, (ErrorCode.entries - ErrorCode.CLOSED).map { it.id }.toSet())
    }
}
