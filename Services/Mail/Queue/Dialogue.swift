/// What two hosts said to each other, line by line, for people.
///
/// How much that is, the other host decides; here it has a bound. The beginning and the end are kept, because who was talked to
/// stands in the one and what came of it in the other.
struct Dialogue: Sendable, Equatable {
  /// Octets of the lines that are kept from the beginning; with the end, 64 KiB and one line.
  static let headLimit = 49_152
  /// Octets of the lines that are kept from the end.
  static let tailLimit = 16_384

  private var head: [String] = []
  private var headOctets = 0
  private var tail: [String] = []
  private var tailOctets = 0
  /// Lines that were let go between the two.
  private var cut = 0

  init(_ lines: [String] = []) {
    for line in lines { append(line) }
  }

  var isEmpty: Bool { head.isEmpty && tail.isEmpty }

  /// Everything kept, with a remark where something was cut.
  var lines: [String] {
    var copy = self
    copy.shorten()
    guard copy.cut > 0 else { return head + tail }
    return head + ["* (\(copy.cut) lines are cut out here: the dialogue is too long)"] + copy.tail
  }

  var last: String? { tail.last ?? head.last }

  mutating func append(_ line: String) {
    // Text is stored with one line a line.
    let line = String(String.UnicodeScalarView(line.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
    let octets = line.utf8.count + 1
    if tail.isEmpty, headOctets + octets <= Dialogue.headLimit {
      head.append(line)
      headOctets += octets
      return
    }
    tail.append(line)
    tailOctets += octets
    // Twice the bound before it is cut, so that a long dialogue costs no more than its length.
    if tailOctets > 2 * Dialogue.tailLimit { shorten() }
  }

  mutating func append(_ other: Dialogue) {
    for line in other.head { append(line) }
    if other.cut > 0 {
      cut += other.cut
      // What follows stands behind the cut.
      headOctets = Dialogue.headLimit
    }
    for line in other.tail { append(line) }
  }

  private mutating func shorten() {
    var dropped = 0
    while tailOctets > Dialogue.tailLimit, dropped < tail.count - 1 {
      tailOctets -= tail[dropped].utf8.count + 1
      dropped += 1
    }
    tail.removeFirst(dropped)
    cut += dropped
  }
}
