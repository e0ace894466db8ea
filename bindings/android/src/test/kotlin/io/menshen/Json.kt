// What the vectors need of JSON: merging a patch, and matching a result against what is expected.
package io.menshen

import com.google.gson.Gson
import com.google.gson.GsonBuilder
import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonPrimitive
import java.math.BigDecimal

internal val gson: Gson = GsonBuilder().disableHtmlEscaping().serializeNulls().create()

internal fun json(value: Any?): JsonElement =
    when (value) {
        null -> JsonNull.INSTANCE
        is JsonElement -> value
        is String -> JsonPrimitive(value)
        is Number -> JsonPrimitive(value)
        is Boolean -> JsonPrimitive(value)
        is Map<*, *> -> JsonObject().also { to -> value.forEach { (name, one) -> to.add(name as String, json(one)) } }
        is Iterable<*> -> JsonArray().also { to -> value.forEach { to.add(json(it)) } }
        else -> error("no JSON for ${value::class}")
    }

/** JSON merge patch, RFC 7386. */
internal fun merge(target: JsonElement?, patch: JsonElement): JsonElement {
    if (patch !is JsonObject) return patch.deepCopy()
    val result = if (target is JsonObject) target.deepCopy() else JsonObject()
    for ((name, value) in patch.entrySet()) {
        if (value.isJsonNull) result.remove(name) else result.add(name, merge(result.get(name), value))
    }
    return result
}

/** Every key of an expected object must be there and match; arrays match in length; all else must be equal. */
internal fun matches(expected: JsonElement, got: JsonElement?): Boolean =
    when {
        got == null -> false
        expected is JsonObject ->
            got is JsonObject && expected.entrySet().all { (name, value) -> matches(value, got.get(name)) }
        expected is JsonArray ->
            got is JsonArray && expected.size() == got.size() && expected.zip(got).all { (one, other) -> matches(one, other) }
        expected is JsonPrimitive && expected.isNumber ->
            got is JsonPrimitive && got.isNumber && same(expected.asBigDecimal, got.asBigDecimal)
        else -> expected == got
    }

private fun same(one: BigDecimal, other: BigDecimal) = one.compareTo(other) == 0

internal fun hex(text: String): ByteArray = text.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
