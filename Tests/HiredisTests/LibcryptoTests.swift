import Libcrypto
import Testing

/// Vectors of FIPS 180-4.
@Suite struct LibcryptoTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func sha256(text: String, hex: String) {
        #expect(SHA256.digest(text).hex == hex)
        #expect(SHA256.digest(Array(text.utf8)) == SHA256.digest(text))
    }

    @Test func sha1() {
        #expect(SHA1.hexDigest("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(SHA1.hexDigest("return 1") == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db")
    }
}
