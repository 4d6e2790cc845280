import Octets

/// The story of the world, played with real protocols; every line shown was really sent or received.
struct Story: Sendable {
  let stage: Stage
  /// Tells this run's letters from those of earlier runs.
  let mark: String

  func play() async throws(Trouble) {
    stage.tell("Each line below was really sent (C:) or received (S:). TOKEN='Authorization: Bearer ...'")
    try await findTheWay()
    try await aliceWrites()
    try await theRelay()
    try await bobReads()
    try await names()
    try await networkUtopia()
    try await SwarmStory(stage: stage).play()
    stage.tell("\nThat was the tour. Play it again as often as you like; `utopia reset` starts the world afresh.")
  }

  private func findTheWay() async throws(Trouble) {
    stage.chapter(1, "Where does mail for hamburger.edu go? The local resolver forgets all, then walks from the root.")
    try await stage.show("resolver", "DELETE", "/v1/cache")
    _ = try await stage.walk("hamburger.edu", "MX")
  }

  private func aliceWrites() async throws(Trouble) {
    stage.chapter(2, "Alice gives her server, mail.crepes.fr, a letter with an attachment (SMTP submission).")
    try await submit(
      to: "bob@hamburger.edu", subject: "Do you like ketchup? \(mark)",
      body: ["Do you like ketchup?", "How about pickles?"], attachment: "A recipe for crepes: flour, milk, eggs.\n")
  }

  private func theRelay() async throws(Trouble) {
    stage.chapter(3, "Her server asked the resolver for the way and relayed the letter. Its queue tells the dialogue.")
    let door = try stage.door("mail.crepes.fr")
    let subject = "Do you like ketchup? \(mark)"
    let letter = try await stage.await("the relay") { () async throws(Trouble) -> JSON? in
      try await door.items("/v1/queue").first {
        $0["subject"]?.string == subject && $0["state"]?.string == "delivered"
      }
    }
    let whole = try await stage.show("mail.crepes.fr", "GET", "/v1/queue/\(letter["id"]?.text ?? "")")
    for attempt in whole["attempts"]?.array ?? [] {
      stage.tell("  to \(attempt["host"]?.text ?? "") at \(attempt["address"]?.text ?? "")")
      for line in attempt["dialogue"]?.array ?? [] { stage.tell("  \(line.text)") }
    }
  }

  private func bobReads() async throws(Trouble) {
    stage.chapter(4, "Bob reads it: with a POP3 client, then with curl.")
    var pop3 = try await Conversation(with: stage.address("mail.hamburger.edu", \.pop3), on: stage.loop)
    try await pop3.pop3(nil)
    try await pop3.pop3("USER bob")
    try await pop3.pop3("PASS hungry")
    let list = try await pop3.pop3("LIST", lines: 5)
    if let newest = list.last?.split(separator: " ").first { try await pop3.pop3("RETR \(newest)", lines: 16) }
    try await pop3.pop3("QUIT")
    await pop3.close()
    let box = "/v1/mailboxes/bob@hamburger.edu/messages"
    let messages = try await stage.show("mail.hamburger.edu", "GET", box + "?limit=1")
    if let newest = messages["items"]?.array?.first { stage.tell(newest.indented) }
  }

  private func names() async throws(Trouble) {
    stage.chapter(5, "cis.poly.edu asks its local resolver for gaia.cs.umass.edu.")
    _ = try await stage.walk("gaia.cs.umass.edu", "A")
    stage.tell("\n  Asked again, the cache knows it; the time to live runs down.")
    _ = try await stage.walk("gaia.cs.umass.edu", "A")
    stage.tell("\n  www.ibm.com is an alias.")
    _ = try await stage.lookUp("www.ibm.com", "A")
    stage.tell("\n  A name with several addresses spreads its load: its server gives them in turn.")
    _ = try await stage.lookUp("www.yahoo.com", "A")
    try await stage.show("resolver", "DELETE", "/v1/cache/www.yahoo.com")
    _ = try await stage.lookUp("www.yahoo.com", "A")
  }

