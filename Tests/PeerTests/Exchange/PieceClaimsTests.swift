import Testing
import TorrentWire

@testable import Peer

@Suite struct PieceClaimsTests {
  @Test func whoSaysNothingHasNothing() {
    #expect(PieceClaims().pieces(of: 9) == Bitfield(pieceCount: 9))
  }

  @Test func aBitfieldAndWhatCameAfterItAddUp() {
    var claims = PieceClaims()
    claims.bitfield([0b1010_0000, 0])
    claims.have(8)
    claims.have(8)
    #expect(claims.pieces(of: 9)?.octets == [0b1010_0000, 0b1000_0000])
    #expect(claims.pieces(of: 9)?.held == 3)
  }

  @Test func allIsAllOfHoweverMany() {
    var claims = PieceClaims()
    claims.everything()
    #expect(claims.pieces(of: 9)?.isFull == true)
    #expect(claims.pieces(of: 1000)?.held == 1000)
  }

  @Test func claimsOfAnotherNumberOfPiecesAreNone() {
    var claims = PieceClaims()
    claims.bitfield([0xFF, 0x80])
    #expect(claims.pieces(of: 9) != nil)
    #expect(claims.pieces(of: 8) == nil)
    #expect(claims.pieces(of: 17) == nil)
    var single = PieceClaims()
    single.have(9)
    #expect(single.pieces(of: 9) == nil)
    #expect(single.pieces(of: 10)?.held == 1)
  }

  @Test func noMoreIsRememberedThanItsLimit() {
    var claims = PieceClaims()
    for piece in 0..<100_010 { claims.have(piece) }
    #expect(claims.pieces(of: 200_000)?.held == 100_000)
  }
}
