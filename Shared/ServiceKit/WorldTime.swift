import Octets

/// A moment of the world: milliseconds since 1970 in UTC, without leap seconds.
public struct WorldTime: Hashable, Comparable, Sendable {
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }
  public init(seconds: Int64) { milliseconds = seconds.multipliedReportingOverflow(by: 1000).partialValue }

  /// Whole seconds since 1970, rounded down.
  public var seconds: Int64 { milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000 }

  public static func < (one: WorldTime, other: WorldTime) -> Bool { one.milliseconds < other.milliseconds }
  public static func + (time: WorldTime, duration: Duration) -> WorldTime {
    let (seconds, attoseconds) = duration.components
    return WorldTime(milliseconds: time.milliseconds &+ seconds &* 1000 &+ attoseconds / 1_000_000_000_000_000)
  }

  /// `2026-11-23T09:46:00Z` (RFC 3339 §5.6), to the second.
  public var rfc3339: String {
    let (date, second) = CivilDate.of(seconds)
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let padding = String(repeating: "0", count: max(0, 4 - "\(date.year)".count))
    return
      "\(padding)\(date.year)-\(two(date.month))-\(two(date.day))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
  }

  /// Reads RFC 3339's `date-time`, or a bare `full-date` as its midnight; nil for all else.
  public init?(rfc3339 text: String) {
    let octets = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= octets.count else { return nil }
      return Array(octets[range]).parsedDecimal()
    }
    guard octets.count >= 10, octets[4] == 0x2D, octets[7] == 0x2D, let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), let date = CivilDate(year: year, month: month, day: day)
    else { return nil }
    var seconds = date.days * 86_400
    var milliseconds: Int64 = 0
    if octets.count > 10 {
      guard octets.count >= 20, octets[10] | 0x20 == 0x74, octets[13] == 0x3A, octets[16] == 0x3A,
        let hour = number(11..<13),
        let minute = number(14..<16), let second = number(17..<19), hour < 24, minute < 60, second <= 60
      else { return nil }
      seconds += hour * 3600 + minute * 60 + second
      var rest = octets[19...]
      if rest.first == 0x2E {
        let digits = rest.dropFirst().prefix { $0.isASCIIDigit }
        guard !digits.isEmpty else { return nil }
        milliseconds = Array((Array(digits) + [0x30, 0x30]).prefix(3)).parsedDecimal(as: Int64.self) ?? 0
        rest = rest.dropFirst(1 + digits.count)
      }
      if rest.count == 1, let zone = rest.first, zone | 0x20 == 0x7A {
        // UTC as it stands.
      } else {
        guard rest.count == 6, let sign = rest.first, sign == 0x2B || sign == 0x2D, rest[rest.startIndex + 3] == 0x3A,
          let hours = number(rest.startIndex + 1..<rest.startIndex + 3),
          let minutes = number(rest.startIndex + 4..<rest.startIndex + 6), hours < 24, minutes < 60
        else { return nil }
        seconds -= (sign == 0x2B ? 1 : -1) * (hours * 3600 + minutes * 60)
      }
    }
    self.init(milliseconds: Int64(seconds) * 1000 + milliseconds)
  }
}

extension WorldTime: CustomStringConvertible, Codable {
  public var description: String { rfc3339 }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let time = WorldTime(rfc3339: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time")
    }
    self = time
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rfc3339)
  }
}
