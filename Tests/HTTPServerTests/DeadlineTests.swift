import HTTPWire
import Testing

@testable import HTTPServer

/// Deadlines and the server's end, on a clock of whole seconds: heads have 10, content 30, idle connections 75.
@Suite("A connection's deadlines")
struct DeadlineTests {
  @Test("the first head's runs from the connection's start, whatever comes when")
  func firstHead() {
    var driver = Driver(at: 100)
    #expect(driver.state.deadline == 110)
    driver.now = 109
    _ = driver.feed("\r\n")
    #expect(driver.state.deadline == 110)
    _ = driver.feed("GET / HTTP/1.1\r\nHost")
    #expect(driver.state.deadline == 110)
    #expect(driver.state.expire(pending: 0, at: 109) == .nothing)
    guard case .timeOut = driver.state.expire(pending: 0, at: 110) else { return #expect(Bool(false), "408") }
    #expect(driver.state.phase == .closing)
  }

  @Test("one who says nothing is told nothing")
  func silence() {
    var driver = Driver()
    #expect(driver.state.expire(pending: 0, at: 10) == .close)
  }

  @Test(
    "a later head's runs from its first octet, blank or not, and nothing sent after moves it", arguments: ["\r", "G"])
  func laterHead(first: String) {
    var driver = Driver()
    driver.answersAtOnce = true
    driver.now = 5
    _ = driver.feed(get)
    driver.now = 50
    _ = driver.feed(first)
    #expect(driver.state.deadline == 60)
    for octet in first == "\r" ? "\n\r\nGET /" : "ET /" {
      driver.now = driver.now + 1
      _ = driver.feed(String(octet))
      #expect(driver.state.deadline == 60)
    }
    // Nor does output that the client takes its time to read.
    driver.state.outputDrained(at: 58)
    #expect(driver.state.deadline == 60)
    guard case .timeOut = driver.state.expire(pending: 1000, at: 60) else { return #expect(Bool(false), "408") }
  }

  @Test("a head that is pipelined has its own time, from when it could be read")
  func pipelinedHead() {
    var driver = Driver()
    _ = driver.feed(get + "GET /")
    driver.now = 40
    _ = driver.answer()
    _ = driver.goOn()
    #expect(driver.state.deadline == 50)
  }

  @Test("no deadline runs while a handler works")
  func working() {
    var driver = Driver()
    _ = driver.feed(get)
    #expect(driver.state.deadline == nil)
  }

  @Test("content has its time from each octet; its end is lost to a reader and answered 408")
  func content() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    #expect(driver.state.deadline == 30)
    driver.now = 20
    _ = driver.feed("a")
    #expect(driver.state.deadline == 50)
    guard case .timeOut = driver.state.expire(pending: 0, at: 50) else { return #expect(Bool(false), "408") }
    #expect(!driver.state.awaits(1))
  }

  @Test("a stalled request within an answer is cut, since a 408 would be taken for content")
  func stalledDuplex() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    driver.beginStream(length: nil)
    #expect(driver.state.expire(pending: 0, at: 30) == .abort)
  }

  @Test("an answer waits for a reader who goes on, and not for one who doesn't")
  func slowReader() {
    var driver = Driver()
    _ = driver.feed(get)
    driver.beginStream(length: nil)
    driver.state.waitForClient(at: 0)
    #expect(driver.state.deadline == 30)
    #expect(driver.state.expire(pending: 500_000, at: 30) == .nothing)
    #expect(driver.state.deadline == 60)
    #expect(driver.state.expire(pending: 400_000, at: 60) == .nothing)
    #expect(driver.state.expire(pending: 400_000, at: 90) == .abort)
  }

  @Test("waiting for the client's reading takes nothing from the deadline of its content")
  func duplex() {
    var driver = Driver()
    _ = driver.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    driver.beginStream(length: nil)
    driver.state.waitForClient(at: 5)
    driver.state.outputDrained(at: 6)
    #expect(driver.state.deadline == 30)
  }

  @Test("an idle connection gives its memory back after 2 s, and ends after 75")
  func idle() {
    var driver = Driver()
    _ = driver.feed(get)
    _ = driver.answer()
    #expect(driver.state.deadline == 2)
    #expect(driver.state.expire(pending: 0, at: 2) == .release)
    #expect(driver.state.deadline == 75)
    #expect(driver.state.expire(pending: 0, at: 75) == .close)
  }

  @Test("the idle time of a slow reader begins when it has read")
  func slowIdle() {
    var driver = Driver()
    _ = driver.feed(get)
    _ = driver.answer()
    #expect(driver.state.expire(pending: 9_000_000, at: 2) == .nothing)
    #expect(driver.state.expire(pending: 8_000_000, at: 32) == .nothing)
    driver.state.outputDrained(at: 60)
    #expect(driver.state.deadline == 62)
    #expect(driver.state.expire(pending: 0, at: 62) == .release)
    #expect(driver.state.deadline == 135)
  }

  // MARK: Draining

  @Test("on drain the idle go at once, after what they are owed")
  func drainIdle() {
    var silent = Driver()
    #expect(silent.state.drain(pending: 0, at: 0) == .end)
    var owed = Driver()
    _ = owed.feed(get)
    _ = owed.answer()
    #expect(owed.state.drain(pending: 10, at: 0) == .close)
  }

  @Test("on drain half a head has one second more, and a request that becomes whole in it is answered as the last")
  func drainHead() {
    var slow = Driver()
    _ = slow.feed("GET / HT")
    #expect(slow.state.drain(pending: 0, at: 3) == .nothing)
    #expect(slow.state.deadline == 4)
    #expect(slow.state.expire(pending: 0, at: 4) == .close)

    var quick = Driver()
    _ = quick.feed("GET / HT")
    _ = quick.state.drain(pending: 0, at: 3)
    #expect(quick.feed("TP/1.1\r\nHost: a\r\n\r\n") == [.request, .more])
    #expect(!quick.state.plan(.ok, length: 0).keepsAlive)
    #expect(quick.state.answered(at: 3) == .close)
  }

  @Test("on drain a live stream ends in order, another goes on, and both are the last")
  func drainStream() {
    var live = Driver()
    _ = live.feed(get)
    live.beginStream(length: nil, isLive: true)
    #expect(live.state.drain(pending: 0, at: 0) == .finishStream)
    #expect(live.state.finishStream(1, failed: false) == .lastChunk([:]))
    #expect(live.state.answered(at: 0) == .close)

    var other = Driver()
    _ = other.feed(get)
    other.beginStream(length: nil)
    #expect(other.state.drain(pending: 0, at: 0) == .nothing)
    #expect(other.state.isStreaming(1))
    _ = other.state.finishStream(1, failed: false)
    #expect(other.state.answered(at: 0) == .close)
  }
}
