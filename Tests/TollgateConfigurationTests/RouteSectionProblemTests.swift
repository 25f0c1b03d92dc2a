import Testing
import TollgateConfiguration

@Suite struct RouteSectionProblemTests {
    private typealias Fixture = ConfigurationFixture

    private static func check(
        _ yaml: String, _ line: Int, _ message: String, _ remedy: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let problems = try Fixture.problems(yaml: yaml)
        #expect(problems.places == ["tollgate.yaml:\(line)"], "\(problems)", sourceLocation: sourceLocation)
        #expect(problems.first?.message.contains(message) == true, "\(problems)", sourceLocation: sourceLocation)
        #expect(problems.first?.remedy.contains(remedy) == true, "\(problems)", sourceLocation: sourceLocation)
        #expect(problems.first?.remedy.last.map(".?".contains) == true, sourceLocation: sourceLocation)
    }

    /// Lines of the route `r`, from line 4 on, and the one problem that they make: its line, a part of the message and
    /// one of the remedy.
    @Test(arguments: [
        ("stripPrefx: true", 4, "route 'r' has the unknown key 'stripPrefx'", "'stripPrefix'"),
        ("retries: 1\nmethod: GET", 5, "unknown key 'method'", "'methods'"),
        ("hosts: a\nhost: b", 2, "has host and hosts", "Keep one"),
        ("exactPath: /x", 2, "has path and exactPath", "Keep one"),
        ("hosts: a.example:80", 4, "hosts: 'a.example:80' is no host", "without scheme and port"),
        ("hosts:\n- a\n- a.*.b", 6, "'a.*.b' is no host", "*.example.com"),
        ("hosts:\n- a\n- b\n- A", 7, "hosts: 'a' stands there twice", "Keep one"),
        ("hosts: {a: b}", 4, "hosts: this is not a text", "one text per item"),
        ("methods: [GET, [PUT]]", 4, "methods: this is not a text", "one text per item"),
        ("methods:\n- GET\n- put", 6, "methods: 'put' is no method", "capitals: PUT"),
        ("methods: CONNECT", 4, "'CONNECT' is no method", "such as GET"),
        ("methods: [GET, GET]", 4, "'GET' stands there twice", "Keep one"),
        ("upstreams: 10.0.0.7:3000", 4, "'10.0.0.7:3000' is not a URL", "http://host:port"),
        ("upstreams:\n- http://a\n- redis://b", 6, "is not of http:// or https://", "http://host:port"),
        ("upstreams: http://a/v1", 4, "'http://a/v1' is more than scheme, host and port", "http://host:port"),
        ("upstreams: http://a:0", 4, "has a port that is not a number", "http://host:port"),
        ("upstreams: [{weight: 1}]", 4, "upstreams: there is no url", "Add `url:`"),
        ("upstreams:\n- url: http://a\n  wieght: 2", 6, "the key 'wieght' is unknown", "'weight'"),
        ("upstreams:\n- url: http://a\n  weight: 1001", 6, "weight 1001 is out of range", "0 to 1000"),
        ("upstreams:\n- url: http://a\n  weight: much", 6, "'much' is no whole number", "whole number"),
        ("upstreams: {url: http://a, weight: 0}", 4, "every upstream has the weight 0", "at least one"),
        ("upstreams:\n- http://a\n- http://b\n- http://A:80", 7, "'http://a:80' stands there twice", "larger weight"),
        ("upstreams: [http://a, ]\nauth: nobody", 5, "auth: 'nobody' is unknown", "Known are jwt, key, any, none"),
        ("auth: nonee", 4, "auth: 'nonee' is unknown", "'none'"),
        ("auth: [jwt]", 4, "auth: this is a list", "one text"),
        ("scopes: [Read]", 4, "scopes: 'Read' is no scope", "lower-case"),
        ("scopes:\n- read\n- '*'", 6, "'*' cannot be required", "every one"),
        ("scopes:\n- read\n- read", 6, "'read' stands there twice", "Keep one"),
        ("auth: none\nscopes: read", 5, "scopes: the route knows no caller", "make auth jwt, key or any"),
        ("cost: 1\nauth: none", 4, "cost: the route knows no caller", "Remove it"),
        ("auth: none\nratePerMinute: 3", 5, "ratePerMinute: the route knows no caller", "Remove it"),
        ("cost: -1", 4, "cost: -1 is out of range", "0 to 1000000"),
        ("cost: 1.5", 4, "cost: '1.5' is no whole number", "whole number"),
        ("ratePerMinute: -1", 4, "ratePerMinute: -1 is out of range", "0 to 9007199254740991"),
        ("charge: succes", 4, "charge: 'succes' is unknown", "'success'"),
        ("cost: 0\ncharge: success", 5, "charge: the route costs nothing", "cost 1"),
        ("onRedisDown: openn", 4, "onRedisDown: 'openn' is unknown", "'open'"),
        ("timeouts: 5s", 4, "timeouts: this is not a mapping", "{connect: …, response: …, idle: …}"),
        ("timeouts:\n  connect: 1s\n  read: 5s", 6, "timeouts: the key 'read' is unknown", "connect, response, idle"),
        ("timeouts:\n  connect: 1s\n  idle: 25h", 6, "timeouts: idle 25h is out of range", "1ms to 24h"),
        ("timeouts: {connect: [1]}", 4, "timeouts.connect: this is a list", "one text"),
        ("retries: 6", 4, "retries: 6 is out of range", "0 to 5"),
        ("limits: {head: 100}", 4, "limits: head 100B is out of range", "1KB to 1MB"),
        ("limits: {body: 2000TB}", 4, "limits: body 2000TB is out of range", "0B to 1TB"),
        ("encodedSlashes: yes", 4, "encodedSlashes: 'yes' is unknown", "refuse, pass"),
        ("doubleSlashes: allow", 4, "doubleSlashes: 'allow' is unknown", "refuse, pass"),
        ("mapLocations: off", 4, "mapLocations: 'off' is neither true nor false", "true or false"),
        ("limits: {bodyRate: 2GB}", 4, "limits: bodyRate 2GB is out of range", "0B to 1GB"),
        ("limits: {bodyRate: fast}", 4, "limits.bodyRate: 'fast' is no size", "number of bytes"),
        ("stripPrefix: yes", 4, "stripPrefix: 'yes' is neither true nor false", "true or false"),
        ("hostHeader: server", 4, "hostHeader: 'server' is unknown", "client, upstream"),
        ("hostHeader: upstream", 4, "hostHeader: the route has no upstreams", "add upstreams"),
        (
            "upstreams: http://a\nhostHeader: upstream\nrequestHeaders: {set: {Host: b}}", 5,
            "requestHeaders set Host as well", "one of the two"
        ),
        ("healthCheck: /health", 4, "healthCheck: this is not a mapping", "{path: …, interval: …, timeout: …}"),
        ("healthCheck: {path: /}", 4, "healthCheck: the route has no upstreams", "add upstreams"),
        ("upstreams: http://a\nhealthCheck: {interval: 5s}", 5, "healthCheck: there is no path", "/health"),
        ("upstreams: http://a\nhealthCheck:\n  path: up", 6, "the path does not begin with '/'", "/api/v1"),
        ("upstreams: http://a\nhealthCheck:\n  path: /\n  interval: 99ms", 7, "interval 99ms is out", "100ms to 1h"),
        ("upstreams: http://a\nhealthCheck:\n  path: /\n  timeout: 61", 7, "timeout 61s is out", "10ms to 1m"),
        ("upgrades: [WebSocket]", 4, "upgrades: 'WebSocket' is no protocol", "lower case"),
        ("upgrades:\n- websocket\n- h2c", 6, "'h2c' is not possible", "Remove it"),
        ("upgrades: h2", 4, "'h2' is not possible: HTTP/2", "Remove it"),
        ("upgrades: [a, a]", 4, "'a' stands there twice", "Keep one"),
        ("requestHeaders: {set: X-A}", 4, "requestHeaders.set: this is not a mapping", "Name: value"),
        ("requestHeaders: {add: {X-A: b}}", 4, "requestHeaders: the key 'add' is unknown", "set, remove"),
        ("requestHeaders:\n  set:\n    X-A: 1\n    X-B:", 7, "a field there has no value", "remove"),
        ("requestHeaders:\n  set:\n    X-A: 1\n    X B: 2", 7, "a name there is no field name", "X-Api-Version"),
        ("responseHeaders:\n  set:\n    X-A: \"b\\nc\"", 6, "the value of 'X-A' has a blank at an end", "one line"),
        ("responseHeaders:\n  set: {X-A: b}\n  remove: x-a", 6, "several rules for 'x-a'", "Keep one"),
        ("requestHeaders:\n  remove:\n  - Cookie\n  - Te", 7, "'Te' is not for rules to change", "gateway"),
        ("requestHeaders: {remove: [Host]}", 4, "'Host' is not for rules to change", "set Host"),
    ])
    func problemNamesItsLine(lines: String, line: Int, message: String, remedy: String) throws {
        try Self.check(RouteFixture.yaml(lines), line, message, remedy)
    }

