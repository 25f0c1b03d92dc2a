import HTTPTypes
import Hummingbird
import Libcrypto
import NIOCore

/// A file of a page, embedded in the binary: it stays the same as long as the worker runs.
struct WebAsset: Sendable {
    /// The last segment of its path, such as `dashboard.js`.
    let name: String

    private let content: ByteBuffer
    private let headers: HTTPFields

    /// - Parameters:
    ///   - policy: What the browser may load for it. Only pages need one.
    ///   - values: What stands in for the placeholders `{{name}}` between the quotes of a page's attributes, as text.
    init(_ name: String, _ bytes: [UInt8], policy: ContentSecurityPolicy? = nil, values: [String: String] = [:]) {
        self.name = name
        var text = String(decoding: bytes, as: UTF8.self)
        for (placeholder, value) in values { text.replace("{{\(placeholder)}}", with: value.escapedForAttribute) }
        content = ByteBuffer(string: text)
        headers = Self.headers(name: name, text: text, policy: policy)
    }

    /// The file, or 304 for a browser that has it.
    func response(to request: Request) -> Response {
        let known = request.headers[.ifNoneMatch] ?? ""
        let isKnown = known.split(separator: ",").contains { tag in
            tag.trimmingSpaces.droppingWeakMark == headers[.eTag] ?? ""
        }
        if isKnown { return Response(status: .notModified, headers: headers) }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: content))
    }

    private static func headers(name: String, text: String, policy: ContentSecurityPolicy?) -> HTTPFields {
        var headers = ContentSecurityPolicy.harmlessHeaders
        headers[.contentType] = contentType(of: name)
        headers[.eTag] = "\"\(SHA256.digest(text).hex.prefix(32))\""
        // Asked for again each time, and sent again only after an update.
        headers[.cacheControl] = "no-cache"
        if let policy { headers.append(contentsOf: policy.headers) }
        return headers
    }

    private static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "application/octet-stream"
        }
    }
}

extension String {
    /// As it may stand between double quotes in HTML.
    fileprivate var escapedForAttribute: String { replacing("&", with: "&amp;").replacing("\"", with: "&quot;") }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        let begun = drop { $0 == " " || $0 == "\t" }
        return begun.prefix((begun.lastIndex { $0 != " " && $0 != "\t" }).map { begun[...$0].count } ?? 0)
    }

    /// A comparison for If-None-Match is the weak one (RFC 9110, 13.1.2): proxies that compress mark a tag as weak.
    fileprivate var droppingWeakMark: Substring { hasPrefix("W/") ? dropFirst(2) : self }
}
