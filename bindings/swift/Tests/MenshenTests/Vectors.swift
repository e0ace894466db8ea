// Reads vectors, runs them and tells where one is not kept.

import Foundation
import Menshen

/// A story: steps in order, each with what it must give.
struct Vector: Sendable {
  let name: String
  /// The file that it stands in, without the ending; empty for one of this package's own.
  var file = ""
  var needsSmallDisk = false
  var steps: [JSON]
}

/// What running a vector gave.
struct Run: Sendable {
  let vector: Vector
  let mismatch: Mismatch?
  /// The codes of the errors that it met.
  let codes: Set<MenshenError.Code>
}

/// The vectors of one folder with the policy that they start from.
struct Vectors: Sendable {
  let policy: JSON
  let vectors: [Vector]

  /// Every vector of every file in a folder.
  init(folder: URL) throws {
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    let stories = files.filter {
      $0.pathExtension == "json" && $0.lastPathComponent != "policy.json"
    }
    policy = try JSON.parse(Data(contentsOf: folder.appendingPathComponent("policy.json")))
    vectors = try stories.sorted { $0.lastPathComponent < $1.lastPathComponent }
      .flatMap { file in
        try Vectors.read(
          JSON.parse(Data(contentsOf: file)), file: file.deletingPathExtension().lastPathComponent)
      }
  }

  init(policy: JSON, _ document: JSON) throws {
    self.policy = policy
    vectors = try Vectors.read(document, file: "")
  }

  private static func read(_ document: JSON, file: String) throws -> [Vector] {
    guard let vectors = document["vectors"]?.array else {
      throw BrokenVector("a file without `vectors`")
    }
    return try vectors.map { vector in
      guard let name = vector["name"]?.string, let steps = vector["steps"]?.array else {
        throw BrokenVector("a vector without `name` or `steps`")
      }
      return Vector(
        name: name, file: file, needsSmallDisk: vector["needs"] == "small-disk", steps: steps)
    }
  }
}

/// A vector that no runner can run.
struct BrokenVector: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Where a vector was not kept.
struct Mismatch: Equatable, CustomStringConvertible {
  let vector: String
  /// Counted from 1.
  let step: Int
  let expected: String
  let got: String

  var description: String {
    "vector `\(vector)`, step \(step): expected \(expected), got \(got)"
  }
}

extension Vector {
  /// Runs the steps until one is not kept.
  func run(policy: JSON) async -> Run {
    do {
      let story = try await Story(policy: policy)
      defer { story.close() }
      let mismatch = await run(in: story)
      return Run(vector: self, mismatch: mismatch, codes: story.codes)
    } catch {
      let mismatch = Mismatch(vector: name, step: 0, expected: "an open session", got: "\(error)")
      return Run(vector: self, mismatch: mismatch, codes: [])
    }
  }

  private func run(in story: Story) async -> Mismatch? {
    for (index, step) in steps.enumerated() {
      let expected = step["expect"]
      let mismatch = { (got: String) in
        Mismatch(
          vector: name, step: index + 1, expected: expected.map(\.description) ?? "a result",
          got: got)
      }
      do {
        let got = try await story.perform(step)
        if let expected, !got.matches(expected) { return mismatch(got.description) }
        // A failure that the vector does not mention must not go by unseen.
        if expected == nil, got["error"] != nil { return mismatch(got.description) }
      } catch {
        return mismatch("a broken vector: \(error)")
      }
    }
    return nil
  }

  /// The same vector with the first expectation made wrong.
  func spoiled() -> Vector {
    var spoiled = self
    guard let index = steps.firstIndex(where: { $0["expect"] != nil }),
      let step = steps[index].object, let expect = step["expect"]
    else { return spoiled }
    spoiled.steps[index] = .object(step.merging(["expect": expect.spoiled()]) { $1 })
    return spoiled
  }
}

extension JSON {
  /// The same value with one leaf changed.
  fileprivate func spoiled() -> JSON {
    switch self {
    case .object(let object):
      guard let key = object.keys.sorted().first, let value = object[key] else {
        return ["spoiled": true]
      }
      return .object(object.merging([key: value.spoiled()]) { $1 })
    case .array(let array): return .array(array + ["spoiled"])
    case .bool(let value): return .bool(!value)
    case .integer(let value): return .integer(value + 1)
    case .string(let value): return .string(value + "-spoiled")
    case .number, .null: return "spoiled"
    }
  }
}
