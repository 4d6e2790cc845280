import Octets

/// Why text is not a domain name or not the text of some RDATA.
public enum TextError: Error, Hashable, Sendable {
  /// Two dots in a row, or one at the beginning (RFC 1035 §5.1).
  case emptyLabel
  /// More than 63 octets.
  case labelTooLong
  /// More than 255 octets in wire format.
  case nameTooLong
  /// `\` at the end, or before digits that are not three and at most 255.
  case badEscape
  /// A name without a final dot where no origin is known.
  case relativeName
  /// A field is missing; its name is given.
  case missing(String)
  /// A field that can't be read; its name and its text are given.
  case bad(String, String)
  /// Text after the last field.
  case extra(String)
  /// A character string of more than 255 octets (RFC 1035 §3.3).
  case stringTooLong
  /// A type that has no presentation format here and is not written as `\# length hex` (RFC 3597 §5).
  case noPresentation(RecordType)
  /// The octets after `\#` are not what the type needs.
  case badWireData
}

extension TextError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .emptyLabel: "empty label in a name"
    case .labelTooLong: "label longer than 63 octets"
    case .nameTooLong: "name longer than 255 octets"
    case .badEscape: "bad escape: write \\X or \\DDD with DDD up to 255"
    case .relativeName: "relative name without an origin: end it with a dot"
    case .missing(let field): "\(field) is missing"
    case .bad(let field, let text): "bad \(field): \(text)"
    case .extra(let text): "unexpected text at the end: \(text)"
    case .stringTooLong: "character string longer than 255 octets"
    case .noPresentation(let type): "\(type) must be written as \\# LENGTH HEX"
    case .badWireData: "the octets after \\# do not fit the type"
    }
  }
}

extension Name {
  /// Reads presentation format (RFC 1035 §5.1), `\X` and `\DDD` escapes included. Text without a final dot is put
  /// before `origin`; "@" alone is the origin.
  /// - Parameter origin: the root by default, so that "example.com" and "example.com." are one.
  public init(text: some Sequence<UInt8>, origin: Name? = .root) throws(TextError) {
    let octets = Array(text)
    if octets == [0x2E] {
      self = .root
      return
    }
    if octets == [0x40], let origin {
      self = origin
      return
    }
    guard !octets.isEmpty else { throw .emptyLabel }
    var wire: [UInt8] = []
    var label: [UInt8] = []
    var index = 0
    var isAbsolute = false
    while index < octets.count {
      var octet = octets[index]
      index += 1
      if octet == 0x2E {
        guard !label.isEmpty else { throw .emptyLabel }
        wire.append(UInt8(label.count))
        wire += label
        label.removeAll(keepingCapacity: true)
        isAbsolute = index == octets.count
        continue
      }
      if octet == 0x5C { octet = try Escape.read(octets[...], at: &index) }
      guard label.count < Name.maximumLabelLength else { throw .labelTooLong }
      label.append(octet)
      guard wire.count + label.count < Name.maximumLength else { throw .nameTooLong }
    }
    if !label.isEmpty {
      wire.append(UInt8(label.count))
      wire += label
    }
    if isAbsolute {
      wire.append(0)
    } else {
      guard let origin else { throw .relativeName }
      wire += origin.wire
    }
    guard wire.count <= Name.maximumLength else { throw .nameTooLong }
    self.init(uncheckedWire: wire)
  }

  /// As above; nil where that throws.
  public init?(_ text: some StringProtocol, origin: Name = .root) {
    guard let name = try? Name(text: text.utf8, origin: origin) else { return nil }
    self = name
  }
}

extension Name: CustomStringConvertible {
  /// Presentation format with the final dot.
  public var description: String { String(decoding: text, as: UTF8.self) }

  /// Presentation format with the final dot, special octets as `\X`, others outside printable ASCII as `\DDD`.
  public var text: [UInt8] {
    if isRoot { return [0x2E] }
    var text: [UInt8] = []
    for label in labels {
      for octet in label { Escape.append(octet, to: &text, special: Escape.inName) }
      text.append(0x2E)
    }
    return text
  }

  /// Presentation format below `origin`: "@" for the origin itself, absolute when outside it.
  public func text(relativeTo origin: Name) -> [UInt8] {
    guard !origin.isRoot, isAtOrBelow(origin) else { return text }
    if wire.count == origin.wire.count { return [0x40] }
    return Name(uncheckedWire: Array(wire[..<(wire.count - origin.wire.count)]) + [0]).text.dropLast()
  }
}

/// The backslash of master files (RFC 1035 §5.1).
enum Escape {
  /// `"`, `$`, `(`, `)`, `.`, `;`, `@` and `\` mean something in a master file.
  static let inName = Array("\"$().;@\\".utf8)
  static let inQuotes = Array("\"\\".utf8)

  /// The octet that the escape stands for; `index` is after the backslash and moves past the escape.
  static func read(_ text: ArraySlice<UInt8>, at index: inout Int) throws(TextError) -> UInt8 {
    guard index < text.endIndex else { throw .badEscape }
    let first = text[index]
    guard first.isASCIIDigit else {
      index += 1
      return first
    }
    guard index + 3 <= text.endIndex, let value = text[index..<(index + 3)].parsedDecimal(as: UInt8.self) else {
      throw .badEscape
    }
    index += 3
    return value
  }

  static func append(_ octet: UInt8, to text: inout [UInt8], special: [UInt8], blankIsPlain: Bool = false) {
    if special.contains(octet) {
      text += [0x5C, octet]
    } else if octet > 0x20 && octet < 0x7F || blankIsPlain && octet == 0x20 {
      text.append(octet)
    } else {
      text += [0x5C, 0x30 + octet / 100, 0x30 + octet / 10 % 10, 0x30 + octet % 10]
    }
  }
}
