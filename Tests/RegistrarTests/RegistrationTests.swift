import EventLoop
import HTTPClient
import HTTPWire
import ServiceKit
import Testing

@testable import Registrar

@Suite struct RegistrationTests {
  let registrar: Fixture

  init() async throws { registrar = try await Fixture() }

  @Test func aRegisteredDomainIsDelegatedWithItsGlue() async throws {
    #expect(try await registrar.ask("GET", "/v1/availability?name=NetworkUtopia.com", as: nil).body.contains("true"))
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    let answer = try await registrar.ask(
      "POST", "/v1/domains",
      #"{"name":"networkutopia.com","years":1,"name_servers":[{"name":"dns1.networkutopia.com","addresses":["127.0.11.1"]}]}"#,
      as: Fixture.adminToken, [("traceparent", trace)])
    #expect(answer.status == 201)
    #expect(answer.head.header("location") == "/v1/domains/networkutopia.com")
    #expect(answer.value("status") == "active")
    #expect(
      registrar.zone.sets == [
        "networkutopia.com. NS": ["dns1.networkutopia.com."], "dns1.networkutopia.com. A": ["127.0.11.1"],
      ])
    #expect(
      registrar.zone.state.withLock { $0.traces.first?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") } == true)
    let free = try await registrar.ask("GET", "/v1/availability?name=networkutopia.com", as: nil)
    #expect(free.body.contains("false"))
    #expect(try await registrar.register("networkutopia.com").status == 409)
  }

  @Test func anOrderIsKeptWhileTheServerIsDownAndDoneWhenItIsBack() async throws {
    registrar.zone.setDown(true)
    let answer = try await registrar.register("patient.com")
    #expect(answer.status == 202)
    #expect(answer.value("status") == "pending")
    #expect(answer.value("kind") == "register")
    #expect(answer.body.contains("out of order"))
    #expect(registrar.zone.sets.isEmpty)
    registrar.zone.setDown(false)
    #expect(await registrar.clock.advance(to: 3600))
    while try await registrar.ask("GET", "/v1/domains/patient.com").value("status") != "active" { await Task.yield() }
    #expect(registrar.zone.sets["patient.com. NS"] == ["dns1.patient.com."])
  }

  @Test func theSameOrderSentAgainIsNotOrderedAgain() async throws {
    let first = try await registrar.register("once.com", key: "order-1")
    let second = try await registrar.register("once.com", key: "order-1")
    #expect(first.status == 201)
    #expect(second.status == 201)
    #expect(first.body == second.body)
    #expect(try await registrar.register("twice.com", key: "order-1").status == 422)
    // Another asker's key is another key.
    let token = try await registrar.registrant("someone")
    #expect(try await registrar.register("other.com", as: token, key: "order-1").status == 201)
    #expect(try await registrar.ask("DELETE", "/v1/domains/once.com").status == 204)
    #expect(try await registrar.register("once.com", key: "order-1").status == 409)
  }