    /// As above, for whole files.
    @Test(arguments: [
        ("routes: 5", 1, "'routes' is not a list", "dash"),
        ("port: 80\nroutes:\n  a: {path: /}", 3, "'routes' is not a list", "dash"),
        ("routes:\n- {name: a, path: /}\n- b", 3, "route 2 is not a mapping", "name: api"),
        ("route: []", 1, "'route' is unknown", "'routes'"),
        ("routes:\n- path: /a\n  retries: 2", 2, "route 1 has no name", "Add `name:`"),
        ("routes:\n- name: a", 2, "route 'a' has no path", "path: /"),
        ("routes:\n- path: /a\n  name: A b", 3, "route 1, name: this is no name for a route", "lower-case"),
        ("routes:\n- name: [a]\n  path: /a", 2, "route 1, name: this is a list", "one text"),
        ("routes:\n- name: a\n  path: a", 3, "path: the path does not begin with '/'", "/api/v1"),
        ("routes:\n- name: a\n  path: /a/../b", 3, "the path holds a '.' or '..' segment", "/api/v1"),
        ("routes:\n- name: a\n  path: /a?b=c", 3, "the path has a query", "by the path alone"),
        ("routes:\n- name: a\n  exactPath: /%61", 3, "exactPath: the path has escapes", "'/a'"),
        ("routes:\n- name: a\n  exactPath: /a\n  stripPrefix: true", 4, "no prefix that could be left", "Use path"),
        (
            "routes:\n- name: a\n  exactPath: /a\n  encodedSlashes: pass", 4, "nothing is behind an exactPath",
            "Use path"
        ),
        ("routes:\n- name: a\n  exactPath: /a\n  doubleSlashes: pass", 4, "nothing is behind an exactPath", "Use path"),
        ("routes:\n- name: a\n  path: /a;v=1", 3, "escapes or parameters", "Write it as '/a'"),
        ("routes:\n- {name: a, path: /a}\n- name: a\n  path: /b", 3, "another route has this name", "of its own"),
        (
            "routes:\n- {name: a, path: /a}\n- name: b\n  path: /a/", 4, "path: the route 'a' takes the same requests",
            "another path, host or methods"
        ),
        (
            "routes:\n- {name: a, exactPath: /a, methods: GET}\n- {name: b, exactPath: /a, methods: [PUT, GET]}", 3,
            "the same requests of the method GET", "another path, host or methods"
        ),
        ("routes:\n- {name: a, path: /a, path: /b}", 2, "'path' stands twice", "Keep one"),
    ])
    func problemOfTheList(yaml: String, line: Int, message: String, remedy: String) throws {
        try Self.check(yaml, line, message, remedy)
    }

