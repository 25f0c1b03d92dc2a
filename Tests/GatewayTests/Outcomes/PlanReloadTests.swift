import JSONValue
import TestSupport
import Testing
import TollgateDev

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The plans in `tollgate.yaml` change while a worker process serves.
@Suite(.timeLimit(.minutes(6))) struct PlanReloadTests {
    private static func file(_ plans: String...) -> String { "plans:\n" + plans.map { "  \($0)\n" }.joined() }

    @Test func theNextCallGoesByTheNewPlans() async throws {
        let before = Self.file("free: {quota: 5}", "paid: {quota: 100}")
        try await withFleet(workers: 2, plans: before, settings: Fleet.patience) { fleet in
            func limits(_ user: String, plan: String?) async throws -> [String] {
                var found: [String] = []
                for worker in fleet.workers {
                    let answer = try await HTTP.verify(try fleet.token(user, plan: plan), port: worker.port)
                    let usage = answer.json["usage"]
                    found.append("\(usage["plan"].string ?? "none") \(usage["limit"].integer ?? -1)")
                }
                return found
            }
            #expect(try await limits("user_abc", plan: "free") == ["free 5", "free 5"])
            #expect(try await limits("user_def", plan: "pro") == ["free 5", "free 5"], "there is none")

            try fleet.write(Self.file("free: {quota: 7}", "paid: {quota: 100}", "pro: {quota: 1000}"))
            for worker in fleet.workers { worker.process.signal(SIGHUP) }
            try await eventually("the new plans count") {
                try await limits("user_ghi", plan: "pro") == ["pro 1000", "pro 1000"]
            }
            #expect(try await limits("user_abc", plan: "free") == ["free 7", "free 7"], "and the count goes on")

            // Without a word: the workers look by themselves.
            try fleet.write(Self.file("free: {quota: 3}", "pro: {quota: 1000}"))
            try await eventually("who has called more is refused") {
                try await HTTP.verify(try fleet.token("user_abc", plan: "free"), port: fleet.workers[0].port).status
                    == 403
            }

            try fleet.write(Self.file("free: {quota: many}"))
            fleet.workers[0].process.signal(SIGHUP)
            for await line in fleet.workers[0].process.lines where line.contains("routes and plans stay as they are") {
                break
            }
            #expect(try await limits("user_jkl", plan: "pro").first == "pro 1000")
        }
    }

    @Test func aPlanIsSoldFromNowOn() async throws {
        let plans = SubscriptionLifeTests.plans
        try await withMarket(plans: plans) { market in
            func status() async throws -> Int {
                let token = try market.token("user_abc")
                return try await HTTP.send(
                    "POST", "/create-checkout", port: market.port, headers: [("Authorization", "Bearer \(token)")],
                    body: #"{"tier": "trade"}"#
                ).status
            }
            #expect(try await status() == 400)
            try (plans + "\n  trade: {quota: 5000, priceId: price_trade}\n")
                .write(toFile: market.directory + "/tollgate.yaml", atomically: true, encoding: .utf8)
            try await eventually("it is sold") { try await status() == 200 }
        }
    }
}
