import HTTPClient
import Octets
import ServiceKit

/// A change of a top-level domain's zone, made as a whole or not at all.
struct ZoneChange: Sendable {
  var replace: [RecordSet]
  var delete: [RecordSet.Key]
}

/// Why a zone could not be changed: the words stand in the order for its owner to read.
struct ZoneError: Error, CustomStringConvertible {
  let description: String
}

/// Where changes of zones go. `trace` is the request's on whose behalf it happens.
protocol ZoneWriter: Sendable {
  func apply(_ change: ZoneChange, to zone: DomainName, trace: TraceContext?) async throws(ZoneError)
}

/// The zone API of the top-level domains' name servers: PowerDNS's, as anyone may run it.
struct ZoneServers: ZoneWriter {
  let domains: TopLevelDomains
  let client: HTTPClient
  let key: String

  /// Seconds that resolvers keep a delegation: a day.
  private static let timeToLive = 86_400
  private static let deadline = Duration.seconds(5)

  func apply(_ change: ZoneChange, to zone: DomainName, trace: TraceContext?) async throws(ZoneError) {
    guard let server = domains.server(of: zone) else {
      throw ZoneError(description: "no server is configured for \(zone)")
    }
    let body: [UInt8]
    do {
      body = try JSON.encode(ZoneServers.patch(change))
    } catch {
      throw ZoneError(description: "the change can't be written: \(error)")
    }
    let url = "\(server)/api/v1/servers/localhost/zones/\(zone.absolute)"
    var request = ClientRequest(
      "PATCH", url, headers: [("X-API-Key", key), ("Content-Type", "application/json")], body: body)
    request.traceparent = trace?.child.traceparent
    request.deadline = ZoneServers.deadline
    // It says what is to be, not what is to change: twice is the same as once.
    request.isRepeatable = true
    let response: ClientResponse
    do {
      response = try await client.send(request)
    } catch {
      throw ZoneError(description: error.description)
    }
    guard 200..<300 ~= response.status else {
      let words = String(decoding: response.body.prefix(300), as: UTF8.self)
      throw ZoneError(description: "PATCH \(url): \(response.status) \(words)")
    }
  }

  private static func patch(_ change: ZoneChange) -> Patch {
    let replaced = change.replace.map { set in
      Patch.Set(
        name: set.key.name.absolute, type: set.key.type, changetype: "REPLACE", ttl: timeToLive,
        records: set.contents.map { Patch.Record(content: $0, disabled: false) })
    }
    let deleted = change.delete.map { key in
      Patch.Set(name: key.name.absolute, type: key.type, changetype: "DELETE", ttl: nil, records: nil)
    }
    return Patch(rrsets: replaced + deleted)
  }

  private struct Patch: Encodable {
    struct Record: Encodable {
      let content: String
      let disabled: Bool
    }

    struct Set: Encodable {
      let name: String
      let type: String
      let changetype: String
      let ttl: Int?
      let records: [Record]?
    }

    let rrsets: [Set]
  }
}
