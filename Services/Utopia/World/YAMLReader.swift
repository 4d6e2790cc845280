import Yams

/// What is wrong with a world file, and in which line.
struct WorldFileError: Error, CustomStringConvertible {
  var file: String
  var line: Int?
  var problem: String

  var description: String { line.map { "\(file):\($0): \(problem)" } ?? "\(file): \(problem)" }
}

/// A node of the file with the way to it, so that an error says where it is. A mapping must be read key by key and
/// then `finish`ed: a key that nobody asked for is a mistake in the file, not something to pass over.
struct YAMLReader {
  let file: String
  let path: String
  private let node: Node

  init(_ text: String, file: String) throws(WorldFileError) {
    self.file = file
    path = ""
    let root: Node?
    do {
      root = try compose(yaml: text)
    } catch let error as YamlError {
      throw WorldFileError(file: file, line: error.line, problem: "not YAML: \(error.problem)")
    } catch {
      throw WorldFileError(file: file, line: nil, problem: "not YAML: \(error)")
    }
    guard let root else { throw WorldFileError(file: file, line: nil, problem: "the file is empty") }
    node = root
  }

  private init(_ node: Node, file: String, path: String) {
    self.node = node
    self.file = file
    self.path = path
  }

  func error(_ problem: String) -> WorldFileError {
    WorldFileError(file: file, line: node.mark?.line, problem: path.isEmpty ? problem : "\(path): \(problem)")
  }

  var isMapping: Bool { node.mapping != nil }

  /// The value of a key that must be there.
  func required(_ key: String) throws(WorldFileError) -> YAMLReader {
    guard let value = try optional(key) else { throw error("`\(key)` is missing") }
    return value
  }

  /// The value of a key that may be absent.
  func optional(_ key: String) throws(WorldFileError) -> YAMLReader? {
    guard let mapping = node.mapping else { throw error("a mapping was expected") }
    return mapping[key].map { YAMLReader($0, file: file, path: below(key)) }
  }

  /// Keys and values in the order of the file.
  func entries() throws(WorldFileError) -> [(key: String, value: YAMLReader)] {
    guard let mapping = node.mapping else { throw error("a mapping was expected") }
    var entries: [(key: String, value: YAMLReader)] = []
    for (key, value) in mapping {
      guard let name = key.scalar?.string else { throw error("a key must be plain text") }
      entries.append((name, YAMLReader(value, file: file, path: below(name))))
    }
    return entries
  }

  /// Refuses keys other than these.
  func finish(_ known: String...) throws(WorldFileError) {
    for (key, value) in try entries() where !known.contains(key) {
      throw value.error("unknown key; here one of \(known.joined(separator: ", ")) may stand")
    }
  }

  /// The text of a scalar, or the texts of a sequence of scalars.
  func texts() throws(WorldFileError) -> [String] {
    guard let sequence = node.sequence else { return [try text()] }
    var texts: [String] = []
    for item in sequence {
      guard let scalar = item.scalar else { throw error("a list of plain texts was expected") }
      texts.append(scalar.string)
    }
    return texts
  }

  func text() throws(WorldFileError) -> String {
    guard let scalar = node.scalar else { throw error("a plain text was expected") }
    return scalar.string
  }

  func flag() throws(WorldFileError) -> Bool {
    switch try text() {
    case "true": true
    case "false": false
    default: throw error("true or false was expected")
    }
  }

  func number<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws(WorldFileError) -> Number {
    guard let number = Number(try text()), range.contains(number) else {
      throw error("a number from \(range.lowerBound) to \(range.upperBound) was expected")
    }
    return number
  }

  private func below(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

extension YamlError {
  fileprivate var line: Int? {
    switch self {
    case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
    default: nil
    }
  }

  fileprivate var problem: String {
    switch self {
    case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _),
      .reader(let problem, _, _, _):
      problem
    default: "\(self)"
    }
  }
}
