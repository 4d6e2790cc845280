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
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let second = seconds - days * 86_400
    let (year, month, day) = CivilDate.from(days: days)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let padding = String(repeating: "0", count: max(0, 4 - "\(year)".count))
    return
      "\(padding)\(year)-\(two(month))-\(two(day))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
  }

  /// Reads RFC 3339's `date-time`, or a bare `full-date` as its midnight; nil for all else.
  public init?(rfc3339 text: String) {
    let octets = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= octets.count else { return nil }
      return Array(octets[range]).parsedDecimal(as: Int64.self)
    }
    guard octets.count >= 10, octets[4] == 0x2D, octets[7] == 0x2D, let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), 1...12 ~= month, 1...CivilDate.days(in: month, of: year) ~= day
    else { return nil }
    var seconds = CivilDate.days(year: year, month: month, day: day) * 86_400
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
    self.init(milliseconds: seconds * 1000 + milliseconds)
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

/// The proleptic Gregorian calendar in days since 1970-01-01.
enum CivilDate {
  /// Counts in years that begin in March, so that the leap day is the last of its year.
  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let year = month <= 2 ? year - 1 : year
    let era = (year >= 0 ? year : year - 399) / 400
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func from(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
  }

  static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}
