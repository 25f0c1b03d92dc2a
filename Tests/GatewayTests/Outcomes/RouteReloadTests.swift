import TestSupport
import Testing
import TollgateDataPlane
import TollgateDev

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// `tollgate.yaml` changes while a worker process serves.
@Suite(.timeLimit(.minutes(6))) struct RouteReloadTests {
    @Test func routesChangeWithoutLosingARequest() async throws {
        let (one, two) = (
            try await ScriptedUpstream.answering([.say(Wire.answer("one"))]),
            try await ScriptedUpstream.answering([.say(Wire.answer("two"))])
        )
        let before = RouteFile.text(
            RouteFile.route("/stays", to: one.port), RouteFile.route("/goes", to: one.port))
        let after = RouteFile.text(
            RouteFile.route("/stays", to: two.port), RouteFile.route("/comes", to: two.port))
        try await withFleet(plans: before, settings: Fleet.patience) { fleet in
            let worker = fleet.workers[0]
            let bearer = try fleet.bearer()
            func ask(_ path: String) async throws -> HTTP.Answer {
                try await HTTP.get(path, port: worker.port, headers: bearer)
            }
            try await ConstantLoad.run(on: "/stays", port: worker.port, headers: bearer) { load in
                #expect(try await ask("/goes").status == 200)
                #expect(try await ask("/comes").status == 404)

                try fleet.write(after)
                worker.process.signal(SIGHUP)
                try await eventually("the new route serves") { try await ask("/comes").body == "two" }
                #expect(try await ask("/goes").status == 404)
                #expect(try await ask("/stays").body == "two")
                try await load.goesOn()

                // Without a word: the worker looks by itself.
                try fleet.write(before)
                try await eventually("the old routes are back") { try await ask("/comes").status == 404 }
                #expect(try await ask("/goes").body == "one")
                #expect(try await ask("/stays").body == "one")
                try await load.goesOn()

                // A hundred changes, each while requests are on their way.
                for number in 1...100 {
                    try fleet.write(number % 2 == 1 ? after : before)
                    worker.process.signal(SIGHUP)
                    try await load.goesOn(by: 2)
                }
                #expect(load.errors.isEmpty, "\(load.errors.prefix(3))")
                #expect(Array(load.answers.keys) == [200], "\(load.answers)")
                #expect(Set(load.bodies.keys) == ["one", "two"])
            }
        }
        try await one.close()
        try await two.close()
    }

    @Test func aBadFileChangesNothingAndIsLogged() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(Wire.answer("ok"))])
        let good = RouteFile.text(RouteFile.route("/api", to: upstream.port))
        try await withFleet(plans: good, settings: Fleet.patience) { fleet in
            let worker = fleet.workers[0]
            let bearer = try fleet.bearer()
            let bad = [
                ("no such key", good + "  - {name: more, path: /more, upstream: \"http://127.0.0.1:1\"}\n"),
                ("no YAML", good + "  - {name: more, path: [\n"),
                ("nothing", ""),
            ]
            try await ConstantLoad.run(on: "/api", port: worker.port, headers: bearer) { load in
                for (what, file) in bad {
                    try fleet.write(file)
                    worker.process.signal(SIGHUP)
                    let line = try await Self.line(of: worker, with: "routes and plans stay as they are")
                    #expect(line.contains("tollgate.yaml"), "\(what): \(line)")
                    if what == "no such key" {
                        #expect(line.contains("tollgate.yaml:5") && line.contains("'upstream'"), "\(line)")
                    }
                    let more = try await HTTP.get("/more", port: worker.port, headers: bearer)
                    #expect(more.status == 404, "\(what)")
                    try await load.goesOn()
                }
                #expect(load.errors.isEmpty, "\(load.errors.prefix(3))")
                #expect(Array(load.answers.keys) == [200], "\(load.answers)")
            }
        }
        try await upstream.close()
    }

    /// The next line of a worker's log that holds `part`.
    private static func line(of worker: Worker, with part: String) async throws -> String {
        for await line in worker.process.lines where line.contains(part) { return line }
        throw NeverHappened(description: "'\(part)' was never logged")
    }
}
