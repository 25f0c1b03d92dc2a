import RedisClient
import TestSupport
import Testing
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Workers with `REDIS_PASSWORD_FILE`, as with the short-lived tokens of cloud services.
@Suite(.timeLimit(.minutes(6))) struct PasswordFileTests {
    @Test func aRotatedPasswordNeedsNoRestart() async throws {
        try await withTemporaryDirectory { directory in
            try await withRedis(in: directory) { redis in
                let file = directory + "/password"
                func rotate(_ command: String, _ password: String) async throws {
                    try await redis.tell("ACL SETUSER rotating \(command) >\(password)")
                    try (password + "\n").write(toFile: file, atomically: true, encoding: .utf8)
                }
                try await rotate("on ~* +@all", "hunter-1")
                let identity = try DevelopmentIdentity.shared()
                var environment = Worker.environment(
                    redisURL: redis.url.replacing("redis://", with: "redis://rotating@"), identity: identity)
                environment["REDIS_PASSWORD_FILE"] = file
                try await withWorkers(1, environment: environment) { workers in
                    let (worker, token) = (
                        workers[0], try identity.token(user: "user_abc", plan: "paid", now: SystemClock().now())
                    )
                    try await worker.serves(token, after: "the start")

                    try await rotate("resetpass", "hunter-2")
                    let rotated = try await HTTP.verify(token, port: worker.port)
                    #expect(rotated.status == 200, "connections that stand are logged in")
                    try await redis.tell("CLIENT KILL USER rotating")
                    try await worker.serves(token, after: "a login with the next password")

                    try FileManager.default.removeItem(atPath: file)
                    try await redis.tell("CLIENT KILL USER rotating")
                    try await eventually("the reason is told") {
                        let ready = try await HTTP.get("/readyz", port: worker.adminPort)
                        return ready.status == 503 && ready.body.contains("the password file \(file) does not exist")
                    }
                    try await rotate("resetpass", "hunter-3")
                    try await worker.serves(token, after: "a login with the one after that")

                    worker.process.signal(15)
                    var log = ""
                    for await line in worker.process.lines { log += line }
                    #expect(!log.contains("hunter"), "\(log)")
                }
            }
        }
    }
}
