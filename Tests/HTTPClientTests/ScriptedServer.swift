import EventLoop
import Octets

/// A server that says exactly what a test tells it to say.
final class ScriptedServer: Sendable {
  /// What to do about the n-th request of all (from 0), whose head and body so far are `text`.
  typealias Script = @Sendable (_ number: Int, _ text: String) -> [Step]

  enum Step: Sendable {
    case say(String)
    case send([UInt8])
    case close
  }

  struct Log: Sendable {
    /// Where connections came from.
    var clients: [IPAddress] = []
    var connections: Int { clients.count }
    var requests: [String] = []
  }

  let address: SocketAddress
  private let listener: TCPListener
  private let log: Lock<Log>

  init(on loop: EventLoop, script: @escaping Script) throws {
    let log = Lock(Log())
    self.log = log
    listener = try TCPListener(SocketAddress(ip: .loopbackV4, port: 0), on: loop) { socket in
      log.withLock { $0.clients.append(socket.peer.ip) }
      let session = Session(TCPStream(socket, on: loop), on: loop, log: log, script: script)
      session.assumeIsolated { session in try? session.startReceiving() }
    }
    address = listener.address
  }

  var seen: Log { log.withLock { $0 } }

  func url(_ path: String, host: String = "127.0.0.1") -> String { "http://\(host):\(address.port)\(path)" }

  private actor Session: StreamOwner {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    let stream: TCPStream
    private let log: Lock<Log>
    private let script: Script
    private var text = ""

    init(_ stream: TCPStream, on loop: EventLoop, log: Lock<Log>, script: @escaping Script) {
      self.stream = stream
      self.loop = loop
      self.log = log
      self.script = script
    }

    func received(_ octets: RawSpan) {
      for index in 0..<octets.byteCount {
        text.unicodeScalars.append(Unicode.Scalar(unsafe octets.unsafeLoad(fromByteOffset: index, as: UInt8.self)))
      }
      guard text.contains("\r\n\r\n") else { return }
      let request = text
      text = ""
      let number = log.withLock { log in
        log.requests.append(request)
        return log.requests.count - 1
      }
      for step in script(number, request) {
        switch step {
        case .say(let text): stream.write(Array(text.utf8))
        case .send(let octets): stream.write(octets)
        case .close: return stream.closeGracefully()
        }
      }
    }

    func peerFinished() { stream.close() }

    func ended(_ error: IOError?) {}
  }
}

func answer(_ status: String = "200 OK", _ fields: String = "", body: String = "") -> ScriptedServer.Step {
  .say("HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
}
