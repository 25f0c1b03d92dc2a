import NIOCore
import Testing

@testable import RedisClient

@Suite struct OutgoingBytesTests {
    private func write(_ count: Int, to bytes: inout OutgoingBytes) {
        bytes.buffer.writeRepeatingByte(1, count: count)
        bytes.handedOver()
        #expect(bytes.isEmpty)
    }

    @Test func whatABurstTookIsGivenBack() {
        var bytes = OutgoingBytes()
        write(10 << 20, to: &bytes)
        #expect(bytes.buffer.storageCapacity >= 10 << 20, "the next burst may come at once")
        for _ in 1...100 { write(500, to: &bytes) }
        #expect(bytes.buffer.storageCapacity <= 128 * 1024)
    }

    @Test func steadyLoadAllocatesNothing() {
        var bytes = OutgoingBytes()
        write(200_000, to: &bytes)
        let capacity = bytes.buffer.storageCapacity
        for number in 1...1000 {
            write(number.isMultiple(of: 8) ? 200_000 : 20_000, to: &bytes)
            #expect(bytes.buffer.storageCapacity == capacity)
        }
    }

    @Test func whatIsStillBeingSentIsNotCopiedInFull() {
        var bytes = OutgoingBytes()
        write(10 << 20, to: &bytes)
        for _ in 1...40 { write(500, to: &bytes) }
        bytes.buffer.writeRepeatingByte(1, count: 500)
        let sent = bytes.buffer
        bytes.handedOver()
        #expect(sent.readableBytes == 500)
        #expect(bytes.buffer.storageCapacity < 2 << 20)
    }
}
