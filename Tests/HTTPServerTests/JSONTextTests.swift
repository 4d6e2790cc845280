import HTTPServer
import HTTPWire
import Testing

@Suite struct JSONTextTests {
  @Test(arguments: [
    ("", #""""#), ("a\"\\\n\u{1}é", #""a\"\\\n\u0001é""#), ("/", #""/""#),
  ])
  func aStringIsQuoted(text: String, json: String) { #expect(JSONText.quoted(text) == Array(json.utf8)) }

  /// Never within a character.
  @Test(arguments: [(4, "abé"), (3, "ab…"), (2, "ab…"), (1, "a…"), (0, "…")])
  func aLongOneIsCut(limit: Int, cut: String) {
    #expect(JSONText.quoted("abé", limit: limit) == Array("\"\(cut)\"".utf8))
  }

  /// It may quote what a client sent, and a client may send much.
  @Test func aProblemsDetailHasABound() {
    let problem = Response.problem(422, String(repeating: "\u{1}", count: 10_000_000))
    guard case .octets(let octets) = problem.content else { return #expect(Bool(false)) }
    #expect(octets.count < 7 * Response.detailLimit)
  }
}
