// What opening found and how the store is.
package io.menshen

import io.menshen.internal.BridgeHealth
import io.menshen.internal.BridgeOpenReport

/**
 * What opening a store found.
 *
 * @property segments segments in use.
 * @property records whole records in them.
 * @property adopted segments that the manifest did not list and that were taken in from their own headers.
 * @property quarantined files left alone because they are not understood or must not come back.
 * @property missing listed segments whose files are missing.
 * @property damagedRecords records of which only a gap in the numbering is left.
 * @property tornBytes bytes behind the last whole record of a segment: a write that did not finish, or damage.
 * @property damagedKeys slots of the key file of which neither copy can be read.
 * @property manifestDamaged whether frames of the manifest were lost.
 * @property foreignCursors cursors that were not written by this store; their records are offered again. Known once the
 * store's key is.
 */
data class OpenReport(
    val segments: Long,
    val records: Long,
    val adopted: Long,
    val quarantined: Long,
    val missing: Long,
    val damagedRecords: Long,
    val tornBytes: Long,
    val damagedKeys: Long,
    val manifestDamaged: Boolean,
    val foreignCursors: Long,
)

/**
 * How a store is.
 *
 * @property bytes bytes of all segments.
 * @property segments segments in use.
 * @property records whole records on disk.
 * @property dropped records dropped by telemetry's bound, ever.
 * @property quarantined records that an endpoint refused, kept until they expire.
 * @property quarantinedFiles files left alone since the store was opened.
 * @property damaged damaged records met since the store was opened.
 * @property suspect segments whose last sync failed and whose records are to be written anew.
 */
data class Health(
    val bytes: Long,
    val segments: Long,
    val records: Long,
    val dropped: Long,
    val quarantined: Long,
    val quarantinedFiles: Long,
    val damaged: Long,
    val suspect: Long,
)

internal fun BridgeOpenReport.toPublic(): OpenReport =
    OpenReport(
        segments = segments,
        records = records,
        adopted = adopted,
        quarantined = quarantined,
        missing = missing,
        damagedRecords = damagedRecords,
        tornBytes = tornBytes,
        damagedKeys = damagedKeys,
        manifestDamaged = manifestDamaged,
        foreignCursors = foreignCursors,
    )

internal fun BridgeHealth.toPublic(): Health =
    Health(
        bytes = bytes,
        segments = segments,
        records = records,
        dropped = dropped,
        quarantined = quarantined,
        quarantinedFiles = quarantinedFiles,
        damaged = damaged,
        suspect = suspect,
    )
