import NIOCore
import TestSupport
import Testing
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A worker that is told to end brings to an end what its upstreams still work on.
@Suite(.timeLimit(.minutes(6))) struct ProxyDrainTests {
    @Test func requestsInFlightAreAnswered() async throws {
        let count = 20
        let upstream = try await ManualUpstream()
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port, "charge: success"))
        try await withFleet(workers: 2, plans: file) { fleet in
            let worker = fleet.workers[0]
            let request = Wire.get("/api", fields: "Authorization: \(try fleet.bearer()[0].1)\r\n")
            var clients: [RawClient] = []
            for _ in 1...count {
                let client = try await RawClient.connect(port: worker.port)
                try await client.send(request)
                clients.append(client)
            }
            try await upstream.waits(for: "\r\n\r\n", times: count)
            worker.process.signal(SIGTERM)
            try await eventually("no new connection is let in") {
                (try? await RawClient.connect(port: worker.port).close()) == nil
            }
            #expect(!clients.contains { $0.isClosed })
            // Half of an answer, and some time later the other.
            try await upstream.sayToAll("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            for client in clients { try await client.waits(for: "half") }
            #expect(worker.process.exitStatus == nil)
            try await upstream.sayToAll("done")
            for client in clients {
                try await eventually("the answer is complete") { client.text.hasSuffix("\r\n\r\nhalfdone") }
                #expect(client.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
                try await eventually("the connection ends") { client.isClosed }
            }
            let status = await worker.process.wait()
            #expect(status == .exited(0))
            let used = try await fleet.usedCalls(on: 1)
            #expect(used == count)
        }
        try await upstream.close()
    }

    @Test func constantLoadThroughABalancerLosesNothing() async throws {
        let upstream = try await ScriptedUpstream { _, text in
            text.contains("\r\n\r\n") ? [.pause(.milliseconds(20)), .say(Wire.answer("ok"))] : nil
        }
        let file = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        let settings = Fleet.patience.merging(["TOLLGATE_DRAIN_SECONDS": "4"]) { $1 }
        try await withFleet(workers: 2, plans: file, settings: settings) { fleet in
            try await Balancer.run(before: fleet.workers.map(\.backend)) { balancer in
                try await ConstantLoad.run(
                    on: "/api", port: balancer.port, headers: try fleet.bearer(), width: 8
                ) { load in
                    let worker = fleet.workers[0]
                    worker.process.signal(SIGTERM)
                    let status = await worker.process.wait()
                    #expect(status == .exited(0))
                    try await load.goesOn()
                    #expect(load.errors.isEmpty, "\(load.errors.prefix(3))")
                    #expect(Array(load.answers.keys) == [200], "\(load.answers)")
                }
            }
        }
        try await upstream.close()
    }
}
