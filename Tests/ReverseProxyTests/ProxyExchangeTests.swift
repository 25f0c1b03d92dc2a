import HTTPWire
import NIOCore
import NIOEmbedded
import NameResolution
import TestSupport
import Testing

@testable import ReverseProxy

/// An exchange and the connection to its upstream do to a channel, to the pool and to the delegate what
/// ``ExchangeState`` and ``UpstreamConnectionState`` say.
@Suite struct ProxyExchangeTests {
    private final class Delegate: ProxyExchangeDelegate {
        var told: [String] = []
        var outcome: ProxyOutcome?

        /// What it does when the exchange takes the body.
        var whenBodyIsTaken: ((ProxyExchange) -> Void)?

        /// What it was told since this was last asked.
        func taken() -> String {
            defer { told = [] }
            return told.joined(separator: ", ")
        }

        func proxyExchange(_ exchange: ProxyExchange, interim answer: ProxyAnswer) { told.append("\(answer.status)") }
        func proxyExchange(_ exchange: ProxyExchange, answers answer: ProxyAnswer) { told.append("\(answer.status)") }
        func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer) { told.append(String(buffer: bytes)) }
        func proxyExchangeFlushes(_ exchange: ProxyExchange) { told.append("flush") }
        func proxyExchangeTakesBody(_ exchange: ProxyExchange) {
            told.append("takes body")
            whenBodyIsTaken?(exchange)
        }

        func proxyExchange(_ exchange: ProxyExchange, upgrades answer: ProxyAnswer, tunnel: Tunnel) {
            told.append("upgrade")
            tunnel.close()
        }

