import Octets

/// Dates as letters have them: `Mon, 23 Nov 2026 11:00:00 +0000` (RFC 5322 §3.3).
public enum MailDate {
  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// `seconds` since 1970 in UTC, shown in a zone that many minutes east of it.
  public static func format(_ seconds: Int64, offsetMinutes: Int = 0) -> String {
    let local = seconds + Int64(offsetMinutes) * 60
    let (date, second) = CivilDate.of(local)
    let two = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
    let offset = abs(offsetMinutes)
    return
      "\(days[date.weekday]), \(date.day) \(months[date.month - 1]) "
      + "\(String(repeating: "0", count: max(0, 4 - "\(date.year)".count)))\(date.year) "
      + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) "
      + "\(offsetMinutes < 0 ? "-" : "+")\(two(offset / 60))\(two(offset % 60))"
  }

  /// Seconds since 1970 in UTC, the obsolete forms included (RFC 5322 §4.3); nil where the text is no date.
  public static func parse(_ text: some Collection<UInt8>) -> Int64? {
    var scanner = TokenScanner(Array(text)[...])
    let isWord = { (octet: UInt8) in octet.isASCIILetter }
    var word = take(&scanner, isWord)
    if !word.isEmpty {
      guard days.contains(where: { word.starts(with: $0.lowercased().utf8) }) else { return nil }
      _ = scanner.skip(0x2C)
    }
    guard let day = number(&scanner, digits: 1...2) else { return nil }
    _ = scanner.skip(0x2D)
    word = take(&scanner, isWord)
    guard word.count >= 3, let month = months.firstIndex(where: { word.prefix(3).elementsEqual($0.lowercased().utf8) })
    else { return nil }
    _ = scanner.skip(0x2D)
    guard let year = year(&scanner), let hour = number(&scanner, digits: 1...2), scanner.skip(0x3A),
      let minute = number(&scanner, digits: 1...2)
    else { return nil }
    var second = 0
    if scanner.skip(0x3A) {
      guard let value = number(&scanner, digits: 1...2) else { return nil }
      second = value
    }
    guard let date = CivilDate(year: year, month: month + 1, day: day), hour < 24, minute < 60, second <= 60,
      let zone = zone(&scanner)
    else { return nil }
    return Int64(date.days * 86_400 + hour * 3600 + minute * 60 + min(second, 59) - zone * 60)
  }

  private static func take(_ scanner: inout TokenScanner, _ isIn: (UInt8) -> Bool) -> [UInt8] {
    scanner.skipBlanks()
    let found = scanner.rest.prefix(while: isIn)
    scanner.rest = scanner.rest[found.endIndex...]
    return found.map(\.asciiLowercased)
  }

  private static func number(_ scanner: inout TokenScanner, digits: ClosedRange<Int>) -> Int? {
    let found = take(&scanner) { $0.isASCIIDigit }
    return digits.contains(found.count) ? found.parsedDecimal() : nil
  }

  /// Years of two and three digits are obsolete and mean 1950 to 2049, and 1900 on.
  private static func year(_ scanner: inout TokenScanner) -> Int? {
    let found = take(&scanner) { $0.isASCIIDigit }
    guard 2...4 ~= found.count, let year = found.parsedDecimal(as: Int.self) else { return nil }
    switch found.count {
    case 2: return year < 50 ? 2000 + year : 1900 + year
    case 3: return 1900 + year
    default: return year
    }
  }

  /// Minutes east of UTC; a name that is not known counts as UTC, as the RFC asks for.
  private static func zone(_ scanner: inout TokenScanner) -> Int? {
    scanner.skipBlanks()
    guard let sign = scanner.rest.first else { return 0 }
    if sign == 0x2B || sign == 0x2D {
      scanner.rest.removeFirst()
      guard let value = number(&scanner, digits: 4...4), value % 100 < 60 else { return nil }
      let minutes = value / 100 * 60 + value % 100
      return sign == 0x2D ? -minutes : minutes
    }
    let name = take(&scanner) { $0.isASCIILetter }
    guard !name.isEmpty else { return nil }
    switch String(decoding: name, as: UTF8.self) {
    case "edt": return -4 * 60
    case "est", "cdt": return -5 * 60
    case "cst", "mdt": return -6 * 60
    case "mst", "pdt": return -7 * 60
    case "pst": return -8 * 60
    default: return 0
    }
  }
}

/// Names of letters and of parts (RFC 5322 §3.6.4).
public enum MessageID {
  /// `<seconds.random@domain>`.
  public static func make(at seconds: Int64, domain: String, using generator: inout some RandomNumberGenerator)
    -> String
  {
    let random = generator.next() as UInt64
    return "<\(seconds).\(String(random, radix: 36))@\(domain)>"
  }

  /// The ids in a field such as References or In-Reply-To, with their angle brackets; at most 100, and none that is longer than
  /// a line may be (RFC 5322 §2.1.1).
  public static func list(_ value: some Collection<UInt8>) -> [String] {
    var ids: [String] = []
    var rest = Array(value)[...]
    while ids.count < 100, let open = rest.firstIndex(of: 0x3C), let close = rest[open...].firstIndex(of: 0x3E) {
      let id = rest[open...close].filter { $0 > 0x20 && $0 < 0x7F }
      if 3...998 ~= id.count { ids.append(String(decoding: id, as: UTF8.self)) }
      rest = rest[(close + 1)...]
    }
    return ids
  }
}
