import Octets

/// A value with parameters: Content-Type, Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).
public struct ParameterField: Sendable, Equatable {
  /// In lower case: `text/plain`, `attachment`.
  public var value: String
  public var parameters: [Parameter]
  /// What could not be understood and is shown as it stands, if anything.
  public private(set) var problem: String?

  public struct Parameter: Sendable, Equatable {
    /// In lower case, without the marks of RFC 2231.
    public var name: String
    /// Decoded.
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public init(_ value: String, _ parameters: [(String, String)] = []) {
    self.value = value
    self.parameters = parameters.map { Parameter(name: $0.0, value: $0.1) }
  }

  public subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

  /// Reads a field's unfolded value, of which at most `HeaderField.readLimit` octets, tolerantly: what is no parameter is passed
  /// over.
  public init(parsing octets: some Collection<UInt8>) {
    var scanner = TokenScanner(Array(octets.prefix(HeaderField.readLimit))[...])
    value = MailAddress.folded(scanner.until(0x3B)).filter { $0 != " " && $0 != "\t" }
    var pieces: [Piece] = []
    while scanner.skip(0x3B) {
      let name = MailAddress.folded(scanner.token())
      guard !name.isEmpty, scanner.skip(0x3D) else {
        _ = scanner.until(0x3B)
        continue
      }
      let octets = scanner.value()
      _ = scanner.until(0x3B)
      if pieces.count < 200 { pieces.append(Piece(name, octets)) }
    }
    (parameters, problem) = ParameterField.joined(pieces)
  }

  /// `name`, `name*`, `name*0` or `name*0*` with its value.
  private struct Piece {
    var name: String
    var index: Int?
    var isExtended = false
    var octets: [UInt8]

    init(_ written: String, _ octets: [UInt8]) {
      var text = Array(written.utf8)[...]
      self.octets = octets
      if text.last == 0x2A {
        isExtended = true
        text.removeLast()
      }
      if let star = text.lastIndex(of: 0x2A), let number = text[(star + 1)...].parsedDecimal(as: Int.self) {
        index = number
        text = text[..<star]
      }
      name = String(decoding: text, as: UTF8.self)
    }
  }

  /// Continuations in the order of their numbers, up to the first gap; a plain form gives way to an extended one.
  private static func joined(_ pieces: [Piece]) -> (parameters: [Parameter], problem: String?) {
    var parameters: [Parameter] = []
    var problem: String?
    for name in pieces.map(\.name) where !parameters.contains(where: { $0.name == name }) {
      let same = pieces.filter { $0.name == name }
      let value: (text: String, problem: String?)
      if let whole = same.first(where: { $0.isExtended && $0.index == nil }) {
        value = decoded([whole])
      } else if let plain = same.first(where: { $0.index == nil && !$0.isExtended }) {
        // Not what RFC 2231 wants, but what many mailers write.
        value = EncodedWord.read(plain.octets)
      } else {
        let ordered = (0..<same.count).map { number in same.first { $0.index == number } }.prefix { $0 != nil }
        value = decoded(ordered.compactMap { $0 })
      }
      parameters.append(Parameter(name: name, value: value.text))
      problem = problem ?? value.problem
    }
    return (parameters, problem)
  }

  private static func decoded(_ pieces: [Piece]) -> (text: String, problem: String?) {
    var charset: String?
    var octets: [UInt8] = []
    for (position, piece) in pieces.enumerated() {
      var value = piece.octets[...]
      guard piece.isExtended else {
        octets += value
        continue
      }
      if position == 0, let first = value.firstIndex(of: 0x27), let second = value[(first + 1)...].firstIndex(of: 0x27)
      {
        charset = String(decoding: value[..<first], as: UTF8.self)
        value = value[(second + 1)...]
      }
      octets += percentDecoded(value)
    }
    return Charset.decode(octets, named: charset.flatMap { $0.isEmpty ? nil : $0 })
  }

  private static func percentDecoded(_ octets: ArraySlice<UInt8>) -> [UInt8] {
    var decoded: [UInt8] = []
    var index = octets.startIndex
    while index < octets.endIndex {
      if octets[index] == 0x25, index + 2 < octets.endIndex, let high = octets[index + 1].hexDigit,
        let low = octets[index + 2].hexDigit
      {
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(octets[index])
        index += 1
      }
    }
    return decoded
  }

