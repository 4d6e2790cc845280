import HTTPClient
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
  let client: HTTPClient

  /// Sends a request and returns the answer; an error only where there is none.
  func send(
    _ method: String, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = [],
    timeout: Duration = .seconds(10)
  ) async throws(Trouble) -> Reply {
    var all = headers
    if let token { all.append(("Authorization", "Bearer \(token)")) }
    if body != nil { all.append(("Content-Type", "application/json")) }
    var request = ClientRequest(method, url + path, headers: all, body: body?.octets)
    request.deadline = timeout
    do {
      let response = try await client.send(request)
      return Reply(status: response.status, body: response.body)
    } catch {
      throw Trouble(error.description)
    }
  }

  /// Sends octets; the answer must be a success.
  @discardableResult
  func upload(_ method: String, _ path: String, _ octets: [UInt8], type: String) async throws(Trouble) -> JSON {
    var headers = [("Content-Type", type)]
    if let token { headers.append(("Authorization", "Bearer \(token)")) }
    let reply: Reply
    do {
      let response = try await client.send(ClientRequest(method, url + path, headers: headers, body: octets))
      reply = Reply(status: response.status, body: response.body)
    } catch {
      throw Trouble(error.description)
    }
    guard reply.isSuccess else { throw refusal(method, path, reply) }
    return reply.json
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
    let reason = problem["detail"] ?? problem["error"] ?? problem["title"]
    return Trouble("\(method) \(url)\(path): \(reply.status) \(reason?.text ?? "without a reason")")
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
  func door(to host: Host, token: String?, through client: HTTPClient) -> Door {
    Door(url: url(of: host), token: token, client: client)
  }
}
