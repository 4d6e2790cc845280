import Octets

/// A field of a master file: its escapes are still in it.
struct TextToken: Equatable, Sendable {
  var octets: [UInt8]
  var isQuoted = false

  var string: String { String(decoding: octets, as: UTF8.self) }

  /// The octets meant, escapes resolved.
  func unescaped() throws(TextError) -> [UInt8] {
    guard octets.contains(0x5C) else { return octets }
    var plain: [UInt8] = []
    var index = 0
    while index < octets.count {
      var octet = octets[index]
      index += 1
      if octet == 0x5C { octet = try Escape.read(octets[...], at: &index) }
      plain.append(octet)
    }
    return plain
  }
}

/// Takes the fields of one record's RDATA in turn.
struct FieldReader {
  private var tokens: ArraySlice<TextToken>
  private let origin: Name?
  private let splitsStrings: Bool

  init(_ tokens: ArraySlice<TextToken>, origin: Name?, splitsStrings: Bool) {
    self.tokens = tokens
    self.origin = origin
    self.splitsStrings = splitsStrings
  }

  var isAtEnd: Bool { tokens.isEmpty }
  /// The next field is in quotes.
  var isQuoted: Bool { tokens.first?.isQuoted == true }
  /// The next field is `\#` (RFC 3597 §5).
  var isGeneric: Bool { tokens.first == TextToken(octets: [0x5C, 0x23]) }

  mutating func token(_ field: String) throws(TextError) -> TextToken {
    guard let token = tokens.popFirst() else { throw .missing(field) }
    return token
  }

  mutating func name(_ field: String) throws(TextError) -> Name {
    try Name(text: try token(field).octets, origin: origin)
  }

  mutating func number<T: FixedWidthInteger>(_ field: String) throws(TextError) -> T {
    let token = try token(field)
    guard let value = token.octets.parsedDecimal(as: T.self) else { throw .bad(field, token.string) }
    return value
  }

  /// A number, or the mnemonic of one, in either case.
  mutating func number<T: FixedWidthInteger>(_ field: String, or mnemonics: [String: T]) throws(TextError) -> T {
    if let known = tokens.first.flatMap({ mnemonics[$0.string.uppercased()] }) {
      tokens.removeFirst()
      return known
    }
    return try number(field)
  }

  mutating func type(_ field: String) throws(TextError) -> RecordType {
    let token = try token(field)
    guard let type = RecordType(token.string) else { throw .bad(field, token.string) }
    return type
  }

  mutating func seconds(_ field: String) throws(TextError) -> UInt32 {
    let token = try token(field)
    guard let value = TimeText.parse(token.octets) else { throw .bad(field, token.string) }
    return value
  }

  mutating func address(_ field: String, isV4: Bool) throws(TextError) -> IPAddress {
    let token = try token(field)
    guard let address = IPAddress(token.string), address.isV4 == isV4 else { throw .bad(field, token.string) }
    return address
  }

  mutating func string(_ field: String) throws(TextError) -> [UInt8] {
    let string = try token(field).unescaped()
    guard string.count <= 255 else { throw .stringTooLong }
    return string
  }

  /// One string, or the pieces of a long one where that is allowed.
  mutating func strings(_ field: String) throws(TextError) -> [[UInt8]] {
    guard splitsStrings else { return [try string(field)] }
    let string = try token(field).unescaped()
    let starts = stride(from: 0, to: max(1, string.count), by: 255)
    return starts.map { Array(string[$0..<min($0 + 255, string.count)]) }
  }

  /// All fields that are left, put together.
  mutating func rest(_ field: String) throws(TextError) -> String {
    var text = try token(field).string
    while let token = tokens.popFirst() { text += token.string }
    return text
  }

  /// The octets of `\# length hex…`; the hexadecimal digits may stand in several fields.
  mutating func generic() throws(TextError) -> [UInt8] {
    _ = try token("\\#")
    let length: UInt16 = try number("length")
    var digits = ""
    while let token = tokens.popFirst() { digits += token.string }
    guard let octets = Hex.decode(digits), octets.count == length else { throw .bad("hexadecimal data", digits) }
    return octets
  }

  func finish() throws(TextError) {
    if let token = tokens.first { throw .extra(token.string) }
  }
}

