import Testing
import TollgateCore

@testable import TollgateDataPlane

@Suite struct AdmissionHealthTests {
    private static let full = StoreUnavailable(.answeredError(.outOfMemory), reason: "OOM command not allowed")

    @Test func whatConcernsEverybodyIsAnObstacleUntilACallIsAnswered() {
        let health = AdmissionHealth(isCluster: false)
        health.admissionFailed(Self.full)
        #expect(health.obstacle == "OOM command not allowed")
        health.admissionWasAnswered()
        #expect(health.obstacle == nil)
        health.admissionFailed(Self.full)
        #expect(health.obstacle != nil)
    }

    /// One server of a cluster is full: its users are refused, and the worker serves the others.
    @Test func aClusterOfWhichAPartServesIsNoObstacle() {
        let health = AdmissionHealth(isCluster: true)
        health.admissionFailed(Self.full)
        #expect(health.obstacle != nil, "nothing was answered yet")
        for _ in 1...3 {
            health.admissionWasAnswered()
            health.admissionFailed(Self.full)
            #expect(health.obstacle == nil)
        }
    }
}
