import Testing
import TollgateCore

@Suite struct NetworkListTests {
    /// A network, an address, and whether the one has the other in it.
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.0.0.0/8", "10.0.0.0", true),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.1/32", "192.0.2.1", true),
        ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.255", true),
        ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false), ("::/0", "2001:db8::1", true),
        ("::/0", "192.0.2.1", false), ("::1", "::1", true), ("::1", "0:0:0:0:0:0:0:1", true), ("::", "::", true),
        ("2001:db8::/32", "2001:DB8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8:0:0:8000::/65", "2001:db8::7fff:0:0:1", false), ("2001:db8::1", "2001:db8::1", true),
        ("2001:db8:0:0:8000::/65", "2001:db8::8000:0:0:1", true), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", true), ("64:ff9b::192.0.2.0/120", "64:ff9b::c000:2ff", true),
        // Sockets for both kinds tell IPv4 addresses so.
        ("10.0.0.0/8", "::ffff:10.1.2.3", true), ("10.0.0.0/8", "::ffff:b00:1", false),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::ffff:192.0.2.1", "192.0.2.1", true),
        // What is no address is in no network.
        ("0.0.0.0/0", "", false), ("0.0.0.0/0", "10.0.0.1:80", false), ("0.0.0.0/0", "010.0.0.1", false),
        ("::/0", "[::1]", false), ("::/0", "fe80::1%eth0", false), ("::/0", "1:2:3", false),
    ])
    func addressIsInNetwork(network: String, address: String, expected: Bool) throws {
        let list = try #require(NetworkList([network]))
        #expect(list.contains(address) == expected)
        if let address = IPAddress(address) { #expect(list.contains(address) == expected) }
    }

    @Test(arguments: [
        "", "example.com", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.1/8",
        "10.0.0/8", "256.0.0.1", "::/129", "2001:db8::1/32", "::ffff:10.0.0.0/95", "1::2::3", "10.0.0.0 /8",
    ])
    func networksThatAreNone(text: String) {
        #expect(NetworkList([text]) == nil)
        #expect(NetworkList(["::1", text]) == nil)
    }

    @Test func anyOfThemCounts() throws {
        let list = try #require(NetworkList(["10.0.0.0/8", "::1", "192.0.2.7"]))
        #expect(list.contains("192.0.2.7"))
        #expect(list.contains("::1"))
        #expect(!list.contains("192.0.2.8"))
        #expect(!list.isEmpty)
        #expect(NetworkList.empty.isEmpty)
        #expect(!NetworkList.empty.contains("192.0.2.7"))
    }

    @Test func thereIsALimit() {
        let texts = (0...NetworkList.maximumCount).map { "10.0.\($0 / 256).\($0 % 256)" }
        #expect(NetworkList(texts) == nil)
        #expect(NetworkList(Array(texts.dropLast())) != nil)
    }

    @Test func networksAreToldInOneForm() throws {
        let list = try #require(
            NetworkList([
                "10.0.0.0/8", "::1", "192.0.2.7", "::ffff:198.51.100.0/120", "2001:DB8::/32", "::/0", "0.0.0.0/0",
            ]))
        let texts = [
            "10.0.0.0/8", "::1", "192.0.2.7", "198.51.100.0/24", "2001:db8::/32",
            "::/0", "0.0.0.0/0",
        ]
        #expect(list.texts == texts && list.count == 7)
        #expect(NetworkList(texts) == list)
    }

    @Test func networksAreToldAsRanges() throws {
        let list = try #require(NetworkList(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "0.0.0.0/0", "::/0"]))
        let ranges = [
            "0a000000-0affffff", "c0000207-c0000207",
            "20010db8000000000000000000000000-20010db8ffffffffffffffffffffffff",
            "00000000000000000000000000000001-00000000000000000000000000000001", "00000000-ffffffff",
            String(repeating: "0", count: 32) + "-" + String(repeating: "f", count: 32),
        ]
        #expect(list.ranges == ranges)
        #expect(NetworkList(ranges: ranges) == list)
        #expect(IPAddress("1.2.3.4")?.digits == "01020304" && IPAddress("::ffff:1.2.3.4")?.digits == "01020304")
    }

    private static let ranges: [(range: String, texts: [String])] = [
        ("0a000001-0a000002", ["10.0.0.1", "10.0.0.2"]), ("0a000000-0a000002", ["10.0.0.0/31", "10.0.0.2"]),
        ("00000000-ffffffff", ["0.0.0.0/0"]), ("ffffffff-ffffffff", ["255.255.255.255"]),
        ("fffffffe-ffffffff", ["255.255.255.254/31"]),
        ("f0000001-f0000007", ["240.0.0.1", "240.0.0.2/31", "240.0.0.4/30"]),
        (String(repeating: "0", count: 32) + "-" + String(repeating: "0", count: 31) + "2", ["::/127", "::2"]),
        (
            String(repeating: "f", count: 31) + "d-" + String(repeating: "f", count: 32),
            ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"]
        ),
    ]

    @Test(arguments: ranges) func anyRangeIsReadAsItsNetworks(range: String, texts: [String]) {
        #expect(NetworkList(ranges: [range])?.texts == texts)
    }

    @Test func noRangeHasMoreThanTwoNetworksOfALength() throws {
        let most = try #require(NetworkList(ranges: ["00000001-fffffffe"]))
        #expect(most.count == 62)
        #expect(most.contains("0.0.0.1") && most.contains("255.255.255.254"))
        #expect(!most.contains("0.0.0.0") && !most.contains("255.255.255.255"))
    }

    @Test(arguments: [
        "", "-", "0a000000", "0a000000-", "0a000000-0affffff-", "0A000000-0AFFFFFF",
        "0affffff-0a000000", "0a000000-0afffff", "0a00000-0afffff", " 0a000000-0affffff",
        "0a000000-" + String(repeating: "f", count: 32), "+a000000-+affffff", "10.0.0.0/8", "0g000000-0gffffff",
    ])
    func otherRangesAreNot(text: String) {
        #expect(NetworkList(ranges: [text]) == nil)
        #expect(NetworkList(ranges: ["00000000-ffffffff", text]) == nil)
    }

    @Test(arguments: [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "fe80::1",
        "fd00::1",
        "64:ff9b::7f00:1", "2002:7f00:1::",
    ])
    func whatIsNotPublic(address: String) { #expect(NetworkList.nonPublic.contains(address)) }

    @Test(arguments: ["1.1.1.1", "2606:4700:4700::1111", "203.0.112.1"])
    func whatIsPublic(address: String) { #expect(!NetworkList.nonPublic.contains(address)) }
}
