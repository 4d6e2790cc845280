import HTTPWire
import Testing

@testable import HTTPServer

/// The connection's decisions, on octets and a number for a clock.
@Suite("A connection decides")
struct ConnectionStateTests {
  // MARK: Heads and exchanges

  @Test("one request at a time: what follows waits for the answer")
  func oneAtATime() {
    var driver = Driver()
    #expect(driver.feed(get + get) == [.request, .hold])
    #expect(driver.state.serial == 1)
    #expect(driver.left == get.utf8.count)
    #expect(driver.answer() == .nothing)
    #expect(driver.goOn() == [.request, .more])
    #expect(driver.state.serial == 2)
    #expect(driver.answer() == .nothing)
    #expect(driver.state.phase == .idle)
  }

  @Test("the same wherever the octets are cut")
  func everySplit() {
    let octets = Array((get + post("hello") + get).utf8)
    for cut in 0...octets.count {
      var driver = Driver()
      driver.answersAtOnce = true
      _ = driver.feed(octets[..<cut])
      _ = driver.feed(octets[cut...])
      #expect(driver.state.serial == 3, "cut at \(cut)")
      #expect(driver.state.phase == .idle, "cut at \(cut)")
    }
  }

  @Test("the halves of an exchange end in either order", arguments: [false, true])
  func order(answerFirst: Bool) {
    var driver = Driver()
    #expect(driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel") == [.request, .content, .more])
    if answerFirst {
      #expect(driver.answer() == .nothing)
      #expect(driver.state.phase == .exchange)
      // What was not read is gone, and what comes is thrown away: a reader is not told that this was all.
      #expect(driver.state.read(1, at: 0) == .closed)
      #expect(driver.feed("lo") == [.next, .more])
    } else {
      #expect(driver.feed("lo") == [.content, .more])
      #expect(driver.state.read(1, at: 0) == .portion(Array("hello".utf8)))
      #expect(driver.state.read(1, at: 0) == .end)
      #expect(driver.state.phase == .exchange)
      #expect(driver.answer() == .nothing)
    }
    #expect(driver.state.phase == .idle)
  }

  @Test("nothing is made for one who doesn't read, but a head that has begun goes on")
  func congestion() {
    var driver = Driver()
    driver.isCongested = true
    #expect(driver.feed(get) == [.hold])
    driver.isCongested = false
    #expect(driver.goOn() == [.request, .more])
    _ = driver.answer()
    #expect(driver.feed("GET /") == [.more])
    driver.isCongested = true
    #expect(driver.feed(" HTTP/1.1\r\nHost: a\r\n\r\n") == [.request, .more])
  }

  @Test("a request of another exchange has no say")
  func stale() {
    var driver = Driver()
    _ = driver.feed(get)
    _ = driver.answer()
    _ = driver.feed(get)
    #expect(!driver.state.awaits(1))
    #expect(driver.state.awaits(2))
    #expect(driver.state.read(1, at: 0) == .closed)
    #expect(driver.state.write(1, of: 1) == .closed)
    #expect(driver.state.finishStream(1, failed: false) == .stale)
  }

  // MARK: Refusals

  @Test("what can't be understood is refused and nothing after it read")
  func refusal() {
    var driver = Driver()
    #expect(driver.feed("GET / HTTP/1.1\r\n\r\n" + get) == [.refuse(.missingHost, answers: true), .more])
    #expect(driver.state.phase == .closing)
    #expect(driver.state.deadline == nil)
  }

  @Test("a broken chunk fails the reader, and is answered where no answer has begun", arguments: [false, true])
  func brokenContent(streams: Bool) {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    if streams { driver.beginStream(length: nil) }
    #expect(driver.feed("x\r\n") == [.refuse(.malformedChunkSize, answers: !streams), .more])
    #expect(driver.state.read(1, at: 0) == .failed(.malformedChunkSize))
    #expect(!driver.state.awaits(1))
  }

  // MARK: Content

