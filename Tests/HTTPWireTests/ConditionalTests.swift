import HTTPWire
import Testing

@Suite("Conditions and ranges")
struct ConditionalTests {
  static let modified: Int64 = 784_111_777
  static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  static let before = "Sun, 06 Nov 1994 08:49:36 GMT"
  static let current = Validators(entityTag: EntityTag("v1"), lastModified: modified)

  @Test(
    "are judged in the order of RFC 9110 section 13.2.2",
    arguments: [
      ("GET", [], .proceed),
      ("PUT", ["If-Match: \"v1\""], .proceed),
      ("PUT", ["If-Match: \"v0\", \"v1\""], .proceed),
      ("PUT", ["If-Match: \"v0\"", "If-Match: \"v1\""], .proceed),
      ("PUT", ["If-Match: \"v0\""], .failed),
      ("PUT", ["If-Match: W/\"v1\""], .failed),
      ("PUT", ["If-Match: *"], .proceed),
      ("PUT", ["If-Match: v1"], .failed),
      ("PUT", ["If-Unmodified-Since: \(date)"], .proceed),
      ("PUT", ["If-Unmodified-Since: \(before)"], .failed),
      ("PUT", ["If-Match: \"v1\"", "If-Unmodified-Since: \(before)"], .proceed),
      ("PUT", ["If-None-Match: *"], .failed),
      ("PUT", ["If-None-Match: \"v1\""], .failed),
      ("GET", ["If-None-Match: \"v1\""], .notModified),
      ("HEAD", ["If-None-Match: W/\"v1\""], .notModified),
      ("GET", ["If-None-Match: \"a,b\" , \"v1\""], .notModified),
      ("GET", ["If-None-Match: \"v2\""], .proceed),
      ("GET", ["If-None-Match: \"v2\"", "If-Modified-Since: \(date)"], .proceed),
      ("GET", ["If-Modified-Since: \(date)"], .notModified),
      ("GET", ["If-Modified-Since: \(before)"], .proceed),
      ("GET", ["If-Modified-Since: yesterday"], .proceed),
      ("POST", ["If-Modified-Since: \(date)"], .proceed),
    ] as [(String, [String], Precondition)])
  func conditions(method: String, fields: [String], outcome: Precondition) throws {
    #expect(try head(target: "/", method: method, fields: fields).precondition(Self.current) == outcome)
  }

  @Test("of what doesn't exist: If-None-Match: * creates, If-Match: * doesn't")
  func absent() throws {
    let absent = Validators(exists: false)
    #expect(try head(target: "/", method: "PUT", fields: ["If-None-Match: *"]).precondition(absent) == .proceed)
    #expect(try head(target: "/", method: "PUT", fields: ["If-Match: *"]).precondition(absent) == .failed)
  }

  @Test(
    "give one part, the whole, or nothing",
    arguments: [
      ("bytes=0-499", 1000, .part(0..<500)), ("bytes=500-", 1000, .part(500..<1000)),
      ("bytes=-500", 1000, .part(500..<1000)), ("bytes=-2000", 1000, .part(0..<1000)),
      ("bytes=999-", 1000, .part(999..<1000)), ("bytes=0-9999", 1000, .part(0..<1000)),
      ("BYTES=0-0", 1000, .part(0..<1)), ("bytes= 0-0 ", 1000, .part(0..<1)),
      ("bytes=-0", 1000, .unsatisfiable), ("bytes=1000-", 1000, .unsatisfiable),
      ("bytes=99999999999999999999-", 1000, .unsatisfiable), ("bytes=0-", 0, .unsatisfiable),
      ("bytes=-99999999999999999999", 1000, .part(0..<1000)), ("bytes=-5", 0, .whole),
      ("bytes=0-1,5-6", 1000, .whole), ("bytes=5-1", 1000, .whole), ("bytes=-", 1000, .whole),
      ("bytes=a-b", 1000, .whole), ("bytes=+1-2", 1000, .whole), ("lines=1-2", 1000, .whole), ("bytes=", 1000, .whole),
      ("bytes=1", 1000, .whole), ("bytes=--5", 1000, .whole),
    ] as [(String, Int, RangeDecision)])
  func ranges(field: String, size: Int, decision: RangeDecision) throws {
    let head = try head(target: "/", fields: ["Range: \(field)"])
    #expect(head.range(size: size, validators: Self.current, now: Self.modified + 60) == decision)
  }

  @Test(
    "compare If-Range strongly",
    arguments: [
      ("\"v1\"", true), ("W/\"v1\"", false), ("\"v2\"", false), ("\"v1\", \"v2\"", false), (date, true),
      (before, false),
      ("Mon, 07 Nov 1994 08:49:37 GMT", false), ("nonsense", false),
    ])
  func ifRange(condition: String, holds: Bool) throws {
    let head = try head(target: "/", fields: ["Range: bytes=0-0", "If-Range: \(condition)"])
    let expected = holds ? RangeDecision.part(0..<1) : .whole
    #expect(head.range(size: 10, validators: Self.current, now: Self.modified + 60) == expected)
  }

  @Test("don't trust the date of a file changed this very second")
  func weakDate() throws {
    let head = try head(target: "/", fields: ["Range: bytes=0-0", "If-Range: \(Self.date)"])
    #expect(head.range(size: 10, validators: Self.current, now: Self.modified) == .whole)
  }

  @Test("don't apply ranges to other methods")
  func onlyGet() throws {
    let head = try head(target: "/", method: "HEAD", fields: ["Range: bytes=0-0"])
    #expect(head.range(size: 10, validators: Self.current, now: Self.modified + 60) == .whole)
  }

  @Test("entity tags can't break out of their quotes")
  func tags() {
    #expect(EntityTag("a\"b\r\n c").description == "\"abc\"")
    #expect(EntityTag("x", isWeak: true).description == "W/\"x\"")
  }
}
