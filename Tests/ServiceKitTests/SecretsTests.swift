import ArgumentParser
@testable import ServiceKit
import Testing

@Test("A password is verified against its own hash and no other")
func passwords() throws {
  let hash = try Passwords.hash(Array("hungry".utf8))
  #expect(hash.hasPrefix("scrypt$16384$8$1$"))
  #expect(Passwords.verify(Array("hungry".utf8), against: hash))
  #expect(!Passwords.verify(Array("hungri".utf8), against: hash))
  #expect(try Passwords.hash(Array("hungry".utf8)) != hash)
}

@Test(
  "Text that is no hash verifies nothing",
  arguments: ["", "hungry", "scrypt$1$1$1$$", "scrypt$x$8$1$AA==$AA==", "scrypt$16384$8$1$AA==$AA==$"])
func noHash(text: String) {
  #expect(!Passwords.verify([], against: text))
}

@Test("RFC 4231 test case 2 and FIPS 180's abc")
func digests() throws {
  let code = try Secrets.authenticationCode(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
  #expect(code.prefix(4) == [0x5B, 0xDC, 0xC1, 0x46])
  #expect(try Secrets.digest(Array("abc".utf8)).prefix(4) == [0xBA, 0x78, 0x16, 0xBF])
}

@Test("A verified password is remembered with its hash alone")
func rememberedPasswords() throws {
  let verified = try VerifiedPasswords()
  verified.insert([1, 2], "hash")
  #expect(verified.contains([1, 2], "hash"))
  #expect(!verified.contains([1, 2], "other"))
  #expect(!verified.contains([1], "hash"))
}

@Test(
  "Trace contexts are read strictly and handed on",
  arguments: [
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
    ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", true),
    ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
    ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
    ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false), ("", false),
  ])
func traces(text: String, isValid: Bool) throws {
  guard isValid else {
    #expect(TraceContext(traceparent: text) == nil)
    return
  }
  let context = try #require(TraceContext(traceparent: text))
  #expect(context.isSampled)
  #expect(context.child.trace == context.trace)
  #expect(context.child.span != context.span)
  #expect(TraceContext(traceparent: context.child.traceparent) != nil)
}

@Test("The environment fills in for flags that were not given")
func environment() {
  let flags = ["data": true, "lab": false, "listen": true]
  let merged = EnvironmentArguments.merge(
    ["--data=/mine"],
    environment: [
      "UTOPIA_DATA": "/theirs", "UTOPIA_LAB": "1", "UTOPIA_LISTEN": "a,b", "UTOPIA_OTHER": "x", "HOME": "/",
    ],
    flags: flags)
  #expect(merged == ["--data=/mine", "--lab", "--listen", "a", "--listen", "b"])
}

@Test("The flags of a command are found in the parser's own description")
func describedFlags() {
  struct Example: ServiceCommand {
    @OptionGroup var common: ServiceOptions
  }
  let flags = EnvironmentArguments.flags(inHelp: Array(Example._dumpHelp().utf8))
  #expect(flags["data"] == true)
  #expect(flags["lab"] == false)
}
