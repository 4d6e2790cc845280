import Octets
import Testing

@Suite struct PunycodeTests {
  /// RFC 3492 §7.1 (A) to (S).
  @Test(arguments: [
    (
      "\u{644}\u{64A}\u{647}\u{645}\u{627}\u{628}\u{62A}\u{643}\u{644}\u{645}\u{648}\u{634}\u{639}\u{631}\u{628}\u{64A}\u{61F}",
      "egbpdaj6bu4bxfgehfvwxn"
    ),
    ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
    ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"),
    ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
    (
      "\u{5DC}\u{5DE}\u{5D4}\u{5D4}\u{5DD}\u{5E4}\u{5E9}\u{5D5}\u{5D8}\u{5DC}\u{5D0}\u{5DE}\u{5D3}\u{5D1}\u{5E8}\u{5D9}\u{5DD}\u{5E2}\u{5D1}\u{5E8}\u{5D9}\u{5EA}",
      "4dbcagdahymbxekheh6e0a7fei0b"
    ),
    (
      "\u{92F}\u{939}\u{932}\u{94B}\u{917}\u{939}\u{93F}\u{928}\u{94D}\u{926}\u{940}\u{915}\u{94D}\u{92F}\u{94B}\u{902}\u{928}\u{939}\u{940}\u{902}\u{92C}\u{94B}\u{932}\u{938}\u{915}\u{924}\u{947}\u{939}\u{948}\u{902}",
      "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd"
    ),
    ("なぜみんな日本語を話してくれないのか", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
    (
      "세계의모든사람들이한국어를이해한다면얼마나좋을까",
      "989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c"
    ),
    ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
    ("PorquénopuedensimplementehablarenEspañol", "PorqunopuedensimplementehablarenEspaol-fmd56a"),
    (
      "T\u{1EA1}isaoh\u{1ECD}khôngth\u{1EC3}ch\u{1EC9}nóiti\u{1EBF}ngVi\u{1EC7}t",
      "TisaohkhngthchnitingVit-kjcr8268qyxafd2f1b9g"
    ),
    ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
    ("安室奈美恵-with-SUPER-MONKEYS", "-with-SUPER-MONKEYS-pc58ag80a8qai00g7n9n"),
    ("Hello-Another-Way-それぞれの場所", "Hello-Another-Way--fc4qua05auwb3674vfr0b"),
    ("ひとつ屋根の下2", "2-u9tlzr9756bt3uc0v"),
    ("MajiでKoiする5秒前", "MajiKoi5-783gue6qz075azm5e"),
    ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
    ("そのスピードで", "d9juau41awczczp"),
    ("-> $1.00 <-", "-> $1.00 <--"),
  ])
  func `the examples of RFC 3492`(text: String, code: String) {
    #expect(Punycode.encode(Array(text.unicodeScalars)) == Array(code.utf8))
  }
}

@Suite struct HostNameTests {
  @Test(arguments: [
    ("Hamburger.EDU", "hamburger.edu"), ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.Example", "xn--bcher-kva.example"), ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("例子.中国", "xn--fsqu00a.xn--fiqs8s"), ("faß.de", "xn--fa-hia.de"),
    ("\u{212A}elvin.example", "kelvin.example"), ("bu\u{308}cher.example", "xn--bcher-kva.example"),
    ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
    ("_dmarc.x", "_dmarc.x"), ("a", "a"),
  ])
  func `a name is written as the DNS has it`(name: String, ascii: String) {
    #expect(HostName.ascii(name) == ascii)
  }

  @Test(arguments: [
    "", ".", "a..b", "a.", "a b", "a/b", "[127.0.0.1]", "×.example", "a\u{9B}.example", "\u{308}u.example",
    "-ü.example",
    "ü-.example", "xn--ü.example", "😀.example", String(repeating: "a", count: 64), String(repeating: "ü", count: 60),
    String(repeating: "ü", count: 100_000),
  ])
  func `what can't be a name in the DNS is none`(name: String) {
    #expect(HostName.ascii(name) == nil)
  }

  @Test func `a name has 253 octets, in ASCII`() {
    let long = String(repeating: String(repeating: "b", count: 49) + ".", count: 5)
    #expect(HostName.ascii(long + "abc") == long + "abc")
    #expect(HostName.ascii(long + "abcd") == nil)
    #expect(HostName.ascii(long + "ü") == nil)
  }
}
