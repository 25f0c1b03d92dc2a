import RedisClient
import TollgateCore

extension RedisEndpoint {
    /// The host that is asked, when it is one that others can reach. Nil for one of this machine or of a private network,
    /// as far as its name tells.
    var publicHost: String? {
        isOnThisMachine ? nil : hosts.first(where: Self.isPublic)
    }

    private static func isPublic(_ host: String) -> Bool {
        if IPAddress(host) != nil { return !NetworkList.nonPublic.contains(host) }
        let suffixes = [".local", ".internal", ".lan", ".svc", ".cluster.local"]
        return host.contains(".") && !suffixes.contains { host.hasSuffix($0) }
    }

    var isOnThisMachine: Bool {
        switch address {
        case .unixSocket: true
        default: hosts.allSatisfy { $0 == "localhost" || $0 == "::1" || $0.hasPrefix("127.") }
        }
    }

    private var hosts: [String] {
        switch address {
        case .tcp(let host, _): [host]
        case .unixSocket: []
        case .sentinels(let group): group.places.map(\.host)
        case .cluster(let seeds): seeds.nodes.map(\.host)
        }
    }
}