  private func networkUtopia() async throws(Trouble) {
    let name = "networkutopia.com"
    stage.chapter(6, "A new startup registers \(name), and gets mail.")
    let free = try await stage.show("registrar", "GET", "/v1/availability?name=\(name)")
    stage.tell("  \(free.text)")
    let hosting = try stage.host("hosting").addresses
    guard let first = hosting.first, let second = hosting.last else { throw Trouble("hosting has no address") }
    if free["available"]?.bool == true {
      let servers: JSON = [
        ["name": .string("dns1.\(name)"), "addresses": [.string("\(first)")]],
        ["name": .string("dns2.\(name)"), "addresses": [.string("\(second)")]],
      ]
      let domain = try await stage.show(
        "registrar", "POST", "/v1/domains", ["name": .string(name), "years": 1, "name_servers": servers])
      stage.tell(domain.indented)
    }
    let zones = "/api/v1/servers/localhost/zones"
    let present = try await stage.door("hosting").ask("GET", zones).array ?? []
    if !present.contains(where: { $0["name"]?.string == name + "." }) {
      let mail = "mail.hamburger.edu."
      let text = """
        $TTL 300
        @ SOA dns1 hostmaster 1 3600 900 604800 60
        @ NS dns1
        @ NS dns2
        @ MX 10 \(mail)
        dns1 A \(first)
        dns2 A \(second)
        www A \(stage.world.placement.network.address(50, 99))

        """
      try await stage.show(
        "hosting", "POST", zones, ["name": .string(name + "."), "kind": "Native", "zone": .string(text)])
    }
    _ = try await stage.walk("www.\(name)", "A")
    try await mail(to: name)
  }

  private func mail(to name: String) async throws(Trouble) {
    stage.tell("\n  mail.hamburger.edu takes its mail from now on, and Alice writes to it.")
    let door = try stage.door("mail.hamburger.edu")
    if try await !door.items("/v1/domains").contains(where: { $0["name"]?.string == name }) {
      try await stage.show("mail.hamburger.edu", "POST", "/v1/domains", ["name": .string(name)])
    }
    if try await !door.items("/v1/mailboxes").contains(where: { $0["address"]?.string == "info@\(name)" }) {
      try await stage.show(
        "mail.hamburger.edu", "POST", "/v1/mailboxes", ["address": .string("info@\(name)"), "password": "utopia"])
    }
    let subject = "Congratulations \(mark)"
    try await submit(to: "info@\(name)", subject: subject, body: ["On your new name!"], attachment: nil)
    let box = "/v1/mailboxes/info@\(name)/messages"
    let letter = try await stage.await("the letter to info@\(name)") { () async throws(Trouble) -> JSON? in
      try await door.ask("GET", box + "?limit=5")["items"]?.array?.first { $0["subject"]?.string == subject }
    }
    stage.tell("  $ curl -u info@\(name):utopia '\(door.url)\(box)'\n\(letter.indented)")
  }

  /// Submits a letter from Alice.
  private func submit(to recipient: String, subject: String, body: [String], attachment: String?) async throws(Trouble)
  {
    var smtp = try await Conversation(with: stage.address("mail.crepes.fr", \.submission), on: stage.loop)
    try await smtp.smtp(nil)
    try await smtp.smtp("EHLO laptop.crepes.fr")
    let secret = String(decoding: Base64.encode(Array("\0alice@crepes.fr\0ketchup".utf8)), as: UTF8.self)
    try await smtp.smtp("AUTH PLAIN \(secret)")
    try await smtp.smtp("MAIL FROM:<alice@crepes.fr>")
    try await smtp.smtp("RCPT TO:<\(recipient)>")
    try await smtp.smtp("DATA")
    try await smtp.letter(letter(to: recipient, subject: subject, body: body, attachment: attachment))
    try await smtp.smtp("QUIT")
    await smtp.close()
  }

  private func letter(to recipient: String, subject: String, body: [String], attachment: String?) -> [String] {
    var lines = ["From: Alice <alice@crepes.fr>", "To: <\(recipient)>", "Subject: \(subject)"]
    guard let attachment else { return lines + [""] + body }
    lines += ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=\"crepes\"", "", "--crepes"]
    lines +=
      ["Content-Type: text/plain; charset=utf-8", ""] + body + [
        "--crepes", "Content-Type: text/plain; name=\"recipe.txt\"",
      ]
    lines += ["Content-Disposition: attachment; filename=\"recipe.txt\"", "Content-Transfer-Encoding: base64", ""]
    lines.append(String(decoding: Base64.encode(Array(attachment.utf8)), as: UTF8.self))
    return lines + ["--crepes--"]
  }
}

extension JSON {
  /// For people, two blanks in from the margin.
  var indented: String {
    pretty.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  }
}
