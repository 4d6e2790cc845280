import ArgumentParser
import EventLoop
import HTTPClient

/// Shows or advances the clock that the protocols go by.
struct Clock: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the world clock, or advance it in every service.",
    discussion: "The clock only goes forward, until `utopia reset`. Time limits that pass on the way take effect.")

  @OptionGroup var options: WorldOptions

  @Argument(help: "How far: +3d, +2h30m, +45s.")
  var advance: String?

  func run() throws {
    try telling {
      let advance = try advance.map { text throws(Trouble) in
        guard let step = seconds(of: text) else {
          throw Trouble("\(text): a time such as +3d, +2h30m or +45s was expected, of a century at most")
        }
        return step
      }
      let world = try options.loadRunning()
      let token = try options.directory.token()
      try runOnLoop { loop in
        let client = HTTPClient(on: loop)
        let doors = world.hosts.map { world.door(to: $0, token: token, through: client) }
        var offset = 0
        for door in doors { offset = max(offset, try await door.ask("GET", "/v1/clock")["offset_seconds"]?.int ?? 0) }
        if let advance {
          offset += advance
          for door in doors { try await door.ask("PUT", "/v1/clock", ["offset_seconds": .number(Double(offset))]) }
        }
        say("The world is \(duration(offset)) ahead.")
      }
    }
  }
}

/// "+2h30m" in seconds: numbers with the units d, h, m and s, each at most once, the largest first.
func seconds(of text: String) -> Int? {
  guard text.first == "+", text.count > 1 else { return nil }
  var units: [(Character, Int)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
  var total = 0
  var digits = ""
  for character in text.dropFirst() {
    if character.isASCII, character.isNumber {
      digits.append(character)
      continue
    }
    guard let unit = units.firstIndex(where: { $0.0 == character }), let number = Int(digits), number <= 3_652_500
    else {
      return nil
    }
    total += number * units[unit].1
    units.removeFirst(unit + 1)
    digits = ""
  }
  return digits.isEmpty ? total : nil
}

/// Seconds as a person says them: "3d 2h".
func duration(_ seconds: Int) -> String {
  if seconds == 0 { return "0s" }
  var rest = seconds
  var parts: [String] = []
  for (name, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] where rest >= length {
    parts.append("\(rest / length)\(name)")
    rest %= length
  }
  return parts.joined(separator: " ")
}
