import Testing

@testable import Utopia

@Suite struct ClockTextTests {
  @Test(arguments: [
    ("+3d", 259_200), ("+2h30m", 9000), ("+45s", 45), ("+1d1h1m1s", 90_061), ("+0s", 0),
  ])
  func aTimeAheadIsRead(text: String, expected: Int) {
    #expect(seconds(of: text) == expected)
  }

  @Test(arguments: ["", "+", "3d", "-3d", "+3", "+d", "+3m2h", "+3d3d", "+ 3d", "+3w", "+99999999999999999999d", "+٣d"])
  func anythingElseIsRefused(text: String) {
    #expect(seconds(of: text) == nil)
  }

  @Test(arguments: [(0, "0s"), (259_200, "3d"), (9000, "2h 30m"), (90_061, "1d 1h 1m 1s")])
  func secondsAreSaidInUnits(seconds: Int, expected: String) {
    #expect(duration(seconds) == expected)
  }
}

@Suite struct LogTests {
  private static func line(_ level: String, _ message: String, _ rest: String = "") -> String {
    "{\"level\":\"\(level)\",\"message\":\"\(message)\"\(rest)}\n"
  }

  static let logs: [(String, String?)] = [
    ("", nil),
    ("\n \n", nil),
    ("one\ntwo\n", "two"),
    (line("error", "can't bind", ",\"error\":\"in use\""), "can't bind: in use"),
    (line("error", "can't bind") + "\n", "can't bind"),
    (line("critical", "can't bind") + line("info", "stopped"), "can't bind"),
    (line("info", "ready") + line("info", "stopped"), "stopped"),
    ("out of memory\n" + line("info", "stopped"), "stopped"),
    ("{\"level\":", "{\"level\":"),
  ]

  @Test(arguments: logs)
  func theLastComplaintTellsWhyAServiceEnded(log: String, expected: String?) {
    #expect(lastMessage(in: log) == expected)
  }
}

@Suite struct SettingsTests {
  @Test(arguments: [
    Settings(net: 0, world: nil, doors: nil), Settings(net: 255, world: "/a folder/world.yaml", doors: "0.0.0.0"),
  ])
  func settingsAreReadAsTheyWereWritten(settings: Settings) {
    #expect(Settings(settings.text) == settings)
  }

  @Test(arguments: ["", "net\n", "net x\n", "net 256\n"])
  func aSpoiltFileHoldsNoSettings(text: String) {
    #expect(Settings(text) == nil)
  }
}

@Suite struct JSONTests {
  private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func jsonIsShownInOneOrder() {
    let value: JSON = ["b": 1, "a": ["x/y", true, .null, .number(1.5)]]
    #expect(String(decoding: value.octets, as: UTF8.self) == #"{"a":["x/y",true,null,1.5],"b":1}"#)
    #expect(JSON(value.octets) == value)
    #expect(JSON(octets("{")) == nil)
  }

  @Test func aValueInAQueryIsEncoded() {
    #expect(percentEncoded("bob@hamburger.edu") == "bob@hamburger.edu")
    #expect(percentEncoded("a b&c=ü/") == "a%20b%26c%3D%C3%BC%2F")
  }
}
