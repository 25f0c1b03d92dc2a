import HTTPWire
import NIOCore
import TollgateCore
@testable import TollgateDataPlane

/// Readers of HTTP/1.1 messages.
enum HTTPTargets {
    static func readRequestHead(_ input: [UInt8]) {
        guard let bytes = head(input), let head = try? RequestHead(parsing: bytes) else { return }
        look(at: head.fields)
        require(!head.method.isEmpty && !head.target.isEmpty, "a request has a method and a target")
        if case .length(let count) = head.framing { require(count >= 0, "a length is not negative") }
        readTarget(head.target)
        guard let address = try? RequestAddress(head) else { return }
        require(address.target.text.utf8.first == UInt8(ascii: "/"), "a target begins with a slash")
        _ = try? OriginalRequest(head, text: address.target.text, host: address.host)
    }

    static func readResponseHead(_ input: [UInt8]) {
        guard let bytes = head(input) else { return }
        _ = ResponseHead.mayBegin(with: bytes)
        for isAnswerToHead in [false, true] {
            guard let head = try? ResponseHead(parsing: bytes, isAnswerToHead: isAnswerToHead) else { continue }
            look(at: head.fields)
            var line = ByteBuffer()
            head.writeStatusLine(to: &line)
            require((100...599).contains(head.status), "a status is one")
            require(line.readableBytesView.count { $0 == UInt8(ascii: "\n") } == 1, "a status line is one line")
        }
    }

    /// The head at the front of the input, found in two portions as in one.
    private static func head(_ input: [UInt8]) -> ByteBuffer? {
        var scanner = HeadScanner(limitBytes: 4096)
        let whole = try? scanner.end(in: ByteBuffer(bytes: input))
        var second = HeadScanner(limitBytes: 4096)
        do throws(MessageProblem) {
            if try second.end(in: ByteBuffer(bytes: input.prefix(input.count / 2))) == nil {
                require(
                    (try? second.end(in: ByteBuffer(bytes: input))) == whole, "portions make no difference to a head")
            }
        } catch {
            require(whole == nil, "what is refused early is refused")
        }
        guard let end = whole else { return nil }
        require(end <= input.count, "a head is not longer than what came")
        return ByteBuffer(bytes: input.prefix(end))
    }

    private static func look(at fields: FieldSection) {
        for line in fields.lines {
            let value = fields.value(of: line)
            require(!value.utf8.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D }, "a value is on one line")
            _ = FieldSection.members(value)
        }
        _ = fields.first(named: "x-forwarded-for")
    }

    /// In one portion, and byte by byte.
    static func readChunkedBody(_ input: [UInt8]) {
        let whole = chunks(input, portion: max(1, input.count))
        let bytewise = chunks(input, portion: 1)
        require(whole.body == bytewise.body || whole.failed || bytewise.failed, "portions make no difference to a body")
        require(whole.ended == bytewise.ended, "portions make no difference to a body's end")
    }

    private static func chunks(_ input: [UInt8], portion: Int) -> (body: [UInt8], ended: Bool, failed: Bool) {
        var reader = BodyReader(.chunked)
        var buffer = ByteBuffer()
        var body: [UInt8] = []
        for start in stride(from: 0, to: input.count, by: portion) {
            buffer.writeBytes(input[start..<min(start + portion, input.count)])
            do {
                while let part = try reader.next(from: &buffer) {
                    switch part {
                    case .bytes(let bytes): body += bytes.readableBytesView
                    case .end(let trailers):
                        look(at: trailers)
                        return (body, true, false)
                    }
                }
            } catch {
                return (body, false, true)
            }
        }
        return (body, false, false)
    }

    // MARK: Targets

    static func readTarget(_ text: String) {
        _ = RequestHost(text)
        _ = IPAddress(text)
        guard let target = try? RequestTarget(tolerant: text) else { return }
        require(target.readings.count == 1 || target.oddity != nil, "what is not odd is read in one way")
        for reading in target.readings {
            require(reading.hasPrefix("/") && !reading.hasPrefix("//"), "no path is a host")
            let segments = reading.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            require(!segments.contains { $0 == "." || $0 == ".." }, "no segment leads elsewhere")
            require(!reading.utf8.contains(UInt8(ascii: ";")), "parameters are left out")
        }
        guard case .route(let entry)? = try? table.match(host: nil, target: target, method: "GET") else { return }
        for reading in target.readings {
            guard case .route(let other) = table.match(host: nil, path: reading, method: "GET") else {
                return require(false, "every reading has a route")
            }
            require(other === entry, "every reading has the same route")
        }
        if let prefix = entry.route.path.strippablePrefix, entry.route.stripsPrefix {
            let stripped = String(target.stripping(prefix))
            require((try? RequestTarget(tolerant: stripped)) != nil, "what an upstream is asked for is a target")
        }
    }

    private static let table: RouteTable = {
        var git = Route(name: "git", path: .prefix("/git"))
        (git.encodedSlashes, git.stripsPrefix) = (.pass, true)
        var store = Route(name: "store", path: .prefix("/a/store"))
        (store.encodedSlashes, store.doubleSlashes, store.stripsPrefix) = (.pass, .pass, true)
        var all = Route(name: "all", path: .prefix("/"))
        all.doubleSlashes = .pass
        let routes = [
            git, store, all, Route(name: "below", path: .prefix("/git/a")), Route(name: "a", path: .exactly("/a")),
        ]
        guard let table = try? RouteTable(routes) else { fatalError("the routes are valid") }
        return table
    }()
}
