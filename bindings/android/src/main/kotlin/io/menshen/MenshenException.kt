// What goes wrong: one exception with a stable code and fields. A denial is no exception.
package io.menshen

import io.menshen.internal.BridgeException
import io.menshen.internal.InternalException

/**
 * Why a call could not be carried out. The message is in English, for the developer, and never holds personal data
 * or a foreign stack trace.
 *
 * @property code what happened.
 * @property fields the parts of the message by name.
 * @property problems everything wrong with a policy document, if the code is [ErrorCode.POLICY].
 */
class MenshenException internal constructor(
    val code: ErrorCode,
    message: String,
    val fields: Map<String, String> = emptyMap(),
    val problems: List<PolicyProblem> = emptyList(),
) : Exception(message)

/**
 * One thing wrong with a policy document.
 *
 * @property code a stable code in kebab-case.
 * @property message what is wrong.
 * @property pointer where, as a JSON pointer.
 * @property line the line, counted from 1.
 * @property column the column, counted from 1.
 * @property help what to do, where the library has an idea.
 */
data class PolicyProblem(
    val code: String,
    val message: String,
    val pointer: String,
    val line: Int,
    val column: Int,
    val help: String?,
)

/**
 * What happened, as a stable code.
 *
 * @property id the code in kebab-case, the same in every language of the library.
 */
enum class ErrorCode(val id: String) {
    /** The policy document is wrong; [MenshenException.problems] lists every problem. */
    POLICY("policy"),

    /** The policy has another id than the one whose answers are in this store. */
    FOREIGN_POLICY("foreign-policy"),

    /** The policy is older than the accepted one. */
    OLDER_POLICY("older-policy"),

    /** The policy has nothing of this name. */
    UNDECLARED("undeclared"),

    /** Only a version of the policy that the person has not accepted yet has this name. */
    NOT_ACCEPTED_YET("not-accepted-yet"),

    /** The event has no such field; in strict mode only. */
    UNDECLARED_FIELD("undeclared-field"),

    /** A field has another type than the policy declares. */
    FIELD_TYPE("field-type"),

    /** An event or item is larger than the limit. */
    TOO_LARGE("too-large"),

    /** Fields given as JSON are not one flat object, or a text has half of a surrogate pair, which UTF-8 can't write. */
    BAD_FIELDS("bad-fields"),

    /** The answer does not fit the step that waits for one. */
    UNEXPECTED_ANSWER("unexpected-answer"),

    /** A birth month or place that cannot be. */
    BAD_SUBJECT("bad-subject"),

    /** A time to live of zero or beyond the retention of the purpose. */
    BAD_TIME_TO_LIVE("bad-time-to-live"),

    /** The purpose does not name this recipient. */
    RECIPIENT_NOT_OF_PURPOSE("recipient-not-of-purpose"),

    /** A statute demands the purpose, so that it cannot be withdrawn. */
    LEGAL_DUTY("legal-duty"),

    /** No upload or delivery with this number is under way. */
    UNKNOWN_EXCHANGE("unknown-exchange"),

    /** The permit was used, its feature closed meanwhile, or its use ended. */
    PERMIT_ENDED("permit-ended"),

    /** The key store is locked, busy, or before the first unlock. Nothing is lost. */
    KEY_NOT_READY("key-not-ready"),

    /** The key store answers with another key than the one that the store was sealed with. */
    WRONG_KEY("wrong-key"),

    /** The key that the store was sealed with is gone. */
    KEY_LOST("key-lost"),

    /** The store is open already, here or in another process. */
    STORE_BUSY("store-busy"),

    /** The store's folder or disk is read-only. */
    STORE_READ_ONLY("store-read-only"),

    /** The disk, or the store's own limit, is full. */
    STORE_FULL("store-full"),

    /** The path of the store is not a folder. */
    NOT_A_FOLDER("not-a-folder"),

    /** The path is in an app group, where the system kills an app that is suspended with a lock. */
    IN_APP_GROUP("in-app-group"),

    /** The folder of the keys or of markers is in the store's own, with which it would be copied and put back. */
    INSIDE_STORE("inside-store"),

    /** The folder holds something that is not a store; nothing in it was touched. */
    NOT_A_STORE("not-a-store"),

    /** The disk failed. */
    IO("io"),

    /** The ledger does not verify; every gate is closed. */
    LEDGER_BROKEN("ledger-broken"),

    /** [Menshen.close] was called. */
    CLOSED("closed"),

    /** Something in the library is not as it must be; also the meaning of every code that this version doesn't know. */
    INTERNAL("internal"),
    ;

    internal companion object {
        private val byId = entries.associateBy { it.id }

        fun of(id: String): ErrorCode = byId[id] ?: INTERNAL
    }
}

/** Calls the library, and turns whatever it throws into what this layer promises. */
internal inline fun <T> bridged(call: () -> T): T =
    try {
        call()
    } catch (failed: BridgeException.Failed) {
        throw failed.toPublic()
    } catch (_: InternalException) {
        // Its text is a panic message, which is for nobody outside the library.
        throw MenshenException(ErrorCode.INTERNAL, "internal inconsistency; please report it")
    } catch (_: IllegalStateException) {
        // Only an object that was destroyed answers so.
        throw closed()
    }

/**
 * This text, if UTF-8 can write it. It is asked before every call that takes a text: a call that fails on its way into
 * the library leaves the object that it was made on open for ever.
 */
internal fun String.sound(): String {
    if (isSound) return this
    throw MenshenException(
        ErrorCode.BAD_FIELDS,
        "a text has half of a surrogate pair; give one that UTF-8 can write",
        mapOf("why" to "not-utf8"),
    )
}

/** Whether every surrogate has its other half. */
internal val String.isSound: Boolean
    get() {
        var at = 0
        while (at < length) {
            val isPair = this[at].isHighSurrogate() && at + 1 < length && this[at + 1].isLowSurrogate()
            if (this[at].isSurrogate() && !isPair) return false
            at += if (isPair) 2 else 1
        }
        return true
    }

internal fun closed(): MenshenException =
    MenshenException(ErrorCode.CLOSED, "the store was closed; open it again")

internal fun permitEnded(): MenshenException =
    MenshenException(ErrorCode.PERMIT_ENDED, "the permit has ended; request the feature again")

private fun BridgeException.Failed.toPublic(): MenshenException =
    MenshenException(
        ErrorCode.of(code),
        text,
        fields,
        problems.map { PolicyProblem(it.code, it.text, it.pointer, it.line, it.column, it.help) },
    )
