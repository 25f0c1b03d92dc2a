import NIOCore
import NameResolution
import Synchronization
import TestSupport
import Testing

@testable import ReverseProxy

/// Upstreams are named, and a name has several addresses, and others tomorrow.
@Suite(.timeLimit(.minutes(6))) struct UpstreamAddressTests {
    /// A name server that a test writes.
    private final class Names: NameResolver {
        private struct State {
            var addresses: [String]
            var first: [String]?
            var lookups = 0
            var unanswered: [EventLoopPromise<[SocketAddress]>] = []
        }

        private let state: Mutex<State>
        private let isSilent: Bool

        /// - Parameter first: What is told once, before `addresses`.
        init(_ addresses: [String], first: [String]? = nil, isSilent: Bool = false) {
            state = Mutex(State(addresses: addresses, first: first))
            self.isSilent = isSilent
        }

        var lookups: Int { state.withLock(\.lookups) }
        func set(_ addresses: [String]) { state.withLock { $0.addresses = addresses } }

        func addresses(
            of host: String, port: Int, on eventLoop: any EventLoop
        ) -> EventLoopFuture<[SocketAddress]> {
            let promise = eventLoop.makePromise(of: [SocketAddress].self)
            let found = state.withLock { state in
                state.lookups += 1
                if isSilent { state.unanswered.append(promise) }
                return state.first.take() ?? state.addresses
            }
            if !isSilent {
                promise.completeWith(Result { try found.map { try SocketAddress(ipAddress: $0, port: port) } })
            }
            return promise.futureResult
        }

        func answer() {
            for promise in state.withLock({ $0.unanswered }) { promise.succeed([]) }
        }
    }

    private func withFront(
        _ names: Names, port: Int, pool: PoolPolicy = PoolPolicy(), route: ProxyRoute = ProxyRoute(),
        body: (Front) async throws -> Void
    ) async throws {
        let settings = UpstreamGroupSettings(
            [UpstreamMember(Upstream(host: "upstream.test", port: port))],
            UpstreamSettings(pool: pool, resolver: names))
        let front = try await Front.start(settings, route: route)
        do {
            try await body(front)
        } catch {
            try? await front.close()
            throw error
        }
        try await front.close()
    }

    /// The first address refuses, or is not even there.
    private static let lists = [["::1", "127.0.0.1"], ["127.0.0.3", "127.0.0.1"], ["127.0.0.3", "::1", "127.0.0.1"]]

    @Test(arguments: lists)
    func aNameIsReachedWhoseFirstAddressRefuses(addresses: [String]) async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine")), .hangUp])
        try await withFront(Names(addresses), port: upstream.port) { front in
            for number in 1...6 {
                let text = try await RawClient.ask(front.port, .post("hello"))
                #expect(text.hasSuffix("fine"), "\(number): \(text)")
            }
            #expect(front.outcomes.allSatisfy { $0.error == nil && $0.retries == 0 })
        }
        try await upstream.close()
    }

    @Test(arguments: lists)
    func anUpstreamWithSeveralAddressesHasDeadlinesToo(addresses: [String]) async throws {
        let upstream = try await ScriptedUpstream.answering([])
        let route = ProxyRoute(timeouts: ProxyTimeouts(firstByte: .milliseconds(100)))
        try await withFront(Names(addresses), port: upstream.port, route: route) { front in
            let text = try await RawClient.ask(front.port, .get())
            #expect(text.hasPrefix("HTTP/1.1 504"), "\(text)")
            try await eventually("the connection is closed") { upstream.closedCount == upstream.connectionCount }
            #expect(try await front.connectionCounts() == (0, 0))
        }
        try await upstream.close()
    }

    @Test(arguments: lists)
    func clientsThatGiveUpLeaveNoConnectionBehind(addresses: [String]) async throws {
        let upstream = try await ScriptedUpstream.answering([])
        try await withFront(Names(addresses), port: upstream.port) { front in
            for number in 1...10 {
                let client = try await RawClient.connect(port: front.port)
                try await client.send(.get())
                try await eventually("request \(number)") {
                    upstream.received.ranges(of: "GET / ").count == number
                }
                try await client.close()
            }
            try await eventually("all are closed") { upstream.closedCount == upstream.connectionCount }
            #expect(front.outcomes.allSatisfy { $0.error == .clientGone })
        }
        try await upstream.close()
    }

    @Test func aNameServerThatIsSilentHoldsNobodyForEver() async throws {
        let names = Names([], isSilent: true)
        let route = ProxyRoute(
            timeouts: ProxyTimeouts(connect: .milliseconds(100)), retries: RetryPolicy(maximumTries: 1))
        try await withFront(names, port: 1, route: route) { front in
            for _ in 1...3 {
                let text = try await RawClient.ask(front.port, .get())
                #expect(text.hasPrefix("HTTP/1.1 504"), "\(text)")
            }
            #expect(names.lookups == 1, "one is enough")
            names.answer()
        }
    }

    @Test func anUpstreamThatMovedIsFoundWhileTheOldOneStillAnswers() async throws {
        let old = try await ScriptedUpstream.answering([.say(.answer("old"))])
        let new = try await ScriptedUpstream(host: "127.0.0.2", port: old.port) { _, text in
            text.contains("\r\n\r\n") ? [.say(.answer("new"))] : nil
        }
        let names = Names(["127.0.0.1"])
        try await withFront(names, port: old.port, pool: PoolPolicy(lookupMilliseconds: 50)) { front in
            let first = try await RawClient.ask(front.port, .get())
            #expect(first.hasSuffix("old"))
            names.set(["127.0.0.2"])
            try await eventually("the new one answers") {
                try await RawClient.ask(front.port, .get()).hasSuffix("new")
            }
            try await eventually("no connection to the old one is kept") {
                old.closedCount == old.connectionCount
            }
            names.set([])
            let asked = names.lookups
            try await eventually("the name has no address any more") {
                _ = try await RawClient.ask(front.port, .get())
                return names.lookups > asked + 1
            }
            let last = try await RawClient.ask(front.port, .get())
            #expect(last.hasSuffix("new"), "a name server that is away takes no upstream with it")
        }
        try await old.close()
        try await new.close()
    }

    @Test func anUpstreamThatIsGoneIsLookedForAtOnce() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        // The first answer is an old one: no server is there any more.
        let names = Names(["127.0.0.1"], first: ["127.0.0.3"])
        try await withFront(names, port: upstream.port) { front in
            let text = try await RawClient.ask(front.port, .post("x"))
            #expect(text.hasSuffix("fine"), "\(text)")
            #expect(names.lookups == 2 && front.outcomes.first?.retries == 1)
        }
        try await upstream.close()
    }

    @Test func theSystemResolverFindsLocalhost() async throws {
        let upstream = try await ScriptedUpstream.answering([.say(.answer("fine"))])
        let settings = UpstreamGroupSettings([UpstreamMember(Upstream(host: "localhost", port: upstream.port))])
        let front = try await Front.start(settings)
        let text = try await RawClient.ask(front.port, .get())
        #expect(text.hasSuffix("fine"), "\(text)")
        try await front.close()
        try await upstream.close()
    }

    @Test func aNameThatDoesNotExistIsABadGateway() async throws {
        let settings = UpstreamGroupSettings([UpstreamMember(Upstream(host: "nothing.invalid", port: 1))])
        let front = try await Front.start(
            settings,
            route: ProxyRoute(timeouts: ProxyTimeouts(connect: .seconds(30)), retries: RetryPolicy(maximumTries: 1)))
        let text = try await RawClient.ask(front.port, .get(), until: { $0.contains("no address") })
        #expect(text.hasPrefix("HTTP/1.1 502"), "\(text)")
        try await front.close()
    }

    // MARK: What is known of a name

    @Test func addressesAreOldAfterTheirTimeAndDoubtedAfterAFailure() throws {
        let (one, two) = (
            try SocketAddress(ipAddress: "192.0.2.1", port: 1), try SocketAddress(ipAddress: "192.0.2.2", port: 1)
        )
        var book = AddressBook(host: "a.test", port: 1, lifetime: 30)
        #expect(!book.isUsable, "nothing is known")
        let (first, second) = (book.beginsLookup(at: 0), book.beginsLookup(at: 0))
        #expect(first && !second, "one at a time")
        let isNew = book.lookedUp([one, two], at: 5)
        #expect(isNew && book.isUsable && book.generation == 1)
        let starts = [book.next(), book.next(), book.next()].map(\.[0])
        #expect(starts == [one, two, one], "each is the first in turn")
        let (early, due) = (book.beginsLookup(at: 34), book.beginsLookup(at: 35))
        #expect(!early && due && book.isUsable, "an old answer serves until there is a newer one")
        let isOther = book.lookedUp([two, one], at: 36)
        #expect(!isOther && book.generation == 1, "the order says nothing")
        book.doubt()
        let asksAgain = book.beginsLookup(at: 37)
        #expect(asksAgain && !book.isUsable)
        let isNone = book.lookedUp([], at: 38)
        #expect(!isNone && book.isUsable && book.addresses == [one, two])
    }

    @Test(arguments: ["192.0.2.1", "2001:db8::1"]) func anAddressIsNeverLookedUp(host: String) {
        var book = AddressBook(host: host, port: 80, lifetime: 30)
        book.doubt()
        let begins = book.beginsLookup(at: 1000)
        #expect(book.isUsable && !begins && book.addresses.first?.ipAddress == host)
    }
}
