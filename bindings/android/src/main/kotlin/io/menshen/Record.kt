// Recording events: their fields, and what became of them.
package io.menshen

import io.menshen.internal.BridgeField
import io.menshen.internal.BridgeStored
import io.menshen.internal.BridgeValue

/** What became of something that was to be stored. */
sealed interface Recorded {
    /**
     * In memory only, because the key store is not ready: it goes with the process. It is sealed as soon as the key is there, and destroyed if
     * the key is gone or the person says no first.
     */
    data object Held : Recorded

    /** Sealed; the operating system has it, so it survives the end of the process. */
    data object Buffered : Recorded

    /** Not stored, because it is not allowed now, and why. */
    data class Denied(val reason: Denial) : Recorded
}

/** Keeps the receivers of nested builders apart. */
@DslMarker
annotation class FieldsMarker

/** The fields of one event: `"seconds" to 42; "video" to true`. */
@FieldsMarker
class EventFields internal constructor() {
    internal val fields = ArrayList<BridgeField>()

    /** A text. */
    infix fun String.to(value: String) = add(this, BridgeValue.Text(value.sound()))

    /** A whole number. */
    infix fun String.to(value: Int) = add(this, BridgeValue.Integer(value.toLong()))

    /** A whole number. */
    infix fun String.to(value: Long) = add(this, BridgeValue.Integer(value))

    /** A number; only a finite one is taken. */
    infix fun String.to(value: Double) = add(this, BridgeValue.Number(value))

    /** Yes or no. */
    infix fun String.to(value: Boolean) = add(this, BridgeValue.Boolean(value))

    /** Keeps the standard library's `to` from making a pair that nobody stores. */
    @Deprecated("a field is a String, Int, Long, Double or Boolean", level = DeprecationLevel.ERROR)
    @Suppress("UNUSED_PARAMETER", "UnusedReceiverParameter")
    infix fun String.to(value: Any?): Unit = throw UnsupportedOperationException()

    private fun add(name: String, value: BridgeValue) {
        fields += BridgeField(name.sound(), value)
    }
}

internal fun BridgeStored.toPublic(): Recorded =
    when (this) {
        is BridgeStored.Held -> Recorded.Held
        is BridgeStored.Buffered -> Recorded.Buffered
        is BridgeStored.Denied -> Recorded.Denied(denial.toPublic())
    }
