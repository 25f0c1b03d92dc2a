import HTTPWire
import NIOCore
import ReverseProxy
import Testing
import TollgateCore

@testable import TollgateDataPlane

/// Whose wrong keys they are, behind however many proxies.
@Suite struct ClientTests {
    private static func network(
        _ fields: String..., peer: String? = "10.0.0.1", trusted: [String] = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"]
    ) throws -> String {
        let text = "GET / HTTP/1.1\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        let head = try RequestHead(parsing: ByteBuffer(string: text))
        let client = ConnectionPeer(address: peer, trustedProxies: try #require(NetworkList(trusted)))
        return client.network(of: head.fields).description
    }

    @Test(arguments: [
        ("203.0.113.5", "203.0.113.5"), ("203.0.113.5, 127.0.0.1", "203.0.113.5"),
        ("198.51.100.1, 203.0.113.5, 10.1.1.1, 127.0.0.1", "203.0.113.5"), ("203.0.113.9:51000", "203.0.113.9"),
        ("[2001:db8::1]:80", "2001:db8:0:0::/64"), ("2001:db8::1%eth0", "2001:db8:0:0::/64"),
        ("\"203.0.113.9\"", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"), ("203.0.113.5,", "203.0.113.5"),
        // All of them are ours: the farthest.
        ("10.2.2.2, 127.0.0.1", "10.2.2.2"), ("127.0.0.1", "127.0.0.1"),
        // What cannot be read is counted against the peer.
        ("unknown", "10.0.0.1"), ("203.0.113.5, unknown", "10.0.0.1"), ("203.0.113.5, garbage, 127.0.0.1", "10.0.0.1"),
        ("", "10.0.0.1"), (",", "10.0.0.1"), ("203.0.113.999", "10.0.0.1"),
    ])
    func trustedHopsAreSkippedFromTheRight(list: String, network: String) throws {
        #expect(try Self.network("X-Forwarded-For: \(list)") == network)
    }

    @Test func severalFieldsAreOneList() throws {
        #expect(try Self.network("X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 127.0.0.1") == "203.0.113.5")
    }

    @Test func forwardedIsReadWhereThereIsNothingElse() throws {
        #expect(
            try Self.network(#"Forwarded: for="[2001:db8::9]:4711";proto=https, for=10.1.1.1"#) == "2001:db8:0:0::/64")
        #expect(try Self.network("Forwarded: for=6.6.6.6", "X-Forwarded-For: 203.0.113.5") == "203.0.113.5")
        #expect(try Self.network("Forwarded: for=_hidden") == "10.0.0.1")
    }

    @Test func strangersAndOtherSpellingsTellNothing() throws {
        #expect(try Self.network("X-Forwarded-For: 203.0.113.5", peer: "192.0.2.7") == "192.0.2.7")
        for name in ["X_Forwarded_For", "X.Forwarded.For", "X-Forwarded_For"] {
            #expect(try Self.network("\(name): 6.6.6.6", "X-Forwarded-For: 203.0.113.5") == "203.0.113.5", "\(name)")
            #expect(try Self.network("\(name): 6.6.6.6") == "10.0.0.1", "\(name)")
        }
    }

    @Test func noPeerIsWithoutALimit() throws {
        #expect(try Self.network("X-Forwarded-For: 203.0.113.5", peer: nil) == ClientNetwork.unknown.description)
        let trusted = try #require(NetworkList(["10.0.0.0/8"]))
        let dual = ConnectionPeer(address: "::ffff:10.0.0.1", trustedProxies: trusted).connection
        #expect(dual.address == "10.0.0.1" && dual.isTrustedProxy, "of a socket for both families")
        #expect(ConnectionPeer(address: "2001:db8::1", trustedProxies: trusted).connection.address == "2001:db8::1")
    }
}