    @Test func everythingIsReportedAtOnceInTheOrderOfTheFile() throws {
        let yaml = """
            routes:
              - name: a
                hosts: "a b"
                path: /x
                retries: 9
                cost: many
                upstreams: nowhere
                healthCheck: {path: /}
              - name: b
                path: /x
                methods: [get]
              - name: c
                path: /x
              - name: c
                path: /x
                colour: red
            """
        let problems = try Fixture.problems(yaml: yaml)
        #expect(
            problems.map { "\($0.place) \($0.message)" } == [
                "tollgate.yaml:3 route 'a', hosts: 'a b' is no host",
                "tollgate.yaml:5 route 'a', retries: 9 is out of range",
                "tollgate.yaml:6 route 'a', cost: 'many' is no whole number",
                "tollgate.yaml:7 route 'a', upstreams: 'nowhere' is not a URL",
                "tollgate.yaml:11 route 'b', methods: 'get' is no method that can be routed",
                "tollgate.yaml:14 route 'c', name: another route has this name",
                "tollgate.yaml:16 route 'c' has the unknown key 'colour'",
            ])
    }

    @Test func tooManyOfAList() throws {
        let hosts = (0...64).map { "h\($0)" }.joined(separator: ", ")
        try Self.check(RouteFixture.yaml("cost: 2\nhosts: [\(hosts)]"), 5, "hosts: there are 65", "At most 64")
        let scopes = (0...32).map { "s\($0)" }.joined(separator: ", ")
        try Self.check(RouteFixture.yaml("scopes: [\(scopes)]"), 4, "scopes: there are 33", "At most 32")
    }

    /// Whatever is wrong with header rules, and wherever a key of the operator's slipped to.
    @Test(arguments: [
        "requestHeaders: hunter2", "requestHeaders: {set: hunter2}", "requestHeaders: {set: [hunter2]}",
        "requestHeaders: {set: {Authorization: [hunter2]}}", "requestHeaders: {set: {Authorization:hunter2}}",
        "requestHeaders: {set: {'Authorization: hunter2': a}}", "requestHeaders: {set: {Authorization: ' hunter2'}}",
        "requestHeaders: {set: {Connection: hunter2}}", "requestHeaders: {set: {X-A: hunter2, x-a: hunter2}}",
        "requestHeaders: {remove: ['Authorization: hunter2']}", "requestHeaders: {remove: [[hunter2]]}",
        "requestHeaders: {Authorization:hunter2}", "requestHeaders: {'Authorization: hunter2': a}",
        "requestHeaders: {Authorization:hunter2, Authorization:hunter2}", "upstreams: http://a:hunter2@b",
        "name2: hunter2", "retries: sk_live_hunter2", "auth: 'sk_live_hunter2'", "timeouts: {idle: whsec_hunter2}",
    ])
    func noProblemHoldsASecret(lines: String) throws {
        let problems = try Fixture.problems(yaml: RouteFixture.yaml(lines))
        #expect(!problems.isEmpty)
        #expect(!InvalidConfiguration(problems: problems).description.contains("hunter2"), "\(problems)")
    }
}
