import HTTPClient
import HTTPServer
import HTTPWire
import SQL
import Testing

@testable import Registrar

@Suite struct AccessTests {
  let registrar: Fixture

  init() async throws { registrar = try await Fixture() }

  @Test func registrantsSeeAndTouchOnlyTheirOwn() async throws {
    let alice = try await registrar.registrant("Alice")
    let bob = try await registrar.registrant("Bob")
    #expect(try await registrar.register("alice.com", as: alice).status == 201)
    #expect(try await registrar.register("bob.com", as: bob).status == 201)
    let list = try await registrar.ask("GET", "/v1/domains", as: alice)
    #expect(list.body.contains("alice.com"))
    #expect(!list.body.contains("bob.com"))
    #expect(try await registrar.ask("GET", "/v1/domains").body.contains("bob.com"))
    for (method, path, body) in [
      ("GET", "/v1/domains/bob.com", nil), ("DELETE", "/v1/domains/bob.com", nil),
      ("PUT", "/v1/domains/bob.com/name-servers", #"{"name_servers":[{"name":"ns.evil.net"}]}"#),
      ("POST", "/v1/domains/bob.com/renew", #"{"years":1}"#), ("GET", "/v1/registrants/2", nil),
    ] {
      #expect(try await registrar.ask(method, path, body, as: alice).status == 404)
    }
    let mine = try await registrar.ask("GET", "/v1/registrants", as: alice)
    #expect(mine.body.contains("Alice"))
    #expect(!mine.body.contains("Bob"))
    #expect(try await registrar.ask("POST", "/v1/registrants", #"{"name":"Eve"}"#, as: alice).status == 403)
    #expect(registrar.zone.sets["bob.com. NS"] == ["dns1.bob.com."])
  }

  @Test(arguments: [
    ("GET", "/v1/domains"), ("POST", "/v1/domains"), ("GET", "/v1/domains/a.com"), ("DELETE", "/v1/domains/a.com"),
    ("PUT", "/v1/domains/a.com/name-servers"), ("POST", "/v1/domains/a.com/renew"), ("GET", "/v1/registrants"),
    ("POST", "/v1/registrants"), ("GET", "/v1/registrants/1"), ("DELETE", "/v1/registrants/1"),
  ])
  func nothingOfThisIsForStrangers(method: String, path: String) async throws {
    for token in [nil, "wrong"] as [String?] {
      let answer = try await registrar.ask(method, path, method == "GET" ? nil : "{}", as: token)
      #expect(answer.status == 401)
      #expect(answer.head.header("www-authenticate") != nil)
    }
  }

  @Test func aTokenIsShownOnceAndNotKept() async throws {
    let token = try await registrar.registrant("Alice")
    #expect(try await !registrar.ask("GET", "/v1/registrants/1").body.contains("token"))
    let kept = try await registrar.store.database.read { connection in
      try connection.all("SELECT token_digest FROM registrant") { $0.bytes(0) }
    }
    #expect(kept.first?.count == 32)
    #expect(kept.first != Array(token.utf8))
    #expect(try await registrar.register("kept.com", as: token).status == 201)
    #expect(try await registrar.ask("DELETE", "/v1/registrants/1").status == 409)
    #expect(try await registrar.ask("DELETE", "/v1/domains/kept.com").status == 204)
    #expect(try await registrar.ask("DELETE", "/v1/registrants/1").status == 204)
    #expect(try await registrar.ask("GET", "/v1/domains", as: token).status == 401)
  }

  @Test(arguments: [
    ("{", 400, "valid JSON"), ("{}", 422, "name"), (#"{"name":"a.com","years":1}"#, 422, "name_servers"),
    (#"{"name":"a.com","years":0,"name_servers":[{"name":"n.b.net"}]}"#, 422, "years"),
    (#"{"name":"a.com","years":"1","name_servers":[{"name":"n.b.net"}]}"#, 422, "years"),
    (#"{"name":"a.com","years":1,"name_servers":[]}"#, 422, "name_servers"),
    (#"{"name":"a.com","years":1,"name_servers":[{"name":"n.a.com"}]}"#, 422, "name_servers[0].addresses"),
    (#"{"name":"a.com","years":1,"name_servers":[{"name":"n.a.com","addresses":["x"]}]}"#, 422, "addresses[0]"),
    (#"{"name":"a.com","years":1,"name_servers":[{"name":"n b"}]}"#, 422, "name_servers[0].name"),
    (#"{"name":"a.xyz","years":1,"name_servers":[{"name":"n.b.net"}]}"#, 422, "top-level"),
    (#"{"name":"a.com","years":1,"name_servers":[{"name":"n.b.net"}],"registrant":7}"#, 422, "registrant"),
  ])
  func aWrongFieldIsNamed(body: String, status: Int, words: String) async throws {
    let answer = try await registrar.ask("POST", "/v1/domains", body)
    #expect(answer.status == status)
    #expect(answer.head.header("content-type") == "application/problem+json")
    #expect(answer.body.contains(words))
    #expect(try await registrar.ask("GET", "/v1/domains").body == #"{"items":[]}"# + "\n")
  }

  @Test(arguments: [
    ("/v1/domains?limit=1&registrant=7", "registrant"), ("/v1/domains?limit=1&limit=2", "limit"),
    ("/v1/registrants?name=Alice", "name"), ("/v1/availability?name=a.com&tld=net", "tld"),
  ])
  func aQueryParameterThatIsNoneIsNamed(path: String, field: String) async throws {
    let answer = try await registrar.ask("GET", path)
    #expect(answer.status == 400 && answer.value("field") == field)
  }

  @Test func aRegistrantsNameIsCountedAsTheContractCounts() async throws {
    for (count, status) in [(100, 201), (101, 422)] {
      let name = String(repeating: "e\u{301}", count: count)
      #expect(try await registrar.ask("POST", "/v1/registrants", #"{"name":"\#(name)"}"#).status == status)
    }
  }

  @Test func pagesFollowOneAnother() async throws {
    for name in ["a.com", "b.com", "c.net"] { #expect(try await registrar.register(name).status == 201) }
    let first = try await registrar.ask("GET", "/v1/domains?limit=2")
    #expect(first.body.contains("b.com"))
    #expect(!first.body.contains("c.net"))
    let next = try #require(first.value("next"))
    let second = try await registrar.ask("GET", "/v1/domains?limit=2&cursor=\(next)")
    #expect(second.body.contains("c.net"))
    #expect(!second.body.contains("b.com"))
    #expect(second.value("next") == nil)
    for query in ["limit=0", "limit=1001", "limit=x", "limit=", "cursor=%20"] {
      #expect([400, 422].contains(try await registrar.ask("GET", "/v1/domains?\(query)").status))
    }
  }
}
