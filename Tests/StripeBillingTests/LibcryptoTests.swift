import Libcrypto
import Testing

/// What webhooks need of libcrypto.
@Suite struct LibcryptoTests {
    /// RFC 4231, test cases 1, 2 and 6, and no bytes at all.
    @Test(
        arguments: [
            (
                Array(repeating: 0x0b, count: 20), "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                Array(repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ] as [([UInt8], String, String)])
    func hmac(_ key: [UInt8], _ message: String, _ hex: String) {
        let code = HMACSHA256.authenticationCode(of: Array(message.utf8), key: key)
        #expect(Hexadecimal.encode(code) == hex)
    }

    @Test func constantTime() {
        #expect(ConstantTime.equals([], []))
        #expect(ConstantTime.equals([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.equals([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.equals([1, 2, 3], [1, 2]))
        #expect(!ConstantTime.equals([], [0]))
    }

    @Test func randomBytes() {
        #expect(RandomBytes.make(count: 0).isEmpty)
        #expect(RandomBytes.hex(count: 16).utf8.count == 32)
        #expect(Set((0..<100).map { _ in RandomBytes.hex(count: 16) }).count == 100)
    }

    @Test func hexadecimal() {
        #expect(Hexadecimal.encode([0x00, 0x0f, 0xa0, 0xff]) == "000fa0ff")
    }
}
