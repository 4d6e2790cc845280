import EventLoop
import Octets

/// A mail host that answers as a test wants it to.
final class ScriptedHost: Sendable {
  enum Answer: Sendable {
    case say(String)
    /// Says it and closes.
    case end(String)
    case close
    /// Never says a whole line: an octet now and then.
    case dribble
    case silence
  }

  /// What is told: the number of the connection (from 1), and the command; nil is the greeting, `.` the end of a letter.
  typealias Script = @Sendable (_ connection: Int, _ command: String?) -> Answer

  /// What every command gets that the script has nothing special for.
  static func usual(_ command: String?) -> Answer {
    switch command?.prefix(4).uppercased() {
    case nil: .say("220 hi")
    case "DATA": .say("354 go")
    case "QUIT": .end("221 bye")
    default: .say("250 ok")
    }
  }

  private struct Heard {
    var connections = 0
    var letters: [String] = []
    var commands: [String] = []
  }

  private let heard = Lock(Heard())
  private let script: Script
  private let bound = Lock<TCPListener?>(nil)

  init(_ loop: EventLoop, at ip: IPAddress = .loopbackV4, port: UInt16 = 0, script: @escaping Script) throws {
    self.script = script
    let listener = try TCPListener(SocketAddress(ip: ip, port: port), on: loop) { [self] socket in
      let number = heard.withLock { heard in
        heard.connections += 1
        return heard.connections
      }
      let connection = ScriptedConnection(socket, on: loop, self, number)
      connection.assumeIsolated { $0.begin() }
    }
    bound.withLock { $0 = listener }
  }

  var port: UInt16 { bound.withLock { $0?.address.port ?? 0 } }
  var connections: Int { heard.withLock { $0.connections } }
  /// The letters whose final dot came, whatever was answered.
  var letters: [String] { heard.withLock { $0.letters } }
  var commands: [String] { heard.withLock { $0.commands } }

  fileprivate func answer(_ connection: Int, _ command: String?) -> Answer {
    if let command { heard.withLock { $0.commands.append(command) } }
    return script(connection, command)
  }

  fileprivate func took(_ letter: String) { heard.withLock { $0.letters.append(letter) } }
}

private actor ScriptedConnection: StreamOwner {
  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
  let stream: TCPStream
  private let host: ScriptedHost
  private let number: Int
  private var input = ""
  private var letter: String?

  init(_ socket: ConnectedSocket, on loop: EventLoop, _ host: ScriptedHost, _ number: Int) {
    self.loop = loop
    self.host = host
    self.number = number
    stream = TCPStream(socket, on: loop)
  }

  func begin() {
    do throws(IOError) {
      try startReceiving()
      give(host.answer(number, nil))
    } catch {
      stream.close()
    }
  }

  func received(_ octets: RawSpan) {
    input += String(decoding: unsafe octets.withUnsafeBytes { unsafe Array($0) }, as: UTF8.self)
    while let end = input.range(of: "\r\n") {
      let line = String(input[..<end.lowerBound])
      input = String(input[end.upperBound...])
      guard let text = letter else {
        let answer = host.answer(number, line)
        if line.uppercased() == "DATA", case .say(let reply) = answer, reply.hasPrefix("354") { letter = "" }
        give(answer)
        continue
      }
      guard line == "." else {
        letter = text + line + "\r\n"
        continue
      }
      letter = nil
      host.took(text)
      give(host.answer(number, "."))
    }
  }

  private func give(_ answer: ScriptedHost.Answer) {
    switch answer {
    case .say(let reply): stream.write(Array((reply + "\r\n").utf8))
    case .end(let reply):
      stream.write(Array((reply + "\r\n").utf8))
      stream.closeGracefully()
    case .close: stream.close()
    case .dribble: dribble(0)
    case .silence: break
    }
  }

  private func dribble(_ count: Int) {
    guard stream.isOpen else { return }
    stream.write(Array((count == 0 ? "250-" : "x").utf8))
    loop.after(.milliseconds(10)) { [weak self] in self?.assumeIsolated { $0.dribble(count + 1) } }
  }

  func peerFinished() { stream.close() }
  func ended(_ error: IOError?) { stream.close() }
}

extension String {
  /// Without the library that has it.
  fileprivate func range(of text: String) -> Range<String.Index>? {
    guard let first = utf8.indices.first(where: { utf8[$0...].starts(with: text.utf8) }) else { return nil }
    return first..<utf8.index(first, offsetBy: text.utf8.count)
  }
}