  /// The value and its parameters as words to fold between.
  var encodedWords: [String] {
    var words = [value]
    for parameter in parameters {
      for piece in ParameterField.encoded(parameter) {
        words[words.count - 1] += ";"
        words.append(piece)
      }
    }
    return words
  }

  private static func encoded(_ parameter: Parameter) -> [String] {
    let octets = Array(parameter.value.utf8)
    let isASCII = octets.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    if isASCII, octets.count <= 60 {
      if !octets.isEmpty, octets.allSatisfy(TokenScanner.isToken) { return ["\(parameter.name)=\(parameter.value)"] }
      return ["\(parameter.name)=\(MailAddress.quoted(octets))"]
    }
    var pieces: [String] = [""]
    for octet in octets {
      let isPlain = octet.isASCIIAlphanumeric || octet == 0x2D || octet == 0x2E || octet == 0x5F
      if pieces[pieces.count - 1].utf8.count >= 45 { pieces.append("") }
      pieces[pieces.count - 1] +=
        isPlain ? String(Unicode.Scalar(octet)) : "%" + Hex.encode([octet]).uppercased()
    }
    if pieces.count == 1 { return ["\(parameter.name)*=UTF-8''\(pieces[0])"] }
    return pieces.enumerated().map { "\(parameter.name)*\($0.offset)*=\($0.offset == 0 ? "UTF-8''" : "")\($0.element)" }
  }
}

/// Reads the tokens of structured fields; comments and blanks are passed over (RFC 5322 §3.2.2, RFC 2045 §5.1).
struct TokenScanner {
  var rest: ArraySlice<UInt8>

  init(_ octets: ArraySlice<UInt8>) { rest = octets }

  static func isToken(_ octet: UInt8) -> Bool {
    octet > 0x20 && octet < 0x7F && !"()<>@,;:\\\"/[]?=".utf8.contains(octet)
  }

  /// Passes over blanks and nested comments; the text of the last comment is returned.
  @discardableResult mutating func skipBlanks() -> ArraySlice<UInt8>? {
    var comment: ArraySlice<UInt8>?
    while let first = rest.first {
      if first.isASCIIBlank || first == 0x0D || first == 0x0A {
        rest.removeFirst()
      } else if first == 0x28 {
        var depth = 0
        var index = rest.startIndex
        repeat {
          switch rest[index] {
          case 0x28: depth += 1
          case 0x29: depth -= 1
          case 0x5C: index += 1
          default: break
          }
          index += 1
        } while index < rest.endIndex && depth > 0
        let end = min(index, rest.endIndex)
        comment = rest[(rest.startIndex + 1)..<max(rest.startIndex + 1, depth == 0 ? end - 1 : end)]
        rest = rest[end...]
      } else {
        break
      }
    }
    return comment
  }

  mutating func skip(_ octet: UInt8) -> Bool {
    skipBlanks()
    guard rest.first == octet else { return false }
    rest.removeFirst()
    return true
  }

  mutating func token() -> String {
    skipBlanks()
    let token = rest.prefix(while: TokenScanner.isToken)
    rest = rest[token.endIndex...]
    return String(decoding: token, as: UTF8.self)
  }

  /// A quoted string, or all up to a semicolon or blank, since file names with `/` or `=` stand unquoted in the wild.
  mutating func value() -> [UInt8] {
    skipBlanks()
    if rest.first == 0x22 { return quotedString() }
    let text = rest.prefix { $0 != 0x3B && !$0.isASCIIBlank && $0 != 0x28 }
    rest = rest[text.endIndex...]
    return Array(text)
  }

  /// The content of a quoted string whose opening quote is next; unclosed, it goes to the end.
  mutating func quotedString() -> [UInt8] {
    rest.removeFirst()
    var octets: [UInt8] = []
    while let octet = rest.popFirst(), octet != 0x22 {
      if octet == 0x5C, let escaped = rest.popFirst() {
        octets.append(escaped)
      } else {
        octets.append(octet)
      }
    }
    return octets
  }

  /// What stands before the next octet of this value outside quotes and comments; the octet is left in place.
  mutating func until(_ octet: UInt8) -> String {
    var octets: [UInt8] = []
    skipBlanks()
    while let next = rest.first, next != octet {
      if next == 0x22 {
        octets += quotedString()
      } else {
        octets.append(next)
        rest.removeFirst()
      }
      if rest.first == 0x28 { skipBlanks() }
    }
    return String(decoding: octets, as: UTF8.self)
  }
}
