// The places where a vector puts its store, and what else is there: other files, another process, a disk that fills up.
package io.menshen

import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.util.concurrent.TimeUnit

/** The store's folder where it is none of the vector's own. */
internal fun place(root: File, kind: String): File {
    fun file() = root.resolve("file").apply { writeText("not a folder") }
    return when (kind) {
        "missing" -> root.resolve("nowhere/store")
        "file" -> file()
        "beneath-a-file" -> file().resolve("store")
        // Longer than any file system takes.
        "failing" -> root.resolve("x".repeat(300))
        "garbage" ->
            root.resolve("garbage").apply {
                mkdirs()
                resolve("manifest.1").writeBytes(ByteArray(4096) { 0x5a })
                resolve("holiday.jpg").writeBytes(ByteArray(512) { -1 })
            }
        "app-group" -> root.resolve("Containers/Shared/AppGroup/one/store")
        // Nobody can make a folder there, root neither.
        "read-only" -> File("/sys/menshen-store")
        else -> throw BrokenVector("a store is not `$kind`")
    }
}

/** Another process that has a vector's store open: [main] of this file. */
internal class AnotherProcess private constructor(private val process: Process) : AutoCloseable {
    override fun close() {
        process.outputStream.close()
        check(process.waitFor(30, TimeUnit.SECONDS)) { "the other process does not end" }
    }

    companion object {
        fun holding(root: File): AnotherProcess {
            val java = File(System.getProperty("java.home"), "bin/java").path
            val library = "-Djna.library.path=${System.getProperty("jna.library.path")}"
            val process =
                ProcessBuilder(java, library, "-cp", System.getProperty("java.class.path"), "io.menshen.PlacesKt", root.path)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start()
            val told = process.inputStream.bufferedReader().readLine()
            if (told != HELD) throw BrokenVector("the other process could not open the store: $told")
            return AnotherProcess(process)
        }
    }
}

private const val HELD = "the store is held"

/** Holds a vector's store until its input ends. */
fun main(arguments: Array<String>) {
    val root = File(arguments.single())
    val policy = sharedTests.resolve("vectors/policy.json").readBytes()
    Menshen.open(Configuration(policy, root.resolve("store")), Keys.FileKeys(root.resolve("keys"))).use {
        println(HELD)
        System.`in`.readBytes()
    }
}

/**
 * A folder of a vector's own on a disk of a few megabytes, which the environment names: `small` is the disk, `read-only` the
 * same disk as nobody can write it.
 */
internal class SmallDisk private constructor(private val folder: File, disk: File) : AutoCloseable {
    private val filler = folder.resolve("filler")
    val store = folder.resolve("store")
    val readOnlyStore = disk.resolve("read-only").resolve(folder.name).resolve("store")

    /** Takes the last byte of the disk. */
    fun fill() {
        for (size in listOf(4096, 1)) {
            val block = ByteArray(size)
            try {
                while (true) filler.appendBytes(block)
            } catch (_: IOException) {
                // There is no room left.
            }
        }
    }

    fun free() = filler.writeBytes(ByteArray(0))

    override fun close() {
        folder.deleteRecursively()
    }

    companion object {
        private val named: File? = System.getenv("MENSHEN_DISK")?.let(::File)
        val isThere = named != null

        fun take(): SmallDisk {
            val disk = checkNotNull(named) { "no small disk is mounted" }
            return SmallDisk(Files.createTempDirectory(disk.resolve("small").toPath(), "vector").toFile(), disk)
        }
    }
}
