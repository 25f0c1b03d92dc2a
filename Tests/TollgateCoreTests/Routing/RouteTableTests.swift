import Testing
import TollgateCore

@Suite struct RouteTableTests {
    private static func host(_ text: String) -> HostPattern { HostPattern(text) ?? .exactly("") }

    private static func route(
        _ name: String, _ path: String, hosts: [String] = [], methods: [String] = [], isExact: Bool = false
    ) -> Route {
        Route(
            name: name, hosts: hosts.map(host), path: isExact ? .exactly(path) : .prefix(path), methods: methods)
    }

    private static let table = try? RouteTable([
        route("root", "/"),
        route("api", "/api", methods: ["GET", "POST"]),
        route("reports", "/api/reports/"),
        route("status", "/api/status", methods: ["GET"], isExact: true),
        route("below-status", "/api/status", methods: ["DELETE"]),
        route("home", "/", methods: ["GET"], isExact: true),
        route("slash", "/slash/", isExact: true),
        route("exact-host", "/", hosts: ["api.example.com"]),
        route("v1", "/v1", hosts: ["*.example.com", "example.org"]),
        route("deep", "/", hosts: ["*.a.example.com"]),
        route("address", "/", hosts: ["[2001:db8::1]"]),
    ])

    /// Host, path, method, and the route that takes the request.
    @Test(arguments: [
        ("", "/", "GET", "home"), ("", "/", "POST", "405 GET,HEAD"), ("", "/x", "GET", "root"),
        ("", "/api", "GET", "api"), ("", "/api", "HEAD", "api"), ("", "/api/", "POST", "api"),
        ("", "/api/x/y", "GET", "api"), ("", "/apix", "GET", "root"), ("", "/API", "GET", "root"),
        ("", "/api", "DELETE", "405 GET,HEAD,POST"), ("", "/api", "get", "405 GET,HEAD,POST"),
        ("", "/api/reports", "PUT", "reports"), ("", "/api/reports/", "PUT", "reports"),
        ("", "/api/reports/2026", "PUT", "reports"), ("", "/api/reportsx", "GET", "api"),
        ("", "/api/status", "GET", "status"), ("", "/api/status", "DELETE", "405 GET,HEAD"),
        ("", "/api/status/", "DELETE", "below-status"), ("", "/api/status/x", "GET", "405 DELETE"),
        ("", "/slash/", "GET", "slash"), ("", "/slash", "GET", "root"), ("", "/slash/x", "GET", "root"),
        ("API.Example.com:8443", "/x", "GET", "exact-host"), ("api.example.com.", "/", "PUT", "exact-host"),
        ("b.example.com", "/v1/x", "GET", "v1"), ("b.c.example.com", "/v1", "GET", "v1"),
        ("example.org", "/v1", "GET", "v1"), ("www.example.org", "/v1", "GET", "root"),
        ("example.com", "/v1", "GET", "root"), ("xexample.com", "/v1", "GET", "root"),
        ("b.example.com", "/v2", "GET", "root"), ("b.a.example.com", "/v1", "GET", "deep"),
        ("[2001:DB8::1]:80", "/x", "GET", "address"), ("elsewhere.net", "/api/reports", "GET", "reports"),
    ])
    func requestFindsItsRoute(host: String, path: String, method: String, expected: String) throws {
        let table = try #require(Self.table)
        let known = RequestHost(host)
        #expect((known == nil) == host.isEmpty)
        #expect(Self.name(of: table.match(host: known, path: path, method: method)) == expected)
    }

    private static func name(of match: RouteTable.Match) -> String {
        switch match {
        case .route(let entry): entry.route.name
        case .methodNotAllowed(let allowed): "405 " + allowed.joined(separator: ",")
        case .notFound: "404"
        }
    }

    private static func oddTable() throws -> RouteTable {
        var gitlab = route("gitlab", "/gitlab")
        gitlab.encodedSlashes = .pass
        var store = route("store", "/store", methods: ["GET"])
        store.doubleSlashes = .pass
        var both = route("both", "/a/both")
        (both.encodedSlashes, both.doubleSlashes, both.stripsPrefix) = (.pass, .pass, true)
        return try RouteTable([
            gitlab, store, both, route("below", "/gitlab/admin"), route("a", "/a"), route("root", "/"),
        ])
    }

    /// What is odd passes behind the prefix of a route that takes it, and where no other route is by any reading.
    @Test(arguments: [
        ("/gitlab/group%2Fproject", "gitlab"), ("/gitlab/a%2fb/c?d=%2F", "gitlab"), ("/gitlab/a%2F", "gitlab"),
        ("/gitlab/a;v=1%2F", "400"), ("/gitlab//a", "400"), ("/gitlab/a%2F%2Fb", "400"), ("/gitlab%2Fa", "400"),
        ("/gitlab/admin%2Fa", "400"), ("/gitlab/admin/a%2Fb", "400"), ("/gitlab/%2Fadmin", "400"),
        ("/git%2Flab", "400"), ("/x%2Fy", "400"), ("/store//a", "store"), ("/store/a//", "store"),
        ("/store//", "store"),
        ("/store/a%2Fb", "400"), ("//store/a", "400"), ("/store/..//a", "400"), ("/a//both/x", "400"),
        ("/a/both//x", "400"), ("/a/both/%2Fx", "400"), ("/a/both/x//y%2Fz", "both"), ("/a%2Fboth/x", "400"),
        ("/a/b%2Fc", "400"), ("/a//b", "400"), ("/gitlab;v=1/a%2Fb", "gitlab"),
    ])
    func oddTargetsFindTheirRoute(text: String, expected: String) throws {
        let table = try Self.oddTable()
        do throws(RequestTarget.Problem) {
            let target = try RequestTarget(tolerant: text)
            #expect(Self.name(of: try table.match(host: nil, target: target, method: "GET")) == expected)
        } catch {
            #expect(expected == "400", "\(error)")
        }
    }

