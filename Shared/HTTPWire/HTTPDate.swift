import Octets

/// Dates as HTTP writes them (RFC 9110 §5.6.7), as seconds since 1970-01-01T00:00:00Z.
public enum HTTPDate {
  private static let days: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months: [StaticString] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// An IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT`. Years outside 0 … 9999 are clamped.
  public static func format(_ seconds: Int64) -> [UInt8] {
    let clamped = min(max(seconds, -62_167_219_200), 253_402_300_799)
    let (date, second) = CivilDate.of(clamped)
    var text: [UInt8] = []
    text.reserveCapacity(29)
    text.append(static: days[date.weekday])
    text.append(static: ", ")
    text.append(decimal: date.day, width: 2)
    text.append(space)
    text.append(static: months[date.month - 1])
    text.append(space)
    text.append(decimal: date.year, width: 4)
    text.append(space)
    text.append(decimal: second / 3600, width: 2)
    text.append(0x3a)
    text.append(decimal: second / 60 % 60, width: 2)
    text.append(0x3a)
    text.append(decimal: second % 60, width: 2)
    text.append(static: " GMT")
    return text
  }

  /// Reads an IMF-fixdate, an RFC 850 date or an asctime date; nil for anything else.
  ///
  /// - Parameter currentYear: an RFC 850 year that would lie over 50 years ahead of it is of the century before.
  public static func parse(_ text: [UInt8], currentYear: Int = 2026) -> Int64? {
    var reader = DateReader(bytes: text)
    let comma = text.firstIndex(of: 0x2c)
    if comma == 3 {
      guard reader.skip(days), reader.skip(", "), let day = reader.number(2), reader.skip(" "),
        let month = reader.index(in: months), reader.skip(" "), let year = reader.number(4), reader.skip(" "),
        let time = reader.time(), reader.skip(" GMT"), reader.isAtEnd
      else { return nil }
      return seconds(year, month + 1, day, time)
    }
    if comma != nil {
      guard reader.skip(longDays), reader.skip(", "), let day = reader.number(2), reader.skip("-"),
        let month = reader.index(in: months), reader.skip("-"), let short = reader.number(2), reader.skip(" "),
        let time = reader.time(), reader.skip(" GMT"), reader.isAtEnd
      else { return nil }
      let century = currentYear - currentYear % 100
      let year = century + short > currentYear + 50 ? century + short - 100 : century + short
      return seconds(year, month + 1, day, time)
    }
    guard reader.skip(days), reader.skip(" "), let month = reader.index(in: months), reader.skip(" "),
      let day = reader.skip(" ") ? reader.number(1) : reader.number(2), reader.skip(" "), let time = reader.time(),
      reader.skip(" "), let year = reader.number(4), reader.isAtEnd
    else { return nil }
    return seconds(year, month + 1, day, time)
  }

  private static let longDays: [StaticString] = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  private static func seconds(_ year: Int, _ month: Int, _ day: Int, _ time: Int) -> Int64? {
    CivilDate(year: year, month: month, day: day).map { Int64($0.days * 86_400 + time) }
  }
}

/// Reads the fixed fields of a date from left to right.
private struct DateReader {
  let bytes: [UInt8]
  var position = 0

  var isAtEnd: Bool { position == bytes.count }

  mutating func skip(_ text: StaticString) -> Bool {
    guard position + text.utf8CodeUnitCount <= bytes.count else { return false }
    let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard unsafe bytes[position..<position + text.utf8CodeUnitCount].elementsEqual(wanted) else { return false }
    position += text.utf8CodeUnitCount
    return true
  }

  mutating func index(in names: [StaticString]) -> Int? {
    for index in names.indices where skip(names[index]) { return index }
    return nil
  }

  mutating func skip(_ names: [StaticString]) -> Bool { index(in: names) != nil }

  mutating func number(_ digits: Int) -> Int? {
    guard position + digits <= bytes.count,
      let value = bytes[position..<position + digits].parsedDecimal(as: Int.self)
    else { return nil }
    position += digits
    return value
  }

  /// `hh:mm:ss` as seconds of the day; a leap second counts as the next one.
  mutating func time() -> Int? {
    guard let hour = number(2), hour < 24, skip(":"), let minute = number(2), minute < 60, skip(":"),
      let second = number(2), second <= 60
    else { return nil }
    return hour * 3600 + minute * 60 + second
  }
}
