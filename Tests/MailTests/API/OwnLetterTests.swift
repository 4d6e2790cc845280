import HTTPClient
import Testing

@testable import Mail

/// What a person's own letters look like afterwards.
@Suite(.timeLimit(.minutes(1))) struct OwnLetterTests {
  @Test(arguments: [("Sent", #"{"to":["bob@hamburger.edu"]}"#), ("Drafts", #"{"draft":true}"#)])
  func theirEnvelopeIsTheOwners(folder: String, letter: String) async throws {
    let world = try await APIWorld()
    #expect(try await world.ask("POST", APIWorld.messages, letter).status == 201)
    let listed = try await world.ask("GET", "\(APIWorld.messages)?folder=\(folder)")
    #expect(listed.body.contains(#""sender":"bob@hamburger.edu""#))
  }

  @Test func aReportsEnvelopeIsTheNullPath() async throws {
    let world = try await APIWorld()
    var report = StoreTests.letter("bob@hamburger.edu")
    report.sender = ""
    _ = try await world.store.accept(report)
    #expect(try await world.ask("GET", APIWorld.messages).body.contains(#""sender":"""#))
  }

  @Test(arguments: [
    ("a b.txt", #"attachment; filename="a b.txt""#),
    ("é\".txt", #"attachment; filename="__.txt"; filename*=UTF-8''%C3%A9%22.txt"#),
  ])
  func anAttachmentIsSavedUnderItsName(name: String, disposition: String) async throws {
    let world = try await APIWorld()
    let file = #"{"name":"\#(name.replacing("\"", with: "\\\""))","content":"eA=="}"#
    _ = try await world.ask("POST", APIWorld.messages, #"{"draft":true,"attachments":[\#(file)]}"#)
    let answer = try await world.ask("GET", "\(APIWorld.messages)/1/attachments/1")
    #expect(answer.body == "x" && answer.head.header("content-disposition") == disposition)
  }

  @Test func aFieldWithALineEndIsRefused() async throws {
    let world = try await APIWorld()
    for end in [#"\r\n"#, #"\n"#, #"\r"#] {
      let letter = #"{"to":["bob@hamburger.edu"],"headers":{"X-A":"y\#(end)Bcc: z@z.org"}}"#
      let answer = try await world.ask("POST", APIWorld.messages, letter)
      #expect(answer.status == 422 && answer.body.contains(#""field":"headers""#))
    }
  }
}
