import EventLoop
import HTTPClient
import Octets

/// Where the tour plays: the services' doors, and the ways of showing what goes through them.
struct Stage: Sendable {
  let world: World
  let token: String?
  let loop: EventLoop
  let client: HTTPClient

  func host(_ name: String) throws(Trouble) -> Host {
    guard let host = world.host(named: name) else {
      throw Trouble("the tour is of the default world: \(name) is missing")
    }
    return host
  }

  func address(_ name: String, _ port: KeyPath<Ports, UInt16>) throws(Trouble) -> SocketAddress {
    SocketAddress(ip: try host(name).address, port: world.ports[keyPath: port])
  }

  func door(_ name: String) throws(Trouble) -> Door { world.door(to: try host(name), token: token, through: client) }

  func chapter(_ number: Int, _ title: String) { say("\n\(number). \(title)\n") }

  func tell(_ text: String) { say(text) }

  /// Shows a request as the curl command that makes it, then makes it.
  @discardableResult
  func show(_ name: String, _ method: String, _ path: String, _ body: JSON? = nil) async throws(Trouble) -> JSON {
    let door = try door(name)
    var command = "  $ curl"
    if method != "GET" { command += " -X \(method)" }
    command += " -H \"$TOKEN\" '\(door.url)\(path)'"
    if let body { command += " --json '\(body.text)'" }
    say(command)
    return try await door.ask(method, path, body)
  }

  /// The walk of a question through the name servers, a line a step.
  func walk(_ name: String, _ type: String) async throws(Trouble) -> JSON {
    let path = "/resolve?name=\(percentEncoded(name))&type=\(type)&trace=1"
    say("  $ curl '\(try door("resolver").url)\(path)'")
    let answer = try await door("resolver").ask("GET", path)
    var table = Table(["  STEP", "SERVER", "ZONE", "QUESTION", "RESULT"])
    for step in answer["Trace"]?.array ?? [] {
      let server = [step["server_name"]?.string, step["server"]?.string].compactMap(\.self).joined(separator: " ")
      let result = [step["result"]?.string, step["detail"]?.string].compactMap(\.self).joined(separator: ": ")
      table.add(
        "  \(step["step"]?.text ?? "")", server.isEmpty ? step["kind"]?.text ?? "" : server, step["zone"]?.text ?? "",
        "\(step["question"]?["name"]?.text ?? "") \(step["question"]?["type"].map(typeName) ?? "")", result)
    }
    say(table.text, terminator: "")
    records(answer)
    return answer
  }

  /// A question and the records of its answer.
  func lookUp(_ name: String, _ type: String) async throws(Trouble) -> JSON {
    let path = "/resolve?name=\(percentEncoded(name))&type=\(type)"
    say("  $ curl '\(try door("resolver").url)\(path)'")
    let answer = try await door("resolver").ask("GET", path)
    records(answer)
    return answer
  }

  private func records(_ answer: JSON) {
    for record in answer["Answer"]?.array ?? [] {
      say(
        "  \(record["name"]?.text ?? "") \(record["TTL"]?.text ?? "") \(record["type"].map(typeName) ?? "") "
          + (record["data"]?.text ?? ""))
    }
    if answer["Answer"]?.array?.isEmpty ?? true {
      say("  no record: \(answer["Comment"]?.text ?? "Status \(answer["Status"]?.text ?? "?")")")
    }
  }

  /// Asks again until there is an answer, for at most ten seconds.
  func await<Value: Sendable>(
    _ what: String, _ question: @Sendable () async throws(Trouble) -> Value?
  ) async throws(Trouble) -> Value {
    for _ in 0..<200 {
      if let value = try await question() { return value }
      await loop.sleep(for: .milliseconds(50))
    }
    throw Trouble("\(what) did not happen within ten seconds")
  }
}

/// The name of a record type that DNS-JSON gives as a number.
private func typeName(_ type: JSON) -> String {
  let names = [1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV"]
  return type.int.map { names[$0] ?? "TYPE\($0)" } ?? type.text
}
