import Testing
import TollgateCore

/// Addresses as proxies write them.
@Suite struct IPAddressTests {
    @Test(arguments: [
        ("203.0.113.9", "203.0.113.9"), ("203.0.113.9:51000", "203.0.113.9"), (" 203.0.113.9\t", "203.0.113.9"),
        ("\"203.0.113.9:1\"", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"), ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"), ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"), ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::", "::"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("0:0:1::", "0:0:1::"), ("::1:0", "::1:0"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
    ])
    func formsOfProxiesAreRead(text: String, address: String) {
        #expect(IPAddress(node: text)?.description == address)
        #expect(IPAddress(address) != nil, "it is read back")
    }

    @Test(arguments: [
        "", " ", "unknown", "_hidden", "localhost", "203.0.113", "203.0.113.256", "203.0.113.09", "203.0.113.9:",
        "203.0.113.9:65536", "203.0.113.9:x", "[2001:db8::1", "[203.0.113.9]", "2001:db8::1]", "1:2", "%eth0", "\"",
        "/run/x",
        "203.0.113.9, 10.0.0.1", "::ffff:203.0.113.9.1",
    ])
    func everythingElseIsNone(text: String) {
        #expect(IPAddress(node: text) == nil)
    }
}
