import Octets

/// Holds octets against the grammar of JSON (RFC 8259) in one pass, and says where what is wrong stands: the decoder takes what
/// is no JSON (a comma before a bracket), and of a number that has no place in the value it is decoded to, it does not tell which.
struct JSONScanner {
  enum Fault: Error, Equatable {
    /// It is no JSON from this octet on.
    case syntax(at: Int)
    case tooDeep
    /// An object has a member twice, and readers differ in which they take (§4).
    case doubled(path: String)
    /// Half a surrogate pair was escaped: no text has that (§8.2).
    case halfCharacter(path: String)
    /// More values than the reader takes.
    case tooMany
  }

  /// Lists and objects in each other.
  static let depthLimit = 512
  /// Octets of a path that is told.
  static let pathLimit = 200

  /// A list or an object that is open, and where in it the scanner is.
  private enum Place {
    case item(Int)
    /// The octets of the member's name, as they were written.
    case member(Range<Int>)
  }

  private let octets: [UInt8]
  private var index = 0
  private var places: [Place] = []
  /// The names so far of each object that is open.
  private var names: [Set<ArraySlice<UInt8>>] = []
  private var values = 0
  private let valueLimit: Int
  /// The first number that is not a whole one of 64 bits.
  private var unfit: String?

  private init(_ octets: [UInt8], _ valueLimit: Int) {
    self.octets = octets
    self.valueLimit = valueLimit
  }

  /// - Returns: where the first number stands that is not a whole one of 64 bits, such as `to[3].ttl`; nil where all are.
  static func scan(_ octets: [UInt8], values limit: Int = .max) throws(Fault) -> String? {
    // §8.1: it is UTF-8.
    do {
      _ = try UTF8Span(validating: octets.span)
    } catch {
      throw .syntax(at: error.byteOffsets.lowerBound)
    }
    var scanner = JSONScanner(octets, limit)
    // The mark of byte order that some editors put in front may be ignored.
    if octets.starts(with: [0xEF, 0xBB, 0xBF]) { scanner.index = 3 }
    try scanner.text()
    return scanner.unfit
  }

  /// §2: one value, and nothing behind it. No recursion: the sender decides how deep it goes.
  private mutating func text() throws(Fault) {
    repeat {
      try beginValue()
    } while try goesOn()
    skipBlanks()
    guard index == octets.count else { throw .syntax(at: index) }
  }

  /// A value up to its end, or a list or an object up to where its first value begins.
  private mutating func beginValue() throws(Fault) {
    while true {
      skipBlanks()
      values += 1
      guard values <= valueLimit else { throw .tooMany }
      switch next {
      case 0x5B:
        index += 1
        skipBlanks()
        if take(0x5D) { return }
        try enter(.item(0))
      case 0x7B:
        index += 1
        skipBlanks()
        if take(0x7D) { return }
        try enter(.member(index..<index))
        names.append([])
        try name()
      case 0x22: return try string()
      case 0x74: return try literal("true")
      case 0x66: return try literal("false")
      case 0x6E: return try literal("null")
      default: return try number()
      }
    }
  }

  /// Behind a value: up to the next value of what it is in, or out of all that ends here. False at the end of the text.
  private mutating func goesOn() throws(Fault) -> Bool {
    while let place = places.last {
      skipBlanks()
      let isNext = take(0x2C)
      switch place {
      case .item(let number):
        if isNext {
          places[places.count - 1] = .item(number + 1)
          return true
        }
        guard take(0x5D) else { throw .syntax(at: index) }
      case .member:
        if isNext {
          skipBlanks()
          try name()
          return true
        }
        guard take(0x7D) else { throw .syntax(at: index) }
        names.removeLast()
      }
      places.removeLast()
    }
    return false
  }

  private mutating func enter(_ place: Place) throws(Fault) {
    guard places.count < Self.depthLimit else { throw .tooDeep }
    places.append(place)
  }

