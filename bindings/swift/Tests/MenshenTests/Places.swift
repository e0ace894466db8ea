// The places where a vector puts its store, and what else is there: other files, another process, a disk that fills up.

import Foundation
import Menshen

/// The store's folder where it is none of the vector's own.
func place(_ kind: String, in folder: TestFolder) throws -> URL {
  func file() throws -> URL {
    try Data("not a folder".utf8).write(to: folder.at("file"))
    return folder.at("file")
  }
  switch kind {
  case "missing": return folder.at("nowhere/store")
  case "file": return try file()
  case "beneath-a-file": return try file().appendingPathComponent("store")
  // Longer than any file system takes.
  case "failing": return folder.at(String(repeating: "x", count: 300))
  case "garbage":
    let garbage = folder.at("garbage")
    try FileManager.default.createDirectory(at: garbage, withIntermediateDirectories: true)
    try Data(repeating: 0x5a, count: 4096).write(to: garbage.appendingPathComponent("manifest.1"))
    try Data(repeating: 0xff, count: 512).write(to: garbage.appendingPathComponent("holiday.jpg"))
    return garbage
  case "app-group": return folder.at("Containers/Shared/AppGroup/one/store")
  case "read-only":
    // Nobody can make a folder there, root neither, if it is the kernel's own.
    guard FileManager.default.fileExists(atPath: "/sys/kernel") else {
      throw BrokenVector("/sys is not mounted")
    }
    return URL(fileURLWithPath: "/sys/menshen-store")
  default: throw BrokenVector("no store `\(kind)`")
  }
}

/// Another process of this very test bundle that has a vector's store open.
struct AnotherProcess {
  private static let variable = "MENSHEN_HOLD"
  private static let held = "the store is held"

  private let process = Process()
  private let input = Pipe()

  init(holding root: URL) throws {
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments = ["MenshenTests.VectorTests/testEveryVectorIsKeptAndTheyMeetEveryErrorCode"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      [Self.variable: root.path]
    ) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var told = Data()
    while String(decoding: told, as: UTF8.self).range(of: Self.held) == nil {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw BrokenVector("the other process could not open the store") }
      told.append(more)
    }
  }

  func end() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// What the other process does: holds the store until its input ends. `false` in the process that runs the vectors.
  static func isThis() throws -> Bool {
    guard let path = ProcessInfo.processInfo.environment[variable] else { return false }
    let root = URL(fileURLWithPath: path)
    let menshen = try Menshen(
      policy: .file(sharedTests.appendingPathComponent("vectors/policy.json")),
      store: root.appendingPathComponent("store"), keys: .file(root.appendingPathComponent("keys")))
    FileHandle.standardOutput.write(Data("\(held)\n".utf8))
    _ = FileHandle.standardInput.readDataToEndOfFile()
    menshen.close()
    return true
  }
}

/// A folder of a vector's own on a disk of a few megabytes, which the environment names: `small` is the disk, `read-only`
/// the same disk as nobody can write it. It is gone with the last reference.
final class SmallDisk {
  private static let named = ProcessInfo.processInfo.environment["MENSHEN_DISK"]

  static var isThere: Bool { named != nil }

  private let folder: URL
  let store: URL
  let readOnlyStore: URL

  init() throws {
    guard let named = Self.named else { throw BrokenVector("no small disk is mounted") }
    let disk = URL(fileURLWithPath: named)
    let name = UUID().uuidString
    folder = disk.appendingPathComponent("small/\(name)")
    store = folder.appendingPathComponent("store")
    readOnlyStore = disk.appendingPathComponent("read-only/\(name)/store")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  private var filler: URL { folder.appendingPathComponent("filler") }

  /// Takes the last byte of the disk.
  func fill() throws {
    try free()
    let file = try FileHandle(forWritingTo: filler)
    for size in [4096, 1] {
      let block = Data(count: size)
      while (try? file.write(contentsOf: block)) != nil {}
    }
    try file.close()
  }

  func free() throws {
    try Data().write(to: filler)
  }
}
