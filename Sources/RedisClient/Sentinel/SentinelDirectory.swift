import Hiredis
import NIOCore
import NameResolution

/// Finds the address of a primary by asking its sentinels, all of them at once: what the latest failover has decided
/// counts (its `config-epoch`), so a sentinel that has missed it does no harm, and one that is left alive is enough
/// (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
///
/// Whether the address is a primary's is for the handshake to find out.
struct SentinelDirectory: NameResolver {
    /// No sentinel has told an address.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What one sentinel says.
    fileprivate struct Sighting {
        let host: String
        let port: Int
        let epoch: Int64
    }

    let group: SentinelGroup
    let configuration: RedisClientConfiguration
    let connector: SentinelConnector

    /// - Parameters: The name and port of the primary say nothing here; the sentinels do.
    func addresses(of host: String, port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let promise = eventLoop.makePromise(of: [SocketAddress].self)
        eventLoop.assumeIsolated().execute { self.askAll(on: eventLoop, promise) }
        return promise.futureResult
    }

    private func askAll(on eventLoop: any EventLoop, _ promise: EventLoopPromise<[SocketAddress]>) {
        let poll = Poll<Sighting>(of: group.places.count, on: eventLoop) { sightings, reasons in
            guard let latest = sightings.max(by: { $0.epoch < $1.epoch }) else {
                let facts = reasons.joined(separator: "; ")
                return promise.fail(Failure(description: "no sentinel knows '\(group.primary)' (\(facts))"))
            }
            self.resolve(latest, on: eventLoop, promise)
        }
        for place in group.places {
            ask(place, on: eventLoop) { result in
                switch result {
                case .success(let sighting): poll.answered(sighting)
                case .failure(let failure): poll.failed("\(place): \(failure)")
                }
            }
        }
    }

    private func ask(
        _ place: HostAndPort, on eventLoop: any EventLoop,
        completion: @escaping (Result<Sighting, Failure>) -> Void
    ) {
        connector.connect(to: place, on: eventLoop) { result in
            switch result {
            case .failure(let failure): completion(.failure(Failure(description: failure.reason)))
            case .success(let handler):
                var facts: Result<RedisReply, RedisError>?
                send("MASTER", over: handler) { facts = $0 }
                send("GET-MASTER-ADDR-BY-NAME", over: handler) { address in
                    handler.close(reason: "the sentinel has answered")
                    switch facts {
                    case .success(let reply):
                        let unknown = Failure(description: "it answered in another form than this version knows")
                        completion(
                            Sighting(reply, address: try? address.get()).map { .success($0) } ?? .failure(unknown))
                    case .failure(let error): completion(.failure(Failure(description: "\(error)")))
                    case nil: completion(.failure(Failure(description: "it has not answered")))
                    }
                }
            }
        }
    }

    private func send(
        _ question: String, over handler: RedisChannelHandler,
        waiter: @escaping (Result<RedisReply, RedisError>) -> Void
    ) {
        handler.send(
            RedisCommand("SENTINEL", question, group.primary), identifier: 0, timeout: configuration.connectTimeout,
            waiter: waiter)
    }

    /// Sentinels tell addresses, or names where they were told to (`announce-hostnames`).
    private func resolve(
        _ sighting: Sighting, on eventLoop: any EventLoop, _ promise: EventLoopPromise<[SocketAddress]>
    ) {
        if let address = try? SocketAddress(ipAddress: sighting.host, port: sighting.port) {
            return promise.succeed([address])
        }
        configuration.resolver.addresses(of: sighting.host, port: sighting.port, on: eventLoop).cascade(to: promise)
    }
}

extension SentinelDirectory.Sighting {
    /// Reads what `SENTINEL MASTER` answers: field, value, field, value, …
    ///
    /// - Parameter address: What `SENTINEL GET-MASTER-ADDR-BY-NAME` answers: host and port. It is the promoted replica's
    ///   as soon as the sentinel that leads a failover has seen it promoted. The fields tell the latest epoch from then
    ///   on, and the old primary until all other replicas follow the new one, which can take seconds.
    fileprivate init?(_ reply: RedisReply, address: RedisReply?) {
        var fields = reply.fields.compactMapValues(\.string)
        if let place = address?.array?.map({ $0.string ?? "" }), place.count == 2 {
            (fields["ip"], fields["port"]) = (place[0], place[1])
        }
        guard let host = fields["ip"], !host.isEmpty, let port = fields["port"].flatMap({ Int($0) }),
            (1...65_535).contains(port)
        else { return nil }
        self.init(host: host, port: port, epoch: fields["config-epoch"].flatMap { Int64($0) } ?? 0)
    }
}