  /// A member's name and its colon.
  private mutating func name() throws(Fault) {
    let start = index
    guard next == 0x22 else { throw .syntax(at: index) }
    // What is wrong with the name itself is of the object.
    places[places.count - 1] = .member(start..<start)
    try string()
    let name = start + 1..<index - 1
    places[places.count - 1] = .member(name)
    guard names[names.count - 1].insert(octets[name]).inserted else { throw .doubled(path: path) }
    skipBlanks()
    guard take(0x3A) else { throw .syntax(at: index) }
  }

  /// §7
  private mutating func string() throws(Fault) {
    index += 1
    while let octet = next {
      switch octet {
      case 0x22:
        index += 1
        return
      case 0x5C: try escape()
      case 0x00..<0x20: throw .syntax(at: index)
      default: index += 1
      }
    }
    throw .syntax(at: index)
  }

  private mutating func escape() throws(Fault) {
    index += 1
    switch next {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: index += 1
    case 0x75:
      let unit = try codeUnit()
      switch unit {
      case 0xD800..<0xDC00:
        guard take(0x5C), next == 0x75, 0xDC00..<0xE000 ~= (try codeUnit()) else { throw .halfCharacter(path: path) }
      case 0xDC00..<0xE000: throw .halfCharacter(path: path)
      default: break
      }
    default: throw .syntax(at: index)
    }
  }

  /// From the `u` on.
  private mutating func codeUnit() throws(Fault) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      index += 1
      guard let digit = next?.hexDigit else { throw .syntax(at: index) }
      unit = unit << 4 | UInt32(digit)
    }
    index += 1
    return unit
  }

  /// §6
  private mutating func number() throws(Fault) {
    let start = index
    _ = take(0x2D)
    if !take(0x30) { try digits() }
    var isPlain = true
    if take(0x2E) {
      isPlain = false
      try digits()
    }
    if next == 0x65 || next == 0x45 {
      isPlain = false
      index += 1
      if !take(0x2B) { _ = take(0x2D) }
      try digits()
    }
    if unfit == nil, !isWhole(start..<index, isPlain: isPlain) { unfit = path }
  }

  private mutating func digits() throws(Fault) {
    guard let first = next, first.isASCIIDigit else { throw .syntax(at: index) }
    while let digit = next, digit.isASCIIDigit { index += 1 }
  }

  /// Whether the decoder can make an `Int64` of it, which it does of `1.0` and `1e3` too.
  private func isWhole(_ number: Range<Int>, isPlain: Bool) -> Bool {
    // Longer ones are no number that fits, or very oddly written.
    guard number.count <= 40 else { return false }
    let text = String(decoding: octets[number], as: UTF8.self)
    return isPlain ? Int64(text) != nil : Double(text).flatMap { Int64(exactly: $0) } != nil
  }

  private mutating func literal(_ word: StaticString) throws(Fault) {
    guard octets[index...].starts(with: word.description.utf8) else { throw .syntax(at: index) }
    index += word.utf8CodeUnitCount
  }

  private var next: UInt8? { index < octets.count ? octets[index] : nil }

  private mutating func take(_ octet: UInt8) -> Bool {
    guard next == octet else { return false }
    index += 1
    return true
  }

  private mutating func skipBlanks() {
    while let octet = next, octet == 0x20 || octet == 0x0A || octet == 0x0D || octet == 0x09 { index += 1 }
  }

  /// Where the scanner is: `rrsets[0].ttl`.
  private var path: String {
    var path: [UInt8] = []
    for place in places where path.count < Self.pathLimit {
      switch place {
      case .item(let number): path += Array("[\(number)]".utf8)
      case .member(let name) where name.isEmpty: break
      case .member(let name):
        if !path.isEmpty { path.append(0x2E) }
        path += octets[name]
      }
    }
    return String(decoding: path.prefix(Self.pathLimit), as: UTF8.self)
  }
}
