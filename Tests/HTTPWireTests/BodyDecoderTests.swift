import HTTPWire
import Testing

@Suite("Content")
struct BodyDecoderTests {
  static let chunked = Array(
    "0000000000000000005 \t;blank\r\nhello\r\n1;ext=\"a;b\"\r\n,\r\n00a\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET /"
      .utf8)

  @Test("in chunks is joined and its trailers kept, in pieces of any size", arguments: 1...Self.chunked.count)
  func chunks(size: Int) throws {
    let body = try decodeBody(Self.chunked, .chunked, size: size)
    #expect(body.content == Array("hello,0123456789".utf8))
    #expect(body.isFinished)
    #expect(body.rest == 5)
    #expect(body.trailers == ["X-Sum=1", "Y="])
  }

  @Test("that is counted ends after its octets", arguments: 1...8)
  func counted(size: Int) throws {
    let body = try decodeBody(Array("hello+++".utf8), .length(5), size: size)
    #expect(body.content == Array("hello".utf8))
    #expect(body.isFinished)
    #expect(body.rest == 3)
  }

  @Test("that stops early is not finished", arguments: 0..<(Self.chunked.count - 5))
  func cutShort(end: Int) throws {
    #expect(try !decodeBody(Array(Self.chunked[..<end]), .chunked, size: 3).isFinished)
  }

  @Test("of none is finished at once")
  func none() {
    #expect(BodyDecoder(.none).isFinished)
    #expect(BodyDecoder(.length(0)).isFinished)
  }

  @Test("survives what the encoder writes", arguments: [1, 9, 15, 16, 255, 256, 4095, 4096, 70_000])
  func roundTrip(count: Int) throws {
    let data = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    var bytes: [UInt8] = []
    ResponseEncoder.appendChunk(to: &bytes, data)
    ResponseEncoder.appendChunk(to: &bytes, [])
    ResponseEncoder.appendLastChunk(to: &bytes, trailers: ["x-sum": "7"])
    let body = try decodeBody(bytes, .chunked, size: 1000)
    #expect(body.content == data)
    #expect(body.trailers == ["x-sum=7"])
  }
}
