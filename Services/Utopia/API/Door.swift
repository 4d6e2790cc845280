import EventLoop
import Octets

/// A service's REST interface.
struct Door: Sendable {
  /// An answer of a service, whatever its status.
  struct Reply: Sendable {
    var status: Int
    var body: [UInt8]

    var isSuccess: Bool { (200..<300).contains(status) }
    var json: JSON { JSON(body) ?? .null }
  }

  /// `http://127.0.0.1:8050`, without a path.
  let url: String
  let token: String?
  let loop: EventLoop

  /// Sends a request and returns the answer; an error only where there is none.
  func send(
    _ method: String, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = [],
    timeout: Duration = .seconds(10)
  ) async throws(Trouble) -> Reply {
    do {
      return try await exchange(method, path, body, headers, timeout)
    } catch {
      throw Trouble("\(method) \(url)\(path): \(error)")
    }
  }

  /// The body of an answer that must be a success.
  @discardableResult
  func ask(_ method: String, _ path: String, _ body: JSON? = nil) async throws(Trouble) -> JSON {
    let reply = try await send(method, path, body)
    guard reply.isSuccess else { throw refusal(method, path, reply) }
    return reply.json
  }

  /// Every item of a list, page after page.
  func items(_ path: String) async throws(Trouble) -> [JSON] {
    var items: [JSON] = []
    var cursor = ""
    while true {
      let page = try await ask("GET", path + (path.contains("?") ? "&" : "?") + "limit=100" + cursor)
      items += page["items"]?.array ?? []
      guard let next = page["next"]?.string, !next.isEmpty else { return items }
      cursor = "&cursor=" + percentEncoded(next)
    }
  }

  func refusal(_ method: String, _ path: String, _ reply: Reply) -> Trouble {
    let problem = reply.json
    let reason = [problem["title"], problem["detail"], problem["error"]].compactMap { $0?.string }
    return Trouble("\(method) \(url)\(path): \(reply.status) \(reason.joined(separator: ": "))")
  }

  private func exchange(
    _ method: String, _ path: String, _ body: JSON?, _ headers: [(String, String)], _ timeout: Duration
  ) async throws -> Reply {
    guard url.hasPrefix("http://"), let address = SocketAddress(url.dropFirst(7)) else {
      throw Trouble("an address such as http://127.0.0.1:8050 was expected")
    }
    var head = "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n"
    if let token { head += "Authorization: Bearer \(token)\r\n" }
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    let octets = body?.octets ?? []
    if body != nil { head += "Content-Type: application/json\r\nContent-Length: \(octets.count)\r\n" }
    let connection = try await TCPConnection.connect(to: address, on: loop, timeout: timeout)
    do {
      try await connection.write(Array((head + "\r\n").utf8) + octets, timeout: timeout)
      var answer: [UInt8] = []
      while case let more = try await connection.read(timeout: timeout), !more.isEmpty { answer += more }
      await connection.close()
      return try Self.parse(answer)
    } catch {
      await connection.close()
      throw error
    }
  }

  /// A whole answer, up to the end of its connection.
  static func parse(_ answer: [UInt8]) throws(Trouble) -> Reply {
    let text = answer[...]
    guard let end = text.firstRange(of: [13, 10, 13, 10]) else { throw Trouble("the answer is cut off") }
    let head = String(decoding: answer[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    guard let first = head.first, first.hasPrefix("HTTP/1."), let status = Int(first.dropFirst(9).prefix(3)) else {
      throw Trouble("the answer is not HTTP")
    }
    let isChunked = head.dropFirst().contains { $0.lowercased() == "transfer-encoding: chunked" }
    let body = Array(answer[end.upperBound...])
    return Reply(status: status, body: isChunked ? try dechunked(body) : body)
  }

  private static func dechunked(_ body: [UInt8]) throws(Trouble) -> [UInt8] {
    var result: [UInt8] = []
    var rest = body[...]
    while let line = rest.firstRange(of: [13, 10]) {
      let digits = String(decoding: rest[..<line.lowerBound].prefix { $0.hexDigit != nil }, as: UTF8.self)
      guard let size = Int(digits, radix: 16), size <= rest.count - (line.upperBound - rest.startIndex) else { break }
      if size == 0 { return result }
      result += rest[line.upperBound..<line.upperBound + size]
      rest = rest[(line.upperBound + size)...].dropFirst(2)
    }
    throw Trouble("the answer is cut off")
  }
}

/// A text as one segment of a path or one value of a query (RFC 3986 §2.3).
func percentEncoded(_ text: String) -> String {
  var result = ""
  for octet in text.utf8 {
    switch octet {
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "@"):
      result.unicodeScalars.append(Unicode.Scalar(octet))
    case _ where octet.isASCIIAlphanumeric: result.unicodeScalars.append(Unicode.Scalar(octet))
    default: result += "%" + Hex.encode([octet]).uppercased()
    }
  }
  return result
}

extension World {
  func door(to host: Host, token: String?, on loop: EventLoop) -> Door {
    Door(url: url(of: host), token: token, loop: loop)
  }
}
