package import HTTPWire
package import NIOCore

/// What an exchange tells the server that embeds it. Called on the event loop, in the order of the answer.
package protocol ProxyExchangeDelegate: AnyObject {
    /// A 1xx answer other than 101, to be passed on at once.
    func proxyExchange(_ exchange: ProxyExchange, interim answer: ProxyAnswer)

    /// The head of the final answer. Where the upstream's framing is a length, so may be the client's; otherwise the
    /// body is to be framed as the client's connection asks. To be written, not flushed.
    func proxyExchange(_ exchange: ProxyExchange, answers answer: ProxyAnswer)

    /// A part of the answer's body. To be written, not flushed.
    func proxyExchange(_ exchange: ProxyExchange, body bytes: ByteBuffer)

    /// There is nothing more for now: what was written is to be flushed.
    func proxyExchangeFlushes(_ exchange: ProxyExchange)

    /// The upstream changes the protocol. `answer` is the 101 to be written and flushed; then
    /// ``Tunnel/attach(to:early:position:)`` is to be called on the client's pipeline.
    func proxyExchange(_ exchange: ProxyExchange, upgrades answer: ProxyAnswer, tunnel: Tunnel)

    /// ``ProxyExchange/takesBody`` has become true.
    func proxyExchangeTakesBody(_ exchange: ProxyExchange)

    /// Whose request it is, when clients are counted because many requests are under way. Nil is not counted.
    func proxyExchangeClient(_ exchange: ProxyExchange) -> ClientShare?

    /// The last call. Without an error in `outcome` the answer is whole, and ends with `trailers`. With one, either
    /// nothing was answered yet (`outcome.status` is nil) and the embedder answers, or the answer was cut off and the
    /// client's connection must be closed without ending it.
    func proxyExchange(_ exchange: ProxyExchange, ended outcome: ProxyOutcome, trailers: FieldSection)
}

extension ProxyExchangeDelegate {
    package func proxyExchangeClient(_ exchange: ProxyExchange) -> ClientShare? { nil }
}