  @Test("content beyond the window waits for the reader")
  func window() {
    var driver = Driver()
    let size = ConnectionState<Second>.contentWindow
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size + 5)\r\n\r\n")
    #expect(driver.feed(String(repeating: "x", count: size)) == [.content, .more])
    #expect(driver.feed("hello") == [.hold])
    // It's not the client who is slow.
    #expect(driver.state.deadline == nil)
    #expect(driver.state.read(1, at: 0) == .portion(Array(repeating: 0x78, count: size)))
    #expect(driver.goOn() == [.content, .more])
  }

  @Test("100 is said once, to a reader, and not within an answer")
  func continues() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(driver.state.deadline == nil)
    #expect(driver.state.read(1, at: 7) == .wait(saysContinue: true))
    #expect(driver.state.deadline == 7 + 30)
    #expect(driver.state.read(1, at: 7) == .wait(saysContinue: false))

    var streaming = Driver()
    _ = streaming.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    streaming.beginStream(length: nil)
    #expect(streaming.state.read(1, at: 0) == .wait(saysContinue: false))
  }

  @Test("what is held back for a 100 that never came can't be told from the next request")
  func heldBack() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(!driver.state.plan(.forbidden, length: 0).keepsAlive)
    #expect(driver.state.answered(at: 0) == .close)
  }

  @Test("a little unwanted content is thrown away, much of it isn't worth it")
  func discard() {
    var driver = Driver()
    let limit = ConnectionState<Second>.discardLimit
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(limit + 1)\r\n\r\n")
    _ = driver.answer()
    #expect(driver.feed(String(repeating: "x", count: limit)) == [.content, .more])
    #expect(driver.feed("x") == [.close])
    #expect(driver.state.phase == .closing)
  }

  // MARK: Answers

  typealias Plan = ConnectionState<Second>.Plan

  @Test(
    "how an answer is framed and whether the connection stays",
    arguments: [
      ("GET", "1.1", "", 200, 5, Plan(framing: .length(5), keepsAlive: true, isHTTP10: false, sendsContent: true)),
      ("GET", "1.1", "", 200, nil, Plan(framing: .chunked, keepsAlive: true, isHTTP10: false, sendsContent: true)),
      ("HEAD", "1.1", "", 200, nil, Plan(framing: .chunked, keepsAlive: true, isHTTP10: false, sendsContent: false)),
      ("HEAD", "1.1", "", 200, 5, Plan(framing: .length(5), keepsAlive: true, isHTTP10: false, sendsContent: false)),
      ("GET", "1.1", "", 204, 0, Plan(framing: .none, keepsAlive: true, isHTTP10: false, sendsContent: false)),
      ("GET", "1.1", "", 304, 5, Plan(framing: .none, keepsAlive: true, isHTTP10: false, sendsContent: false)),
      (
        "GET", "1.1", "Connection: close\r\n", 200, 5,
        Plan(framing: .length(5), keepsAlive: false, isHTTP10: false, sendsContent: true)
      ),
      ("GET", "1.0", "", 200, 5, Plan(framing: .length(5), keepsAlive: false, isHTTP10: true, sendsContent: true)),
      (
        "GET", "1.0", "Connection: keep-alive\r\n", 200, nil,
        Plan(framing: .untilClose, keepsAlive: false, isHTTP10: true, sendsContent: true)
      ),
      // Nothing follows the head, so nothing has to mark an end.
      (
        "HEAD", "1.0", "Connection: keep-alive\r\n", 200, nil,
        Plan(framing: .none, keepsAlive: true, isHTTP10: true, sendsContent: false)
      ),
      ("HEAD", "1.0", "", 200, nil, Plan(framing: .none, keepsAlive: false, isHTTP10: true, sendsContent: false)),
    ] as [(String, String, String, Status, Int?, Plan)])
  func plans(method: String, version: String, fields: String, status: Status, length: Int?, plan: Plan) {
    var driver = Driver()
    _ = driver.feed("\(method) / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n")
    #expect(driver.state.plan(status, length: length) == plan)
    // What the head says is what happens.
    #expect(driver.state.answered(at: 0) == (plan.keepsAlive ? .nothing : .close))
  }

  @Test("a stream ends with its last chunk, with its length, or is cut so that it can't look whole")
  func streams() {
    var chunked = Driver()
    _ = chunked.feed(get)
    chunked.beginStream(length: nil)
    #expect(chunked.state.write(5, of: 1) == .send(isChunk: true))
    chunked.state.setTrailers(["x": "1"], of: 1)
    #expect(chunked.state.finishStream(1, failed: false) == .lastChunk(["x": "1"]))
    #expect(chunked.state.answered(at: 0) == .nothing)
    #expect(chunked.state.phase == .idle)

    var counted = Driver()
    _ = counted.feed(get)
    counted.beginStream(length: 5)
    #expect(counted.state.write(3, of: 1) == .send(isChunk: false))
    #expect(counted.state.write(3, of: 1) == .tooMuch)
    #expect(counted.state.write(2, of: 1) == .send(isChunk: false))
    #expect(counted.state.finishStream(1, failed: false) == .bare)

    for (written, failed) in [(4, false), (5, true)] {
      var short = Driver()
      _ = short.feed(get)
      short.beginStream(length: 5)
      _ = short.state.write(written, of: 1)
      #expect(short.state.finishStream(1, failed: failed) == .abort)
      #expect(short.state.phase == .closing)
    }
  }

  // MARK: The client goes

  @Test("a client that has finished is still answered when its request is whole, and not when it is half")
  func peerFinished() {
    var idle = Driver()
    #expect(idle.state.peerFinished(at: 0) == .close)

    var half = Driver()
    _ = half.feed("GET / HT")
    #expect(half.state.peerFinished(at: 0) == .close)

    var whole = Driver()
    _ = whole.feed(get)
    #expect(whole.state.peerFinished(at: 0) == .nothing)
    #expect(whole.answer() == .nothing)
    #expect(whole.state.peerFinished(at: 0) == .close)

    var content = Driver()
    _ = content.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
    #expect(content.state.peerFinished(at: 0) == .close)
    #expect(!content.state.awaits(1))

    var live = Driver()
    _ = live.feed(get)
    live.beginStream(length: nil, isLive: true)
    #expect(live.state.peerFinished(at: 0) == .finishStream)
    #expect(live.state.finishStream(1, failed: false) == .lastChunk([:]))
    #expect(live.state.answered(at: 0) == .close)
  }

  @Test("a client that has finished is looked for once while its answer takes its time, except in HTTP/1.0")
  func probe() {
    var driver = Driver()
    _ = driver.feed(get)
    _ = driver.state.peerFinished(at: 5)
    #expect(driver.state.deadline == 6)
    #expect(driver.state.expire(pending: 0, at: 6) == .probe)
    #expect(driver.state.deadline == nil)
    #expect(driver.state.awaits(1))

    var old = Driver()
    _ = old.feed("GET / HTTP/1.0\r\n\r\n")
    #expect(old.state.peerFinished(at: 5) == .nothing)
    #expect(old.state.deadline == nil)
  }

  @Test("when the connection is gone nobody is waited for")
  func ended() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    driver.state.ended()
    #expect(driver.state.read(1, at: 0) == .closed)
    #expect(!driver.state.awaits(1))
    #expect(driver.state.deadline == nil)
    #expect(driver.state.peerFinished(at: 0) == .nothing)
    #expect(driver.state.drain(pending: 0, at: 0) == .nothing)
  }

  @Test("memory for the next request can be given back, and the next request comes all the same")
  func release() {
    var driver = Driver()
    driver.answersAtOnce = true
    _ = driver.feed(post(String(repeating: "x", count: 5000)))
    #expect(driver.state.parser.head.bytes.capacity > 0)
    driver.state.releaseBuffers()
    #expect(driver.state.parser.head.bytes.capacity == 0)
    #expect(driver.state.portion.capacity == 0)
    _ = driver.feed(get)
    #expect(driver.state.serial == 2)
  }
}