    /// Whatever a route passes, no server finds another route in it: every reading of it is the route's.
    @Test func noReadingOfAnOddTargetIsAnotherRoutes() throws {
        let table = try Self.oddTable()
        let words = ["gitlab", "admin", "store", "a", "both", "x", "", ";v", "x;v"]
        for first in words {
            for second in words {
                for third in words {
                    for (one, two) in [
                        ("/", "/"), ("%2F", "/"), ("/", "%2f"), ("//", "/"), ("/", "//"), ("%2f", "%2F"),
                    ] {
                        let text = "/" + first + one + second + two + third
                        guard let target = try? RequestTarget(tolerant: text), target.oddity != nil,
                            case .route(let entry)? = try? table.match(host: nil, target: target, method: "GET")
                        else { continue }
                        for reading in target.readings {
                            #expect(
                                Self.name(of: table.match(host: nil, path: reading, method: "GET")) == entry.route.name)
                            #expect(reading.hasPrefix(entry.route.path.text + "/"), "\(text)")
                        }
                    }
                }
            }
        }
    }

    @Test func nothingFitsWhereNoRouteIs() throws {
        let table = try RouteTable([Self.route("a", "/a"), Self.route("b", "/b", hosts: ["b.example"])])
        for (host, path) in [("a.example", "/"), ("a.example", "/b"), ("b.example", "/c"), ("a.example", "/ab")] {
            #expect(Self.name(of: table.match(host: RequestHost(host), path: path, method: "GET")) == "404")
        }
        #expect(Self.name(of: RouteTable.empty.match(host: nil, path: "/", method: "GET")) == "404")
    }

    /// A thousand routes are found as one is, each by its own path and host.
    @Test func everyOneOfAThousandIsFound() throws {
        let routes = (0..<1_000).map { number in
            Self.route("r\(number)", "/v\(number % 10)/things/t\(number)", hosts: ["h\(number % 7).example.com"])
        }
        let table = try RouteTable(routes)
        for (number, route) in routes.enumerated() {
            let host = RequestHost("h\(number % 7).example.com")
            let match = table.match(host: host, path: route.path.text + "/x", method: "GET")
            #expect(Self.name(of: match) == "r\(number)")
            #expect(Self.name(of: table.match(host: nil, path: route.path.text, method: "GET")) == "404")
        }
    }

    /// Against the definition, read off one route after the other.
    @Test func tableAgreesWithTheDefinition() throws {
        let table = try #require(Self.table)
        let segments = ["api", "reports", "status", "slash", "v1", "x", "apix"]
        var paths = ["/"]
        for first in segments {
            paths += ["/\(first)", "/\(first)/"] + segments.flatMap { ["/\(first)/\($0)", "/\(first)/\($0)/"] }
        }
        for path in paths {
            for host in ["api.example.com", "b.example.com", "example.org", "b.a.example.com", "other"] {
                let host = try #require(RequestHost(host))
                let expected = Self.bestPath(table.routes, host: host.name, path: path)
                switch table.match(host: host, path: path, method: "GET") {
                case .route(let entry): #expect(expected.contains(entry.route.name), "\(host) \(path)")
                case .methodNotAllowed: #expect(!expected.isEmpty, "\(host) \(path)")
                case .notFound: #expect(expected.isEmpty, "\(host) \(path)")
                }
            }
        }
    }

    /// The names of the routes with the most specific host and path, whatever their methods.
    private static func bestPath(_ routes: [Route], host: String, path: String) -> Set<String> {
        var best: (rank: [Int], names: Set<String>) = ([], [])
        for route in routes {
            let hostRank =
                route.hosts.isEmpty
                ? 0
                : route.hosts.map { pattern in
                    switch pattern {
                    case .exactly(let name): name == host ? 1_000 : -1
                    case .below(let name): host.hasSuffix("." + name) ? name.count : -1
                    }
                }.max() ?? -1
            let pathRank =
                switch route.path {
                case .exactly(let text): text == path ? 1_000 : -1
                case .prefix(let text):
                    (path + "/").hasPrefix(text.hasSuffix("/") ? text : text + "/") ? text.count : -1
                }
            guard hostRank >= 0, pathRank >= 0 else { continue }
            let rank = [hostRank, pathRank]
            if best.rank.lexicographicallyPrecedes(rank) { best = (rank, []) }
            if best.rank == rank { best.names.insert(route.name) }
        }
        return best.names
    }
}
