import Testing
import TollgateConfiguration
import TollgateCore

/// Whom to believe: proxies before the gateway, and the authorities of upstreams behind it.
@Suite struct NetworkSettingTests {
    private typealias Fixture = ConfigurationFixture

    @Test func trustedProxiesAreNetworks() throws {
        let configuration = try Fixture.load(
            files: ["tollgate.yaml": "trustedProxies: [10.0.0.0/8, \"2001:db8::1\"]\n"])
        #expect(configuration.trustedProxies.contains("10.9.8.7"))
        #expect(configuration.trustedProxies.contains("2001:db8::1"))
        #expect(!configuration.trustedProxies.contains("192.0.2.1"))
        #expect(try Fixture.load().trustedProxies.isEmpty)
    }

    @Test func eachTextThatIsNoNetworkIsNamed() throws {
        let problems = try Fixture.problems(with: ["TOLLGATE_TRUSTED_PROXIES": "10.0.0.0/8, proxy, 10.0.0.1/8"])
        #expect(problems.map(\.message) == ["'proxy' is no network", "'10.0.0.1/8' is no network"])
        #expect(problems.allSatisfy { $0.remedy.contains("10.0.0.0/8") })
        let many = (0...256).map { "10.0.\($0 / 256).\($0 % 256)" }.joined(separator: ",")
        #expect(
            try Fixture.problems(with: ["TOLLGATE_TRUSTED_PROXIES": many]).map(\.message)
                == ["the value has 257 networks"])
    }

    @Test func authoritiesAreAFileThatCanBeRead() throws {
        let configuration = try Fixture.load(
            files: ["tollgate.yaml": "upstream: {caFile: ca.pem}\n", "ca.pem": "certificate"])
        #expect(configuration.upstreamAuthorityFile?.hasSuffix("/ca.pem") == true)
        #expect(try Fixture.load().upstreamAuthorityFile == nil)
        let problems = try Fixture.problems(yaml: "upstream: {caFile: ca.pem}\n")
        #expect(problems.map(\.message) == ["upstream.caFile: 'ca.pem' cannot be read"])
    }
}