let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func post(_ content: String) -> String {
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(content.utf8.count)\r\n\r\n\(content)"
}

/// A clock that the test moves: whole seconds.
struct Second: Moment, ExpressibleByIntegerLiteral {
  var number: Int

  init(_ number: Int) { self.number = number }
  init(integerLiteral number: Int) { self.number = number }

  static func interval(_ duration: Duration) -> Int { Int(duration.components.seconds) }
  static func < (one: Second, other: Second) -> Bool { one.number < other.number }
  static func + (second: Second, interval: Int) -> Second { Second(second.number + interval) }
  func since(_ earlier: Second) -> Duration { .seconds(max(0, number - earlier.number)) }
}

/// Feeds a connection's state as the connection does, and keeps what it could not use.
struct Driver {
  var state: ConnectionState<Second>
  var now: Second = 0
  var isCongested = false
  /// Every request is answered 200 as it comes.
  var answersAtOnce = false
  private var input: [UInt8] = []

  init(limits: Limits = Limits(), at now: Second = 0) {
    self.now = now
    state = ConnectionState(
      limits: limits,
      timeouts: .init(head: .seconds(10), idle: .seconds(75), content: .seconds(30)), at: now)
  }

  /// Octets that wait.
  var left: Int { input.count }

  mutating func feed(_ text: String) -> [ConnectionState<Second>.Step] { feed(Array(text.utf8)[...]) }

  mutating func feed(_ octets: ArraySlice<UInt8>) -> [ConnectionState<Second>.Step] {
    input += octets
    return goOn()
  }

  mutating func goOn() -> [ConnectionState<Second>.Step] {
    var steps: [ConnectionState<Second>.Step] = []
    var index = 0
    let octets = input
    while true {
      let step = state.take(unsafe octets.span.bytes, &index, isCongested: isCongested, at: now)
      steps.append(step)
      if step == .request, answersAtOnce { _ = answer() }
      if step == .more || step == .hold || step == .close { break }
    }
    input.removeFirst(index)
    return steps
  }

  mutating func answer(_ status: Status = .ok, length: Int? = 0) -> ConnectionState<Second>.Ending {
    _ = state.plan(status, length: length)
    return state.answered(at: now)
  }

  mutating func beginStream(length: Int?, isLive: Bool = false) {
    let plan = state.plan(.ok, length: length)
    state.beginStream(plan, length: length, isLive: isLive)
  }
}
