import Octets
import Testing

@testable import Peer

@Suite struct TrackerURLTests {
  @Test(
    "A tracker's URL is read",
    arguments: [
      ("http://tracker.example/announce", "http", "tracker.example", 80, "/announce", nil),
      ("HTTPS://Tracker.Example./a?k=1", "https", "tracker.example", 443, "/a", "k=1"),
      ("http://127.0.30.1:6969", "http", "127.0.30.1", 6969, "", nil),
      ("udp://127.0.30.1:6969/announce", "udp", "127.0.30.1", 6969, "/announce", nil),
      ("udp://[2001:DB8::1]:80", "udp", "2001:db8::1", 80, "", nil),
      ("http://[::1]/announce", "http", "::1", 80, "/announce", nil),
      ("http://tracker.example:/x", "http", "tracker.example", 80, "/x", nil),
      ("http://tracker.example?passkey=1/2?3", "http", "tracker.example", 80, "", "passkey=1/2?3"),
      ("http://bücher.example/announce#here", "http", "xn--bcher-kva.example", 80, "/announce", nil),
    ] as [(String, String, String, Int, String, String?)])
  func parts(text: String, scheme: String, host: String, port: Int, path: String, query: String?) throws {
    let url = try TrackerURL(text)
    #expect(url.scheme.rawValue == scheme && url.host == host && Int(url.port) == port)
    #expect(url.path == path && url.query == query)
    #expect(url.literal == IPAddress(host))
    #expect(try TrackerURL(url.description) == url)
  }

  @Test(
    "What is no tracker's URL is refused with a word about what to change",
    arguments: [
      ("", "begins with"), ("tracker.example", "begins with"), ("ftp://tracker.example/", "begins with"),
      ("http:/tracker.example/", "begins with"), ("://x", "begins with"), ("http://", "host"),
      ("http:///announce", "host"), ("http://:80/", "host"), ("http://a..b/", "host"), ("http://a%20b/", "host"),
      ("udp://tracker.example/announce", "port"), ("udp://tracker.example:", "port"), ("http://x:0/", "1 to 65535"),
      ("http://x:65536/", "1 to 65535"), ("http://x:+80/", "1 to 65535"), ("http://x:-1/", "1 to 65535"),
      ("http://x:8 0/", "spaces"), ("http://x/\r\nHost: y", "spaces"), ("http://x/\u{0}", "spaces"),
      ("http://user@x/", "user"), ("http://[::1/announce", "bracket"), ("http://[127.0.0.1]/", "IPv6"),
      ("http://[::1]x/", "1 to 65535"), ("http://[]/", "IPv6"), ("http://[::1]]/", "1 to 65535"),
      ("http://::1/", "host"), ("http://127.1/", "four"), ("http://0x7f000001/", "four"),
      ("http://2130706433/", "four"), ("http://256.0.0.1/", "four"), ("http://x/ä", "percent"),
      ("http://x/" + String(repeating: "a", count: 2040), "2048"),
    ])
  func refusals(text: String, word: String) {
    let error = #expect(throws: TrackerURLError.self) { try TrackerURL(text) }
    #expect(error?.description.contains(word) == true, "\(text): \(error?.description ?? "")")
  }

  @Test("The query is joined to what the URL has already")
  func announceURLs() throws {
    for (text, announce) in [
      ("http://x/announce", "http://x/announce?info_hash=1"),
      ("http://x:8080/announce?", "http://x:8080/announce?info_hash=1"),
      ("http://x/announce?passkey=2", "http://x/announce?passkey=2&info_hash=1"),
      ("http://[::1]:80", "http://[::1]/?info_hash=1"),
      ("https://x?k", "https://x/?k&info_hash=1"),
    ] {
      #expect(try TrackerURL(text).announce("info_hash=1") == announce)
    }
  }

  @Test("The scrape URL is made as BEP 48 says")
  func scrapeURLs() throws {
    for (place, scrape) in [
      ("/announce", "/scrape?q"), ("/x/announce", "/x/scrape?q"), ("/announce.php", "/scrape.php?q"), ("/a", nil),
      ("/announce?x2%0644", "/scrape?x2%0644&q"), ("/announce?x=2/4", nil), ("/x%064announce", nil), ("", nil),
      ("/announce/x", nil), ("/announcement", "/scrapement?q"),
    ] as [(String, String?)] {
      #expect(try TrackerURL("http://x\(place)").scrape("q") == scrape.map { "http://x\($0)" })
    }
  }

  @Test("A UDP tracker is told the path and the query, where there are any")
  func urlData() throws {
    for (place, data) in [("", ""), ("/", ""), ("/announce", "/announce"), ("/a?k=1", "/a?k=1"), ("?k", "/?k")] {
      #expect(try TrackerURL("udp://x:1\(place)").urlData == Array(data.utf8))
    }
  }

  @Test("Octets of any kind are read or refused, and nothing else happens")
  func anyOctets() {
    var generator = SeededGenerator(seed: 7)
    let pieces = [
      "http", "udp", "://", ":", "/", "?", "#", "[", "]", "::1", "@", "1", "65536", ".", "ä", "\u{0}", "%", "x",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0..<9, using: &generator)).map { _ in
        pieces.randomElement(using: &generator) ?? ""
      }.joined()
      if let url = try? TrackerURL("udp://" + text) { #expect((try? TrackerURL(url.description)) == url) }
    }
  }
}
