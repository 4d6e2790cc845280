import ArgumentParser
import EventLoop
import HTTPClient
import HTTPServer
import Logging
import Octets
import SQL
import Testing

@testable import ServiceKit

/// What every service does the same way, over real connections.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ServiceTests {
  @Test(
    "A drain that takes its time holds up no other, and what is closed is closed after all of them, the last added first"
  )
  func drains() async throws {
    let one = try await TestService()
    let steps = Lock<[String]>([])
    let note = { @Sendable (step: String) in steps.withLock { $0.append(step) } }
    let (first, never) = (Gate(), Gate())
    one.service.onClose { note("the store") }
    one.service.onClose { note("what needs the store") }
    // Each waits for the other: one after the other they would wait for ever.
    one.service.onDrain {
      await first.pass()
      note("drained")
    }
    one.service.onDrain { first.open() }
    one.service.onDrain { await never.pass() }
    #expect(await one.service.lifecycle.drain(within: .seconds(3), on: one.service.loop))
    #expect(steps.withLock { $0 } == ["drained", "what needs the store", "the store"])
    never.open()
    await one.stop()
  }

  @Test("Names and origins that are not this server's are refused, those that are pass")
  func hostsAndOrigins() async throws {
    let one = try await TestService(["--allow-host", "mail.test"])
    let own = "\(one.address)"
    for (host, origin, status) in [
      (own, nil, 200), ("localhost:\(one.address.port)", nil, 200), ("mail.test", nil, 200), ("[::1]", nil, 200),
      ("evil.example", nil, 403), (own, "http://\(own)", 200), (own, "http://evil.example", 403), (own, "null", 403),
    ] as [(String, String?, Int)] {
      var headers = [(name: "Host", value: host)]
      if let origin { headers.append(("Origin", origin)) }
      let answer = try await one.ask("GET", "/healthz", headers)
      #expect(answer.status == status, "\(host) \(origin ?? "")")
    }
    await one.stop()
  }

  @Test("What a resource does not allow is said with what it does; what is not there is a problem")
  func methodsAndPaths() async throws {
    let one = try await TestService()
    let refused = try await one.ask("DELETE", "/healthz")
    #expect(refused.status == 405)
    #expect(refused.header("allow") == "GET, HEAD, OPTIONS")
    let options = try await one.ask("OPTIONS", "/healthz")
    #expect(options.status == 204)
    #expect(options.header("allow") == "GET, HEAD, OPTIONS")
    let head = try await one.ask("HEAD", "/healthz")
    #expect(head.status == 200 && head.body.isEmpty)
    let missing = try await one.ask("GET", "/nowhere")
    #expect(missing.status == 404)
    #expect(missing.header("content-type") == "application/problem+json")
    // Without --lab there is no clock to move and nothing to reset.
    #expect(try await one.ask("PUT", "/v1/clock", body: #"{"offset_seconds": 1}"#).status == 404)
    #expect(try await one.ask("POST", "/v1/reset").status == 404)
    await one.stop()
  }

  @Test("In a lab the clock goes forward alone, and keeps its offset over a restart")
  func clock() async throws {
    let directory = TestDirectory()
    let one = try await TestService(["--lab"], in: directory)
    #expect(try await one.ask("PUT", "/v1/clock", body: #"{"offset_seconds": 60}"#).status == 200)
    #expect(try await one.ask("PUT", "/v1/clock", body: #"{"offset_seconds": 59}"#).status == 409)
    #expect(try await one.ask("PUT", "/v1/clock", body: #"{"offset_seconds": -1}"#).status == 422)
    #expect(try one.service.clockOffset?.load() == 60)
    await one.stop()
  }

  @Test("A clock that can't be saved stays where it is")
  func unsavedClock() async throws {
    let directory = TestDirectory()
    let one = try await TestService(["--lab"], in: directory)
    // Stands where the file is written before it gets its name.
    try directory.makeFolder("clock-offset.new")
    #expect(try await one.ask("PUT", "/v1/clock", body: #"{"offset_seconds": 60}"#).status == 500)
    #expect(one.service.clock.offsetSeconds == 0)
    await one.stop()
  }

  @Test("A number that does not fit is named, however well-formed", arguments: ["0.5", "9223372036854775808", "1e400"])
  func unfitNumbers(number: String) async throws {
    let one = try await TestService(["--lab"])
    let answer = try await one.ask(
      "PUT", "/v1/clock", body: #"{"a": [1, null, {"b": true}], "offset_seconds": \#(number)}"#)
    #expect(answer.status == 422)
    #expect(String(decoding: answer.body, as: UTF8.self).contains(#""field":"offset_seconds""#))
    await one.stop()
  }

  @Test("Credentials that are wrong are told from none")
  func credentials() async throws {
    let one = try await TestService()
    for (header, words) in [("", "missing"), ("Bearer wrong", "not the administrator's"), ("Basic YTpi", "not a name")]
    {
      let answer = try await one.ask("GET", "/v1/routes", [(name: "Authorization", value: header)])
      #expect(answer.status == 401)
      #expect(String(decoding: answer.body, as: UTF8.self).contains(words))
    }
    await one.stop()
  }

  @Test("A trace is handed on with a new span; what is no trace is not")
  func traces() async throws {
    let seen = Lock<[String?]>([])
    let last = try await TestService { service in
      service.router.get("/last") { request in
        seen.withLock { $0.append(request.header("traceparent")) }
        return .empty()
      }
    }
    let target = "http://\(last.address)/last"
    let first = try await TestService { service in
      let client = service.client
      service.router.get("/first") { request async throws in
        _ = try await client.send(ClientRequest(target).with(trace: request.trace))
        return .empty()
      }
    }
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for header in [parent, "00-nonsense", nil] {
      let headers = header.map { [(name: "traceparent", value: $0)] } ?? []
      #expect(try await first.ask("GET", "/first", headers).status == 204)
    }
    let told = seen.withLock { $0 }
    #expect(told.count == 3)
    let handedOn = try #require(told.first.flatMap { $0 }.flatMap { TraceContext(traceparent: $0) })
    #expect(handedOn.trace == TraceContext(traceparent: parent)?.trace)
    #expect(handedOn.span != TraceContext(traceparent: parent)?.span)
    #expect(told.dropFirst().allSatisfy { $0 == nil })
    await first.stop()
    await last.stop()
  }

  @Test("EDNS option 65500 carries a trace there and back, and nothing else is taken for one")
  func traceOption() throws {
    let trace = try #require(TraceContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    let octets = trace.ednsOption
    #expect(octets.count == 27)
    #expect(TraceContext(ednsOption: octets) == trace)
    for wrong in [
      [], Array(octets.dropLast()), octets + [0], [1] + octets.dropFirst(), [UInt8](repeating: 0, count: 27),
    ] {
      #expect(TraceContext(ednsOption: wrong) == nil)
    }
  }

  @Test("Tracing is on only where spans have somewhere to go")
  func tracing() {
    #expect(!Tracing(environment: [:]).isOn)
    #expect(!Tracing(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": ""]).isOn)
    #expect(Tracing(environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"]).isOn)
  }

  @Test("Totals are counters, and say so")
  func counters() async throws {
    let one = try await TestService()
    let text = String(decoding: try await one.ask("GET", "/metrics").body, as: UTF8.self)
    for name in [
      "http_requests_total", "http_refusals_total", "http_turned_away_total", "http_overloads_total",
      "log_lines_dropped_total",
    ] {
      #expect(text.contains("# TYPE \(name) counter\n"))
    }
    #expect(text.contains("# TYPE http_connections gauge\n"))
    #expect(!text.split(separator: "\n").contains { $0.hasPrefix("# TYPE") && $0.hasSuffix("_total gauge") })
    await one.stop()
  }

  @Test(
    "An address that asks too often hears 429 and when to come back; SIGHUP changes the limit, the level and the token")
  func reload() async throws {
    let directory = TestDirectory()
    try directory.write("log-level error # quiet\nrate-limit 3\n", to: "settings")
    try directory.write("old\n", to: "token")
    let one = try await TestService(
      ["--settings-file", directory.file("settings"), "--admin-token-file", directory.file("token")], in: directory,
      environment: [:])
    #expect(LogRing.shared.level == .error)
    var answers: [ClientResponse] = []
    for _ in 0..<20 { answers.append(try await one.ask("GET", "/healthz")) }
    let refused = try #require(answers.first { $0.status == 429 })
    #expect(refused.header("retry-after") == "1")
    #expect(answers.first?.status == 200)

    try directory.write("log-level critical\nrate-limit 0\n", to: "settings")
    try directory.write("new\n", to: "token")
    await one.service.reload()
    #expect(LogRing.shared.level == .critical)
    for _ in 0..<20 { #expect(try await one.ask("GET", "/healthz").status == 200) }
    #expect(try await one.ask("POST", "/v1/backup", [("Authorization", "Bearer old")]).status == 401)
    // The right token is heard out: this service keeps nothing.
    #expect(try await one.ask("POST", "/v1/backup", [("Authorization", "Bearer new")]).status == 409)

    try directory.write("log-level loud\nrate-limit 1\n", to: "settings")
    await one.service.reload()
    #expect(LogRing.shared.level == .critical, "a mistake in the file changes nothing")
    for _ in 0..<5 { #expect(try await one.ask("GET", "/healthz").status == 200) }
    await one.stop()
  }

  @Test(
    "A line of the settings file that is not understood is named",
    arguments: [
      ("log-level", "f:1"), ("\n\nlog-level loud", "f:3"), ("speed 3", "f:1"), ("rate-limit -1", "f:1"),
    ])
  func settingsMistakes(text: String, place: String) throws {
    var settings = try LiveSettings(ServiceOptions.parse([]))
    do {
      try settings.read(text, file: "f")
      Issue.record("\(text) was taken")
    } catch {
      #expect("\(error)".contains(place))
    }
  }

  @Test("A burst of log-ins keeps no other blocking work waiting")
  func passwordsHaveTheirOwnPool() async throws {
    let one = try await TestService()
    let isOpen = Lock(false)
    for _ in 0..<8 {
      _ = one.service.passwordPool.submit { while !isOpen.withLock({ $0 }) { BlockingWait.rest() } }
    }
    #expect(try await one.service.pool.run { 7 } == 7)
    isOpen.withLock { $0 = true }
    await one.stop()
  }
}
