import EventLoop
import HTTPServer
import HTTPWire
import ServiceKit

@testable import Registrar

/// A top-level domain's server that keeps what it is told, and can be out of order or refuse.
final class FakeZone: Sendable {
  struct State: Sendable {
    /// "name type" and what is there.
    var sets: [String: [String]] = [:]
    var revision = 1
    var looks = 0
    /// Answers to changes instead of doing them.
    var status: Status?
    /// The change is made, and then the answer is lost.
    var losesAnswers = false
    /// What somebody else adds to the zone right after it has been looked at.
    var intruder: [String: [String]] = [:]
    var traces: [String] = []
    /// Requests that came, and whether they are kept waiting.
    var arrivals = 0
    var isHolding = false
    /// A name server that is not accepted.
    var refusedServer: String?
  }

  private struct View: Encodable {
    struct Set: Encodable {
      let name: String
      let type: String
    }
    let rrsets: [Set]
  }

  private struct Patch: Decodable {
    struct Record: Decodable { let content: String }
    struct Set: Decodable {
      let name: String
      let type: String
      let changetype: String
      let ttl: Int?
      let records: [Record]?
    }
    let rrsets: [Set]
  }

  let state = Lock(State())

  func router() -> Router {
    let router = Router()
    let path = "/api/v1/servers/localhost/zones/{zone}"
    router.get(path) { [self] request in
      guard request.header("x-api-key") == "zone key" else { return .empty(.unauthorized) }
      await self.arrive()
      let name = request.query("rrset_name")
      let (view, tag) = state.withLock { state in
        state.looks += 1
        let names = state.sets.keys.map { $0.split(separator: " ").map(String.init) }.filter { $0[0] == name }
        let tag = "\"\(state.revision)\""
        if !state.intruder.isEmpty {
          state.sets.merge(state.intruder) { $1 }
          state.intruder = [:]
          state.revision += 1
        }
        return (View(rrsets: names.map { View.Set(name: $0[0], type: $0[1]) }), tag)
      }
      if let status = state.withLock({ $0.status }), status == 503 { return .text("out of order", status: status) }
      return try .encode(view).with("etag", tag)
    }
    router.patch(path) { [self] request in
      let patch = try await request.decode(Patch.self)
      await self.arrive()
      guard request.header("x-api-key") == "zone key" else { return .empty(.unauthorized) }
      return state.withLock { state in
        if let status = state.status {
          return .text(status == 503 ? "out of order" : "not like that", status: status)
        }
        let contents = patch.rrsets.flatMap { $0.records ?? [] }.map(\.content)
        if let refused = state.refusedServer, contents.contains(refused) { return .text("not that one", status: 422) }
        if let tag = request.header("if-match"), tag != "\"\(state.revision)\"" { return .empty(412) }
        state.revision += 1
        if let trace = request.header("traceparent") { state.traces.append(trace) }
        for set in patch.rrsets {
          state.sets["\(set.name) \(set.type)"] = set.changetype == "REPLACE" ? set.records?.map(\.content) : nil
        }
        return state.losesAnswers ? .text("lost", status: 504) : .empty()
      }
    }
    return router
  }

  private func arrive() async {
    state.withLock { $0.arrivals += 1 }
    while state.withLock({ $0.isHolding }) { await Task.yield() }
  }

  /// From now on requests wait until they are let go.
  func hold(_ isHolding: Bool = true) { state.withLock { $0.isHolding = isHolding } }

  var arrivals: Int { state.withLock { $0.arrivals } }

  var sets: [String: [String]] { state.withLock { $0.sets } }

  func setDown(_ isDown: Bool) { answer(isDown ? 503 : nil) }

  func answer(_ status: Status?) { state.withLock { $0.status = status } }
}
