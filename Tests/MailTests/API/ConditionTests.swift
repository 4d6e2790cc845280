import Octets
import Testing

@testable import Mail

/// Tags, and what is demanded by them.
@Suite(.timeLimit(.minutes(1))) struct ConditionTests {
  @Test func nothingIsChangedAgainstWhatIfMatchDemands() async throws {
    let world = try await APIWorld()
    _ = try await world.store.createFolder(world.bob.id, "Receipts")
    let message = try await world.store.accept(StoreTests.letter("bob@hamburger.edu", "x@elsewhere.org"))
    let folder = "\(APIWorld.box)/folders/Receipts"
    let letter = "\(APIWorld.messages)/\(message.delivered[0])"
    let rename = #"{"name":"Bills"}"#
    for (method, path, body, credentials) in [
      ("PATCH", folder, rename, nil), ("DELETE", folder, nil, nil), ("PATCH", letter, #"{"seen":true}"#, nil),
      ("DELETE", letter, nil, nil), ("PATCH", APIWorld.box, #"{"password":"x"}"#, nil),
      ("DELETE", APIWorld.box, nil, APIWorld.admin), ("POST", "/v1/queue/1/retry", nil, APIWorld.admin),
      ("DELETE", "/v1/queue/1", nil, APIWorld.admin),
    ] as [(String, String, String?, String?)] {
      let who = credentials ?? "Basic Ym9iOmh1bmdyeQ=="
      #expect(
        try await world.ask(method, path, body, as: who, ifMatch: "\"999\"").status == 412, "\(method) \(path)")
    }
    // And with the tag that was shown each of them goes.
    let admin = APIWorld.admin
    let tag = { (path: String) in try await world.ask("GET", path, as: admin).tag }
    let renamed = try await world.ask("PATCH", folder, rename, ifMatch: try await tag(folder))
    #expect(renamed.status == 200)
    let bills = "\(APIWorld.box)/folders/Bills"
    #expect(try await tag(bills) == renamed.tag)
    #expect(try await world.ask("GET", bills, ifNoneMatch: renamed.tag).status == 304)
    #expect(try await world.ask("DELETE", bills, ifMatch: renamed.tag).status == 204)
    let queued = try await tag("/v1/queue/1")
    let retried = try await world.ask("POST", "/v1/queue/1/retry", nil, as: admin, ifMatch: queued)
    #expect(retried.status == 202 && retried.tag != queued)
    #expect(try await world.ask("DELETE", "/v1/queue/1", nil, as: admin, ifMatch: queued).status == 412)
    #expect(try await world.ask("DELETE", "/v1/queue/1", nil, as: admin, ifMatch: retried.tag).status == 204)
    let before = try await tag(APIWorld.box)
    let changed = try await world.ask("PATCH", APIWorld.box, #"{"password":"full"}"#, ifMatch: before)
    #expect(changed.status == 200 && changed.tag != before)
    #expect(try await world.ask("DELETE", APIWorld.box, nil, as: admin, ifMatch: before).status == 412)
    #expect(try await world.ask("DELETE", APIWorld.box, nil, as: admin, ifMatch: changed.tag).status == 204)
  }

  @Test func aFoldersTagChangesWithWhatIsInIt() async throws {
    let world = try await APIWorld()
    let inbox = "\(APIWorld.box)/folders/INBOX"
    let empty = try await world.ask("GET", inbox).tag
    let id = try await world.store.accept(StoreTests.letter("bob@hamburger.edu")).delivered[0]
    let one = try await world.ask("GET", inbox, ifNoneMatch: empty)
    #expect(one.status == 200 && one.tag != empty)
    _ = try await world.store.update(world.bob.id, id, folder: nil) { $0.union(.seen) }
    #expect(try await world.ask("GET", inbox, ifNoneMatch: one.tag).status == 200)
  }

  @Test func aMailboxMadeAnewIsNotChangedByTheTagOfTheOldOne() async throws {
    let world = try await APIWorld()
    let old = try await world.ask("GET", APIWorld.box).tag
    try await world.store.deleteMailbox("bob@hamburger.edu")
    _ = try await world.store.createMailbox("bob@hamburger.edu", password: "hungry")
    #expect(try await world.ask("GET", APIWorld.box, ifNoneMatch: old).status == 200)
    #expect(try await world.ask("DELETE", APIWorld.box, nil, as: APIWorld.admin, ifMatch: old).status == 412)
  }

  @Test func aMessageShowsTheNameItsFolderHas() async throws {
    let world = try await APIWorld()
    _ = try await world.store.createFolder(world.bob.id, "Receipts")
    let id = try await world.store.accept(StoreTests.letter("bob@hamburger.edu")).delivered[0]
    _ = try await world.store.update(world.bob.id, id, folder: "Receipts")
    let here = "\(APIWorld.messages)/\(id)"
    let before = try await world.ask("GET", here)
    #expect(before.body.contains(#""folder":"Receipts""#))
    _ = try await world.ask("PATCH", "\(APIWorld.box)/folders/Receipts", #"{"name":"Bills"}"#)
    let after = try await world.ask("GET", here, ifNoneMatch: before.tag)
    #expect(after.status == 200 && after.body.contains(#""folder":"Bills""#))
  }

  @Test func aFolderIsOneHoweverItsNameIsComposed() async throws {
    let world = try await APIWorld()
    let folders = "\(APIWorld.box)/folders"
    #expect(try await world.ask("POST", folders, #"{"name":"e\u0301te\u0301"}"#).status == 201)
    #expect(try await world.ask("POST", folders, #"{"name":"\u00e9t\u00e9"}"#).status == 409)
    let id = try await world.store.accept(StoreTests.letter("bob@hamburger.edu")).delivered[0]
    let moved = try await world.ask("PATCH", "\(APIWorld.messages)/\(id)", #"{"folder":"e\u0301te\u0301"}"#)
    #expect(moved.status == 200)
    for path in ["%C3%A9t%C3%A9", "e%CC%81te%CC%81"] {
      #expect(try await world.ask("GET", "\(folders)/\(path)").body.contains(#""total":1"#))
      #expect(try await world.ask("GET", "\(APIWorld.messages)?folder=\(path)").body.contains(#""id":\#(id),"#))
    }
    #expect(try await world.ask("DELETE", "\(folders)/e%CC%81te%CC%81").status == 204)
    #expect(try await world.ask("GET", "\(folders)/%C3%A9t%C3%A9").status == 404)
  }

  @Test func noTagComesBackAfterAReset() async throws {
    let world = try await APIWorld()
    let paths = [
      (APIWorld.box, APIWorld.admin), ("\(APIWorld.messages)/1", APIWorld.admin),
      ("\(APIWorld.messages)/1/raw", APIWorld.admin), ("\(APIWorld.messages)/1/attachments/1", APIWorld.admin),
      ("\(APIWorld.box)/folders/INBOX", APIWorld.admin), ("/v1/queue/1", APIWorld.admin),
      ("/v1/queue/1/raw", APIWorld.admin),
    ]
    func letter(_ word: String) -> Letter {
      StoreTests.letter(
        "bob@hamburger.edu", "x@elsewhere.org",
        content: "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n"
          + "Content-Disposition: attachment\r\n\r\n\(word)\r\n--b--\r\n")
    }
    _ = try await world.store.accept(letter("old"))
    var tags: [String: String] = [:]
    for (path, who) in paths {
      let answer = try await world.ask("GET", path, as: who)
      #expect(answer.status == 200 && !answer.tag.isEmpty, "\(path)")
      #expect(try await world.ask("GET", path, as: who, ifNoneMatch: answer.tag).status == 304, "\(path)")
      tags[path] = answer.tag
    }
    try await world.store.reset(at: world.store.now())
    _ = try await world.store.createMailbox("bob@hamburger.edu", password: "hungry")
    _ = try await world.store.accept(letter("new"))
    for (path, who) in paths {
      let answer = try await world.ask("GET", path, as: who, ifNoneMatch: tags[path] ?? "")
      #expect(answer.status == 200 && answer.tag != tags[path], "\(path)")
    }
  }

  @Test func aCaughtLetterIsNotDeletedAgainstIfMatch() async throws {
    let world = try await APIWorld(catchMode: 5)
    _ = try await world.store.accept(StoreTests.letter("a@b.c"))
    #expect(try await world.ask("DELETE", "/v1/messages/1", nil, ifMatch: "\"999\"").status == 412)
    let tag = try await world.ask("GET", "/v1/messages/1").tag
    #expect(try await world.ask("DELETE", "/v1/messages/1", nil, ifMatch: tag).status == 204)
  }
}
