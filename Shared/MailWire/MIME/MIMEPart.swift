import Octets

/// A letter or one part of it (RFC 2045, RFC 2046), with its place in the letter's octets.
public struct MIMEPart: Sendable {
  public let header: HeaderBlock
  /// Content-Type; `text/plain` where the field is missing or not to be understood (RFC 2045 §5.2).
  public let type: ParameterField
  public let encoding: TransferEncoding
  /// Content-Disposition, if there is one (RFC 2183).
  public let disposition: ParameterField?
  /// Header and body.
  public let range: Range<Int>
  /// The body, still encoded.
  public let body: Range<Int>
  /// The parts of a multipart, or the letter inside a `message/rfc822`; empty for all else.
  public let parts: [MIMEPart]
  /// What could not be understood here and is therefore taken as it stands, for people.
  public let problems: [String]

  /// Deeper parts are taken as they stand.
  public static let depthLimit = 16
  /// In one letter; the rest of a multipart is taken as it stands.
  public static let countLimit = 1000

  /// Takes a whole letter apart; it never fails.
  public init(_ letter: [UInt8]) {
    var count = 0
    self.init(letter, letter.indices, depth: 0, count: &count, isInDigest: false)
  }

  /// As `init(_:)`, where the letter's header is read already.
  public init(_ letter: [UInt8], header: HeaderBlock) {
    var count = 0
    self.init(letter, letter.indices, header: header, depth: 0, count: &count, isInDigest: false)
  }

  private init(
    _ letter: [UInt8], _ range: Range<Int>, header: HeaderBlock? = nil, depth: Int, count: inout Int, isInDigest: Bool
  ) {
    count += 1
    let header = header ?? HeaderBlock(letter, range)
    var problems = header.problems
    let body = header.bodyStart..<range.upperBound
    var type = ParameterField(isInDigest ? "message/rfc822" : "text/plain")
    if let field = header.first("Content-Type") {
      let parsed = ParameterField(parsing: field.value)
      if MIMEPart.isMediaType(parsed.value) {
        type = parsed
        if let problem = parsed.problem { problems.append("Content-Type: \(problem)") }
      } else {
        problems.append("the content type is not to be understood: \(field.text)")
      }
    }
    let encoding = header.first("Content-Transfer-Encoding").map { TransferEncoding(parsing: $0.value) } ?? .sevenBit
    var parts: [MIMEPart] = []
    let isContainer = type.value.hasPrefix("multipart/") || type.value == "message/rfc822"
    if isContainer, encoding.isEncoded { problems.append("a \(type.value) must not be in \(encoding.name)") }
    if isContainer, depth >= MIMEPart.depthLimit {
      problems.append("parts nested deeper than \(MIMEPart.depthLimit) are not taken apart")
    } else if type.value == "message/rfc822" {
      // The octets of an encoded one are not the letter's own, which parts are ranges of; `content` has it decoded.
      parts = encoding.isEncoded ? [] : [MIMEPart(letter, body, depth: depth + 1, count: &count, isInDigest: false)]
    } else if isContainer {
      // RFC 2045 §6.4 forbids to encode a multipart, and who names an encoding seldom means it: the delimiters stand there.
      if let boundary = type["boundary"], !boundary.isEmpty {
        let found = MIMEPart.split(letter, body, boundary: Array(boundary.utf8))
        for range in found.ranges {
          guard count < MIMEPart.countLimit else {
            problems.append("only the first \(MIMEPart.countLimit) parts are taken apart")
            break
          }
          parts.append(
            MIMEPart(
              letter, range, depth: depth + 1, count: &count, isInDigest: type.value == "multipart/digest"))
        }
        if found.ranges.isEmpty, !encoding.isEncoded {
          problems.append("the multipart's boundary is nowhere")
        } else if !found.ranges.isEmpty, !found.isClosed {
          problems.append("the multipart is not closed; the letter may be cut off")
        }
      } else {
        problems.append("the multipart has no boundary")
      }
    }
    self.header = header
    self.type = type
    self.encoding = encoding
    disposition = header.first("Content-Disposition").map { ParameterField(parsing: $0.value) }
    if let problem = disposition?.problem { problems.append("Content-Disposition: \(problem)") }
    self.range = range
    self.body = body
    self.parts = parts
    self.problems = problems
  }

  /// `type/subtype`, both tokens.
  static func isMediaType(_ value: String) -> Bool {
    let halves = value.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
    return halves.count == 2 && halves.allSatisfy { !$0.isEmpty && $0.allSatisfy(TokenScanner.isToken) }
  }

