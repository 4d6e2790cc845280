import MailWire
import Testing

@testable import Mail

@Suite struct SMTPAuthenticationTests {
  @Test func everyCutOfAnAuthenticatedDialogueMeansTheSame() {
    let lines = [
      "EHLO crepes.fr", "AUTH PLAIN", "AGFsaWNlAGE=", "AUTH LOGIN", "YWxpY2VAY3JlcGVzLmZy", "a2V0Y2h1cA==",
      "MAIL FROM:<alice@crepes.fr> SIZE=10 BODY=8BITMIME", "RCPT TO:<bob@hamburger.edu>", "DATA", "..x", ".", "QUIT",
    ]
    let octets = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    var whole = SMTPTalk(door: SMTPDoor(submission: true))
    whole.send(octets: octets)
    let answer = whole.heard()
    #expect(answer.contains("535 5.7.8 ") && answer.contains("235 2.7.0 ") && answer.contains("250 2.0.0 Message"))
    for cut in 0...octets.count {
      var talk = SMTPTalk(door: SMTPDoor(submission: true))
      talk.send(octets: Array(octets[..<cut]))
      talk.send(octets: Array(octets[cut...]))
      #expect(talk.heard() == answer)
      #expect(talk.stored.map(\.content) == [".x\r\n"])
    }
  }

  @Test func passwordsAreForTheSubmissionPort() {
    var talk = SMTPTalk()
    talk.send("EHLO crepes.fr", "AUTH PLAIN AGFsaWNlAGE=")
    #expect(!talk.text.contains("AUTH PLAIN"))
    #expect(talk.codes() == [220, 250, 502])
  }

  @Test func authPlainWithAndWithoutInitialResponse() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "MAIL FROM:<alice@crepes.fr>", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgB3cm9uZw==")
    #expect(talk.codes() == [220, 250, 530, 535])
    talk.send("AUTH PLAIN", "AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", "AUTH PLAIN AA==", "MAIL FROM:<alice@crepes.fr>")
    #expect(talk.codes() == [334, 235, 503, 250])
  }

  @Test func authLoginAsksForNameAndPassword() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH LOGIN", "YWxpY2VAY3JlcGVzLmZy", "a2V0Y2h1cA==")
    #expect(talk.heard().hasSuffix("334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 Authentication successful\r\n"))
    #expect(talk.session.transport == "ESMTPA")
  }

  @Test(arguments: [("*", 501), ("!!!", 501), ("AA==", 501), ("AABh", 501)])
  func aBrokenAuthExchangeEndsInAnError(answer: String, code: Int) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN", answer, "NOOP")
    #expect(talk.codes() == [220, 250, 334, code, 250])
  }

  @Test func noPasswordWhereOthersMayListen() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true, passwordsAllowed: false))
    talk.send("EHLO a", "AUTH LOGIN")
    #expect(!talk.text.contains("250-AUTH"))
    #expect(talk.codes() == [220, 250, 538])
  }

  @Test func authComesAfterEHLOOnceAndBeforeMAIL() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    let login = "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw"
    talk.send("HELO a", login, "EHLO a", login, login, "MAIL FROM:<alice@crepes.fr>", "AUTH LOGIN")
    #expect(talk.codes() == [220, 250, 503, 250, 235, 503, 250, 503])
  }

  @Test(arguments: [
    ("<alice@crepes.fr>", "250 2.1.0"), ("<Alice@CREPES.fr>", "250 2.1.0"), ("<>", "250 2.1.0"),
    ("<bob@hamburger.edu>", "553 5.7.1"), ("<alice@hamburger.edu>", "553 5.7.1"), ("<alice+x@crepes.fr>", "553 5.7.1"),
  ])
  func whoLoggedInSendsInTheirOwnName(path: String, reply: String) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw")
    _ = talk.heard()
    talk.send("MAIL FROM:\(path)")
    #expect(talk.heard().hasPrefix(reply))
  }

  @Test func catchModeTakesEverySender() {
    var talk = SMTPTalk(door: SMTPDoor(catchesAll: true))
    talk.login = .accepted(owner: nil)
    talk.send("EHLO a", "AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", "MAIL FROM:<who@ever.org>")
    #expect(talk.codes() == [220, 250, 235, 250])
  }

  @Test func guessesAreCountedOverTheWholeSession() {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a")
    for _ in 0..<5 { talk.send("AUTH PLAIN AGFsaWNlAGE=", "NOOP") }
    #expect(talk.codes().suffix(4) == [535, 250, 535, 421])
    #expect(talk.isClosed)
  }

  @Test(arguments: [
    (SMTPLogin.denied, "535 5.7.8"), (.tooMany, "454 4.7.0"), (.failed, "454 4.7.0"),
    (.accepted(owner: nil), "235 2.7.0"),
  ])
  func aLoginsOutcomeIsTold(login: SMTPLogin, reply: String) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.login = login
    talk.send("EHLO a")
    _ = talk.heard()
    talk.send("AUTH PLAIN AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw")
    #expect(talk.heard().hasPrefix(reply))
  }

  @Test(arguments: [
    // alice for bob; alice as herself; a password that is no UTF-8.
    ("Ym9iAGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", 535), ("YWxpY2VAY3JlcGVzLmZyAGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw", 235),
    ("AGFsaWNlQGNyZXBlcy5mcgD/", 501),
  ])
  func plainHasAnAuthorityAndText(response: String, code: Int) {
    var talk = SMTPTalk(door: SMTPDoor(submission: true))
    talk.send("EHLO a", "AUTH PLAIN \(response)")
    #expect(talk.codes() == [220, 250, code])
  }
}
