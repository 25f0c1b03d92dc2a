import HTTPTypes
import HTTPWire
import TollgateCore

/// What a request is for, checked: the gateway decides by it, and no upstream may read it otherwise.
struct RequestAddress {
    let target: RequestTarget

    /// As it is passed on, perhaps with a port. Empty for an HTTP/1.0 request that does not say.
    let host: String

    /// For the routes. Nil when there is none.
    let requestHost: RequestHost?

    /// Host, path and query, the same through whichever port the request came.
    var text: String { (requestHost?.name ?? "") + target.text }

    /// - Throws: 400, with what is wrong.
    init(_ head: RequestHead) throws(APIError) {
        let (authority, text) = Self.split(head.target)
        let stated: String?
        do throws(MessageProblem) {
            stated = try head.host()
        } catch {
            var refusal = APIError.badRequest("The request is not valid HTTP/1.1: \(error.rawValue).")
            // A client that sends no valid Host may not frame its body rightly either.
            refusal.headers[.connection] = "close"
            throw refusal
        }
        // A target with a scheme names a host (RFC 9110, section 4.2.1).
        if authority?.isEmpty == true { throw .badRequest("The host is none.") }
        // An absolute target takes the place of Host (RFC 9112, section 3.2.2).
        try self.init(text: text, host: authority ?? stated ?? "")
    }

    /// - Parameter text: Path and query, perhaps odd: what the routes say of it counts.
    init(text: String, host: String) throws(APIError) {
        do throws(RequestTarget.Problem) {
            target = try RequestTarget(tolerant: text)
        } catch {
            throw .badPath(error)
        }
        self.host = host
        requestHost = RequestHost(host)
        if !host.isEmpty, requestHost == nil { throw .badRequest("The host is none.") }
    }

    /// The route that the request is for.
    ///
    /// - Throws: 400 for an odd path that no route takes.
    func match(in table: RouteTable, method: String) throws(APIError) -> RouteTable.Match {
        do throws(RequestTarget.Problem) {
            return try table.match(host: requestHost, target: target, method: method)
        } catch {
            throw .badPath(error)
        }
    }

    /// The authority of a target in absolute form, and the rest; the text as it is in any other form.
    static func split(_ text: String) -> (authority: String?, rest: String) {
        guard text.utf8.first != UInt8(ascii: "/") else { return (nil, text) }
        for scheme in ["http://", "https://"] where text.prefix(scheme.count).lowercased() == scheme {
            let rest = text.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let path = rest[end...]
            return (String(rest[..<end]), path.first == "/" ? String(path) : "/" + path)
        }
        return (nil, text)
    }
}

extension APIError {
    static func badPath(_ problem: RequestTarget.Problem) -> APIError { .badRequest("The path \(problem.rawValue).") }
}
