import NIOHTTP1

/// Which fields pass from one hop to the next (RFC 9110, section 7.6.1). One pass over the fields, one new array.
enum HeaderFilter {
    /// The fields of the client's request that go to the upstream as they are. Framing, `Host`, forwarding and
    /// identity are written anew by whoever calls.
    static func request(_ received: HTTPHeaders) -> HTTPHeaders {
        let named = connectionNames(received)
        var headers = HTTPHeaders()
        headers.reserveCapacity(received.count + roomForOurs)
        for (name, value) in received {
            switch FieldKind(name) {
            case .endToEnd where !named.contains(folded: name), .expect: headers.add(name: name, value: value)
            default: break
            }
        }
        return headers
    }

    /// The fields of an upstream's answer that go to the client. `Content-Length` stays, a transfer coding does not:
    /// the client's connection has its own.
    static func answer(_ received: HTTPHeaders) -> HTTPHeaders {
        let named = connectionNames(received)
        var headers = HTTPHeaders()
        headers.reserveCapacity(received.count + roomForOurs)
        for (name, value) in received {
            switch FieldKind(name) {
            case .contentLength, .forwarded, .identity, .host, .expect: headers.add(name: name, value: value)
            case .endToEnd where !named.contains(folded: name): headers.add(name: name, value: value)
            default: break
            }
        }
        return headers
    }

    /// The trailer fields that may pass. Some servers merge trailers into the header, so nothing that frames, routes
    /// or authenticates may come this way (RFC 9110, section 6.5.1). Nil when none is left.
    static func trailers(_ received: HTTPHeaders?) -> HTTPHeaders? {
        guard let received else { return nil }
        var headers = HTTPHeaders()
        for (name, value) in received where FieldKind(name) == .endToEnd && !isForbiddenInTrailer(name) {
            headers.add(name: name, value: value)
        }
        return headers.isEmpty ? nil : headers
    }

    /// Fields that the proxy adds; saves growing the array.
    private static let roomForOurs = 12

    private static let forbiddenInTrailer: Set<String> = [
        "authorization", "cache-control", "content-encoding", "content-range", "content-type", "cookie", "max-forwards",
        "set-cookie", "trailer", "x-api-key",
    ]

    private static func isForbiddenInTrailer(_ name: String) -> Bool {
        forbiddenInTrailer.contains(name.lowercased())
    }

    /// The field names that `Connection` lists, in lower case.
    private static func connectionNames(_ headers: HTTPHeaders) -> [String] {
        var names: [String] = []
        for (name, value) in headers where FieldKind(name) == .connection {
            if value.utf8.folds(to: "keep-alive") || value.utf8.folds(to: "close") { continue }
            names += listMembers(value)
        }
        return names
    }
}

extension [String] {
    fileprivate func contains(folded name: String) -> Bool {
        isEmpty ? false : contains(name.lowercased())
    }
}

extension HTTPHeaders {
    /// Whether `Connection` lists `option`, which is in lower case.
    func connectionLists(_ option: String) -> Bool {
        for (name, value) in self where FieldKind(name) == .connection {
            if listMembers(value).contains(option) { return true }
        }
        return false
    }
}
