import HTTPWire
import Testing

@testable import ServiceKit

/// What is no JSON, and what is JSON and does not fit: told apart, and where it stands.
@Suite struct JSONTests {
  struct Order: Decodable, Equatable {
    struct Line: Decodable, Equatable { var count: Int }
    var name: String?
    var lines: [Line]?
    var price: Double?
  }

  static func decode(_ text: String, values limit: Int = .max) -> Result<Order, Problem> {
    decode(Array(text.utf8), values: limit)
  }

  static func decode(_ octets: [UInt8], values limit: Int = .max) -> Result<Order, Problem> {
    do {
      return .success(try JSON.decode(Order.self, from: octets, values: limit))
    } catch {
      return .failure(error as? Problem ?? Problem(500, "\(error)"))
    }
  }

  /// The texts of RFC 8259 and its corners.
  @Test(arguments: [
    #"{}"#, " \t\r\n{ } ", "\u{FEFF}{}", #"{"name":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é 😀"}"#, #"{"lines":[]}"#,
    #"{"lines":[{"count":-0},{"count":9223372036854775807},{"count":-9223372036854775808}]}"#,
    #"{"lines":[{"count":1.0},{"count":1e3},{"count":12E+1},{"count":100e-2}]}"#, #"{"price":0.5}"#,
    #"{"price":-1.5e-7,"other":[[],{},[{"a":[true,false,null,1e400]}]]}"#,
  ])
  func jsonIsTaken(text: String) throws {
    #expect(throws: Never.self) { try Self.decode(text).get() }
  }

  @Test(arguments: [
    "", " ", "{", "}", "[", "]", "{]", "[}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,}"#, "[1,]", "[,]", "[1 2]",
    #"{"a":1 "b":2}"#, #"{a:1}"#, #"{'a':1}"#, "{1:2}", "{}{}", "{} x", "// x\n{}", #"{"lines":01}"#, #"{"a":-}"#,
    #"{"a":+1}"#, #"{"a":.5}"#, #"{"a":1.}"#, #"{"a":1e}"#, #"{"a":1e+}"#, #"{"a":0x1}"#, #"{"a":NaN}"#,
    #"{"a":Infinity}"#, #"{"a":tru}"#, #"{"a":nulll}"#, #"{"a":True}"#, "{\"a\":\"\u{1}\"}", "{\"a\":\"\n\"}",
    #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"\u12g4"}"#, #"{"a":"x}"#, #"{"a":"x\"}"#, "\u{A0}{}",
    String(repeating: "[", count: 513), String(repeating: #"{"a":"#, count: 100_000),
  ])
  func whatIsNoJSONIs400(text: String) {
    guard case .failure(let problem) = Self.decode(text) else { return #expect(Bool(false), "\(text) was taken") }
    #expect(problem.status == 400 && problem.field == nil && problem.detail.contains("JSON") != (text.count > 500))
  }

  @Test(arguments: [
    [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x7B, 0, 0x7D, 0],
  ])
  func whatIsNotUTF8Is400(octets: [UInt8]) {
    guard case .failure(let problem) = Self.decode(octets) else { return #expect(Bool(false)) }
    #expect(problem.status == 400)
  }

  @Test(arguments: [
    (#"{"lines":[{"count":1},{"count":0.5}]}"#, "lines[1].count", "must be a whole number of 64 bits"),
    (#"{"lines":[{"count":9223372036854775808}]}"#, "lines[0].count", "must be a whole number of 64 bits"),
    (#"{"lines":[{"count":1e400}]}"#, "lines[0].count", "must be a whole number of 64 bits"),
    (#"{"lines":[{"count":"1"}]}"#, "lines[0].count", "must be a whole number"),
    (#"{"name":"a","name":"a"}"#, "name", "is there twice"),
    (#"{"lines":[{"count":1},{"x":{"x":1},"count":2,"x":[]}]}"#, "lines[1].x", "is there twice"),
    (#"{"name":"\ud800"}"#, "name", "holds half a surrogate pair"),
    (#"{"name":"a","lines":[{"\ud800":1}]}"#, "lines[0]", "holds half a surrogate pair"),
    (#"{"name":"\udc00x"}"#, "name", "holds half a surrogate pair"),
    (#"{"name":"\ud800\ud800"}"#, "name", "holds half a surrogate pair"),
    (#"{"lines":[{},{"x":[0,"\ud83d\n"]}]}"#, "lines[1].x[1]", "holds half a surrogate pair"),
  ])
  func whatDoesNotFitIsNamed(text: String, field: String, reason: String) {
    guard case .failure(let problem) = Self.decode(text) else { return #expect(Bool(false), "\(text) was taken") }
    #expect(problem.status == 422 && problem.field == field && problem.detail == "\(field) \(reason)")
  }

  @Test func aNameIsToldAsItWasWritten() {
    struct Headers: Decodable { var replyTo: [String: Int] }
    for (text, field) in [(#"{"reply_to":{"X-A":"1"}}"#, "reply_to.X-A"), (#"{"reply_to":1}"#, "reply_to")] {
      #expect { try JSON.decode(Headers.self, from: Array(text.utf8)) } throws: { ($0 as? Problem)?.field == field }
    }
  }

  @Test func nestingAndThePathToldHaveABound() {
    let name = String(repeating: "é", count: 1000)
    let deep = #"{"\#(name)":"# + String(repeating: "[", count: 511) + #""\ud800""#
    guard case .failure(let problem) = Self.decode(deep) else { return #expect(Bool(false)) }
    #expect(problem.status == 422 && (problem.field?.utf8.count ?? 999) <= JSONScanner.pathLimit + 3)
    let nested = #"{"x":"# + String(repeating: "[", count: 511) + String(repeating: "]", count: 511) + "}"
    guard case .success = Self.decode(nested) else { return #expect(Bool(false)) }
  }

  @Test func valuesAreCountedBeforeTheyAreMade() {
    // The object, the list, and three objects with a number each.
    let text = #"{"lines":[{"count":1},{"count":2},{"count":3}]}"#
    guard case .success = Self.decode(text, values: 8) else { return #expect(Bool(false)) }
    guard case .failure(let problem) = Self.decode(text, values: 7) else { return #expect(Bool(false)) }
    #expect(problem.status == 413)
  }

  /// By the scanner itself, whatever the decoder behind it takes.
  @Test(arguments: UInt8(0)..<0x20) func aControlCharacterInAStringIsTold(octet: UInt8) {
    #expect(throws: JSONScanner.Fault.syntax(at: 2)) { try JSONScanner.scan([0x22, 0x61, octet, 0x22]) }
  }

  /// A text cut anywhere is none, and nothing is read beyond its end.
  @Test func everyBeginningOfATextIsRefused() {
    let text = Array(#"{"name":"a\u00e9\ud83d\ude00","lines":[{"count":-12.5e+3},true,null,{}],"x":[]}"#.utf8)
    for end in 0..<text.count {
      #expect(throws: JSONScanner.Fault.self) { try JSONScanner.scan(Array(text[..<end])) }
    }
    #expect(throws: Never.self) { try JSONScanner.scan(text) }
  }
}
