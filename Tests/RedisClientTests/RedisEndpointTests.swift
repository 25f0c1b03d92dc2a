import RedisClient
import Testing

@Suite struct RedisEndpointTests {
    @Test(arguments: [
        ("redis://localhost", RedisEndpoint(address: .tcp(host: "localhost", port: 6379))),
        ("redis://10.0.0.1:7000/3", RedisEndpoint(address: .tcp(host: "10.0.0.1", port: 7000), database: 3)),
        ("REDIS://h/", RedisEndpoint(address: .tcp(host: "h", port: 6379))),
        ("redis://:secret@h", RedisEndpoint(address: .tcp(host: "h", port: 6379), password: "secret")),
        (
            "rediss://user:p%40ss%2F@h:1/2",
            RedisEndpoint(
                address: .tcp(host: "h", port: 1), usesTLS: true, username: "user", password: "p@ss/", database: 2)
        ),
        ("redis://u:a@b:c@h", RedisEndpoint(address: .tcp(host: "h", port: 6379), username: "u", password: "a@b:c")),
        ("redis://[::1]:7000", RedisEndpoint(address: .tcp(host: "::1", port: 7000))),
        ("redis://[::1]", RedisEndpoint(address: .tcp(host: "::1", port: 6379))),
        ("unix:///run/redis.sock", RedisEndpoint(address: .unixSocket(path: "/run/redis.sock"))),
        (
            "unix://u:p@/run/redis.sock?db=2",
            RedisEndpoint(
                address: .unixSocket(path: "/run/redis.sock"), username: "u", password: "p", database: 2)
        ),
        (
            "redis-sentinel://u:p@a,b:1,[::1]:2/mymaster/3",
            RedisEndpoint(
                address: .sentinels(
                    SentinelGroup(
                        places: [
                            .init(host: "a", port: 26_379), .init(host: "b", port: 1), .init(host: "::1", port: 2),
                        ], primary: "mymaster")),
                username: "u", password: "p", database: 3)
        ),
        (
            "rediss-sentinel://a/%6D",
            RedisEndpoint(
                address: .sentinels(SentinelGroup(places: [.init(host: "a", port: 26_379)], primary: "m")),
                usesTLS: true)
        ),
    ])
    func urlsAreRead(url: String, endpoint: RedisEndpoint) throws {
        #expect(try RedisEndpoint(url: url) == endpoint)
    }

    @Test(arguments: [
        ("localhost:6379", RedisURLProblem.notAURL),
        ("http://localhost", .unknownScheme("http")),
        ("redis://", .badHost),
        ("redis://:6379", .badHost),
        ("redis://a b", .badHost),
        ("redis://[::1", .badHost),
        ("redis://h:0", .badPort),
        ("redis://h:65536", .badPort),
        ("redis://h:x", .badPort),
        ("redis://h/x", .badDatabase),
        ("redis://h/-1", .badDatabase),
        ("redis://u:%zz@h", .badPercentEncoding),
        ("redis://u:%f@h", .badPercentEncoding),
        ("redis://u:%+4@h", .badPercentEncoding),
        ("redis://secret@h", .userWithoutPassword),
        ("unix://run/redis.sock", .socketPathNotAbsolute),
        ("unix:///" + String(repeating: "a", count: 107), .socketPathTooLong),
        ("unix:///a?x=1", .badDatabase),
        ("redis-sentinel://a,b", .primaryMissing),
        ("redis-sentinel://a/", .primaryMissing),
        ("redis-sentinel://a,/m", .badHost),
        ("redis-sentinel:///m", .badHost),
        ("redis-sentinel://a:x/m", .badPort),
        ("redis-sentinel://a/m/x", .badDatabase),
        ("redis-sentinel://" + String(repeating: "a,", count: 32) + "a/m", .tooManySentinels),
    ])
    func badURLsAreRefused(url: String, problem: RedisURLProblem) {
        #expect(throws: problem) { try RedisEndpoint(url: url) }
    }

    @Test func badURLsOfClustersAreRefused() {
        let problems: [(String, RedisURLProblem)] = [
            ("a:7000/1", .databaseOfCluster), ("u:p@a,u:p@b", .severalLogins), ("a:+70", .badPort),
            ("a,,b", .badHost), (Array(repeating: "a", count: 65).joined(separator: ","), .tooManyServers),
        ]
        for (rest, problem) in problems {
            #expect(throws: problem) { try RedisEndpoint(url: "redis-cluster://\(rest)") }
        }
    }

    @Test func placesAreDescribedWithoutTheLogin() throws {
        #expect(try RedisEndpoint(url: "rediss://user:secret@h:1/2").description == "rediss://h:1/2")
        #expect(
            try RedisEndpoint(url: "redis-sentinel://u:secret@a,b:1/m").description
                == "redis-sentinel://a:26379,b:1/m/0")
    }
}
