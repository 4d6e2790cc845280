import ArgumentParser
import FoundationEssentials
import Logging

/// What may change while the service runs: said by flags, and by the file of `--settings-file`, which SIGHUP reads again.
struct LiveSettings: Equatable, Sendable {
  var logLevel = Logger.Level.info
  /// Requests a second of one address; nil for any number.
  var rateLimit: Int?

  /// Blocks where there is a file. What the file says goes before the flags.
  /// - Throws: a `ValidationError` that names the flag, or the file and the line.
  init(_ options: ServiceOptions) throws {
    try set("log-level", options.logLevel, at: "--log-level")
    if let limit = options.rateLimit { try set("rate-limit", "\(limit)", at: "--rate-limit") }
    guard let path = options.settingsFile else { return }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw ValidationError("the settings file \(path) can't be read")
    }
    try read(text, file: path)
  }

  /// Lines of `name value`; `#` begins a comment.
  mutating func read(_ text: String, file: String) throws {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      guard !words.isEmpty else { continue }
      let place = "\(file):\(index + 1)"
      guard words.count == 2 else { throw ValidationError("\(place): a name and a value were expected") }
      try set(String(words[0]), String(words[1]), at: "\(place): \(words[0])")
    }
  }

  private mutating func set(_ name: String, _ value: String, at place: String) throws {
    switch name {
    case "log-level":
      guard let level = Logger.Level(rawValue: value) else {
        throw ValidationError("\(place) must be trace, debug, info, notice, warning, error or critical")
      }
      logLevel = level
    case "rate-limit":
      guard let limit = Int(value), limit >= 0 else {
        throw ValidationError("\(place) must be a number of requests a second; 0 for no limit")
      }
      rateLimit = limit == 0 ? nil : limit
    default: throw ValidationError("\(place) is unknown: log-level or rate-limit may stand here")
    }
  }
}
