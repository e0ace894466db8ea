// An open store for one test, and screens that answer by themselves.
package io.menshen

import com.google.gson.JsonParser
import java.io.File
import java.nio.file.Files

/** The folder of the repository's shared test files. */
internal val sharedTests = File(System.getenv("MENSHEN_VECTORS") ?: "../../tests/vectors").absoluteFile.normalize().parentFile

internal class Fixture(patch: String = "{}") : AutoCloseable {
    val root: File = Files.createTempDirectory("menshen").toFile()
    val host = Host()
    val clock = StandingClock()
    private val policy =
        gson
            .toJson(merge(JsonParser.parseString(sharedTests.resolve("policies/minimal.json").readText()), JsonParser.parseString(patch)))
            .encodeToByteArray()

    /** The one opened last. */
    lateinit var menshen: Menshen

    val store: File = root.resolve("store")

    fun open(keys: Keys = Keys.FileKeys(root.resolve("keys")), anchor: Anchor? = null): Menshen =
        Menshen.open(Configuration(policy, store), keys, host, clock, anchor).also { menshen = it }

    override fun close() {
        if (::menshen.isInitialized) menshen.close()
        root.deleteRecursively()
    }
}

internal inline fun <T> withFixture(patch: String = "{}", test: (Fixture) -> T): T = Fixture(patch).use(test)

/** Answers every question the same way, and every system dialog as [system] says. */
internal open class AnsweringScreen(
    private val host: Host,
    private val yes: Boolean = true,
    private val system: PermissionState = PermissionState.GRANTED,
) : Screen {
    val shown = ArrayList<Prompt>()

    override suspend fun show(prompt: Prompt): Boolean {
        shown += prompt
        return yes
    }

    override suspend fun offer(offers: List<Offer>): Set<String> = if (yes) offers.map { it.purpose }.toSet() else emptySet()

    override suspend fun askSubject(): SubjectAnswer = SubjectAnswer(born = "1990-05", place = "DE")

    override suspend fun confirmSubject(subject: SubjectAnswer): Boolean = true

    override suspend fun askSystem(permission: Permission, text: String): PermissionState {
        host.permissions[permission] = system
        return system
    }
}
