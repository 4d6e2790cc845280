import HTTPClient
import Octets
import ServiceKit

/// A change of a top-level domain's zone, made as a whole or not at all.
struct ZoneChange: Sendable {
  var replace: [RecordSet]
  var delete: [RecordSet.Key]

  var isEmpty: Bool { replace.isEmpty && delete.isEmpty }
}

/// Why a zone could not be read or changed: the words stand in the order for its owner to read.
struct ZoneError: Error, CustomStringConvertible {
  enum Kind: Equatable {
    /// The server can't be reached, or can't do it now. Whether it did is not known.
    case unavailable
    /// The zone is no longer as it was when it was looked at. Nothing was done.
    case changed
    /// The server has understood and will not, so that asking again is no use. Nothing was done.
    case refused(Refusal.Cause)
  }

  let kind: Kind
  let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

/// What a zone says of a name.
struct NameState: Sendable {
  /// The types of the records it has there.
  let types: [String]
  /// The zone's entity tag, where its server gives one.
  let tag: String?
}

/// Where changes of zones go. `trace` is the request's on whose behalf it happens.
protocol ZoneWriter: Sendable {
  func look(at name: DomainName, in zone: DomainName, trace: TraceContext?) async throws(ZoneError) -> NameState

  /// - Parameter tag: nothing is done where the zone has another one meanwhile.
  func apply(_ change: ZoneChange, to zone: DomainName, ifMatch tag: String?, trace: TraceContext?)
    async throws(ZoneError)
}

/// The zone API of the top-level domains' name servers: PowerDNS's, as anyone may run it.
struct ZoneServers: ZoneWriter {
  let domains: TopLevelDomains
  let client: HTTPClient
  /// The zone APIs' key, asked for at each request: the administrator's token may change while the registrar runs.
  let key: @Sendable () -> String

  /// Seconds that resolvers keep a delegation: a day.
  private static let timeToLive = 86_400
  private static let deadline = Duration.seconds(5)

  func look(at name: DomainName, in zone: DomainName, trace: TraceContext?) async throws(ZoneError) -> NameState {
    let response = try await send("GET", zone, query: "?rrset_name=\(name.absolute)", trace: trace)
    let found: Zone
    do {
      found = try JSON.decode(Zone.self, from: response.body)
    } catch {
      throw ZoneError(.refused(.server), "the server of \(zone) does not speak of zones as PowerDNS does")
    }
    // A server that does not know the parameter shows the whole zone.
    let types = found.rrsets.filter { DomainName($0.name) == name }.map(\.type)
    return NameState(types: types, tag: response.header("etag"))
  }

  func apply(
    _ change: ZoneChange, to zone: DomainName, ifMatch tag: String?, trace: TraceContext?
  ) async throws(ZoneError) {
    let body: [UInt8]
    do {
      body = try JSON.encode(ZoneServers.patch(change))
    } catch {
      throw ZoneError(.refused(.server), "the change can't be written: \(error)")
    }
    _ = try await send("PATCH", zone, ifMatch: tag, body: body, trace: trace)
  }

  private func send(
    _ method: String, _ zone: DomainName, query: String = "", ifMatch tag: String? = nil, body: [UInt8]? = nil,
    trace: TraceContext?
  ) async throws(ZoneError) -> ClientResponse {
    guard let server = domains.server(of: zone) else {
      throw ZoneError(.unavailable, "no server is configured for \(zone)")
    }
    let url = "\(server)/api/v1/servers/localhost/zones/\(zone.absolute)\(query)"
    var request = ClientRequest(method, url, headers: [("X-API-Key", key())], body: body).with(trace: trace)
    if body != nil { request.headers.append(("Content-Type", "application/json")) }
    if let tag { request.headers.append(("If-Match", tag)) }
    request.deadline = ZoneServers.deadline
    // A change says what is to be, not what is to change: twice is the same as once, unless it depends on the tag.
    request.isRepeatable = tag == nil
    let response: ClientResponse
    do {
      response = try await client.send(request)
    } catch {
      throw ZoneError(.unavailable, error.description)
    }
    let words = "\(method) \(url): \(response.status) \(String(decoding: response.body.prefix(300), as: UTF8.self))"
    switch response.status {
    case 200..<300: return response
    case 412: throw ZoneError(.changed, words)
    case 429, 500...: throw ZoneError(.unavailable, words)
    case 422: throw ZoneError(.refused(.data), words)
    default: throw ZoneError(.refused(.server), words)
    }
  }

  private struct Zone: Decodable {
    struct Set: Decodable {
      let name: String
      let type: String
    }

    let rrsets: [Set]
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
