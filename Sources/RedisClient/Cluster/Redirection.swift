/// What a server of a cluster says of a command that it did not carry out, because of where the command's keys are
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding).
enum Redirection: Hashable {
    /// The slot is another server's, from now on.
    case moved(HostAndPort)

    /// The slot is being moved, and what the command is about is on its new server already: asked there once.
    case ask(HostAndPort)

    /// The slot is being moved, and some of what the command is about is here and some is there.
    case tryAgain

    /// Some slots have no server, or the one that was asked has lost the others.
    case clusterDown

    /// Nil for any other error.
    ///
    /// - Parameter host: Where it came from; it stands for a server that does not say where it is.
    init?(_ error: RedisError, from host: String) {
        guard case .server(let kind, let message) = error else { return nil }
        switch kind {
        case "TRYAGAIN": self = .tryAgain
        case "CLUSTERDOWN": self = .clusterDown
        case "MOVED", "ASK":
            // MOVED <slot> <host>:<port>
            let words = message.split(separator: " ")
            guard words.count >= 3, let colon = words[2].lastIndex(of: ":"),
                let port = Int(words[2][words[2].index(after: colon)...]), (1...65_535).contains(port)
            else { return nil }
            let name = words[2][..<colon]
            let place = name.isEmpty || name == "?" ? host : String(name)
            guard HostAndPort.isHost(place) else { return nil }
            let node = HostAndPort(host: place, port: port)
            self = kind == "MOVED" ? .moved(node) : .ask(node)
        default: return nil
        }
    }
}
