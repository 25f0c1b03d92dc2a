import RedisClient
import TestSupport
import Testing
import TollgateCore

@testable import TollgateStore

/// What is known of a failure of the store.
@Suite struct StoreUnavailableTests {
    @Test func itKeepsTheErrorAndThePlace() async throws {
        try await withRedis { server in
            try await withRedisClient(server.configuration) { client in
                try await client.send("SET worker:{1f} text")
                try await client.send("ZADD workers \(Self.time.seconds) 1f")
                let error = await #expect(throws: StoreUnavailable.self) {
                    try await RedisFleetStore(client: client).workers(at: Self.time)
                }
                let failure = try #require(error)
                #expect(failure.cause == .answeredError(.wrongType))
                #expect(failure.reason.hasPrefix("Redis answered: WRONGTYPE "), "\(failure.reason)")
                #expect(failure.reason.hasSuffix(" (worker:{1f})"), "it names the key")
                #expect("\(failure)" == failure.reason, "the place is for those who look for it")
                #expect(failure.debugDescription.contains("TollgateStore/RedisFleetStore.swift:"))
            }
        }
    }

    @Test func aScriptsFailureNamesItsKeys() {
        let error = RedisError.server(kind: "WRONGTYPE", message: "WRONGTYPE no hash")
        #expect(StoreUnavailable(error, keys: ["a", "b"]).reason == "Redis answered: WRONGTYPE no hash (a b)")
        #expect(StoreUnavailable(error).reason == "Redis answered: WRONGTYPE no hash")
        let lost = StoreUnavailable(.timedOut, keys: ["a"])
        #expect(lost.reason == "\(RedisError.timedOut)" && lost.mayBeDone && lost.cause == .unreachable)
        #expect(
            StoreUnavailable.clockDiffers(at: Self.time).reason
                == "the worker's time, \(Self.time.iso8601), is not that of Redis")
    }

    private static let time = UnixTime(seconds: 1_764_198_000)
}
