import FoundationEssentials
import HTTPClient
import MailWire
import Octets
import ServiceKit

/// Asks the local resolver over HTTP, in the usual DNS-JSON shape.
struct ResolverLookup: Sendable {
  /// `http://127.0.0.1:8055`, without a path.
  var base: String
  var client: HTTPClient
  /// What the look-ups are a part of.
  var trace: TraceContext?

  var names: NameLookup {
    NameLookup(
      exchangers: { domain in
        await ask(domain, "MX", 15) { Self.exchanger($0) }
      },
      addresses: { host in
        let v4 = await ask(host, "A", 1) { IPAddress($0) }
        let v6 = await ask(host, "AAAA", 28) { IPAddress($0) }
        switch (v4, v6) {
        case (.records(let first), .records(let second)): return .records(first + second)
        // One family is enough to go on with.
        case (.records(let found), _) where !found.isEmpty, (_, .records(let found)) where !found.isEmpty:
          return .records(found)
        case (.failed, _): return v4
        default: return v6
        }
      },
      within: { ResolverLookup(base: base, client: client, trace: $0).names })
  }

  private struct Reply: Decodable {
    struct Record: Decodable {
      var type: Int
      var data: String
    }

    var Status: Int
    var Answer: [Record]?
  }

  private func ask<Record: Sendable & Equatable>(
    _ name: String, _ type: String, _ number: Int, _ read: @Sendable (String) -> Record?
  ) async -> NameAnswer<Record> {
    guard let question = Self.question(name, type) else { return .noSuchName }
    var request = ClientRequest(base + question)
    request.deadline = .seconds(15)
    do {
      let response = try await client.send(request.with(trace: trace))
      guard response.status == 200 else { return .failed("the resolver answered with status \(response.status)") }
      let reply = try JSONDecoder().decode(Reply.self, from: Data(response.body))
      switch reply.Status {
      case 0: return .records((reply.Answer ?? []).filter { $0.type == number }.compactMap { read($0.data) })
      case 3: return .noSuchName
      case let code: return .failed(code == 2 ? "SERVFAIL" : "RCODE \(code)")
      }
    } catch {
      return .failed("\(error)")
    }
  }

  /// `/resolve?name=hamburger.edu&type=MX`; a name beyond ASCII is looked up in its A-labels (RFC 6531 §3.2).
  /// - Returns: nil for what can't be a name in the DNS, and therefore does not exist.
  static func question(_ name: String, _ type: String) -> String? {
    HostName.ascii(name).map { "/resolve?name=\($0)&type=\(type)" }
  }

  /// `10 mail.hamburger.edu.`
  static func exchanger(_ data: String) -> MailExchanger? {
    let words = data.split(separator: " ")
    guard words.count == 2, let preference = Int(words[0]) else { return nil }
    var host = words[1].lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    return MailExchanger(preference: preference, host: host)
  }
}