extension RData {
  /// RDATA in presentation format, such as `10 mail.example.com.` for MX; any type may be written as `\# length hex`
  /// (RFC 3597 §5). Comments, parentheses and line ends, which lay out a zone file, are refused outside quotes.
  /// - Parameters:
  ///   - origin: where names without a final dot belong; nil refuses them.
  ///   - splitsStrings: whether a string of TXT that is longer than 255 octets becomes several, or is refused.
  public init(
    type: RecordType, text: some StringProtocol, origin: Name? = nil, splitsStrings: Bool = false
  ) throws(TextError) {
    var scanner = ZoneFileScanner(Array(text.utf8), hasLayout: false)
    let entry: ZoneFileEntry?
    do {
      entry = try scanner.next()
    } catch {
      throw .bad("data", error.reason.description)
    }
    self = try RData(type: type, tokens: entry?.tokens[...] ?? [], origin: origin, splitsStrings: splitsStrings)
  }

  init(type: RecordType, tokens: ArraySlice<TextToken>, origin: Name?, splitsStrings: Bool = false) throws(TextError) {
    var fields = FieldReader(tokens, origin: origin, splitsStrings: splitsStrings)
    if fields.isGeneric {
      let octets = try fields.generic()
      do {
        // Every octet of an array of octets is initialised.
        self = unsafe try RData(
          decoding: octets.span.bytes, range: 0..<octets.count, type: type, compressed: false)
      } catch {
        throw .badWireData
      }
    } else {
      self = try RData(type, &fields)
    }
    try fields.finish()
  }

  private init(_ type: RecordType, _ fields: inout FieldReader) throws(TextError) {
    switch type {
    case .a: self = .address(try fields.address("IPv4 address", isV4: true))
    case .aaaa: self = .address(try fields.address("IPv6 address", isV4: false))
    case .ns: self = .ns(try fields.name("server name"))
    case .cname: self = .cname(try fields.name("target"))
    case .ptr: self = .ptr(try fields.name("name"))
    case .dname: self = .dname(try fields.name("target"))
    case .mx:
      let preference: UInt16 = try fields.number("preference")
      self = .mx(preference: preference, exchange: try fields.name("exchange"))
    case .soa:
      self = .soa(
        SOA(
          primary: try fields.name("primary"), mailbox: try fields.name("mailbox"),
          serial: try fields.number("serial"), refresh: try fields.seconds("refresh"),
          retry: try fields.seconds("retry"), expire: try fields.seconds("expire"),
          minimum: try fields.seconds("minimum")))
    case .txt:
      var strings = try fields.strings("string")
      while !fields.isAtEnd { strings += try fields.strings("string") }
      self = .txt(strings)
    case .srv:
      self = .srv(
        SRV(
          priority: try fields.number("priority"), weight: try fields.number("weight"),
          port: try fields.number("port"), target: try fields.name("target")))
    case .caa:
      let flags: UInt8 = try fields.number("flags")
      let tag = try fields.token("tag")
      guard let caa = CAA(flags: flags, tag: tag.octets, value: try fields.token("value").unescaped()) else {
        throw .bad("tag", tag.string)
      }
      self = .caa(caa)
    case .loc: self = .unknown(type, try LocationText.read(&fields))
    default:
      guard let format = RDataFields.formats[type] else { throw .noPresentation(type) }
      self = .unknown(type, try RDataFields.read(format, &fields))
    }
  }

  /// Presentation format in one line, names with their final dot.
  public var text: String {
    switch self {
    case .address(let address): address.description
    case .ns(let name), .cname(let name), .ptr(let name), .dname(let name): name.description
    case .mx(let preference, let exchange): "\(preference) \(exchange)"
    case .soa(let soa):
      "\(soa.primary) \(soa.mailbox) \(soa.serial) \(soa.refresh) \(soa.retry) \(soa.expire) \(soa.minimum)"
    case .txt(let strings): strings.map(RData.quoted).joined(separator: " ")
    case .srv(let srv): "\(srv.priority) \(srv.weight) \(srv.port) \(srv.target)"
    case .caa(let caa): "\(caa.flags) \(String(decoding: caa.tag, as: UTF8.self)) \(RData.quoted(caa.value))"
    case .unknown(.loc, let octets): LocationText.text(octets) ?? RData.generic(octets)
    case .unknown(let type, let octets):
      RDataFields.formats[type].flatMap { RDataFields.text($0, octets) } ?? RData.generic(octets)
    }
  }

  /// RFC 3597 §5.
  private static func generic(_ octets: [UInt8]) -> String {
    octets.isEmpty ? "\\# 0" : "\\# \(octets.count) \(Hex.encode(octets))"
  }

  static func quoted(_ octets: [UInt8]) -> String {
    var text: [UInt8] = [0x22]
    for octet in octets { Escape.append(octet, to: &text, special: Escape.inQuotes, blankIsPlain: true) }
    text.append(0x22)
    return String(decoding: text, as: UTF8.self)
  }
}
