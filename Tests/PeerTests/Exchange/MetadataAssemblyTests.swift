import Octets
import Testing
import TorrentWire

@testable import Peer

@Suite struct MetadataAssemblyTests {
  private static let partSize = MetadataMessage.pieceSize

  private func octets(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 / 100) } }

  private func part(_ number: Int, of whole: [UInt8]) -> [UInt8] {
    Array(whole.dropFirst(number * Self.partSize).prefix(Self.partSize))
  }

  @Test(arguments: [1, Self.partSize, Self.partSize + 1, 4 * Self.partSize - 3])
  func comesTogetherInAnyOrder(size: Int) throws {
    let whole = octets(size)
    let count = (size + Self.partSize - 1) / Self.partSize
    var random = SeededGenerator(seed: UInt64(size))
    for _ in 0..<10 {
      var assembly = MetadataAssembly()
      assembly.learn(size)
      var result: [UInt8]?
      for number in (0..<count).shuffled(using: &random) {
        #expect(result == nil && !assembly.isChecking)
        result = assembly.receive(number, part(number, of: whole), totalSize: size, from: 1)
      }
      #expect(result == whole && assembly.isChecking)
      // Nothing is asked for while it is hashed, and nothing taken.
      #expect(assembly.next(notIn: []) == nil)
      #expect(assembly.receive(0, part(0, of: whole), totalSize: size, from: 1) == nil)
    }
  }

  @Test func nobodyIsAskedForWhatAnotherIsUntilNothingElseIsLeft() {
    var assembly = MetadataAssembly()
    #expect(assembly.next(notIn: []) == nil)
    assembly.learn(3 * Self.partSize)
    #expect(assembly.next(notIn: []) == 0)
    #expect(assembly.next(notIn: []) == 1)
    #expect(assembly.next(notIn: [0]) == 2)
    #expect(assembly.next(notIn: [1]) == 0)
    #expect(assembly.next(notIn: [0, 1, 2]) == nil)
    assembly.release([1])
    #expect(assembly.next(notIn: [0]) == 1)
  }

  @Test func whatDoesNotFitIsNotTaken() {
    let whole = octets(Self.partSize + 5)
    var assembly = MetadataAssembly()
    #expect(assembly.receive(0, part(0, of: whole), totalSize: whole.count, from: 1) == nil)
    assembly.learn(whole.count)
    // The first size is believed.
    assembly.learn(7)
    #expect(assembly.size == whole.count)
    #expect(assembly.receive(1, part(1, of: whole), totalSize: whole.count + 1, from: 1) == nil)
    #expect(assembly.receive(1, part(0, of: whole), totalSize: whole.count, from: 1) == nil)
    #expect(assembly.receive(2, [], totalSize: whole.count, from: 1) == nil)
    #expect(assembly.receive(0, part(0, of: whole), totalSize: whole.count, from: 1) == nil)
    #expect(assembly.receive(0, part(0, of: whole), totalSize: whole.count, from: 1) == nil)
    #expect(assembly.receive(1, part(1, of: whole), totalSize: whole.count, from: 1) == whole)
  }

  @Test func whatWasBadIsBegunAgainWithAnySize() {
    var assembly = MetadataAssembly()
    assembly.learn(3)
    #expect(assembly.receive(0, [1, 2, 3], totalSize: 3, from: 1) == [1, 2, 3])
    assembly.forget()
    #expect(assembly.size == nil && !assembly.isChecking)
    assembly.learn(4)
    #expect(assembly.next(notIn: []) == 0)
    #expect(assembly.receive(0, [1, 2, 3, 4], totalSize: 4, from: 1) == [1, 2, 3, 4])
  }
}
