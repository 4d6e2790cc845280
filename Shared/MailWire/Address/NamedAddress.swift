import Octets

/// One entry of an address list in a header field: `Alice <alice@crepes.fr>` (RFC 5322 §3.4).
public struct NamedAddress: Sendable, Equatable {
  /// The display name, decoded; empty where there is none.
  public var name: String
  /// Nil where the text is no mailbox.
  public var address: MailAddress?
  /// The address as it stands in the field.
  public var raw: String

  public init(name: String = "", _ address: MailAddress) {
    self.name = name
    self.address = address
    raw = address.description
  }

  init(name: String, raw: String) {
    self.name = name
    self.raw = raw
    address = MailAddress(raw)
  }

  /// One mailbox as a person writes it: `Alice <alice@crepes.fr>` or `alice@crepes.fr`; nil for all else.
  public init?(_ text: String) {
    let list = NamedAddress.list(Array(text.utf8), limit: 2)
    guard list.count == 1, let first = list.first, first.address != nil else { return nil }
    self = first
  }

  /// For people: `Alice <alice@crepes.fr>`.
  public var text: String { name.isEmpty ? raw : raw.isEmpty ? name : "\(name) <\(raw)>" }

  /// The mailboxes of an unfolded field, tolerantly; those of groups too. What is no mailbox is kept as it stands.
  /// - Parameter limit: so many at most.
  public static func list(_ octets: some Collection<UInt8>, limit: Int = 2000) -> [NamedAddress] {
    var scanner = TokenScanner(Array(octets)[...])
    var list: [NamedAddress] = []
    while !scanner.rest.isEmpty, list.count < limit {
      if let entry = entry(&scanner) { list.append(entry) }
    }
    return list
  }

  /// Reads to the end of one mailbox: a comma, a semicolon, or the colon that follows a group's name.
  private static func entry(_ scanner: inout TokenScanner) -> NamedAddress? {
    var words: [UInt8] = []
    var name: [UInt8] = []
    var spec: String?
    var comment: ArraySlice<UInt8>?
    var blank = false
    var hasAt = false
    loop: while true {
      let before = scanner.rest.startIndex
      if let found = scanner.skipBlanks() { comment = found }
      blank = blank || scanner.rest.startIndex > before
      guard let next = scanner.rest.first else { break }
      switch next {
      case 0x2C, 0x3B:
        scanner.rest.removeFirst()
        break loop
      case 0x3A where spec == nil && !hasAt:
        // The words were a group's name.
        scanner.rest.removeFirst()
        words = []
        name = []
        comment = nil
      case 0x3C:
        spec = angle(&scanner)
      case 0x22:
        let before = scanner.rest
        let content = scanner.quotedString()
        if blank, !words.isEmpty {
          words.append(0x20)
          name.append(0x20)
        }
        words += before[..<scanner.rest.startIndex]
        hasAt = hasAt || content.contains(0x40)
        name += content
      default:
        if blank, !words.isEmpty {
          words.append(0x20)
          name.append(0x20)
        }
        scanner.rest.removeFirst()
        words.append(next)
        name.append(next)
        hasAt = hasAt || next == 0x40
        blank = false
        continue loop
      }
      blank = false
    }
    if let spec { return NamedAddress(name: EncodedWord.decode(name), raw: spec) }
    guard !words.isEmpty else { return nil }
    // The obsolete form puts the name into a comment; blanks around `@` and `.` are obsolete too (RFC 5322 §4.4).
    let joined = String(decoding: words, as: UTF8.self)
    let packed = joined.contains("\"") ? joined : joined.filter { $0 != " " }
    let raw = MailAddress(packed) == nil ? EncodedWord.decode(words) : packed
    return NamedAddress(name: comment.map { EncodedWord.decode($0) } ?? "", raw: raw)
  }

  /// `<…>`: comments and blanks dropped, a source route too.
  private static func angle(_ scanner: inout TokenScanner) -> String {
    scanner.rest.removeFirst()
    var octets: [UInt8] = []
    while true {
      scanner.skipBlanks()
      guard let next = scanner.rest.first else { break }
      if next == 0x22 {
        let before = scanner.rest
        _ = scanner.quotedString()
        octets += before[..<scanner.rest.startIndex]
        continue
      }
      scanner.rest.removeFirst()
      if next == 0x3E { break }
      if next == 0x3A, octets.first == 0x40 {
        octets = []
      } else {
        octets.append(next)
      }
    }
    return String(decoding: octets, as: UTF8.self)
  }
}
