import Octets

/// Zone files in the master file format of RFC 1035 §5, with `$TTL` (RFC 2308 §4), TTL units and unknown types (RFC
/// 3597 §5).
public struct ZoneFile: Sendable {
  /// A record and the line it begins on, from 1.
  public struct Entry: Hashable, Sendable {
    public var line: Int
    public var record: ResourceRecord
  }

  public var entries: [Entry] = []
  public var records: [ResourceRecord] { entries.map(\.record) }

  /// - Parameters:
  ///   - origin: what relative names are relative to until `$ORIGIN` says otherwise.
  ///   - defaultTTL: seconds, for records without a TTL before any `$TTL`.
  public init(parsing text: [UInt8], origin: Name, defaultTTL: UInt32? = nil) throws(ZoneFileError) {
    var scanner = ZoneFileScanner(text)
    var context = Context(origin: origin, defaultTTL: defaultTTL)
    while let entry = try scanner.next() {
      if let record = try context.read(entry) { entries.append(Entry(line: entry.line, record: record)) }
    }
  }

  /// One line a record, all names absolute.
  public static func text(_ records: some Sequence<ResourceRecord>) -> [UInt8] {
    var text: [UInt8] = []
    for record in records {
      text += record.name.text
      text.append(0x09)
      text.appendDecimal(record.ttl)
      text += "\t\(record.class)\t\(record.type)\t\(record.data.text)\n".utf8
    }
    return text
  }
}

/// What earlier lines of a zone file say to later ones.
private struct Context {
  var origin: Name
  var defaultTTL: UInt32?
  var owner: Name?
  var lastTTL: UInt32?

  init(origin: Name, defaultTTL: UInt32?) {
    self.origin = origin
    self.defaultTTL = defaultTTL
  }

  /// The entry's record; nil for a directive.
  mutating func read(_ entry: ZoneFileEntry) throws(ZoneFileError) -> ResourceRecord? {
    do {
      var tokens = entry.tokens[...]
      if !entry.startsBlank, let first = tokens.first {
        tokens = tokens.dropFirst()
        if first.octets.first == 0x24, !first.isQuoted {
          try readDirective(first.string, tokens)
          return nil
        }
        owner = try name(first)
      }
      return try readRecord(tokens)
    } catch {
      throw ZoneFileError(line: entry.line, reason: error)
    }
  }

  private func name(_ token: TextToken) throws(ZoneFileError.Reason) -> Name {
    do {
      return try Name(text: token.octets, origin: origin)
    } catch {
      throw .text(error)
    }
  }

  private mutating func readDirective(_ directive: String, _ tokens: ArraySlice<TextToken>)
    throws(ZoneFileError.Reason)
  {
    switch directive.uppercased() {
    case "$INCLUDE": throw .includeRefused
    case "$ORIGIN":
      guard let token = tokens.first else { throw .text(.missing("origin")) }
      origin = try name(token)
    case "$TTL":
      guard let token = tokens.first else { throw .text(.missing("TTL")) }
      defaultTTL = try ttl(token)
    default: throw .unknownDirective(directive)
    }
    if let extra = tokens.dropFirst().first { throw .text(.extra(extra.string)) }
  }

  private func ttl(_ token: TextToken) throws(ZoneFileError.Reason) -> UInt32 {
    guard let ttl = TimeText.parse(token.octets), ttl <= ResourceRecord.maximumTTL else {
      throw .badTTL(token.string)
    }
    return ttl
  }

  /// `[TTL] [class] type RDATA` or `[class] [TTL] type RDATA`.
  private mutating func readRecord(_ all: ArraySlice<TextToken>) throws(ZoneFileError.Reason) -> ResourceRecord {
    var tokens = all
    var given: UInt32?
    var hasClass = false
    while let token = tokens.first {
      if given == nil, token.octets.first?.isASCIIDigit == true {
        given = try ttl(token)
      } else if !hasClass, let named = RecordClass(token.string) {
        guard named == .internet else { throw .badClass(token.string) }
        hasClass = true
      } else {
        break
      }
      tokens = tokens.dropFirst()
    }
    guard let word = tokens.popFirst() else { throw .noType }
    guard let type = RecordType(word.string), !type.isMeta else { throw .badType(word.string) }
    guard let owner else { throw .noOwner }
    let data: RData
    do {
      data = try RData(type: type, tokens: tokens, origin: origin)
    } catch {
      throw .text(error)
    }
    guard let seconds = given ?? defaultTTL ?? lastTTL ?? Context.minimum(of: data) else { throw .noTTL }
    lastTTL = seconds
    return ResourceRecord(name: owner, ttl: seconds, data: data)
  }

  /// A zone that begins with its SOA and gives no TTL at all has always meant the SOA's last field.
  private static func minimum(of data: RData) -> UInt32? {
    guard case .soa(let soa) = data else { return nil }
    return min(soa.minimum, ResourceRecord.maximumTTL)
  }
}

extension ZoneFileError.Reason: Error {}