  @Test func theSameRegistrantSentAgainIsTheSameWithoutItsToken() async throws {
    let key = [(name: "Idempotency-Key", value: "r-1")]
    func create(_ name: String, key: [(name: String, value: String)]) async throws -> Fixture.Answer {
      try await registrar.ask("POST", "/v1/registrants", #"{"name":"\#(name)"}"#, as: Fixture.adminToken, key)
    }
    let first = try await create("Alice", key: key)
    #expect(first.status == 201 && first.value("token") != nil)
    let again = try await create("Alice", key: key)
    #expect(again.status == 200 && again.body.contains(#""id":1,"#) && !again.body.contains("token"))
    #expect(again.head.header("location") == "/v1/registrants/1")
    #expect(try await create("Bob", key: key).status == 422)
    #expect(try await create("Alice", key: []).body.contains(#""id":2,"#))
    // The first token is still the registrant's.
    let token = try #require(first.value("token"))
    #expect(try await registrar.register("alice.com", as: token).status == 201)
    // The key is no domain's, whatever its number: a refusal frees that domain's key alone.
    registrar.zone.answer(422)
    #expect(try await registrar.register("bad.com").status == 422)
    registrar.zone.answer(nil)
    #expect(try await create("Alice", key: key).status == 200)
    #expect(try await registrar.ask("DELETE", "/v1/domains/alice.com").status == 204)
    #expect(try await registrar.ask("DELETE", "/v1/registrants/1").status == 204)
    #expect(try await create("Alice", key: key).status == 409)
  }

  @Test func aKeyIsGoodForOneRequestOnWhateverPath() async throws {
    #expect(try await registrar.register("a.com", key: "k").status == 201)
    for (path, body) in [
      ("/v1/registrants", #"{"name":"Alice"}"#), ("/v1/domains/a.com/renew", #"{"years":1}"#),
    ] {
      let answer = try await registrar.ask(
        "POST", path, body, as: Fixture.adminToken, [(name: "Idempotency-Key", value: "k")])
      #expect(answer.status == 422 && answer.value("field") == "Idempotency-Key")
    }
    #expect(try await registrar.ask("GET", "/v1/registrants").body == #"{"items":[]}"# + "\n")
  }

  @Test func whatNeverCameIntoTheZoneIsGivenBackWithoutItsServer() async throws {
    registrar.zone.setDown(true)
    #expect(try await registrar.register("hasty.com").status == 202)
    let arrivals = registrar.zone.arrivals
    #expect(try await registrar.ask("DELETE", "/v1/domains/hasty.com").status == 204)
    #expect(registrar.zone.arrivals == arrivals)
    #expect(try await registrar.ask("GET", "/v1/domains/hasty.com").status == 404)
  }

  @Test func aDomainWhoseTermIsOverIsNotRenewed() async throws {
    let name = try #require(DomainName("over.com"))
    let now = registrar.clock.now
    _ = try await registrar.store.register(
      name, for: nil, servers: [], until: now, by: .administrator, key: nil, now: now)
    let path = "/v1/domains/over.com"
    #expect(try await registrar.ask("POST", path + "/renew", #"{"years":1}"#).status == 409)
    let body = #"{"name_servers":[{"name":"ns.example.net"}]}"#
    #expect(try await registrar.ask("PUT", path + "/name-servers", body).status == 409)
  }

  @Test func changedNameServersReplaceTheOldOnesAndTheirGlue() async throws {
    let registered = try await registrar.register("moved.com")
    let tag = try #require(registered.head.header("etag"))
    let body = #"{"name_servers":[{"name":"ns.example.net"}]}"#
    let changed = try await registrar.ask(
      "PUT", "/v1/domains/moved.com/name-servers", body, as: Fixture.adminToken, [("If-Match", tag)])
    #expect(changed.status == 200)
    #expect(registrar.zone.sets == ["moved.com. NS": ["ns.example.net."]])
    let stale = try await registrar.ask(
      "PUT", "/v1/domains/moved.com/name-servers", body, as: Fixture.adminToken, [("If-Match", tag)])
    #expect(stale.status == 412)
    let now = try #require(changed.head.header("etag"))
    #expect(try await registrar.ask("GET", "/v1/domains/moved.com").head.header("etag") == now)
    let any = try await registrar.ask(
      "DELETE", "/v1/domains/moved.com", nil, as: Fixture.adminToken, [("If-Match", "\"9-9\", \(now)")])
    #expect(any.status == 204)
    #expect(registrar.zone.sets.isEmpty)
  }

  @Test func aNewOrderOvertakesOneThatWaits() async throws {
    registrar.zone.setDown(true)
    _ = try await registrar.register("hasty.com")
    registrar.zone.setDown(false)
    #expect(try await registrar.ask("DELETE", "/v1/domains/hasty.com").status == 204)
    #expect(registrar.zone.sets.isEmpty)
    #expect(try await registrar.register("hasty.com").status == 201)
  }

  @Test func aDomainGivenBackWhileTheServerIsDownGoesLater() async throws {
    _ = try await registrar.register("leaving.com")
    registrar.zone.setDown(true)
    let answer = try await registrar.ask("DELETE", "/v1/domains/leaving.com")
    #expect(answer.status == 202)
    #expect(answer.value("status") == "deleting")
    #expect(try await registrar.register("leaving.com").status == 409)
    let body = #"{"name_servers":[{"name":"ns.example.net"}]}"#
    #expect(try await registrar.ask("PUT", "/v1/domains/leaving.com/name-servers", body).status == 409)
    registrar.zone.setDown(false)
    #expect(await registrar.clock.advance(to: 3600))
    while try await registrar.ask("GET", "/v1/domains/leaving.com").status != 404 { await Task.yield() }
    #expect(registrar.zone.sets.isEmpty)
  }

  @Test func anExpiredDomainLosesItsDelegationAndIsFreeAgain() async throws {
    _ = try await registrar.register("mortal.com")
    #expect(await registrar.clock.advance(to: 364 * 86_400))
    #expect(try await registrar.ask("GET", "/v1/domains/mortal.com").value("status") == "active")
    #expect(await registrar.clock.advance(to: 367 * 86_400))
    while try await registrar.ask("GET", "/v1/domains/mortal.com").status != 404 { await Task.yield() }
    #expect(registrar.zone.sets.isEmpty)
    #expect(try await registrar.register("mortal.com").status == 201)
  }

  @Test func aRenewedDomainLivesOn() async throws {
    let before = try await registrar.register("lasting.com").value("expires_at")
    let path = "/v1/domains/lasting.com/renew"
    let key = [(name: "Idempotency-Key", value: "r1")]
    let renewed = try await registrar.ask("POST", path, #"{"years":2}"#, as: Fixture.adminToken, key)
    #expect(renewed.status == 200)
    let after = renewed.value("expires_at")
    #expect(after != before)
    // Sent again it is still one renewal.
    let again = try await registrar.ask("POST", path, #"{"years":2}"#, as: Fixture.adminToken, key)
    #expect(again.value("expires_at") == after)
    let long = try await registrar.ask("POST", path, #"{"years":8}"#)
    #expect(long.status == 422)
    #expect(await registrar.clock.advance(to: 367 * 86_400))
    #expect(try await registrar.ask("GET", "/v1/domains/lasting.com").value("status") == "active")
  }

  @Test func ordersOutliveTheProcess() async throws {
    registrar.zone.setDown(true)
    _ = try await registrar.register("durable.com")
    let copy = try Store(path: registrar.path + "/registrar.sqlite")
    let domain = try await copy.domain(try #require(DomainName("durable.com")))
    #expect(domain?.order?.kind == .register)
    #expect(try await copy.nextDue() != nil)
  }
}