  /// The parts between the delimiter lines (RFC 2046 §5.1.1). The line end before a delimiter belongs to it.
  private static func split(
    _ letter: [UInt8], _ body: Range<Int>, boundary: [UInt8]
  ) -> (ranges: [Range<Int>], isClosed: Bool) {
    var ranges: [Range<Int>] = []
    var start: Int?
    var position = body.lowerBound
    let delimiter = [0x2D, 0x2D] + boundary
    while position < body.upperBound {
      let line = letter.line(at: position, before: body.upperBound)
      if line.content.count >= delimiter.count, letter[position] == 0x2D,
        letter[line.content].starts(with: delimiter)
      {
        var rest = letter[(position + delimiter.count)..<line.content.upperBound]
        let isClosing = rest.starts(with: [0x2D, 0x2D])
        if isClosing { rest = rest.dropFirst(2) }
        if isClosing || rest.allSatisfy(\.isASCIIBlank) {
          if let start {
            var end = position
            if end > start, letter[end - 1] == 0x0A { end -= 1 }
            if end > start, letter[end - 1] == 0x0D { end -= 1 }
            ranges.append(start..<max(start, end))
          }
          if isClosing { return (ranges, start != nil) }
          start = line.next
          if ranges.count > countLimit { return (ranges, true) }
        }
      }
      position = line.next
    }
    if let start { ranges.append(start..<body.upperBound) }
    return (ranges, false)
  }

  public var isMultipart: Bool { type.value.hasPrefix("multipart/") && !parts.isEmpty }

  /// From Content-Disposition, or the `name` of the content type; the last component of a path.
  public var fileName: String? {
    guard let name = disposition?["filename"] ?? type["name"], !name.isEmpty else { return nil }
    let last = name.unicodeScalars.split { $0 == "/" || $0 == "\\" || $0.value < 0x20 }.last
    return last.map { String($0) }
  }

  /// Content-ID without its angle brackets (RFC 2392); no longer than a line may be.
  public var contentID: String? {
    guard let value = header.first("Content-ID")?.value.trimmedBlanks, !value.isEmpty else { return nil }
    return String(decoding: value.drop { $0 == 0x3C }.prefix(998).prefix { $0 != 0x3E }, as: UTF8.self)
  }

  /// The decoded octets; those of a container as they stand, unless it is a letter that is really in base64 or quoted-printable,
  /// although that is forbidden (RFC 2045 §6.4).
  public func content(of letter: [UInt8]) -> (octets: [UInt8], problem: String?) { decoded(letter[body]) }

  private func decoded(_ octets: ArraySlice<UInt8>) -> (octets: [UInt8], problem: String?) {
    if type.value.hasPrefix("multipart/") { return (Array(octets), nil) }
    let content = encoding.decode(octets)
    let isContainer = type.value == "message/rfc822"
    return isContainer && content.problem != nil ? (Array(octets), nil) : content
  }

  /// The decoded octets as text with LF line ends, and what was wrong.
  /// - Parameter limit: octets of the body that are read; the rest is cut off.
  public func text(of letter: [UInt8], limit: Int = .max) -> (text: String, problems: [String]) {
    let isCut = body.count > limit
    let content = decoded(isCut ? encoding.whole(letter[body].prefix(limit)) : letter[body])
    let text = Charset.decode(isCut ? content.octets.wholeUTF8 : content.octets[...], named: type["charset"])
    let cut = isCut ? "only the first \(limit) octets of a text are shown" : nil
    return (text.text.withoutCR, [content.problem, text.problem, cut].compactMap(\.self))
  }
}

extension [UInt8] {
  /// Without the beginning of a character at the end.
  var wholeUTF8: ArraySlice<UInt8> {
    guard let start = suffix(4).lastIndex(where: { $0 & 0xC0 != 0x80 }) else { return self[...] }
    let length =
      switch self[start] {
      case 0xF0...: 4
      case 0xE0...: 3
      case 0xC0...: 2
      default: 1
      }
    return start + length > endIndex ? self[..<start] : self[...]
  }
}

extension String {
  /// CRLF as LF.
  var withoutCR: String {
    guard utf8.contains(0x0D) else { return self }
    var octets: [UInt8] = []
    octets.reserveCapacity(utf8.count)
    for octet in utf8 {
      if octet == 0x0A, octets.last == 0x0D { octets.removeLast() }
      octets.append(octet)
    }
    return String(decoding: octets, as: UTF8.self)
  }
}
