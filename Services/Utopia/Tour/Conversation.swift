import EventLoop
import Octets

/// A dialogue of lines with a mail server, shown as it goes: `C:` is this side, `S:` the server.
struct Conversation {
  private let connection: TCPConnection
  private let peer: SocketAddress
  private var input: [UInt8] = []

  init(with peer: SocketAddress, on loop: EventLoop) async throws(Trouble) {
    self.peer = peer
    do {
      connection = try await TCPConnection.connect(to: peer, on: loop, timeout: .seconds(5))
    } catch {
      throw Trouble("\(peer): \(error)")
    }
  }

  func close() async { await connection.close() }

  /// Sends a command and returns the lines of its SMTP reply, which must be a success.
  /// - Parameter shown: what is shown in place of a command that carries a password.
  @discardableResult
  mutating func smtp(_ command: String?, shown: String? = nil) async throws(Trouble) -> [String] {
    if let command { try await send(command, shown: shown) }
    var lines: [String] = []
    while true {
      let line = try await line()
      say("  S: \(line)")
      lines.append(line)
      // A hyphen after the code says that more lines follow (RFC 5321 §4.2.1).
      if line.utf8.dropFirst(3).first != UInt8(ascii: "-") { break }
    }
    guard let first = lines.first?.utf8.first, first == UInt8(ascii: "2") || first == UInt8(ascii: "3") else {
      throw Trouble("\(peer) refused: \(lines.joined(separator: " "))")
    }
    return lines
  }

  /// Sends a command and returns the lines of its POP3 reply, which must be a success.
  /// - Parameter lines: how many lines of a multi-line reply are shown; nil for a command with a reply of one line.
  @discardableResult
  mutating func pop3(_ command: String?, shown: String? = nil, lines limit: Int? = nil) async throws(Trouble)
    -> [String]
  {
    if let command { try await send(command, shown: shown) }
    let status = try await line()
    say("  S: \(status)")
    guard status.hasPrefix("+OK") else { throw Trouble("\(peer) refused: \(status)") }
    guard let limit else { return [] }
    var lines: [String] = []
    while case let line = try await line(), line != "." {
      if lines.count < limit { say("  S: \(line)") }
      lines.append(line.hasPrefix(".") ? String(line.dropFirst()) : line)
    }
    if lines.count > limit { say("  S: ... \(lines.count - limit) more lines") }
    say("  S: .")
    return lines
  }

  /// Sends a letter after DATA: dots at the beginning of a line are doubled (RFC 5321 §4.5.2).
  mutating func letter(_ lines: [String]) async throws(Trouble) {
    let shown = lines.map { "  C: \($0)\n" }
    say(
      shown.prefix(14).joined() + (shown.count > 14 ? "  C: ... \(shown.count - 14) more lines\n" : ""), terminator: "")
    try await write(lines.map { ($0.hasPrefix(".") ? "." : "") + $0 + "\r\n" }.joined())
    try await smtp(".")
  }

  private func send(_ command: String, shown: String?) async throws(Trouble) {
    say("  C: \(shown ?? command)")
    try await write(command + "\r\n")
  }

  private func write(_ text: String) async throws(Trouble) {
    do {
      try await connection.write(Array(text.utf8))
    } catch {
      throw Trouble("\(peer): \(error)")
    }
  }

  private mutating func line() async throws(Trouble) -> String {
    while true {
      if let end = input.firstIndex(of: 10) {
        let line = input[..<end].last == 13 ? input[..<(end - 1)] : input[..<end]
        defer { input.removeFirst(end + 1) }
        return String(decoding: line, as: UTF8.self)
      }
      let more: [UInt8]
      do {
        more = try await connection.read(timeout: .seconds(15))
      } catch {
        throw Trouble("\(peer): \(error)")
      }
      guard !more.isEmpty, input.count < 1 << 20 else { throw Trouble("\(peer) ended the connection") }
      input += more
    }
  }
}