        func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: FieldSection) {
            told.append(outcome.error.map { _ in "failed" } ?? "ended")
            self.outcome = outcome
        }
    }

    /// Knows no name, so that there are no connections but those that a test makes.
    private struct NoNames: NameResolver {
        func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeSucceededFuture([])
        }
    }

    private struct Proxy {
        let upstream: LoopUpstream
        let channel: EmbeddedChannel
        let record: ChannelRecord
        let exchange: ProxyExchange
        let delegate: Delegate

        /// What was done on the connection, and what the delegate was told.
        func taken() -> [String] { [record.taken(), delegate.taken()] }
    }

    /// An exchange, and a connection to its upstream that is idle.
    private func proxy(_ head: String, route: ProxyRoute = ProxyRoute()) throws -> Proxy {
        let loop = EmbeddedEventLoop()
        let upstream = LoopUpstream(
            Upstream(host: "upstream.example", port: 80), eventLoop: loop,
            settings: UpstreamSettings(resolver: NoNames()), tls: nil)
        let connection = UpstreamConnection(pool: upstream.pool, eventLoop: loop, addressGeneration: 0)
        connection.born = NIODeadline.now().uptimeNanoseconds
        let (channel, record) = try EmbeddedChannel.recorded(connection, loop: loop)
        connection.becameUnused()
        let delegate = Delegate()
        let upstreams = LoopUpstreams(eventLoop: loop, members: [.init(upstream: upstream, weight: 1, verdict: nil)])
        let request = ProxyRequest(
            head: try RequestHead(parsing: ByteBuffer(string: head)), uri: "/", host: "a",
            client: ClientConnection(address: "192.0.2.7"))
        let exchange = upstreams.exchange(request, route: route, delegate: delegate)
        return Proxy(upstream: upstream, channel: channel, record: record, exchange: exchange, delegate: delegate)
    }

    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"

    @Test func aConnectionIsFreeWhenTheAnswerHasBeenRead() throws {
        let proxy = try proxy(Self.get)
        proxy.exchange.start()
        proxy.exchange.endRequest(trailers: .none)
        let sent = proxy.taken()
        #expect(sent[0].hasPrefix("write GET / HTTP/1.1\r\n") && sent[0].hasSuffix("\r\n\r\n, flush"), "\(sent)")
        #expect(sent[1] == "takes body")
        proxy.channel.pipeline.fireChannelRead(ByteBuffer(string: .answer("fine")))
        #expect(proxy.taken() == ["", "200, fine, ended"])
        proxy.channel.pipeline.fireChannelReadComplete()
        #expect(proxy.taken() == ["read", ""])
        #expect(proxy.upstream.pool.idleCount == 1 && proxy.upstream.inFlight == 0)
    }

    @Test func aBodyThatIsThereLeavesWithTheHead() throws {
        let proxy = try proxy(Self.post)
        proxy.delegate.whenBodyIsTaken = {
            $0.sendBody(ByteBuffer(string: "body"))
            $0.endRequest(trailers: .none)
        }
        proxy.exchange.start()
        let sent = proxy.record.taken()
        #expect(sent.hasPrefix("write POST / HTTP/1.1\r\n") && sent.hasSuffix("\r\n\r\n, write body, flush"), "\(sent)")
    }

    @Test func aBodyIsSentAsItComes() throws {
        let proxy = try proxy("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        proxy.exchange.sendBody(ByteBuffer(string: "early"))
        proxy.exchange.start()
        #expect(proxy.record.taken().hasSuffix("\r\n\r\n, write 5\r\n, write early, write \r\n, flush"))
        proxy.exchange.sendBody(ByteBuffer(string: "late"))
        proxy.exchange.flushBody()
        #expect(proxy.record.taken() == "write 4\r\n, write late, write \r\n, flush")
        proxy.channel.setWritable(false)
        #expect(!proxy.exchange.takesBody)
        _ = proxy.delegate.taken()
        proxy.channel.setWritable(true)
        #expect(proxy.exchange.takesBody && proxy.delegate.taken() == "takes body")
        proxy.exchange.endRequest(trailers: .none)
        #expect(proxy.record.taken() == "write 0\r\n\r\n, flush")
    }

    @Test func aClientThatTakesNothingHoldsTheUpstream() throws {
        let proxy = try proxy(Self.get)
        proxy.exchange.start()
        proxy.exchange.endRequest(trailers: .none)
        _ = proxy.taken()
        proxy.exchange.clientWritabilityChanged(isWritable: false)
        proxy.channel.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(proxy.taken() == ["", "200, half, flush"])
        proxy.exchange.clientWritabilityChanged(isWritable: true)
        #expect(proxy.taken() == ["read", ""])
    }

    @Test func aConnectionThatIsGoneIsReplaced() throws {
        let proxy = try proxy(Self.get)
        proxy.exchange.start()
        proxy.exchange.endRequest(trailers: .none)
        _ = proxy.taken()
        proxy.channel.close(promise: nil)
        proxy.channel.embeddedEventLoop.run()
        let outcome = try #require(proxy.delegate.outcome)
        #expect(outcome.retries == 2 && outcome.upstream == "upstream.example", "the name leads nowhere any more")
        #expect(outcome.error == .badGateway(.connectFailed("the name has no address")))
        #expect(proxy.upstream.inFlight == 0)
    }

    @Test func aClientThatLeavesTakesTheConnectionWithIt() throws {
        let proxy = try proxy(Self.post)
        proxy.exchange.start()
        _ = proxy.taken()
        proxy.exchange.clientGone()
        #expect(proxy.taken() == ["close", "failed"])
        #expect(proxy.delegate.outcome?.error == .clientGone && proxy.upstream.inFlight == 0)
    }

    /// The client has gone in the moment of the change.
    @Test func aTunnelThatIsNotTakenIsClosedOnce() throws {
        let proxy = try proxy(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        let busy = proxy.upstream.pool.busyCount
        proxy.exchange.start()
        proxy.exchange.endRequest(trailers: .none)
        #expect(proxy.upstream.pool.busyCount == busy + 1)
        _ = proxy.taken()
        proxy.channel.receive("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
        #expect(proxy.taken() == ["close", "upgrade, ended"])
        proxy.channel.embeddedEventLoop.run()
        #expect(proxy.upstream.pool.busyCount == busy)
        #expect(proxy.delegate.outcome?.status == 101)
    }
}
