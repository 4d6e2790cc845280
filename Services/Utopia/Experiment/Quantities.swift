import ArgumentParser

/// An amount of data, as a person writes it: `64MiB`, `1GB`, `500000`.
struct DataSize: Hashable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  var octets: Int

  init(octets: Int) { self.octets = octets }

  init?(argument: String) {
    let units: [(String, Double)] = [
      ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9),
      ("B", 1),
      ("", 1),
    ]
    guard let octets = quantity(argument, units), 1...1e13 ~= octets else { return nil }
    self.octets = Int(octets)
  }

  var bits: Double { Double(octets) * 8 }

  var description: String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    where octets >= size && octets % size == 0 {
      return "\(octets / size) \(unit)"
    }
    for (unit, size) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)] where octets >= size {
      return "\(rounded(Double(octets) / Double(size), 1)) \(unit)"
    }
    return "\(octets) B"
  }
}

/// Data a second, as a person writes it: `80Mbps`, `1.5Gbps`.
struct DataRate: Hashable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  var bitsPerSecond: Double

  init(bitsPerSecond: Double) { self.bitsPerSecond = bitsPerSecond }

  init?(argument: String) {
    let units = [
      ("kbps", 1e3), ("Kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9), ("kbit/s", 1e3), ("Mbit/s", 1e6), ("Gbit/s", 1e9),
      ("bps", 1),
    ]
    guard let bits = quantity(argument, units), 10_000...1e12 ~= bits else { return nil }
    bitsPerSecond = bits
  }

  /// Whole octets a second.
  var octets: Int { Int(bitsPerSecond / 8) }

  var description: String {
    for (unit, size) in [("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3)] where bitsPerSecond >= size {
      return "\(rounded(bitsPerSecond / size, 2)) \(unit)"
    }
    return "\(Int(bitsPerSecond)) bps"
  }
}

/// The first unit that ends the text, and the number before it.
private func quantity(_ text: String, _ units: [(String, Double)]) -> Double? {
  let text = text.filter { $0 != " " }
  for (unit, size) in units where text.hasSuffix(unit) {
    if let number = Double(text.dropLast(unit.count)), number.isFinite, number > 0 { return number * size }
  }
  return nil
}

/// With at most so many decimals, and no noughts at their end.
func rounded(_ value: Double, _ decimals: Int) -> String {
  var scale = 1.0
  for _ in 0..<decimals { scale *= 10 }
  let number = (value * scale).rounded() / scale
  return number == number.rounded() ? "\(Int(number))" : "\(number)"
}
